"""A bilingual lexicon from the links of a corpus: which words are linked, how often, with what probability."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xlm_align_fairseq.links.pharaoh import Link

# "\r" too: most readers of TSV take it for the end of a line
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\r": "\\r"})


@dataclass(frozen=True)
class Entry:
    """Hold the counts of a source and a target word that are linked.

    Attributes:
        count: links between the two.
        p_target: `count` / all links of the source word, an estimate of p(target | source).
        p_source: `count` / all links of the target word, an estimate of p(source | target).
        probability: the mean of the links' own probabilities; `None` where a link of the corpus has none.
    """

    source: str
    target: str
    count: int
    p_target: float
    p_source: float
    probability: float | None


class Lexicon:
    """Count links between words; memory grows with the different pairs of words, not with the corpus.

    Attributes:
        has_probabilities: whether every link so far has a probability.

    >>> lexicon = Lexicon()
    >>> lexicon.add(["das", "Haus"], ["the", "house"], {(0, 0): None, (1, 1): None})
    >>> lexicon.add(["das", "Kind"], ["that", "child"], {(0, 0): None, (1, 1): None})
    >>> lexicon.entries()[2]
    Entry(source='das', target='that', count=1, p_target=0.5, p_source=1.0, probability=None)
    """

    def __init__(self) -> None:
        self.has_probabilities = True
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sums: dict[tuple[str, str], float] = {}

    def add(self, source: Sequence[str], target: Sequence[str], links: Mapping[Link, float | None]) -> None:
        """Count the links of a sentence pair.

        Args:
            source, target: the words.
            links: within both, with their probabilities or `None`.
        """
        for (i, j), probability in links.items():
            words = sys.intern(source[i]), sys.intern(target[j])  # each word is stored once, however many pairs it is in
            self._counts[words] += 1
            if probability is None:
                self.has_probabilities = False
            else:
                self._sums[words] = self._sums.get(words, 0.0) + probability

    def entries(self, min_count: int = 1) -> list[Entry]:
        """Return the pairs of words with `min_count` links or more: most links first, then by source, then by target."""
        of_source: Counter[str] = Counter()
        of_target: Counter[str] = Counter()
        for (source, target), count in self._counts.items():
            of_source[source] += count
            of_target[target] += count
        kept = [words for words, count in self._counts.items() if count >= min_count]
        entries = []
        for source, target in sorted(kept, key=lambda words: (-self._counts[words], words)):
            count = self._counts[source, target]
            mean = self._sums[source, target] / count if self.has_probabilities else None
            entries.append(Entry(source, target, count, count / of_source[source], count / of_target[target], mean))
        return entries


def format_tsv(lexicon: Lexicon, min_count: int = 1) -> Iterator[str]:
    r"""Yield a header and a line for each entry, with their line ends.

    Tab, carriage return and backslash within a word become ``\t``, ``\r`` and ``\\``.
    """
    header = ["source", "target", "count", "p(target|source)", "p(source|target)"]
    yield "\t".join(header + ["mean probability"] * lexicon.has_probabilities) + "\n"
    for entry in lexicon.entries(min_count):
        words = [word.translate(_ESCAPES) for word in (entry.source, entry.target)]
        numbers = [str(entry.count), f"{entry.p_target:.6f}", f"{entry.p_source:.6f}"]
        mean = [] if entry.probability is None else [f"{entry.probability:.4f}"]
        yield "\t".join(words + numbers + mean) + "\n"
