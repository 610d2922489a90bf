"""Score predictions from counts that add up: measures over all examples, with bootstrap intervals over the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.metrics import draw_sums, percentile_interval

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats], Floats]  # sums (K, columns) in, percentages (K,) out
ACCURACY = ("right", "all")


@dataclass(frozen=True)
class ScoreTable:
    """Hold what each example adds to the counts that measures are made of.

    Args:
        rows: (N, columns), of the N sentences, pairs or questions.
        columns: the names of the columns.
        measures: by name, functions of the sums of the columns.
        unit: what an example is, in the plural.
    """

    rows: Floats
    columns: tuple[str, ...]
    measures: Mapping[str, Measure]
    unit: str = "sentences"

    def sums(self) -> dict[str, float]:
        """Return the sum of each column."""
        return dict(zip(self.columns, self.rows.sum(0).tolist(), strict=True))

    def values(self) -> dict[str, float]:
        """Return the measures over all examples, in percent."""
        total = self.rows.sum(0, keepdims=True)
        return {name: float(measure(total)[0]) for name, measure in self.measures.items()}

    def intervals(self, samples: int = 1000, seed: int = 12345) -> dict[str, tuple[float, float]]:
        """Return the 95 % percentile interval of each measure when the examples are drawn again with replacement.

        Args:
            samples: number of drawn corpora.
            seed: seed of the draws; tables of one length are drawn alike, so that their differences can be compared.

        Raises:
            InputError: no examples, fewer than one sample, or a negative seed.
        """
        return {name: percentile_interval(drawn) for name, drawn in self.draws(samples, seed).items()}

    def draws(self, samples: int, seed: int) -> dict[str, Floats]:
        """Return each measure, in percent, of every drawn corpus, (samples,); arguments and errors as those of `intervals`."""
        drawn = np.concatenate(list(draw_sums(self.rows, samples, seed, self.unit)))
        return {name: measure(drawn) for name, measure in self.measures.items()}


def share(above: int, below: int) -> Measure:
    """Return the measure 100 · sum of one column / sum of another; 0 where the latter is 0."""
    return lambda sums: _ratio(sums[:, above], sums[:, below])


def f1_of(correct: int, predicted: int, gold: int) -> Measure:
    """Return the measure F1 = 200 · correct / (predicted + gold), which is 2PR / (P + R); 0 for 0/0.

    >>> f1_of(0, 1, 2)(np.array([[1.0, 2.0, 2.0]])).tolist()
    [50.0]
    """
    return lambda sums: _ratio(2 * sums[:, correct], sums[:, predicted] + sums[:, gold])


def score_classes(gold: Sequence[str], predicted: Sequence[str]) -> ScoreTable:
    """Return the accuracy of the classes of pairs.

    Raises:
        InputError: other numbers of classes.

    >>> score_classes(["0", "1", "1"], ["0", "1", "0"]).values()["accuracy"].__round__(1)
    66.7
    """
    if len(gold) != len(predicted):
        raise InputError(f"{len(predicted)} predicted classes for {len(gold)} pairs; allowed is one for each")
    rows = np.array([[float(a == b), 1.0] for a, b in zip(gold, predicted, strict=True)]).reshape(-1, 2)
    return ScoreTable(rows, ACCURACY, {"accuracy": share(0, 1)}, "pairs")


def _ratio(above: Floats, below: Floats) -> Floats:
    return 100 * np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 0)
