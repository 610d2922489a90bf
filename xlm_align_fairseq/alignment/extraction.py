"""From a plan to links. Everything is batched; a tie goes to the first index."""

from __future__ import annotations

import torch
from torch import Tensor


def _best(plan: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Return the bool cells that are the first maximum along `dim` among the existing ones."""
    candidates = plan.masked_fill(~mask, float("-inf"))
    best = torch.zeros_like(mask).scatter_(dim, candidates.argmax(dim, keepdim=True), True)
    return best & mask


def mutual_argmax(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Link cells that are the best of their row and of their column (Och & Ney 2003: intersection of both directions).

    Args:
        rows: (B, S, T) plan in which each source piece chooses its target.
        columns: (B, S, T) plan in which each target piece chooses its source; often the same one.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        (B, S, T) bool links.
    """
    return _best(rows, mask, 2) & _best(columns, mask, 1)


def iterative_filter(plan: Tensor, mask: Tensor, rounds: int = 2, alpha: float = 0.9) -> Tensor:
    """Add links round by round (Chi et al. 2021, section 3.1, as the authors' code has it).

    Round 1 is the mutual argmax. Each further round scales cells whose row or column (not both) is linked by `alpha`, shuts cells
    whose row and column both are, and adds the mutual argmax of what is left. A pair is done when all its rows or all its columns
    are linked, when a round adds nothing, or from the start when a side has two pieces or fewer.

    Args:
        plan: (B, S, T) float; mask: (B, S, T) bool; rounds: 1 or more; alpha: 0..1.

    Returns:
        (B, S, T) bool links; more rounds only add.
    """
    links = mutual_argmax(plan, plan, mask)
    if rounds == 1:
        return links
    row_exists, column_exists = mask.any(2), mask.any(1)
    active = torch.minimum(row_exists.sum(1), column_exists.sum(1)) > 2
    for _ in range(rounds - 1):
        row_linked, column_linked = links.any(2), links.any(1)
        active = active & (row_exists & ~row_linked).any(1) & (column_exists & ~column_linked).any(1)
        if not active.any():
            break
        either = row_linked[:, :, None] ^ column_linked[:, None, :]
        both = row_linked[:, :, None] & column_linked[:, None, :]
        candidates = torch.where(either, plan * alpha, plan).masked_fill(both, 0.0)
        added = mutual_argmax(candidates, candidates, mask) & ~both & ~links & active[:, None, None]
        links = links | added
        active = active & added.flatten(1).any(1)
    return links


def agreement(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Return |forward ∩ backward| / |forward ∪ backward| of the two argmax directions, (B,) float in 0..1."""
    forward, backward = _best(rows, mask, 2), _best(columns, mask, 1)
    both, either = (forward & backward).flatten(1).sum(1), (forward | backward).flatten(1).sum(1)
    return both / either.clamp(min=1)
