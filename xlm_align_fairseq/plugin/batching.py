"""Batches of items that are sorted by length, every item in one of them."""

from __future__ import annotations

import numpy as np
from fairseq.data.data_utils_fast import batch_by_size_vec

from xlm_align_fairseq.errors import InputError


def all_in_batches(
    indices: np.ndarray,
    sizes: np.ndarray,
    max_tokens: int | None,
    max_sentences: int | None,
    multiple: int = 1,
) -> list[np.ndarray]:
    """Form batches of consecutive items.

    fairseq's own function leaves out the last items, the longest, where they make no multiple: here multiples are a preference.

    Args:
        indices: (N,) int64 items, the shortest first.
        sizes: (N,) int64 pieces of each.
        max_tokens: pieces of a batch, padding included; an item over them is a batch of its own. `None`: any.
        max_sentences: items of a batch; `None`: any.
        multiple: the number of items of a batch is one of it, where it can be.

    Raises:
        InputError: a limit is below 1.
    """
    limits = {
        "--max-tokens": max_tokens,
        "--batch-size": max_sentences,
        "--required-batch-size-multiple": multiple,
    }
    for flag, limit in limits.items():
        if limit is not None and limit < 1:
            raise InputError(f"{flag} {limit}: allowed are 1 and more")
    most = int(max_tokens) if max_tokens is not None else -1
    shown = np.minimum(sizes, most) if most > 0 else sizes  # two of `most` tokens are too many: each stands alone
    return batch_by_size_vec(indices, shown, most, max_sentences or -1, multiple)
