"""Score a file of predictions against a file of gold, by the rules of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import Value
from xlm_align_fairseq.transfer.pairs import Quoting, read_class_lines
from xlm_align_fairseq.transfer.question_scores import Rules, score_answers
from xlm_align_fairseq.transfer.questions import read_answers, read_questions
from xlm_align_fairseq.transfer.retrieval_files import has_scores, read_candidates, read_id_pairs, read_indices
from xlm_align_fairseq.transfer.retrieval_scores import above, best_threshold, score_id_pairs, score_indices
from xlm_align_fairseq.transfer.scores import ScoreTable, score_classes
from xlm_align_fairseq.transfer.tag_checks import read_predictions, read_tag_lines, unknown_tags
from xlm_align_fairseq.transfer.tag_scores import f1_by_type, score_ner, score_pos
from xlm_align_fairseq.transfer.tasks import Task

Path_ = Path | str
MEANINGS = {  # by kind of the task, or its name, and by measure
    "pos": {"accuracy": "of words", "f1": "of runs of one tag: XTREME's F1 of POS, not to be compared with accuracy"},
    "ner": {"accuracy": "of words", "f1": "of spans, as XTREME", "strict_f1": "the same of IOB2: all spans begin with B-"},
    "classes": {"accuracy": "of pairs"},
    "questions": {"f1+em": "mean of F1 and exact match: the number of the task in averages"},
    "tatoeba": {"accuracy": "of the lines that were found"},
    "bucc": {"f1": "of the pairs that were found"},
}


@dataclass(frozen=True)
class Options:
    """Hold what changes a score, and is `None` where the task says it.

    Args:
        language: of the predictions; MLQA's rules need it.
        rules: of answers.
        quoting: of files of pairs.
        threshold: that candidates of BUCC must have; `None` is the one that is best on this file.
    """

    language: str | None = None
    rules: Rules | None = None
    quoting: Quoting | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Scored:
    """Hold a table of scores, what was odd, and what the scores depend on.

    Args:
        table: of all examples.
        notes: lines for the user.
        label: for the signature.
        types: tables by type of span, for tasks that have some.
        numbers: beside the scores, as a threshold.
    """

    table: ScoreTable
    notes: list[str]
    label: dict[str, Value]
    types: dict[str, ScoreTable] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


def score_files(task: Task, gold: Path_, predictions: Path_, options: Options = Options()) -> Scored:
    """Score a file of predictions.

    Args:
        task: what it is of.
        gold: the file with the right answers, as it is published or as XTREME's `evaluate.py` reads it.
        predictions: in the form that XTREME's `evaluate.py` reads.
        options: what else the scores depend on.

    Raises:
        InputError: a file cannot be used, they do not belong together, gold is withheld, or an option has no effect.
    """
    reads, score = _SCORERS[task.name if task.kind == "retrieval" else task.kind]
    for one in fields(options):
        if getattr(options, one.name) is not None and one.name not in ("language", *reads):
            flag = {"quoting": "tsv-quoting"}.get(one.name, one.name)
            raise InputError(f"--{flag} changes nothing in the task {task.name}; leave it out")
    return score(task, gold, predictions, options)


def _score_tags(task: Task, gold: Path_, predictions: Path_, options: Options) -> Scored:
    file = read_tag_lines(gold)
    tags, predicted = file.gold(), read_predictions(predictions, file)
    _check_known({tag for sentence in tags for tag in sentence}, task, gold)
    notes = unknown_tags(file, task.labels)
    known = set(task.labels).union(*tags)
    if others := sum(tag not in known for sentence in predicted for tag in sentence):
        notes.append(f"{predictions}: {others} words have a tag that neither the task nor {gold} has; they count as errors")
    score = score_pos if task.name == "pos" else score_ner
    table = score(tags, predicted)
    label: dict[str, Value] = {"f1": "runs-of-one-tag" if task.name == "pos" else "spans", "seqeval": version("seqeval")}
    return Scored(table, notes, label, f1_by_type(tags, predicted) if task.name != "pos" else {})


def _score_classes(task: Task, gold: Path_, predictions: Path_, options: Options) -> Scored:
    classes, predicted = read_class_lines(gold, options.quoting), read_class_lines(predictions, options.quoting)
    if len(classes) != len(predicted):
        raise InputError(
            f"{predictions}: {len(predicted)} classes, but {len(classes)} in {gold}; line n of both is pair n: give the"
            " predictions for this file"
        )
    _check_known(set(classes), task, gold)
    notes = []
    for path, found, what in ((gold, classes, "they count as not found"), (predictions, predicted, "they count as errors")):
        others = sum(one not in task.labels for one in found)
        notes += [f"{path}: {others} pairs have a class that the task has not; {what}"] if others else []
    return Scored(score_classes(classes, predicted), notes, {"tsv_quoting": options.quoting or "by-line-ends"})


def _score_answers(task: Task, gold: Path_, predictions: Path_, options: Options) -> Scored:
    rules = rules_of(task, options)
    if rules == "mlqa" and options.language is None:
        raise InputError("--lang is missing: MLQA's rules are those of the language of the documents; give it, such as --lang de")
    file, answers = read_questions(gold), read_answers(predictions)
    wanted = file.gold()
    notes = file.notes()
    if missing := [name for name in wanted if name not in answers]:
        notes.append(f"{predictions}: {len(missing)} of {len(wanted)} questions have no answer and count 0, first {missing[0]!r}")
    if others := len(answers.keys() - wanted.keys()):
        notes.append(f"{predictions}: {others} answers to questions that {gold} has not, not read")
    return Scored(score_answers(wanted, answers, rules, options.language or "en"), notes, {"rules": rules})


def rules_of(task: Task, options: Options) -> Rules:
    """Return the rules by which answers of a task are compared."""
    return options.rules or ("mlqa" if task.name == "mlqa" else "squad")


def _score_lines(task: Task, gold: Path_, predictions: Path_, options: Options) -> Scored:
    wanted, found = read_indices(gold), read_indices(predictions)
    if len(wanted) != len(found):
        raise InputError(f"{predictions}: {len(found)} lines, but {len(wanted)} in {gold}; give the predictions for this file")
    return Scored(score_indices(wanted, found), [], {})


def _score_mined(task: Task, gold: Path_, predictions: Path_, options: Options) -> Scored:
    wanted = read_id_pairs(gold)
    if not has_scores(predictions):
        if options.threshold is not None:
            raise InputError(f"--threshold: {predictions} has pairs without scores; leave it out, or give candidates with scores")
        return Scored(score_id_pairs(wanted, read_id_pairs(predictions)), [], {"threshold": "none"})
    candidates = read_candidates(predictions)
    if options.threshold is not None:
        table = score_id_pairs(wanted, above(candidates, options.threshold))
        return Scored(table, [], {"threshold": options.threshold}, numbers={"threshold": options.threshold})
    best = best_threshold(candidates, wanted)
    if best == float("inf"):
        raise InputError(
            f"{predictions}: no candidate is a pair of {gold}, so no threshold is best; check that they belong together"
        )
    note = (
        "the threshold is the best one on these gold pairs: choose it on a development set and give --threshold for the test set"
    )
    return Scored(score_id_pairs(wanted, above(candidates, best)), [note], {"threshold": "best"}, numbers={"threshold": best})


_SCORERS: dict[str, tuple[tuple[str, ...], Callable[[Task, Path_, Path_, Options], Scored]]] = {
    "tags": ((), _score_tags),
    "classes": (("quoting",), _score_classes),
    "questions": (("rules",), _score_answers),
    "tatoeba": ((), _score_lines),
    "bucc": (("threshold",), _score_mined),
}


def _check_known(found: set[str], task: Task, gold: Path_) -> None:
    """Refuse gold of which the task knows nothing: the words of a test file, or the file of another task."""
    if not found & set(task.labels):
        what = "tag" if task.kind == "tags" else "class"
        raise InputError(
            f"{gold}: no line has a {what} of the task {task.name}: not scored; allowed are {', '.join(task.labels)}. XTREME's"
            " test files are without: give the file with the answers, or another --task"
        )
