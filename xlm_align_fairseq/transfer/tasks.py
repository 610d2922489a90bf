"""Name the tasks of XTREME: their kinds, the folders of their files, their tags and classes, and the averages over them.

References: Hu et al., "XTREME: A Massively Multilingual Multi-task Benchmark for Evaluating Cross-lingual Generalization", 2020;
Chi et al., "Improving Pretrained Cross-Lingual Language Models via Self-Labeled Word Alignment", 2021 (the mean of seven).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xlm_align_fairseq.errors import InputError

Kind = Literal["tags", "classes", "questions", "retrieval"]
_UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
UPOS = tuple(_UPOS.split())
NER = ("B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O")


@dataclass(frozen=True)
class Task:
    """Hold what is known of a task.

    Args:
        name: as commands have it.
        kind: what is predicted: tags of words, classes of sentences or pairs, answers to questions, or the lines of translations.
        folder: of its files in what XTREME's script downloads, and of its predictions in what XTREME's `evaluate.py` reads.
        labels: the tags of words or the classes of pairs; empty for the other kinds.
        number: of the scores, the one that XTREME reports; `f1+em` is the mean of F1 and exact match.
    """

    name: str
    kind: Kind
    folder: str
    labels: tuple[str, ...]
    number: str


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("pos", "tags", "udpos", UPOS, "f1"),
        Task("ner", "tags", "panx", NER, "f1"),
        Task("xnli", "classes", "xnli", ("contradiction", "entailment", "neutral"), "accuracy"),
        Task("pawsx", "classes", "pawsx", ("0", "1"), "accuracy"),
        Task("xquad", "questions", "xquad", (), "f1+em"),
        Task("mlqa", "questions", "mlqa", (), "f1+em"),
        Task("tydiqa", "questions", "tydiqa", (), "f1+em"),
        Task("tatoeba", "retrieval", "tatoeba", (), "accuracy"),
        Task("bucc", "retrieval", "bucc2018", (), "f1"),
    )
}
AVERAGES: dict[str, tuple[str, ...]] = {
    "paper": ("pos", "ner", "xquad", "mlqa", "tydiqa", "xnli", "pawsx"),  # the mean of seven of XLM-Align's table
    "xtreme": tuple(TASKS),
}


def find_task(name: str) -> Task:
    """Return a task by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in TASKS:
        raise InputError(f"no task {name!r}: allowed are {', '.join(TASKS)}")
    return TASKS[name]


def answers_number(f1: float, exact_match: float) -> float:
    """Return the one number of a task of questions: the mean of F1 and exact match.

    >>> answers_number(62.0, 45.0)
    53.5
    """
    return (f1 + exact_match) / 2


def language_mean(numbers: Mapping[str, float], leave_out: Sequence[str] = ()) -> float:
    """Return the plain mean over the languages of a task, English included.

    Args:
        numbers: by language.
        leave_out: languages that do not count, as English in TyDiQA's own mean.

    Raises:
        InputError: no language is left.

    >>> language_mean({"en": 90.0, "de": 80.0}), language_mean({"en": 90.0, "de": 80.0}, ["en"])
    (85.0, 80.0)
    """
    kept = [number for language, number in numbers.items() if language not in leave_out]
    if not kept:
        raise InputError("the mean of no languages: give the number of one language or more")
    return sum(kept) / len(kept)


def average(numbers: Mapping[str, float], name: str = "paper") -> float:
    """Return the mean of the numbers of tasks, each counted once.

    Args:
        numbers: by task; those of other tasks are not read.
        name: `paper`, the mean of seven tasks that XLM-Align's table has, or `xtreme`, of all nine.

    Raises:
        InputError: there is no such average, or a task of it has no number.

    >>> row = {"pos": 76.0, "ner": 63.7, "xquad": 66.85, "mlqa": 58.95, "tydiqa": 53.45, "xnli": 76.2, "pawsx": 86.8}
    >>> round(average(row), 2)
    68.85
    """
    if name not in AVERAGES:
        raise InputError(f"no average {name!r}: allowed are {', '.join(AVERAGES)}")
    if missing := [task for task in AVERAGES[name] if task not in numbers]:
        raise InputError(
            f"the average {name!r} is over {len(AVERAGES[name])} tasks, and {', '.join(missing)} has no number; an average over"
            " others cannot be compared with it: give the numbers of all"
        )
    return sum(numbers[task] for task in AVERAGES[name]) / len(AVERAGES[name])
