"""Score what was carried over links against gold labels of the same target words.

Spans: precision, recall and F1 of a span and its type, and F1 of the span alone. Beside them stands the ceiling, what perfect
links could reach: people label a sentence and its translation not alike. Of the spans of a type in a sentence at most as many can
be right as either side has::

    ceiling = 2 · Σ min(source spans, gold spans) / (source spans + gold spans)        Σ over sentences and types

Labels of words: accuracy of the words that have a link, and of all. Answers: exact match and F1 by SQuAD's rules.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from xlm_align_fairseq.links.projection import Span
from xlm_align_fairseq.transfer.question_scores import score_answers
from xlm_align_fairseq.transfer.scores import Measure, ScoreTable, f1_of, share

SPAN_COLUMNS = ("correct", "projected", "gold", "source", "reachable", "correct_without_types")
_OF_TYPES: dict[str, Measure] = {
    "f1": f1_of(0, 1, 2),
    "precision": share(0, 1),
    "recall": share(0, 2),
    "ceiling": f1_of(4, 3, 2),
}
_OF_SPANS = _OF_TYPES | {"f1_without_types": f1_of(5, 1, 2)}
WORD_COLUMNS = ("right", "linked", "words")


class SpanScores:
    """Count the spans of sentence after sentence."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._types: dict[str, Counter[str]] = {name: Counter() for name in SPAN_COLUMNS[:-1]}

    def add(self, source: Sequence[Span], projected: Sequence[Span], gold: Sequence[Span]) -> None:
        """Count a sentence.

        Args:
            source: its spans in the source.
            projected: what became of them in the target; no two overlap.
            gold: the right spans of the target; no two overlap.
        """
        right = set(gold)
        correct = [span for span in projected if span in right]
        columns = [Counter(span.tag for span in spans) for spans in (correct, projected, gold, source)]
        columns.append(columns[2] & columns[3])
        for name, counts in zip(self._types, columns, strict=True):
            self._types[name].update(counts)
        places = {span.words for span in gold}
        self._rows.extend([*(counts.total() for counts in columns), sum(span.words in places for span in projected)])

    def table(self) -> ScoreTable:
        """Return `f1`, `precision`, `recall`, `ceiling` and `f1_without_types`; the rows are sentences."""
        rows = np.array(self._rows, np.float64).reshape(-1, len(SPAN_COLUMNS))
        return ScoreTable(rows, SPAN_COLUMNS, _OF_SPANS)

    def by_type(self) -> dict[str, ScoreTable]:
        """Return, for each type of span, the same over all sentences, as one row."""
        types = sorted(set().union(*self._types.values()))
        columns = SPAN_COLUMNS[:-1]
        rows = {kind: np.array([[float(self._types[name][kind]) for name in columns]]) for kind in types}
        return {kind: ScoreTable(row, columns, _OF_TYPES, "corpora") for kind, row in rows.items()}


class WordScores:
    """Count the labels of words of sentence after sentence."""

    def __init__(self) -> None:
        self._rows = array("q")

    def add(self, projected: Sequence[str | None], gold: Sequence[str]) -> None:
        """Count a sentence.

        Args:
            projected: the label of each target word, `None` for one without a link.
            gold: the right ones.
        """
        right = sum(a == b for a, b in zip(projected, gold, strict=True))
        self._rows.extend([right, sum(label is not None for label in projected), len(gold)])

    def table(self) -> ScoreTable:
        """Return `accuracy` of all words, where one without a link is wrong, `accuracy_linked` and the share that is `linked`."""
        rows = np.array(self._rows, np.float64).reshape(-1, len(WORD_COLUMNS))
        measures = {"accuracy": share(0, 2), "accuracy_linked": share(0, 1), "linked": share(1, 2)}
        return ScoreTable(rows, WORD_COLUMNS, measures)


def score_projected_answers(gold: Mapping[str, Sequence[str]], projected: Mapping[str, str]) -> ScoreTable:
    """Score projected answers by the rules of SQuAD.

    Args:
        gold: the texts of the answers, by id.
        projected: the text of one answer, by id; a question without one counts 0, other ids are not read.

    Returns:
        `exact_match` and `f1` of all questions, both of those that have an answer alone (`…_linked`), and their share `linked`.
    """
    linked = np.array([[float(name in projected)] for name in gold]).reshape(-1, 1)
    scored = score_answers(gold, projected)
    measures: dict[str, Measure] = {
        "exact_match": share(0, 2),
        "f1": share(1, 2),
        "exact_match_linked": share(0, 3),
        "f1_linked": share(1, 3),
        "linked": share(3, 2),
    }
    return ScoreTable(np.hstack([scored.rows, linked]), (*scored.columns, "linked"), measures, "questions")
