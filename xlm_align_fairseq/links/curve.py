"""Count links with probabilities against gold at many thresholds at once: precision and recall as the threshold rises.

A threshold t keeps the links with probability >= t. The links of all sentence pairs are sorted once; one
cumulative sum gives the counts of all thresholds, so that the cost is O(N log N) for N links and any number of thresholds.
"""

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.metrics import Counts
from xlm_align_fairseq.links.pharaoh import Link

_SURE, _POSSIBLE = 1, 2


class MarkedLinks:
    """Hold of each link of many sentence pairs its probability and whether gold has it, in 9 bytes."""

    def __init__(self) -> None:
        self._probabilities, self._marks = array("d"), bytearray()
        self._sure = self._possible = self._sentences = 0

    def add(self, links: Mapping[Link, float], gold: Gold) -> None:
        """Add the links of the next sentence pair, with their probabilities, 0..1."""
        self._probabilities.extend(links.values())
        self._marks.extend(_SURE * (link in gold.sure) + _POSSIBLE * (link in gold.possible) for link in links)
        self._sure += len(gold.sure)
        self._possible += len(gold.possible)
        self._sentences += 1

    def curve(self, thresholds: Sequence[float]) -> list[tuple[float, Counts]]:
        """Count, for each threshold, the links with at least that probability against gold, over all sentence pairs.

        Args:
            thresholds: least probabilities, 0..1, in any order.

        Returns:
            Each threshold with its counts, in the order given. Recall never rises with the threshold; at 0 the counts are those
            of all links.

        Raises:
            InputError: a threshold lies outside 0..1.
        """
        for threshold in thresholds:
            if not 0 <= threshold <= 1:
                raise InputError(f"threshold {threshold}; allowed is 0..1, the least probability of a link that is kept")
        probabilities = np.array(self._probabilities, dtype=np.float64)  # (N,)
        order = np.argsort(probabilities, kind="stable")
        marks = np.frombuffer(bytes(self._marks), dtype=np.uint8)[order]
        first = np.searchsorted(probabilities[order], np.asarray(thresholds, dtype=np.float64), side="left")
        kept = [self._rest(marks & mark > 0, first) for mark in (_SURE, _POSSIBLE)]
        return [
            (threshold, Counts(len(marks) - n, self._sure, self._possible, a_sure, a_possible, self._sentences))
            for threshold, n, a_sure, a_possible in zip(thresholds, first.tolist(), *kept, strict=True)
        ]

    def spread(self, most: int = 500) -> list[float]:
        """Choose thresholds that represent the whole curve: the distinct probabilities, or at most ``most`` of them.

        If there are more, the chosen ones are spaced evenly by the number of links that they keep, since probabilities
        crowd near 0 and 1; the lowest and the highest are always included.

        Args:
            most: number of thresholds not to exceed, 2 or more.

        Returns:
            Thresholds, rising.

        >>> marked = MarkedLinks()
        >>> for links in {(0, 0): 0.5, (1, 1): 0.25}, {(0, 0): 0.5}:
        ...     marked.add(links, Gold(frozenset(), frozenset()))
        >>> marked.spread()
        [0.25, 0.5]
        """
        probabilities = np.sort(np.array(self._probabilities, dtype=np.float64))
        distinct: npt.NDArray[np.float64] = np.unique(probabilities)
        if len(distinct) > most:
            distinct = np.unique(probabilities[np.linspace(0, len(probabilities) - 1, most).round().astype(np.int64)])
        return [float(threshold) for threshold in distinct]

    @staticmethod
    def _rest(marked: npt.NDArray[np.bool_], first: npt.NDArray[np.int64]) -> list[int]:
        """Count what is marked from each of some places on."""
        before = np.concatenate([[0], np.cumsum(marked, dtype=np.int64)])
        found: list[int] = (before[-1] - before[first]).tolist()
        return found
