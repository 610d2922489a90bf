"""Cut a pair that is too long to be encoded at once into overlapping windows, and find the target range of each.

Both sides are cut into segments of a few pieces. A monotone path through the similarity of the segments (dynamic time warping,
Sakoe & Chiba 1978) assigns target segments to each source segment. A window has a core of as many consecutive source segments
as fit, a margin of context on both sides of the core, and the target pieces that the path assigns to the core. Each source piece
is in exactly one core, and its links are taken from that window. Target ranges overlap; `engine` then keeps, for each target
piece, the links of one window.

Windows lose links between pieces that are farther apart on the path than a window is long. So a pair that is not too long to be
encoded at once stays whole if many of its likely links are far from the path (`far_share`): its words moved far.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SEGMENT = 8  # minimum pieces of a segment
WHOLE = 250  # pieces of a side: a longer pair is always cut
NEAR = 8  # pieces from the path: links farther away are far
FAR_SHARE = 0.15  # of likely links: a pair with more is aligned whole (docs/aligning.md)
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
    """Return the segment length for a pair, in pieces."""
    return max(SEGMENT, -(-max(n_source, n_target) // MOST_SEGMENTS))


def monotone_path(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the monotone path from the first to the last cell along which the similarities are largest.

    A step advances one row, one column, or both; a diagonal step counts twice, so that all paths have the same total weight.

    Args:
        similarity: (n, m) float; only differences matter.

    Returns:
        (n,) int64 first and last column that the path visits in each row; a row's first column is the last column of the row
        before, or the column after it.
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


def far_share(source: np.ndarray, target: np.ndarray, first: np.ndarray, last: np.ndarray, segment: int) -> float:
    """Return which share of links is more than `NEAR` pieces away from the path.

    Args:
        source, target: (links,) int64 pieces that are linked.
        first, last: (segments of the source,) what `monotone_path` returns.
        segment: pieces of a segment.

    >>> far_share(np.array([0, 1, 9]), np.array([3, 15, 16]), np.array([0, 1]), np.array([0, 1]), segment=8)
    0.0
    >>> far_share(np.array([0, 1, 9]), np.array([3, 16, 16]), np.array([0, 1]), np.array([0, 1]), segment=8)
    0.3333333333333333
    """
    if not len(source):
        return 0.0
    row = source // segment
    distance = np.maximum(first[row] * segment - target, target - ((last[row] + 1) * segment - 1))
    return float((distance > NEAR).mean())


def plan_windows(first: np.ndarray, last: np.ndarray, n_source: int, n_target: int, limit: int) -> list[Window]:
    """Cut a pair into windows.

    Args:
        first, last: (segments of the source,) what `monotone_path` returns for segments of `segment_length` pieces.
        n_source, n_target: pieces of the two sides.
        limit: pieces of a window on each side.

    Returns:
        Windows with consecutive cores that cover the source.
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
    """Widen a range around its centre to `limit` pieces or the whole side; cut a longer range to its middle."""
    begin = (begin + end - limit) // 2
    begin = max(0, min(begin, length - limit))
    return begin, min(length, begin + limit)
