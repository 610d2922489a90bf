"""Count links with probabilities against gold at many thresholds at once: precision and recall as the threshold rises.

A threshold t keeps the links with probability >= t. The links of all sentence pairs are sorted once; one
cumulative sum gives the counts of all thresholds, so that the cost is O(N log N) for N links and any number of thresholds.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.metrics import Counts
from xlm_align_fairseq.links.pharaoh import Link


def curve(links: Sequence[Mapping[Link, float]], gold: Sequence[Gold], thresholds: Sequence[float]) -> list[tuple[float, Counts]]:
    """Count, for each threshold, the links with at least that probability against gold, over all sentence pairs.

    Args:
        links: the links of each sentence pair with their probabilities, 0..1.
        gold: the gold links of each sentence pair.
        thresholds: least probabilities, 0..1, in any order.

    Returns:
        Each threshold with its counts, in the order given. Recall never rises with the threshold; at 0 the counts are those
        of all links.

    Raises:
        InputError: links and gold differ in length, or a threshold lies outside 0..1.
    """
    if len(links) != len(gold):
        raise InputError(f"{len(links)} sentence pairs with links, but {len(gold)} with gold; give both of each pair")
    for threshold in thresholds:
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold {threshold}; allowed is 0..1, the least probability of a link that is kept")
    marked = np.array(list(_marked(links, gold)), dtype=np.float64).reshape(-1, 3)  # (N, 3)
    marked = marked[np.argsort(marked[:, 0], kind="stable")]
    kept = np.zeros((len(marked) + 1, 3), dtype=np.int64)  # row k: |A|, |A & S|, |A & P| without the k least probable links
    kept[:-1, 0] = np.arange(len(marked), 0, -1)
    kept[:-1, 1:] = np.cumsum(marked[::-1, 1:], axis=0)[::-1]
    rows = kept[np.searchsorted(marked[:, 0], np.asarray(thresholds, dtype=np.float64), side="left")]
    sure, possible = sum(len(one.sure) for one in gold), sum(len(one.possible) for one in gold)
    return [
        (threshold, Counts(a, sure, possible, a_sure, a_possible, len(gold)))
        for threshold, (a, a_sure, a_possible) in zip(thresholds, rows.tolist(), strict=True)
    ]


def spread_thresholds(links: Sequence[Mapping[Link, float]], most: int = 500) -> list[float]:
    """Choose thresholds that represent the whole curve: the distinct probabilities, or at most ``most`` of them.

    If there are more, the chosen ones are spaced evenly by the number of links that they keep, since probabilities
    crowd near 0 and 1; the lowest and the highest are always included.

    Args:
        links: the links of each sentence pair with their probabilities.
        most: number of thresholds not to exceed, 2 or more.

    Returns:
        Thresholds, rising.

    >>> spread_thresholds([{(0, 0): 0.5, (1, 1): 0.25}, {(0, 0): 0.5}])
    [0.25, 0.5]
    """
    probabilities = np.sort(np.array([probability for one in links for probability in one.values()], dtype=np.float64))
    distinct: npt.NDArray[np.float64] = np.unique(probabilities)
    if len(distinct) > most:
        distinct = np.unique(probabilities[np.linspace(0, len(probabilities) - 1, most).round().astype(np.int64)])
    return [float(threshold) for threshold in distinct]


def _marked(links: Sequence[Mapping[Link, float]], gold: Sequence[Gold]) -> Iterator[tuple[float, bool, bool]]:
    for one, right in zip(links, gold, strict=True):
        for link, probability in one.items():
            yield probability, link in right.sure, link in right.possible
