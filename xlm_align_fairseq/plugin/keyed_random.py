"""Random numbers that depend on a key alone, as on a seed and an epoch."""

from __future__ import annotations

import numpy as np


def rng(*key: int) -> np.random.Generator:
    """Return the random generator of a key such as (seed, epoch, id); equal keys always give equal numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
