"""Average the numbers of languages and tasks that a file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.transfer.tasks import AVERAGES, answers_number, average, find_task, language_mean

_FORM = (
    "give a JSON object from task to its number, or to the number of each language; questions may have"
    ' {"f1": …, "exact_match": …}'
)


class Answers(BaseModel):
    """Hold the two numbers of a task of questions."""

    model_config = ConfigDict(extra="forbid")
    f1: float
    exact_match: float


Number = float | Answers


def average_report(path: str, leave_out: list[str]) -> dict[str, Any]:
    """Read numbers, and average them over languages, then over the tasks of each average that has them all.

    Args:
        path: a JSON file.
        leave_out: languages that do not count.

    Raises:
        InputError: the file has another form, a task is not known, or nothing is left to average.
    """
    form: Any = dict[str, Number | dict[str, Number]]
    read = read_json(Path(path), form, _FORM)
    means: dict[str, float] = {}
    languages: dict[str, int] = {}
    for name, numbers in read.items():
        find_task(name)
        if isinstance(numbers, dict):
            languages[name] = sum(language not in leave_out for language in numbers)
            try:
                means[name] = language_mean({language: _one(number) for language, number in numbers.items()}, leave_out)
            except InputError as error:
                raise InputError(f"{path}: {name}: {error}") from error
        else:
            means[name] = _one(numbers)
    if not means:
        raise InputError(f"{path}: no numbers; {_FORM}")
    missing = {name: [task for task in tasks if task not in means] for name, tasks in AVERAGES.items()}
    return {
        "format": "xlm-align-averages.1",
        "tasks": means,
        "languages": languages,
        "left_out": leave_out,
        "averages": {name: average(means, name) for name, lacking in missing.items() if not lacking},
        "missing": {name: lacking for name, lacking in missing.items() if lacking},
    }


def average_table(report: dict[str, Any]) -> str:
    """Print the means of tasks and the averages over them."""
    lines = [f"{'task':10}  {'number':>6}  languages"]
    for name, mean in report["tasks"].items():
        lines.append(f"{name:10}  {mean:6.2f}  {report['languages'].get(name, '')}".rstrip())
    lines.append("")
    for name, tasks in AVERAGES.items():
        over = f"average over the {len(tasks)} tasks of {'the paper' if name == 'paper' else 'XTREME'}"
        lacking = report["missing"].get(name)
        lines.append(f"{over}: {'without ' + ', '.join(lacking) if lacking else format(report['averages'][name], '.2f')}")
    return "\n".join(lines)


def _one(number: Number) -> float:
    return answers_number(number.f1, number.exact_match) if isinstance(number, Answers) else number
