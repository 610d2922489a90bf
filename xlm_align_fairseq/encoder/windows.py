"""Cut a sequence that is too long to be encoded at once into overlapping windows."""

from __future__ import annotations

import numpy as np


def side_windows(length: int, limit: int, step: int | None = None) -> list[tuple[int, int]]:
    """Return (begin, end) of the windows, `limit` pieces long at most, that cover one side.

    Args:
        length: pieces of the side.
        limit: maximum pieces of a window.
        step: pieces from one begin to the next, `limit` at most; `None` = half of `limit`. To the last window, which is as long
            as the others, there may be fewer.
    """
    if length <= limit:
        return [(0, length)]
    step = step or max(1, limit // 2)
    begins = [*range(0, length - limit, step), length - limit]
    return [(begin, begin + limit) for begin in begins]


def most_central(length: int, windows: list[tuple[int, int]]) -> np.ndarray:
    """Return, for each piece, the index of the window with the nearest centre: (length,) int64."""
    middles = np.array([(begin + end) / 2 for begin, end in windows])
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, np.arange(length) + 0.5)
