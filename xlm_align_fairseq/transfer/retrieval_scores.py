"""Score sentence retrieval: accuracy of the nearest sentence, F1 of mined pairs.

XTREME's Tatoeba asks with the English sentences, by cosine; its BUCC has the F1 of the pairs above the threshold that is best on
the development set, half-way between the score of its last pair and the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.retrieval_files import Candidate
from xlm_align_fairseq.transfer.scores import ACCURACY, ScoreTable, f1_of, share

IdPair = tuple[str, str]


def score_indices(gold: Sequence[int], predicted: Sequence[int], texts: Sequence[str] | None = None) -> ScoreTable:
    """Return the accuracy of the lines that were found.

    Args:
        gold, predicted: of each query the line of the other file, from 0.
        texts: the lines of the other file; with them those are counted apart that were found at another line than the right one,
            and have its text.

    Raises:
        InputError: other numbers of lines.

    >>> score_indices([1, 0], [1, 1]).values()
    {'accuracy': 50.0}
    >>> score_indices([0, 1, 2], [0, 0, 0], ["Ja.", "Ja.", "Nein."]).sums()
    {'right': 1.0, 'same_text': 1.0, 'all': 3.0}
    """
    if len(gold) != len(predicted):
        raise InputError(f"{len(predicted)} predicted lines for {len(gold)} sentences; allowed is one for each")
    pairs = list(zip(gold, predicted, strict=True))
    if texts is None:
        rows = np.array([[float(a == b), 1.0] for a, b in pairs]).reshape(-1, 2)
        return ScoreTable(rows, ACCURACY, {"accuracy": share(0, 1)})
    rows = np.array([[float(a == b), float(a != b and texts[a] == texts[b]), 1.0] for a, b in pairs]).reshape(-1, 3)
    return ScoreTable(rows, ("right", "same_text", "all"), {"accuracy": share(0, 2), "same_text": share(1, 2)})


def score_id_pairs(gold: Collection[IdPair], predicted: Collection[IdPair]) -> ScoreTable:
    """Return F1, precision and recall of pairs of ids; an example is a source sentence that has one.

    >>> score_id_pairs([("a", "x"), ("b", "y")], [("a", "x")]).values()["recall"]
    50.0
    """
    wanted, found = set(gold), set(predicted)
    place = {name: n for n, name in enumerate(sorted({source for source, _ in wanted | found}))}
    rows = np.zeros((len(place), 3))
    for column, pairs in enumerate((wanted & found, found, wanted)):
        for source, _ in pairs:
            rows[place[source], column] += 1
    measures = {"f1": f1_of(0, 1, 2), "precision": share(0, 1), "recall": share(0, 2)}
    return ScoreTable(rows, ("correct", "predicted", "gold"), measures, "source sentences")


def above(candidates: Iterable[Candidate], threshold: float) -> list[IdPair]:
    """Return the pairs of the candidates that have at least a score."""
    return [(one.source, one.target) for one in candidates if one.score >= threshold]


def best_threshold(candidates: Sequence[Candidate], gold: Collection[IdPair]) -> float:
    """Return the threshold whose pairs have the highest F1; of several the highest.

    It is half-way to the next score, or the score of the last candidate, where all are taken; infinite without a right candidate.

    >>> best_threshold([Candidate(2.0, "a", "x"), Candidate(1.0, "b", "z")], [("a", "x")])
    1.5
    """
    wanted = set(gold)
    ordered = sorted(candidates, key=lambda one: -one.score)
    best, threshold, correct = 0.0, float("inf"), 0
    for n, one in enumerate(ordered, 1):
        correct += (one.source, one.target) in wanted
        following = ordered[n].score if n < len(ordered) else one.score
        f1 = 2 * correct / (n + len(wanted))
        if f1 > best and (following < one.score or n == len(ordered)):
            best, threshold = f1, (one.score + following) / 2
    return threshold
