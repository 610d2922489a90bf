"""Extract links from a plan. All functions are batched; ties go to the first index."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xlm_align_fairseq.alignment.sinkhorn import Plan
from xlm_align_fairseq.links import symmetrize


def _occupied(cells: Tensor, dim: int) -> Tensor:
    """Return which rows (dim 2) or columns (dim 1) of bool cells have a True: (B, S, 1) or (B, 1, T) bool."""
    return cells.sum(dim, keepdim=True) > 0  # any() takes five times as long


def _existing(plan: Tensor, mask: Tensor) -> Tensor:
    """Return the plan with -inf where no cell exists, so that none is ever the best."""
    return torch.where(mask, plan, float("-inf"))


def _mutual(rows: Tensor, columns: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best target of each source piece, (B, S, 1) int64, and whether both exist and the choice is mutual, bool."""
    chosen = rows.max(2, keepdim=True).indices  # ties and NaN as in argmax: the first wins; three times faster over columns
    chooser = columns.max(1).indices.gather(1, chosen.squeeze(2))
    sources = torch.arange(mask.size(1), device=mask.device)
    return chosen, (chooser == sources).unsqueeze(2) & mask.gather(2, chosen)


def mutual_argmax(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Link cells that are the best of their row and of their column: i–j where j = argmax_j A_ij and i = argmax_i A_ij.

    Args:
        rows: (B, S, T) plan in which each source piece chooses its target.
        columns: (B, S, T) plan in which each target piece chooses its source; often the same one.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        (B, S, T) bool links.

    Reference: Och & Ney 2003 (intersection of both directions).

    >>> plan = torch.tensor([[[0.6, 0.3], [0.5, 0.1]]])
    >>> mutual_argmax(plan, plan, plan > 0).nonzero().tolist()
    [[0, 0, 0]]
    """
    chosen, mutual = _mutual(_existing(rows, mask), _existing(columns, mask), mask)
    return torch.zeros_like(mask).scatter_(2, chosen, mutual)


def argmax_directions(rows: Tensor, columns: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Link each source piece to its best target in `rows`, and each target piece to its best source in `columns`.

    Returns:
        Two (B, S, T) bool tensors, forward and backward; arguments as those of `mutual_argmax`.

    >>> plan = torch.tensor([[[0.6, 0.3], [0.5, 0.1]]])
    >>> [direction.nonzero()[:, 1:].tolist() for direction in argmax_directions(plan, plan, plan > 0)]
    [[[0, 0], [1, 0]], [[0, 0], [0, 1]]]
    """
    forward = _existing(rows, mask).max(2, keepdim=True).indices
    backward = _existing(columns, mask).max(1, keepdim=True).indices
    nothing = torch.zeros_like(mask)
    return nothing.scatter(2, forward, True) & mask, nothing.scatter(1, backward, True) & mask


def cutoff_directions(rows: Tensor, columns: Tensor, mask: Tensor, cutoff: float) -> tuple[Tensor, Tensor]:
    """Link the cells whose share of their row, and of their column, is above a cutoff (Dou & Neubig 2021).

    Returns:
        Two (B, S, T) bool tensors, forward and backward; arguments as those of `mutual_argmax`.

    >>> plan = torch.tensor([[[0.6, 0.4]]])
    >>> [direction.tolist() for direction in cutoff_directions(plan, plan, plan > 0, 0.5)]
    [[[[True, False]]], [[[True, True]]]]
    """
    row_share = rows / rows.sum(2, keepdim=True).clamp(min=1e-30)
    column_share = columns / columns.sum(1, keepdim=True).clamp(min=1e-30)
    return (row_share > cutoff) & mask, (column_share > cutoff) & mask


def join_directions(forward: Tensor, backward: Tensor, how: str) -> Tensor:
    """Join the (B, S, T) bool links of two directions; `how` is a `symmetrization` of `AlignerConfig`.

    >>> forward, backward = torch.tensor([[[True, True]]]), torch.tensor([[[True, False]]])
    >>> join_directions(forward, backward, "intersection").tolist(), join_directions(forward, backward, "union").tolist()
    ([[[True, False]]], [[[True, True]]])
    """
    simple = {"intersection": forward & backward, "union": forward | backward, "forward": forward, "backward": backward}
    if how in simple:
        return simple[how]
    grow = getattr(symmetrize, how.replace("-", "_"))
    links = torch.zeros_like(forward)
    for b in range(len(links)):  # growing is sequential by definition
        directions = ([(i, j) for i, j in direction[b].nonzero().tolist()] for direction in (forward, backward))
        if grown := grow(*directions):
            i, j = torch.tensor(grown, device=links.device).T
            links[b, i, j] = True
    return links


def matching(plan: Tensor, mask: Tensor) -> Tensor:
    """Link one-to-one so that Σ A_ij over the links is largest; scipy solves it, pair by pair.

    Args:
        plan: (B, S, T) float; mask: (B, S, T) bool, padding last.

    Returns:
        (B, S, T) bool links, min(source pieces, target pieces) a pair.

    Reference: Jalili Sabet et al. 2020, section 2.2 (Match).

    >>> plan = torch.tensor([[[0.6, 0.5], [0.5, 0.1]]])
    >>> matching(plan, plan > 0).nonzero()[:, 1:].tolist()
    [[0, 1], [1, 0]]
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and seldom needed

    links = np.zeros(mask.shape, dtype=bool)
    cells = np.nan_to_num(plan.double().cpu().numpy(), nan=0.0)
    n_source, n_target = (_occupied(mask, dim).flatten(1).sum(1).tolist() for dim in (2, 1))
    for b, (s, t) in enumerate(zip(n_source, n_target, strict=True)):
        i, j = linear_sum_assignment(cells[b, :s, :t], maximize=True)
        links[b, i, j] = True
    return torch.from_numpy(links).to(mask.device)


def iterative_filter(plan: Tensor, mask: Tensor, rounds: int = 2, alpha: float = 0.9) -> Tensor:
    """Add links round by round (Chi et al. 2021, section 3.1, as the authors' code has it).

    Round 1 is the mutual argmax. Each further round multiplies cells whose row or column (not both) is linked by `alpha`,
    excludes cells whose row and column are both linked, and adds the mutual argmax of the rest. A pair is done when all its rows
    or all its columns are linked, when a round adds nothing, or after round 1 if a side has two pieces or fewer.

    Args:
        plan: (B, S, T) float; mask: (B, S, T) bool; rounds: 1 or more; alpha: 0..1.

    Returns:
        (B, S, T) bool links; more rounds only add links.

    >>> plan = torch.tensor([[[0.9, 0.5, 0.2], [0.8, 0.1, 0.1], [0.1, 0.2, 0.3]]])
    >>> [iterative_filter(plan, plan > 0, rounds).nonzero()[:, 1:].tolist() for rounds in (1, 2)]
    [[[0, 0], [2, 2]], [[0, 0], [0, 1], [1, 0], [2, 2]]]
    """
    links = mutual_argmax(plan, plan, mask)
    if rounds == 1:
        return links
    row_exists, column_exists = _occupied(mask, 2), _occupied(mask, 1)
    active = torch.minimum(row_exists.flatten(1).sum(1), column_exists.flatten(1).sum(1)) > 2
    for _ in range(rounds - 1):
        row_linked, column_linked = _occupied(links, 2), _occupied(links, 1)
        active = active & (row_exists & ~row_linked).flatten(1).any(1) & (column_exists & ~column_linked).flatten(1).any(1)
        if not active.any():
            break
        both = row_linked & column_linked  # excluded; cells with only one of the two linked get weight alpha
        row_weight = torch.ones_like(plan[:, :, :1]).masked_fill_(row_linked, alpha)
        column_weight = torch.ones_like(plan[:, :1]).masked_fill_(column_linked, alpha)
        candidates = _existing(torch.where(both, 0.0, plan * row_weight * column_weight), mask)
        chosen, mutual = _mutual(candidates, candidates, mask)
        added = mutual & ~both.gather(2, chosen) & active[:, None, None]
        links = links | torch.zeros_like(mask).scatter_(2, chosen, added)
        active = active & added.flatten(1).any(1)
    return links


def agreement(rows: Tensor, columns: Tensor, mask: Tensor) -> Tensor:
    """Return |forward ∩ backward| / |forward ∪ backward| of the two argmax directions, (B,) float in 0..1.

    >>> plan = torch.tensor([[[0.6, 0.3], [0.5, 0.1]]])
    >>> agreement(plan, plan, plan > 0)
    tensor([0.3333])
    """
    _, mutual = _mutual(_existing(rows, mask), _existing(columns, mask), mask)
    both = mutual.flatten(1).sum(1)
    choices = _occupied(mask, 2).flatten(1).sum(1) + _occupied(mask, 1).flatten(1).sum(1)  # every piece makes one
    return both / (choices - both).clamp(min=1)


# The extractions of `methods.EXTRACTIONS`: (plan, (B, S, T) bool mask, options) → (B, S, T) bool links.


def best_in_both(plan: Plan, mask: Tensor, symmetrization: str) -> Tensor:
    """Link what `argmax_directions` finds in the plan, joined by `symmetrization`.

    >>> rows = torch.tensor([[[0.6, 0.3], [0.5, 0.1]]])
    >>> best_in_both(Plan(rows, rows), rows > 0, "forward").nonzero()[:, 1:].tolist()
    [[0, 0], [1, 0]]
    """
    if symmetrization == "intersection":  # the usual case, faster
        return mutual_argmax(*plan, mask)
    return join_directions(*argmax_directions(*plan, mask), symmetrization)


def above_cutoff(plan: Plan, mask: Tensor, symmetrization: str, cutoff: float) -> Tensor:
    """Link what `cutoff_directions` finds in the plan, joined by `symmetrization`.

    >>> rows = torch.tensor([[[0.6, 0.4]]])
    >>> above_cutoff(Plan(rows, rows), rows > 0, "union", 0.5).tolist()
    [[[True, True]]]
    """
    return join_directions(*cutoff_directions(*plan, mask, cutoff), symmetrization)


def above_mutual(plan: Plan, mask: Tensor, cutoff: float, low_cutoff: float) -> Tensor:
    """Link the cells whose mutual probability √(P(j | i) · P(i | j)) is above a cutoff (Liang et al. 2006).

    The neighbours of such a cell in its row and column need `low_cutoff` alone: of words that go together, such as `will go` and
    `irá`, one takes most of the probability (hysteresis thresholding, Canny 1986, by one step).

    >>> rows, columns = torch.tensor([[[0.7, 0.2, 0.0, 0.1]]]), torch.tensor([[[1.0, 1.0, 1.0, 1.0]]])
    >>> [above_mutual(Plan(rows, columns), rows > 0, 0.5, low)[0, 0].int().tolist() for low in (1.0, 0.2)]
    [[1, 0, 0, 0], [1, 1, 0, 0]]
    """
    row_share = plan.rows / plan.rows.sum(2, keepdim=True).clamp(min=1e-30)
    column_share = plan.columns / plan.columns.sum(1, keepdim=True).clamp(min=1e-30)
    probability = (row_share * column_share).sqrt()
    links = (probability > cutoff) & mask
    return links if low_cutoff >= cutoff else links | (_beside(links) & (probability > low_cutoff) & mask)


def _beside(cells: Tensor) -> Tensor:
    """Return which cells have a True one before or after them in their row or column: (B, S, T) bool."""
    around = functional.pad(cells, (1, 1, 1, 1))
    return around[:, :-2, 1:-1] | around[:, 2:, 1:-1] | around[:, 1:-1, :-2] | around[:, 1:-1, 2:]


def filtered(plan: Plan, mask: Tensor, filter_rounds: int, alpha: float) -> Tensor:
    """Apply `iterative_filter` to the rows of the plan.

    >>> rows = torch.tensor([[[0.9, 0.5, 0.2], [0.8, 0.1, 0.1], [0.1, 0.2, 0.3]]])
    >>> filtered(Plan(rows, rows), rows > 0, 2, 0.9).nonzero()[:, 1:].tolist()
    [[0, 0], [0, 1], [1, 0], [2, 2]]
    """
    return iterative_filter(plan.rows, mask, filter_rounds, alpha)


def one_to_one(plan: Plan, mask: Tensor) -> Tensor:
    """Apply `matching` to the rows of the plan.

    >>> rows = torch.tensor([[[0.6, 0.5], [0.5, 0.1]]])
    >>> one_to_one(Plan(rows, rows), rows > 0).nonzero()[:, 1:].tolist()
    [[0, 1], [1, 0]]
    """
    return matching(plan.rows, mask)
