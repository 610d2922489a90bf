"""Confidence scores of sentence pairs, between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping

from xlm_align_fairseq.links.pharaoh import Link


def sentence_score(links: Mapping[Link, float], n_source: int, n_target: int) -> float:
    """Return the mean, over the words of both sides, of the probability of each word's best link; 0 for a word without one.

    A pair that is no translation leaves most words unlinked, or linked with low probability, and scores low.

    Args:
        links: the links of a sentence pair with their probabilities.
        n_source, n_target: number of words of each side, empty words not counted.

    >>> sentence_score({(0, 0): 0.75, (1, 1): 0.5, (1, 2): 0.25}, 2, 4)
    0.4583333333333333
    """
    source: dict[int, float] = {}
    target: dict[int, float] = {}
    for (i, j), probability in links.items():
        source[i] = max(probability, source.get(i, 0.0))
        target[j] = max(probability, target.get(j, 0.0))
    words = n_source + n_target
    return (sum(source.values()) + sum(target.values())) / words if words else 0.0
