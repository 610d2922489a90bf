"""From a plan to links. Everything is batched; a tie goes to the first index."""

from __future__ import annotations

import torch
from torch import Tensor


def _occupied(cells: Tensor, dim: int) -> Tensor:
    """Return which rows (dim 2) or columns (dim 1) of bool cells have a True: (B, S, 1) or (B, 1, T) bool."""
    return cells.sum(dim, keepdim=True) > 0  # any() takes five times as long


def _existing(plan: Tensor, mask: Tensor) -> Tensor:
    """Return the plan with -inf where no cell exists, so that none is ever the best."""
    return torch.where(mask, plan, float("-inf"))


def _mutual(rows: Tensor, columns: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the target each source piece chooses, (B, S, 1) int64, and whether both exist and it chooses back, bool."""
    chosen = rows.max(2, keepdim=True).indices  # the first of equals, or the first nan, as argmax; over columns thrice as fast
    chooser = columns.max(1).indices.gather(1, chosen.squeeze(2))
    sources = torch.arange(mask.size(1), device=mask.device)
    return chosen, (chooser == sources).unsqueeze(2) & mask.gather(2, chosen)


def mutual_argmax(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Link cells that are the best of their row and of their column (Och & Ney 2003: intersection of both directions).

    Args:
        rows: (B, S, T) plan in which each source piece chooses its target.
        columns: (B, S, T) plan in which each target piece chooses its source; often the same one.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        (B, S, T) bool links.
    """
    chosen, mutual = _mutual(_existing(rows, mask), _existing(columns, mask), mask)
    return torch.zeros_like(mask).scatter_(2, chosen, mutual)


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
    candidates = _existing(plan, mask)
    chosen, mutual = _mutual(candidates, candidates, mask)
    links = torch.zeros_like(mask).scatter_(2, chosen, mutual)
    if rounds == 1:
        return links
    row_exists, column_exists = _occupied(mask, 2), _occupied(mask, 1)
    active = torch.minimum(row_exists.flatten(1).sum(1), column_exists.flatten(1).sum(1)) > 2
    for _ in range(rounds - 1):
        row_linked, column_linked = _occupied(links, 2), _occupied(links, 1)
        active = active & (row_exists & ~row_linked).flatten(1).any(1) & (column_exists & ~column_linked).flatten(1).any(1)
        if not active.any():
            break
        both = row_linked & column_linked  # shut; the weights leave alpha where only one of the two is linked
        row_weight = torch.ones_like(plan[:, :, :1]).masked_fill_(row_linked, alpha)
        column_weight = torch.ones_like(plan[:, :1]).masked_fill_(column_linked, alpha)
        candidates = _existing(torch.where(both, 0.0, plan * row_weight * column_weight), mask)
        chosen, mutual = _mutual(candidates, candidates, mask)
        added = mutual & ~both.gather(2, chosen) & active[:, None, None]
        links = links | torch.zeros_like(mask).scatter_(2, chosen, added)
        active = active & added.flatten(1).any(1)
    return links


def agreement(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Return |forward ∩ backward| / |forward ∪ backward| of the two argmax directions, (B,) float in 0..1."""
    _, mutual = _mutual(_existing(rows, mask), _existing(columns, mask), mask)
    both = mutual.flatten(1).sum(1)
    choices = _occupied(mask, 2).flatten(1).sum(1) + _occupied(mask, 1).flatten(1).sum(1)  # every piece makes one
    return both / (choices - both).clamp(min=1)
