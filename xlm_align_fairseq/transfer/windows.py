"""Cut a long sentence or document into windows, in each of which some of its pieces are judged."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.encoder.windows import most_central, side_windows


class Window(NamedTuple):
    """A part of a text, in pieces; every end is exclusive. Pieces of the core are judged here, the others are context."""

    begin: int
    end: int
    core_begin: int
    core_end: int


def judging_windows(length: int, limit: int, step: int | None = None) -> list[Window]:
    """Cut a text into overlapping windows; each piece is judged in the one in which it has most context.

    Args:
        length: pieces of the text, without specials.
        limit: maximum pieces of a window, 1 or more.
        step: pieces from one begin to the next, 1 to `limit`; `None` = half of `limit`.

    Returns:
        Windows in order, whose cores follow each other without gaps and make up the text; none for no pieces.

    >>> judging_windows(5, 8)
    [Window(begin=0, end=5, core_begin=0, core_end=5)]
    >>> [(begin, end) for begin, end, _, _ in judging_windows(10, 4)]
    [(0, 4), (2, 6), (4, 8), (6, 10)]
    >>> [(begin, end) for _, _, begin, end in judging_windows(10, 4)]
    [(0, 3), (3, 5), (5, 7), (7, 10)]
    """
    if length == 0:
        return []
    spans = side_windows(length, limit, step)
    judges = most_central(length, spans)  # ascending
    edges = np.searchsorted(judges, np.arange(len(spans) + 1)).tolist()
    cores = zip(spans, itertools.pairwise(edges), strict=True)
    return [Window(*span, *core) for span, core in cores if core[0] < core[1]]
