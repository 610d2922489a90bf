"""Cut a pair that is too long to be read at once into overlapping windows, and find the target's part of each.

Both sides are cut into segments of a few pieces. A monotone path through the similarity of the segments (dynamic time warping,
Sakoe & Chiba 1978) says which target segments each source segment meets. Windows are made of source segments one after another:
as many as fit, with a margin of context on both sides, and with the target pieces that the path gives them. A link is taken from
the window in whose core, that is inside the margins, its source piece stands: each source piece has exactly one. The targets of
windows overlap; `chunk` then leaves each target piece the links of one window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SEGMENT = 8  # pieces, at least
MOST_SEGMENTS = 4096  # of a side: the path then takes 300 MB


class Window(NamedTuple):
    """A part of a pair, in pieces; every end is exclusive. Links count if their source piece is in the core."""

    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    core_begin: int
    core_end: int


def segment_length(n_source: int, n_target: int) -> int:
    """Return the pieces of a segment of a pair."""
    return max(SEGMENT, -(-max(n_source, n_target) // MOST_SEGMENTS))


def side_windows(length: int, limit: int) -> list[tuple[int, int]]:
    """Return (begin, end) of the half-overlapping windows, `limit` pieces long at most, that cover one side."""
    if length <= limit:
        return [(0, length)]
    step = max(1, limit // 2)
    begins = [*range(0, length - limit, step), length - limit]
    return [(begin, begin + limit) for begin in begins]


def most_central(length: int, windows: list[tuple[int, int]]) -> np.ndarray:
    """Return the number of the window in whose middle each piece stands most nearly: (length,) int64."""
    middles = np.array([(begin + end) / 2 for begin, end in windows])
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, np.arange(length) + 0.5)


def monotone_path(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the monotone path from the first to the last cell along which the similarities are largest.

    A step goes one row, one column, or both ahead; a step of both counts twice, so that all paths weigh the same.

    Args:
        similarity: (n, m) float; only differences matter.

    Returns:
        (n,) int64 first and last column that the path visits in each row; the first of a row is the last of the row before, or
        the next one.
    """
    n, m = similarity.shape
    centred = similarity - similarity.mean()
    best = np.full((n, m), -np.inf)
    step = np.zeros((n, m), dtype=np.int8)  # 0: from the row above, 1: from the column before, 2: from both
    best[0, 0] = 2 * centred[0, 0]
    for diagonal in range(1, n + m - 1):
        i = np.arange(max(0, diagonal - m + 1), min(n, diagonal + 1))
        j = diagonal - i
        cell = centred[i, j]
        before = np.full((3, len(i)), -np.inf)
        up, left = i > 0, j > 0
        before[0, up] = best[i[up] - 1, j[up]] + cell[up]
        before[1, left] = best[i[left], j[left] - 1] + cell[left]
        both = up & left
        before[2, both] = best[i[both] - 1, j[both] - 1] + 2 * cell[both]
        step[i, j] = before.argmax(0)
        best[i, j] = before.max(0)
    first, last = np.zeros(n, np.int64), np.zeros(n, np.int64)
    i, j = n - 1, m - 1
    last[i] = j
    while i or j:
        came = step[i, j]
        if came != 1:
            first[i] = j
            i -= 1
        if came != 0:
            j -= 1
        if came != 1:
            last[i] = j
    return first, last


def plan_windows(first: np.ndarray, last: np.ndarray, n_source: int, n_target: int, limit: int) -> list[Window]:
    """Cut a pair into windows.

    Args:
        first, last: (segments of the source,) what `monotone_path` returns, of segments of `segment_length`.
        n_source, n_target: pieces of the two sides.
        limit: pieces of a window on each side.

    Returns:
        Windows whose cores follow each other and cover the source.
    """
    segment = segment_length(n_source, n_target)
    room = max(1, limit - 2 * (limit // 5))
    windows = []
    row = 0
    while row < len(first):
        end = row + 1
        while end < len(first) and (end + 1 - row) * segment <= room and (last[end] + 1 - first[row]) * segment <= room:
            end += 1
        core = row * segment, min(end * segment, n_source)
        wanted = int(first[row]) * segment, min((int(last[end - 1]) + 1) * segment, n_target)
        windows.append(Window(*_widened(*core, n_source, limit), *_widened(*wanted, n_target, limit), *core))
        row = end
    return windows


def _widened(begin: int, end: int, length: int, limit: int) -> tuple[int, int]:
    """Return a range of `limit` pieces, or of all there are, around a range; its middle if it is longer than that."""
    begin = (begin + end - limit) // 2
    begin = max(0, min(begin, length - limit))
    return begin, min(length, begin + limit)
