"""The table of `xlm-align xtreme`: numbers of tasks and languages, their averages and differences, in four forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xlm_align_fairseq.transfer.comparison import Scores
from xlm_align_fairseq.transfer.evaluation import MEAN
from xlm_align_fairseq.transfer.tasks import AVERAGES, TASKS

TITLES = {
    "pos": "POS",
    "ner": "NER",
    "xquad": "XQuAD",
    "mlqa": "MLQA",
    "tydiqa": "TyDiQA",
    "xnli": "XNLI",
    "pawsx": "PAWS-X",
    "tatoeba": "Tatoeba",
    "bucc": "BUCC",
}
PARTS = {"f1+em": ("f1", "exact_match")}  # numbers that are shown as two
UNSCORED = "–"


def numbers(scores: Mapping[str, Scores]) -> dict[str, Any]:
    """Return the numbers of an encoder by task and language, with deviation over seeds and interval, and their averages.

    Args:
        scores: by task.
    """
    tasks = {
        task: {lang: {name: _number(of, lang, name) for name in _measures(task)} for lang in of.languages}
        for task, of in scores.items()
    }
    means = {task: np.array(of.values(of.languages[-1], TASKS[task].number)) for task, of in scores.items()}
    averages = {}
    for name, needed in AVERAGES.items():
        if all(task in means for task in needed):
            each = np.mean([means[task] for task in needed], 0)
            averages[name] = {"value": float(each.mean()), "deviation": _deviation(each), "each": each.tolist()}
    return {
        "tasks": tasks,
        "averages": averages,
        "missing": {name: [t for t in needed if t not in means] for name, needed in AVERAGES.items()},
    }


def differences(ours: Mapping[str, Scores], theirs: Mapping[str, Scores]) -> dict[str, Any]:
    """Return by task and language how much better one encoder is than the other, with paired intervals."""
    found: dict[str, Any] = {}
    for task, scores in ours.items():
        number = TASKS[task].number
        for lang in scores.languages:
            difference = scores.minus(theirs[task], lang, number)
            found.setdefault(task, {})[lang] = {
                "value": difference.value,
                "interval": list(difference.interval),
                "claimed": difference.claimed,
            }
    return found


def rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of the table: a header, a row for each encoder, and one of differences."""
    tasks = report["tasks"]
    table = [["encoder", *(TITLES[task] for task in tasks), "mean of 7", "mean of 9"]]
    for name, encoder in report["encoders"].items():
        cells = [_cell(encoder["tasks"].get(task), task) for task in tasks]
        averages = [_value(encoder["averages"][key]) if key in encoder["averages"] else UNSCORED for key in AVERAGES]
        table.append([name, *cells, *averages])
    if report["differences"]:
        cells = []
        for task in tasks:
            found = report["differences"].get(task)
            one = found[list(found)[-1]] if found else None
            cells.append(f"{one['value']:+.2f}{' *' * one['claimed']}" if one else UNSCORED)
        table.append(["difference", *cells, "", ""])
    return table


def as_text(report: Mapping[str, Any]) -> str:
    """Return the table with columns of equal width, and what is said below."""
    table = rows(report)
    widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*lines, "", *_below(report), "", report["signature"]]) + "\n"


def as_markdown(report: Mapping[str, Any]) -> str:
    """Return the table in Markdown, one of the languages of each task, and what is said below."""
    head, *body = rows(report)
    lines = [_markdown(head), _markdown(["---"] * len(head)), *map(_markdown, body), ""]
    lines += [f"{line}  " for line in _below(report)]
    for task in report["tasks"]:
        lines += list(_languages(report, task))
    return "\n".join([*lines, "", f"`{report['signature']}`"]) + "\n"


def as_latex(report: Mapping[str, Any]) -> str:
    """Return the table as a `tabular` of LaTeX."""
    head, *body = rows(report)
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\hline",
        _latex(head),
        r"\hline",
        *map(_latex, body),
        r"\hline",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, *(f"% {line}" for line in [*_below(report), report["signature"]])]) + "\n"


def _below(report: Mapping[str, Any]) -> list[str]:
    """Say what the numbers are, what was not scored, and what was left out."""
    seeds = ", ".join(map(str, report["seeds"]))
    several = f", mean ± standard deviation over seeds {seeds}" if len(report["seeds"]) > 1 else ""
    lines = [
        f"percent{several}; POS: F1 of runs of one tag, NER: F1 of spans, XQuAD, MLQA, TyDiQA: F1 / exact match, others: accuracy"
        " (BUCC: F1); plain means over languages",
        "mean of 7: the average of XLM-Align's paper; mean of 9: XTREME's; questions count (F1 + exact match) / 2",
    ]
    if report["differences"]:
        lines.append("* the 95 % interval of the difference, over examples and seeds, excludes 0")
    lines += [f"not scored: {task} in {', '.join(langs)}, no answers" for task, langs in report["not_scored"].items()]
    return [*lines, *(f"left out: {reason}" for reason in report["left_out"])]


def _languages(report: Mapping[str, Any], task: str) -> Iterator[str]:
    """Yield the lines of the table of a task by language."""
    found = {name: encoder["tasks"][task] for name, encoder in report["encoders"].items() if task in encoder["tasks"]}
    if not found:
        return
    langs = [lang for lang in next(iter(found.values())) if lang != MEAN]
    yield ""
    yield _markdown([TITLES[task], *langs])
    yield _markdown(["---"] * (len(langs) + 1))
    for name, of in found.items():
        yield _markdown([name, *(_cell({lang: of[lang]}, task) for lang in langs)])
    if difference := report["differences"].get(task):
        yield _markdown(
            [
                "difference",
                *(
                    f"{one['value']:+.2f} [{one['interval'][0]:+.2f}, {one['interval'][1]:+.2f}]{' *' * one['claimed']}"
                    for one in (difference[lang] for lang in langs)
                ),
            ]
        )


def _measures(task: str) -> Sequence[str]:
    number = TASKS[task].number
    return (number, *PARTS.get(number, ()))


def _number(scores: Scores, lang: str, name: str) -> dict[str, Any]:
    interval = list(scores.interval(lang, name))
    return {
        "value": scores.mean(lang, name),
        "deviation": scores.deviation(lang, name),
        "interval": interval,
        "each": scores.values(lang, name),
    }


def _cell(found: Mapping[str, Any] | None, task: str) -> str:
    """Return the number of the last row of languages, which is their mean."""
    if not found:
        return UNSCORED
    one = found[list(found)[-1]]
    names = PARTS.get(TASKS[task].number, (TASKS[task].number,))
    return " / ".join(_value(one[name]) for name in names)


def _value(number: Mapping[str, Any]) -> str:
    return f"{number['value']:.1f}" + (f" ± {number['deviation']:.1f}" if len(number["each"]) > 1 else "")


def _deviation(each: np.ndarray) -> float:
    return float(each.std(ddof=1)) if len(each) > 1 else 0.0


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', r'&#124;') for cell in cells)} |"


def _latex(cells: Sequence[str]) -> str:
    special = {"–": "--", "±": r"$\pm$", "*": r"$^*$", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#"}
    return " & ".join("".join(special.get(one, one) for one in cell) for cell in cells) + r" \\"
