"""Similarity of the pieces of two sides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def similarity(source: Tensor, target: Tensor, kind: str = "dot") -> Tensor:
    """Compare every source piece with every target piece: s_ij = h_i · h_j, or h_i · h_j / (|h_i| |h_j|).

    Args:
        source, target: (B, S, C), (B, T, C) hidden states of any floating dtype.
        kind: `dot`, or `cosine`.

    Returns:
        (B, S, T) float32; the caller masks what is padding.

    >>> source, target = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), torch.tensor([[[0.0, 2.0]]])
    >>> similarity(source, target).tolist(), similarity(source, target, "cosine").tolist()
    ([[[8.0], [2.0]]], [[[0.800000011920929], [1.0]]])
    """
    with torch.autocast(source.device.type, enabled=False):  # a sum of products can exceed what float16 holds
        source, target = source.float(), target.float()
        if kind == "cosine":
            source, target = F.normalize(source, dim=-1), F.normalize(target, dim=-1)
        return source @ target.transpose(1, 2)


def position_prior(mask: Tensor, weight: float) -> Tensor:
    """Prefer pieces that stand at the same place in their sentences: −λ |i/S − j/T|.

    Args:
        mask: (B, S, T) bool, True where both pieces exist, padding last.
        weight: λ.

    Returns:
        (B, S, T) float32, to be added to the similarity.

    Reference: Dyer, Chahuneau & Smith 2013, section 2.

    >>> position_prior(torch.ones(1, 2, 2, dtype=torch.bool), 0.1).tolist()
    [[[-0.0, -0.05000000074505806], [-0.05000000074505806, -0.0]]]
    """
    places = []
    for dim in (1, 2):
        exists = mask.any(3 - dim)
        ranks = torch.arange(exists.size(1), device=mask.device, dtype=torch.float32)
        places.append(ranks / exists.sum(1, keepdim=True).clamp(min=1))
    return -weight * (places[0][:, :, None] - places[1][:, None, :]).abs()
