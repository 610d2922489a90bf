"""Compare models by their scores, language by language.

With M models (seeds) of one kind, a language's number is the mean over the models. Its interval draws the examples again, the
same for every model; that of a difference of two kinds draws the models again, too. The mean over languages is the plain one;
languages are drawn independently of each other.

Reference: Koehn, "Statistical Significance Tests for Machine Translation Evaluation", 2004 (intervals, pairing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.links.metrics import percentile_interval
from xlm_align_fairseq.transfer.evaluation import MEAN
from xlm_align_fairseq.transfer.scores import Floats, ScoreTable


class Difference(NamedTuple):
    """Hold the difference of two means, in points, with its 95 % interval; it is claimed where that excludes 0."""

    value: float
    interval: tuple[float, float]

    @property
    def claimed(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


class Scores:
    """Compare the scores of models of one kind, language by language.

    Args:
        models: of each model, its scores by language; languages without (`None`) are left out.
        measures: the names of those that are asked for.
        samples: bootstrap samples.
        seed: of the draws.

    Attributes:
        languages: those with scores, and `MEAN` at the end if they are several.
    """

    def __init__(self, models: Sequence[Mapping[str, ScoreTable | None]], measures: Iterable[str], samples: int, seed: int):
        scored = [lang for lang, table in models[0].items() if table is not None]
        self._values: dict[tuple[str, str], Floats] = {}  # (M,)
        self._draws: dict[tuple[str, str], Floats] = {}  # (M, samples)
        for number, lang in enumerate(scored):
            tables = [table for model in models if (table := model[lang]) is not None]
            drawn = [table.draws(samples, seed + number) for table in tables]
            for name in measures:
                self._values[lang, name] = np.array([table.values()[name] for table in tables])
                self._draws[lang, name] = np.stack([draws[name] for draws in drawn])
        self.languages = scored
        if len(scored) > 1:
            self.languages = [*scored, MEAN]
            for name in measures:
                for of in (self._values, self._draws):
                    of[MEAN, name] = np.mean([of[lang, name] for lang in scored], axis=0)
        self._seed = seed

    def values(self, lang: str, measure: str) -> list[float]:
        """Return the number of each model, in percent."""
        return self._values[lang, measure].tolist()

    def mean(self, lang: str, measure: str) -> float:
        """Return the mean over the models."""
        return float(self._values[lang, measure].mean())

    def deviation(self, lang: str, measure: str) -> float:
        """Return the standard deviation over the models, of a sample; 0 of one model."""
        values = self._values[lang, measure]
        return float(values.std(ddof=1)) if len(values) > 1 else 0.0

    def interval(self, lang: str, measure: str) -> tuple[float, float]:
        """Return the 95 % interval of the mean: examples are drawn again."""
        return percentile_interval(self._draws[lang, measure].mean(0))

    def minus(self, other: Scores, lang: str, measure: str) -> Difference:
        """Return how much better these models are than others on the same files: examples and models are drawn again."""
        generator = np.random.default_rng(self._seed)
        ours, theirs = (_of_drawn_models(scores._draws[lang, measure], generator) for scores in (self, other))
        return Difference(self.mean(lang, measure) - other.mean(lang, measure), percentile_interval(ours - theirs))


def _of_drawn_models(draws: Floats, generator: np.random.Generator) -> Floats:
    """Return the mean over M models, drawn with replacement for each sample: (M, samples) in, (samples,) out."""
    models = generator.integers(len(draws), size=draws.shape)
    return np.take_along_axis(draws, models, 0).mean(0)
