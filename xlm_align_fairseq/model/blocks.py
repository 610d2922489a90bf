"""Matrices in 8 bits: each row in blocks of 32 values, which are whole numbers -127..127 times one float16 scale."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from xlm_align_fairseq.errors import InputError

BLOCK: Final = 32  # values of a row that share a scale
HIGHEST = 127


class Blocks(NamedTuple):
    """A matrix of R rows and C columns.

    Args:
        values: (R, C) int8, -127..127.
        scales: (R, ⌈C / 32⌉) float16, 0 or more.
    """

    values: Tensor
    scales: Tensor


def n_blocks(columns: int) -> int:
    """Return how many blocks a row of so many values has; the last one may be shorter."""
    return -(-columns // BLOCK)


def quantise(matrix: Tensor) -> Blocks:
    """Quantise a matrix to the nearest multiples of the scales.

    The scale of a block is max |x| / 127, rounded up to a float16, so that no value is cut off: the error of a value is at most
    half the scale of its block.

    Args:
        matrix: (R, C) finite numbers.

    Raises:
        InputError: a value is too large for a float16 scale.

    >>> blocks = quantise(torch.tensor([[127.0, -3.4, 0.0]]))
    >>> blocks.values.tolist(), blocks.scales.tolist()
    ([[127, -3, 0]], [[1.0]])
    """
    grouped = _grouped(matrix.float())  # (R, blocks, 32)
    exact = grouped.abs().amax(-1) / HIGHEST
    scales = exact.half()
    scales = torch.where(scales.float() < exact, torch.nextafter(scales, torch.full_like(scales, torch.inf)), scales)
    if not scales.isfinite().all():
        limit = HIGHEST * torch.finfo(torch.float16).max
        raise InputError(f"a weight of {float(matrix.abs().max()):g} is too large for 8-bit blocks; the largest is {limit:g}")
    steps = scales.float().where(scales > 0, 1.0)[..., None]
    values = (grouped / steps).round().clamp(-HIGHEST, HIGHEST).to(torch.int8)
    return Blocks(values.flatten(1)[:, : matrix.size(1)].contiguous(), scales)


def restore(blocks: Blocks) -> Tensor:
    """Return the matrix (R, C) in float32: values times the scales of their blocks.

    >>> restore(Blocks(torch.tensor([[2, -4]], dtype=torch.int8), torch.tensor([[0.5]]).half())).tolist()
    [[1.0, -2.0]]
    """
    restored = _grouped(blocks.values.float()) * blocks.scales.float()[..., None]
    return restored.flatten(1)[:, : blocks.values.size(1)].contiguous()


def _grouped(matrix: Tensor) -> Tensor:
    """Return (R, blocks, 32) values, zeros behind the end of each row."""
    columns = matrix.size(1)
    return F.pad(matrix, (0, n_blocks(columns) * BLOCK - columns)).unflatten(1, (n_blocks(columns), BLOCK))
