"""Find translations: accuracy where it is known which line translates which, and mining of pairs where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.transfer.retrieval_files import Candidate, Identified
from xlm_align_fairseq.transfer.retrieval_scores import score_indices
from xlm_align_fairseq.transfer.retrieval_search import Hits
from xlm_align_fairseq.transfer.scores import ScoreTable

FORWARD, BACKWARD = DIRECTIONS = ("forward", "backward")  # the source sentences ask; the target sentences do


class Distinct(NamedTuple):
    """Hold sentences, each once.

    Args:
        ids: of each the first under which it stands.
        texts: of each.
        repeated: how many more there were.
    """

    ids: list[str]
    texts: list[str]
    repeated: int


def distinct(sentences: Sequence[Identified]) -> Distinct:
    """Return each sentence once: copies would fill the neighbourhoods that the margin is made of.

    >>> distinct([Identified("a", "Ja."), Identified("b", "Nein."), Identified("c", "Ja.")])
    Distinct(ids=['a', 'b'], texts=['Ja.', 'Nein.'], repeated=1)
    """
    first: dict[str, str] = {}
    for name, text in sentences:
        first.setdefault(text, name)
    return Distinct(list(first.values()), list(first), len(sentences) - len(first))


def score_lines(found: tuple[Hits, Hits], source: Sequence[str], target: Sequence[str]) -> dict[str, ScoreTable]:
    """Score both directions where line n of one file translates line n of the other.

    Args:
        found: what `search` returns for the vectors of both.
        source, target: the lines; a hit at another line that has the text of the right one is counted apart.

    Raises:
        InputError: other numbers of lines.
    """
    gold = range(len(source))
    tables = [score_indices(gold, hits.indices.tolist(), side) for hits, side in zip(found, (target, source), strict=True)]
    return dict(zip(DIRECTIONS, tables, strict=True))


def mine(found: tuple[Hits, Hits], source: Sequence[str], target: Sequence[str]) -> list[Candidate]:
    """Return pairs, best first: of the nearest in both directions those with the highest scores, each sentence once.

    Args:
        found: what `search` returns.
        source, target: ids of the sentences.

    >>> one = Hits(np.array([0, 0]), np.array([0.9, 0.8], np.float32))
    >>> other = Hits(np.array([0, 1]), np.array([0.9, 0.5], np.float32))
    >>> [(pair.source, pair.target) for pair in mine((one, other), ["a", "b"], ["x", "y"])]
    [('a', 'x'), ('b', 'y')]
    """
    forward, backward = found
    sources = np.concatenate([np.arange(len(source)), backward.indices])
    targets = np.concatenate([forward.indices, np.arange(len(target))])
    scores = np.concatenate([forward.scores, backward.scores])
    kept: list[Candidate] = []
    free = [np.ones(len(source), bool), np.ones(len(target), bool)]
    for n in np.lexsort((targets, sources, -scores)).tolist():
        i, j = sources[n], targets[n]
        if free[0][i] and free[1][j] and np.isfinite(scores[n]):
            free[0][i] = free[1][j] = False
            kept.append(Candidate(float(scores[n]), source[i], target[j]))
    return kept
