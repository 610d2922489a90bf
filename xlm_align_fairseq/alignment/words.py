"""Convert piece links to word links, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.links.pharaoh import Link


class WordLinks(NamedTuple):
    """Links of many pairs, sorted by pair, source word and target word, without repetition; parallel arrays."""

    pair: np.ndarray  # int64
    source: np.ndarray  # int64, word
    target: np.ndarray  # int64, word
    probability: np.ndarray  # float32


def word_links(pair: np.ndarray, source: np.ndarray, target: np.ndarray, probability: np.ndarray) -> WordLinks:
    """Link two words where any of their pieces are linked; the probability is that of the most probable of these links.

    Args:
        pair, source, target: (N,) int64, for each piece link the number of its pair and the words of its two pieces.
        probability: (N,) float32.

    >>> zero = np.zeros(3, int)
    >>> word_links(zero, np.array([0, 0, 1]), np.array([2, 2, 0]), np.float32([0.25, 0.75, 0.5])).probability.tolist()
    [0.75, 0.5]
    """
    order = np.lexsort((target, source, pair))
    pair, source, target, probability = (column[order] for column in (pair, source, target, probability))
    first = np.ones(len(pair), dtype=bool)
    first[1:] = (np.diff(pair) != 0) | (np.diff(source) != 0) | (np.diff(target) != 0)
    begins = np.flatnonzero(first)
    best = np.maximum.reduceat(probability, begins) if len(begins) else probability
    return WordLinks(pair[begins], source[begins], target[begins], best)


def piece_links(links: Iterable[Link], src_words: np.ndarray, tgt_words: np.ndarray) -> np.ndarray:
    """Link every piece of a source word to every piece of each target word that it is linked to.

    Args:
        links: word links, each once.
        src_words, tgt_words: (S,), (T,) int index of the word that each piece belongs to, ascending; a word may have no
            pieces.

    Returns:
        (K, 2) int64 source and target piece, 0-based, sorted.

    >>> piece_links([(0, 1)], np.array([0, 0]), np.array([0, 1])).tolist()
    [[0, 1], [1, 1]]
    """
    sides = np.array(list(links), np.int64).reshape(-1, 2).T
    (src_from, src_to), (tgt_from, tgt_to) = (
        (np.searchsorted(words, side, "left").tolist(), np.searchsorted(words, side, "right").tolist())
        for words, side in zip((src_words, tgt_words), sides, strict=True)
    )
    cells = [
        (i, j)
        for i_from, i_to, j_from, j_to in zip(src_from, src_to, tgt_from, tgt_to, strict=True)
        for i in range(i_from, i_to)
        for j in range(j_from, j_to)
    ]
    return np.array(sorted(cells), np.int64).reshape(-1, 2)
