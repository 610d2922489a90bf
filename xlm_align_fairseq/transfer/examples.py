"""What a model is evaluated on: the examples of a file, how their predictions are written, and how they are scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlm_align_fairseq.transfer.pairs import Quoting, read_pairs, write_classes
from xlm_align_fairseq.transfer.question_scores import score_answers
from xlm_align_fairseq.transfer.questions import check_ids, read_questions, write_answers
from xlm_align_fairseq.transfer.score_files import Options, rules_of
from xlm_align_fairseq.transfer.scores import ScoreTable, score_classes
from xlm_align_fairseq.transfer.settings import LabelSettings, Settings
from xlm_align_fairseq.transfer.tag_checks import unknown_tags
from xlm_align_fairseq.transfer.tag_scores import is_bio, score_ner, score_pos
from xlm_align_fairseq.transfer.tags import read_tagged, write_tags
from xlm_align_fairseq.transfer.tasks import Task


@dataclass(frozen=True)
class Examples:
    """Hold the examples of a file.

    Args:
        inputs: as `Transfer.predict` takes them.
        unit: what an example is, in the plural.
        scored: whether the file has the answers.
        write: writes a file of predictions, one for each example.
        score: returns the scores of predictions, one for each example, where the file has the answers.
        notes: lines for the user.
    """

    inputs: Sequence[Any]
    unit: str
    scored: bool
    write: Callable[[Path, Sequence[Any]], None]
    score: Callable[[Sequence[Any]], ScoreTable]
    notes: list[str]


def read_examples(task: Task, path: str, settings: Settings, options: Options) -> Examples:
    """Read a file of a task.

    Args:
        task: of tags, classes or questions.
        path: the file.
        settings: of the model that is evaluated.
        options: what else reading and scoring depend on.

    Raises:
        InputError: the file cannot be read.
    """
    if task.kind == "questions":
        return _questions(task, path, options)
    assert isinstance(settings, LabelSettings)
    return _tags(task, path, settings) if task.kind == "tags" else _classes(path, settings, options.quoting)


def _tags(task: Task, path: str, settings: LabelSettings) -> Examples:
    file = read_tagged(path)
    score = score_ner if is_bio(task.labels) else score_pos
    return Examples(
        [sentence.words for sentence in file.sentences],
        "sentences",
        file.has_tags,
        lambda target, tags: write_tags(target, file, tags),
        lambda tags: score(file.gold(), tags),
        unknown_tags(file, settings.labels) if file.has_tags else [],
    )


def _classes(path: str, settings: LabelSettings, quoting: Quoting | None) -> Examples:
    file = read_pairs(path, quoting=quoting)
    notes = file.notes()
    if file.has_classes and (unknown := sum(pair.label not in settings.labels for pair in file.pairs)):
        notes.append(f"{path}: {unknown} pairs have a class that the model has not; they count as not found")
    return Examples(
        file.pairs,
        "pairs",
        file.has_classes,
        lambda target, classes: write_classes(target, file, classes),
        lambda classes: score_classes(file.gold(), classes),
        notes,
    )


def _questions(task: Task, path: str, options: Options) -> Examples:
    file = read_questions(path)
    check_ids(file)
    ids, rules = [question.id for question in file.questions], rules_of(task, options)
    return Examples(
        file.questions,
        "questions",
        not file.withheld,
        lambda target, answers: write_answers(target, file, dict(zip(ids, answers, strict=True))),
        lambda answers: score_answers(file.gold(), dict(zip(ids, answers, strict=True)), rules, options.language or "en"),
        file.notes(),
    )
