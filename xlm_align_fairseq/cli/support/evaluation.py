"""What `xlm-align evaluate --model` reports: predictions of fine-tuned models, scored by language."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.transfer.comparison import Scores
from xlm_align_fairseq.transfer.evaluation import MEAN, Found, check_model, evaluate, files_of, tables_of, task_of
from xlm_align_fairseq.transfer.predict import Transfer, settings_of
from xlm_align_fairseq.transfer.score_files import Options, rules_of
from xlm_align_fairseq.transfer.tag_scores import is_bio
from xlm_align_fairseq.transfer.tasks import Task, find_task
from xlm_align_fairseq.version import __version__

RUNS, SPANS, CLASSES = ("accuracy", "f1"), ("f1", "precision", "recall", "strict_f1"), ("accuracy",)
ANSWERS = ("f1", "exact_match", "f1+em")
MEANINGS = {
    RUNS: "accuracy of words; f1 of runs of one tag: XTREME's F1 of POS, not to be compared with accuracy",
    SPANS: "f1, precision, recall of spans, as XTREME; strict_f1 of IOB2, where all spans begin with B-",
    CLASSES: "accuracy of pairs",
    ANSWERS: "f1 of the words of answers, exact match, and their mean, which is the number of the task",
}


def measures_of(task: Task) -> tuple[str, ...]:
    """Return the names of the scores that are reported of a task."""
    if task.kind != "tags":
        return CLASSES if task.kind == "classes" else ANSWERS
    return SPANS if is_bio(task.labels) else RUNS


def evaluation_report(args: argparse.Namespace) -> dict[str, Any]:
    """Predict, write predictions, score; return all of it in percent and points.

    Args:
        args: the parsed flags of `xlm-align evaluate`.

    Raises:
        InputError: a flag, a file or a model cannot be used.
    """
    task = find_task(args.task) if args.task else task_of(settings_of(args.model[0]))
    if task.kind == "retrieval":
        raise InputError(f"--task {task.name}: allowed with --model are tasks of fine-tuned models; use `xlm-align retrieve`")
    for flag, kind in (("tsv_quoting", "classes"), ("rules", "questions")):
        if getattr(args, flag) and task.kind != kind:
            raise InputError(f"--{flag.replace('_', '-')} changes nothing in the task {task.name}; leave it out")
    for path in [*args.model, *(args.against or [])]:
        check_model(settings_of(path), path, task)
    measures = measures_of(task)
    files = files_of(task, args.data, [lang for lang in (args.lang or "").split(",") if lang], args.split or "test")
    ours, models = _predictions(args, task, files, args.model, args.out)
    others, against = _predictions(args, task, files, args.against or [], None)
    scores = Scores(tables_of(ours), measures, args.samples, args.seed)
    report: dict[str, Any] = {
        "format": "xlm-align-evaluation.2",
        "signature": signature(_label(args, task, measures, scores, models, against)),
        "task": task.name,
        "meaning": MEANINGS[measures],
        "models": args.model,
        "files": {lang: _file(found) for lang, found in ours[0].items()},
        "scores": {lang: {name: _number(scores, lang, name) for name in measures} for lang in scores.languages},
        "notes": list(dict.fromkeys(note for model in ours for found in model.values() for note in found.notes)),
    }
    if args.against:
        theirs = Scores(tables_of(others), measures, args.samples, args.seed)
        report["against"] = args.against
        report["differences"] = {
            lang: {name: _difference(scores, theirs, lang, name) for name in measures} for lang in scores.languages
        }
    return report


def _predictions(
    args: argparse.Namespace, task: Task, files: Mapping[str, str], models: Sequence[str], out: str | None
) -> tuple[list[dict[str, Found]], list[str]]:
    """Return what each model found, and the fingerprints of the models."""
    found, fingerprints, options = [], [], Options(rules=args.rules, quoting=args.tsv_quoting)
    for number, path in enumerate(models, 1):
        transfer = Transfer.load(path, args.device or "auto", args.batch_tokens)
        fingerprints.append(transfer.fingerprint())
        folder = None if out is None else Path(out, str(number)) if len(models) > 1 else Path(out)
        found.append(evaluate(transfer, task, files, folder, args.split or "test", options, args.quiet))
    return found, fingerprints


def _label(
    args: argparse.Namespace, task: Task, measures: tuple[str, ...], scores: Scores, models: list[str], against: list[str]
) -> dict[str, Any]:
    of_kind: dict[str, dict[str, Any]] = {
        "tags": {"f1": "runs-of-one-tag" if measures == RUNS else "spans", "seqeval": version("seqeval")},
        "classes": {"tsv_quoting": args.tsv_quoting or "by-line-ends"},
        "questions": {"rules": rules_of(task, Options(rules=args.rules))},
    }
    return {
        "task": task.name,
        "lang": "+".join(lang for lang in scores.languages if lang != MEAN) or "none",
        **of_kind[task.kind],
        "models": "+".join(models),
        **({"against": "+".join(against)} if against else {}),
        "samples": args.samples,
        "seed": args.seed,
        "version": __version__,
    }


def _file(found: Found) -> dict[str, Any]:
    counted = {"path": found.path, "examples": found.examples, "unit": found.unit}
    return {**counted, "unknown_pieces": 100 * found.unknown, "scored": found.table is not None}


def _number(scores: Scores, lang: str, measure: str) -> dict[str, Any]:
    each, interval = scores.values(lang, measure), list(scores.interval(lang, measure))
    return {"value": scores.mean(lang, measure), "interval": interval, "deviation": scores.deviation(lang, measure), "each": each}


def _difference(scores: Scores, others: Scores, lang: str, measure: str) -> dict[str, Any]:
    found = scores.minus(others, lang, measure)
    return {"value": found.value, "interval": list(found.interval), "claimed": found.claimed}


def evaluation_table(report: Mapping[str, Any]) -> str:
    """Return the report as text: a line for each language, and for their mean."""
    models, unit = len(report["models"]), next(file["unit"] for file in report["files"].values())
    measures = list(next(iter(report["scores"].values()), {}))
    lines = [f"{report['task']}: {models} model{'s' * (models > 1)}; {report['meaning']}"]
    if report["scores"]:
        lines.append(f"{'language':9} {unit:>9} {'unknown %':>9}  " + "".join(f"{name + ' %':<32}" for name in measures).rstrip())
    for lang, row in report["scores"].items():
        file = report["files"].get(lang)
        counted = f"{file['examples']:>9} {file['unknown_pieces']:>9.2f}" if file else " " * 19
        lines.append(f"{lang:9} {counted}  " + "".join(f"{_cell(row[name], models):<32}" for name in measures).rstrip())
    if "differences" in report:
        lines += ["", f"minus {len(report['against'])} others, points; * where the interval excludes 0"]
        lines += [
            f"{lang:9} {'':19}  "
            + "".join(f"{_cell(row[name], 1) + ' *' * row[name]['claimed']:<32}" for name in measures).rstrip()
            for lang, row in report["differences"].items()
        ]
    unscored = [lang for lang, file in report["files"].items() if not file["scored"]]
    lines += [f"not scored: {', '.join(unscored)}"] if unscored else []
    return "\n".join([*lines, "", report["signature"]])


def _cell(number: Mapping[str, Any], models: int) -> str:
    low, high = number["interval"]
    deviation = f" ± {number['deviation']:.2f}" if models > 1 else ""
    return f"{number['value']:.2f}{deviation} [{low:.2f}, {high:.2f}]"
