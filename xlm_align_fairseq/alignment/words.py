"""Piece links to word links."""

from __future__ import annotations

import numpy as np
from torch import Tensor

NO_WORD = -1


def word_links(links: Tensor, src_words: np.ndarray, tgt_words: np.ndarray) -> list[list[tuple[int, int]]]:
    """Link two words where any of their pieces are linked.

    Args:
        links: (B, S, T) bool piece links.
        src_words, tgt_words: (B, S), (B, T) int word index of each piece, `NO_WORD` at padding.

    Returns:
        For each pair its sorted, unique (source word, target word) links.
    """
    pair, i, j = (index.cpu().numpy() for index in links.nonzero(as_tuple=True))
    source, target = src_words[pair, i].astype(np.int64), tgt_words[pair, j].astype(np.int64)
    real = (source != NO_WORD) & (target != NO_WORD)
    pair, source, target = pair[real], source[real], target[real]
    base = max(int(tgt_words.max(initial=0)), int(src_words.max(initial=0))) + 1
    keys = np.unique((pair * base + source) * base + target)
    found = np.stack([keys // base % base, keys % base], 1)
    ends = np.searchsorted(keys // (base * base), np.arange(1, len(links)))
    return [[(int(s), int(t)) for s, t in part] for part in np.split(found, ends)]
