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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.pharaoh import Link

Floats = npt.NDArray[np.float64]

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
    rates = np.concatenate([_aer(drawn) for drawn in _draw(_matrix(counts), samples, seed)])
    return _interval(rates)


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
    if len(counts_a) != len(counts_b):
        raise InputError(
            f"{len(counts_a)} sentence pairs against {len(counts_b)}; a paired test needs the same ones in both systems"
        )
    for n, (a, b) in enumerate(zip(counts_a, counts_b, strict=True), 1):
        if (a.sure, a.possible, a.sentences) != (b.sure, b.possible, b.sentences):
            raise InputError(f"sentence pair {n}: {a} against {b}; a paired test needs the same gold in both systems")
    both = np.concatenate([_matrix(counts_a), _matrix(counts_b)], axis=1)
    differences = np.concatenate([_aer(drawn[:, 2:]) - _aer(drawn[:, :2]) for drawn in _draw(both, samples, seed)])
    total_a, total_b = sum(counts_a, Counts()), sum(counts_b, Counts())
    difference = total_b.aer - total_a.aer
    low, high = _interval(differences)
    extreme = int(np.count_nonzero(np.abs(differences - differences.mean()) >= abs(difference)))
    p_value = (1 + extreme) / (1 + len(differences)) if len(counts_a) > 1 else 1.0
    return Paired(difference, low, high, p_value)


def _matrix(counts: Sequence[Counts]) -> Floats:
    """Return (N, 2): numerator and denominator of AER, as exact whole numbers in float64."""
    pairs = [(c.hypothesis + c.sure - c.hypothesis_sure - c.hypothesis_possible, c.hypothesis + c.sure) for c in counts]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _aer(drawn: Floats) -> Floats:
    """Return AER (K,) of drawn sums (K, 2)."""
    errors, size = drawn[:, 0], drawn[:, 1]
    return np.divide(errors, size, out=np.zeros_like(errors), where=size > 0)


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _draw(matrix: Floats, samples: int, seed: int) -> Iterator[Floats]:
    """Yield sums of rows drawn with replacement, (samples, columns) in all, in blocks that fit in memory."""
    n_rows = len(matrix)
    if n_rows == 0:
        raise InputError("no sentence pairs to draw from; a bootstrap interval needs at least one")
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
