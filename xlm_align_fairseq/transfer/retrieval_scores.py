"""Score sentence retrieval: accuracy of the nearest sentence, F1 of mined pairs.

The nearest sentence has the highest cosine, or the highest ratio margin: with NN the k nearest neighbours on the other side::

    margin(x, y) = cos(x, y) / (sum of cos(x, z), z in NN(x), / 2k + sum of cos(y, z), z in NN(y), / 2k)

Of equal ones the lower index wins. XTREME's Tatoeba asks with the English sentences, by cosine; its BUCC has the F1 of the pairs
above the threshold that is best on the development set, half-way between the score of its last pair and the next.

Reference: Artetxe & Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings", 2019.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.retrieval_files import Candidate
from xlm_align_fairseq.transfer.scores import ACCURACY, Floats, ScoreTable, f1_of, share

Integers = npt.NDArray[np.int64]
IdPair = tuple[str, str]
K = 4  # neighbours of the ratio margin, as XTREME has it
_CELLS = 1 << 24  # similarities held at once


def score_indices(gold: Sequence[int], predicted: Sequence[int]) -> ScoreTable:
    """Return the accuracy of the lines that were found.

    Raises:
        InputError: other numbers of lines.

    >>> score_indices([1, 0], [1, 1]).values()
    {'accuracy': 50.0}
    """
    if len(gold) != len(predicted):
        raise InputError(f"{len(predicted)} predicted lines for {len(gold)} sentences; allowed is one for each")
    rows = np.array([[float(a == b), 1.0] for a, b in zip(gold, predicted, strict=True)]).reshape(-1, 2)
    return ScoreTable(rows, ACCURACY, {"accuracy": share(0, 1)})


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


def nearest(queries: Floats, others: Floats, margin: int | None = None) -> Integers:
    """Return for each query the index of the nearest of the others.

    Args:
        queries: (N, C), any float type.
        others: (M, C).
        margin: the number k of neighbours of the ratio margin; `None` for the cosine.

    Returns:
        (N,), of equal vectors the lower index.

    >>> nearest(np.array([[1.0, 0.1]]), np.array([[0.0, 1.0], [2.0, 0.0], [2.0, 0.0]])).tolist()
    [1]
    """
    x, y = _normalised(queries), _normalised(others)
    if not len(y):
        raise InputError("no sentences to search among; give one or more")
    first: dict[bytes, int] = {}
    lowest = np.array([first.setdefault(row.tobytes(), n) for n, row in enumerate(y)])
    if margin is not None:
        mean_x, mean_y = _neighbours(x, y, margin), _neighbours(y, x, margin)
    found = np.zeros(len(x), dtype=np.int64)
    step = max(1, _CELLS // len(y))
    for start in range(0, len(x), step):
        similar = x[start : start + step] @ y.T
        if margin is not None:
            similar = similar / ((mean_x[start : start + step, None] + mean_y[None]) / 2)
        found[start : start + step] = lowest[similar.argmax(1)]
    return found


def _neighbours(x: Floats, y: Floats, k: int) -> Floats:
    """Return the mean cosine (N,) of each row of `x` with its k nearest of `y`."""
    if not 1 <= k <= len(y):
        raise InputError(f"{k} neighbours of {len(y)} sentences; allowed is 1 to the number of sentences, {K} is usual")
    step = max(1, _CELLS // len(y))
    blocks = [np.partition(x[n : n + step] @ y.T, len(y) - k, 1)[:, len(y) - k :].mean(1) for n in range(0, len(x), step)]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _normalised(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
