"""Masking for language modelling: which pieces are predicted, and what replaces them in the input (Devlin et al. 2019)."""

from __future__ import annotations

import numpy as np

FIRST_PIECE = 4  # smaller ids are specials


def mask_pieces(
    tokens: np.ndarray,
    generator: np.random.Generator,
    mask_id: int,
    probability: float = 0.15,
    keep: float = 0.1,
    replace: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose pieces to predict and hide them.

    Args:
        tokens: (L,) int piece ids; specials are never chosen.
        generator: see `rng`.
        mask_id: id of `<mask>`, the last of the vocabulary; random replacements are drawn from the pieces before it.
        probability: share of the pieces to predict.
        keep, replace: shares of those that stay as they are, or become a random piece; the others become `<mask>`.

    Returns:
        (L,) masked copy and (L,) bool, True at the pieces to predict.
    """
    draws = generator.random((2, len(tokens)))
    predict = (draws[0] < probability) & (tokens >= FIRST_PIECE)
    masked = tokens.copy()
    masked[predict & (draws[1] >= keep + replace)] = mask_id
    random = predict & (draws[1] >= keep) & (draws[1] < keep + replace)
    masked[random] = generator.integers(FIRST_PIECE, mask_id, random.sum())
    return masked, predict
