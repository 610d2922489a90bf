"""Measure links against gold: AER, precision, recall and F1 from additive counts, with bootstrap intervals.

With A the links of a hypothesis, S the sure and P the possible gold links (P includes S)::

    AER = 1 - (|A & S| + |A & P|) / (|A| + |S|)      precision = |A & P| / |A|      recall = |A & S| / |S|

All are fractions between 0 and 1 over the whole corpus. A measure of 0/0, without gold or without hypothesis
links, has no error: AER is 0, precision 1, recall 1. F1 is 0 where precision and recall are both 0.

References: Och & Ney, "A Systematic Comparison of Various Statistical Alignment Models", 2003 (AER, precision,
recall); Koehn, "Statistical Significance Tests for Machine Translation Evaluation", 2004 (intervals, pairing);
Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989, and Riezler & Maxwell, "On Some Pitfalls in
Automatic Evaluation and Significance Testing for MT", 2005 (p-value).
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.pharaoh import Link

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CELLS = 1 << 22  # weights held at once, samples x sentences: 32 MiB as int64


@dataclass(frozen=True)
class Counts:
    """Hold what the measures need of one or more sentence pairs; counts add with ``+`` and ``sum``.

    Args:
        hypothesis: |A|, links of the hypothesis.
        sure: |S|, sure gold links.
        possible: |P|, possible gold links, the sure ones included.
        hypothesis_sure: |A & S|.
        hypothesis_possible: |A & P|.
        sentences: number of sentence pairs counted.
    """

    hypothesis: int = 0
    sure: int = 0
    possible: int = 0
    hypothesis_sure: int = 0
    hypothesis_possible: int = 0
    sentences: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Add the counts of other sentence pairs."""
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __radd__(self, other: int) -> "Counts":
        """Let ``sum`` start from its 0."""
        return self if other == 0 else NotImplemented

    @property
    def aer(self) -> float:
        """Alignment error rate, a fraction; lower is better."""
        size = self.hypothesis + self.sure
        return (size - self.hypothesis_sure - self.hypothesis_possible) / size if size else 0.0

    @property
    def precision(self) -> float:
        """Share of the hypothesis that is possible."""
        return self.hypothesis_possible / self.hypothesis if self.hypothesis else 1.0

    @property
    def recall(self) -> float:
        """Share of the sure links that were found."""
        return self.hypothesis_sure / self.sure if self.sure else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class CountTable(Sequence[Counts]):
    """Hold the counts of many sentence pairs in 24 bytes each.

    Args:
        counts: those that are there from the beginning.
    """

    def __init__(self, counts: Iterable[Counts] = ()) -> None:
        self._flat = array("i")
        for one in counts:
            self.append(one)

    def append(self, c: Counts) -> None:
        """Add the counts of the next sentence pair."""
        self._flat.extend((c.hypothesis, c.sure, c.possible, c.hypothesis_sure, c.hypothesis_possible, c.sentences))

    @property
    def rows(self) -> Integers:
        """(N, 6), a row for each sentence pair, its columns in the order of `Counts`."""
        return np.array(self._flat, dtype=np.int64).reshape(-1, 6)

    def total(self) -> Counts:
        """Return the counts of all together."""
        return Counts(*self.rows.sum(0).tolist())

    def __len__(self) -> int:
        return len(self._flat) // 6

    @overload
    def __getitem__(self, n: int) -> Counts: ...
    @overload
    def __getitem__(self, n: slice) -> list[Counts]: ...
    def __getitem__(self, n: int | slice) -> Counts | list[Counts]:
        if isinstance(n, slice):
            return [self[k] for k in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        return Counts(*self._flat[6 * n : 6 * n + 6])


@dataclass(frozen=True)
class Paired:
    """Hold a paired comparison: AER of b minus AER of a (fractions), its 95 % interval, and a two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def count(hypothesis: Iterable[Link], gold: Gold) -> Counts:
    """Count the links of one sentence pair against its gold; repeated links count once."""
    links = frozenset(hypothesis)
    return Counts(len(links), len(gold.sure), len(gold.possible), len(links & gold.sure), len(links & gold.possible), 1)


def resampled_interval(counts: Sequence[Counts], *, samples: int = 1000, seed: int = 12345) -> tuple[float, float]:
    """Return the 95 % percentile interval of the corpus AER when sentence pairs are resampled with replacement.

    Args:
        counts: counts of each sentence pair.
        samples: number of drawn corpora.
        seed: seed of the draws; the same seed gives the same interval.

    Raises:
        InputError: no sentence pairs, fewer than one sample, or a negative seed.
    """
    return Resampled([counts], samples=samples, seed=seed).interval(0)


def paired_resampling(
    counts_a: Sequence[Counts], counts_b: Sequence[Counts], *, samples: int = 1000, seed: int = 12345
) -> Paired:
    """Compare two systems on the same sentence pairs by paired bootstrap.

    With d the difference on the corpus, d_k that on sample k of K and m the mean of all d_k, the p-value of "no
    difference" is that of the shift method of Noreen (1989), which moves the samples to mean zero::

        p = (1 + #{k : |d_k - m| >= |d|}) / (1 + K)

    It is two-sided. Riezler & Maxwell (2005), and sacrebleu after them, shift the absolute values instead,
    |d_k| - mean |d_k| >= |d|, which counts only one tail of a clear difference and gives about half of this p.
    With a single sentence pair p is 1.

    Args:
        counts_a: counts of each sentence pair for the first system.
        counts_b: the same for the second; a negative difference means that it is the better one.
        samples: number of drawn corpora.
        seed: seed of the draws.

    Raises:
        InputError: as `resampled_interval`, or the two systems were not counted against the same gold.
    """
    return Resampled([counts_a, counts_b], samples=samples, seed=seed).paired(1)


class Resampled:
    """Draw the sentence pairs again for several systems at once: what `resampled_interval` and `paired_resampling` find.

    Args:
        systems: counts of each sentence pair for each system; the first is what the others are compared with.
        samples, seed: as for `resampled_interval`.

    Raises:
        InputError: as `resampled_interval`, or a system was not counted against the same gold as the first.
    """

    def __init__(self, systems: Sequence[Sequence[Counts]], *, samples: int = 1000, seed: int = 12345) -> None:
        tables = [system if isinstance(system, CountTable) else CountTable(system) for system in systems]
        for table in tables[1:]:
            _check_gold(tables[0], table)
        self._n_rows = len(tables[0])
        self._totals = [table.total().aer for table in tables]
        matrix = np.concatenate([_matrix(table.rows) for table in tables], axis=1)
        drawn = np.concatenate(list(draw_sums(matrix, samples, seed)))
        self._rates = [_aer(drawn[:, 2 * k : 2 * k + 2]) for k in range(len(tables))]

    def interval(self, k: int) -> tuple[float, float]:
        """Return the 95 % percentile interval of the corpus AER of system k, from 0."""
        return percentile_interval(self._rates[k])

    def paired(self, k: int) -> Paired:
        """Compare system k with the first."""
        differences = self._rates[k] - self._rates[0]
        difference = self._totals[k] - self._totals[0]
        extreme = int(np.count_nonzero(np.abs(differences - differences.mean()) >= abs(difference)))
        p_value = (1 + extreme) / (1 + len(differences)) if self._n_rows > 1 else 1.0
        return Paired(difference, *percentile_interval(differences), p_value)


def _check_gold(a: CountTable, b: CountTable) -> None:
    if len(a) != len(b):
        raise InputError(f"{len(a)} sentence pairs against {len(b)}; a paired test needs the same ones in both systems")
    asked = [1, 2, 5]  # sure, possible, sentences
    for n in np.flatnonzero((a.rows[:, asked] != b.rows[:, asked]).any(1))[:1].tolist():
        raise InputError(f"sentence pair {n + 1}: {a[n]} against {b[n]}; a paired test needs the same gold in both systems")


def _matrix(rows: Integers) -> Floats:
    """Return (N, 2): what AER has above and below its fraction bar, as exact whole numbers in float64."""
    size = rows[:, 0] + rows[:, 1]
    return np.stack([size - rows[:, 3] - rows[:, 4], size], axis=1).astype(np.float64)


def _aer(drawn: Floats) -> Floats:
    """Return AER (K,) of drawn sums (K, 2)."""
    errors, size = drawn[:, 0], drawn[:, 1]
    return np.divide(errors, size, out=np.zeros_like(errors), where=size > 0)


def percentile_interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % interval of values (K,): their percentiles 2.5 and 97.5."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def draw_sums(matrix: Floats, samples: int, seed: int, of: str = "sentence pairs") -> Iterator[Floats]:
    """Yield sums of rows drawn with replacement, (samples, columns) in all, in blocks that fit in memory.

    Args:
        matrix: (N, columns), what is added of each example.
        samples: number of drawn corpora of N examples.
        seed: seed of the draws.
        of: what the rows are, for the text of an error.

    Raises:
        InputError: no rows, fewer than one sample, or a negative seed.
    """
    n_rows = len(matrix)
    if n_rows == 0:
        raise InputError(f"no {of} to draw from; a bootstrap interval needs at least one")
    if samples < 1:
        raise InputError(f"bootstrap samples: {samples}; allowed is 1 or more, 1000 is usual")
    if seed < 0:
        raise InputError(f"bootstrap seed: {seed}; allowed is 0 or more")
    generator = np.random.default_rng(seed)
    shares = np.full(n_rows, 1 / n_rows)
    piece = max(1, _CELLS // n_rows)
    for start in range(0, samples, piece):
        weights = generator.multinomial(n_rows, shares, size=min(piece, samples - start))
        yield weights.astype(np.float64) @ matrix
