"""Piece links to word links."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class WordLinks(NamedTuple):
    """Links of many pairs, sorted by pair, source word and target word, without repetition; all of one length."""

    pair: np.ndarray  # int64
    source: np.ndarray  # int64, word
    target: np.ndarray  # int64, word
    probability: np.ndarray  # float32


def word_links(pair: np.ndarray, source: np.ndarray, target: np.ndarray, probability: np.ndarray) -> WordLinks:
    """Link two words where any of their pieces are linked; the probability is that of the most probable of these links.

    Args:
        pair, source, target: (N,) int64, for each piece link the number of its pair and the words of its two pieces.
        probability: (N,) float32.
    """
    order = np.lexsort((target, source, pair))
    pair, source, target, probability = (column[order] for column in (pair, source, target, probability))
    new = np.ones(len(pair), dtype=bool)
    new[1:] = (np.diff(pair) != 0) | (np.diff(source) != 0) | (np.diff(target) != 0)
    begins = np.flatnonzero(new)
    best = np.maximum.reduceat(probability, begins) if len(begins) else probability
    return WordLinks(pair[begins], source[begins], target[begins], best)
