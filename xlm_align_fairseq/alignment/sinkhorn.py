"""Transport plans between the pieces of two sides.

Both scalings maximise Σ A_ij f_ij − μ A_ij log A_ij by Sinkhorn's alternate normalisation (Cuturi 2013; Chi et al. 2021, section
3.1). They differ in f, in the marginals and in the domain they compute in.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Plan(NamedTuple):
    """The last row-normalised and the last column-normalised plan, each (B, S, T) float32, 0 at padding.

    In `columns` source pieces compete for each target, in `rows` targets compete for each source piece; at convergence both are
    equal.
    """

    rows: Tensor
    columns: Tensor


def _existing_pieces(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return which rows, (B, S, 1) bool, and which columns, (B, 1, T) bool, have a cell."""
    return mask.sum(2, keepdim=True) > 0, mask.sum(1, keepdim=True) > 0  # any() takes five times as long


def reference_plan(similarity: Tensor, mask: Tensor, rounds: int = 2, clamp: float | None = 1e-6) -> Plan:
    """Normalise columns, then rows, of the similarities themselves (the authors' code: μ = 1, f = log max(clamp, s)).

    With P = max(clamp, s) at first, each round takes C_ij = P_ij / Σ_i P_ij, then P_ij = C_ij / Σ_j C_ij (Chi et al. 2021,
    section 3.1).

    Args:
        similarity: (B, S, T), any floating dtype.
        mask: (B, S, T) bool, True where both pieces exist.
        rounds: each normalises the columns, then the rows, to sum 1.
        clamp: smallest similarity; `None` leaves negative ones as they are.

    Returns:
        Plan. Without a clamp a sum can be 0 and its quotient NaN, which argmax then selects, as in the authors' code.
        A similarity that is not finite can make its row and column NaN, padding included.

    >>> plan = reference_plan(torch.tensor([[[3.0, 1.0], [1.0, 1.0]]]), torch.ones(1, 2, 2, dtype=torch.bool), rounds=1)
    >>> plan.columns.tolist()
    [[[0.75, 0.5], [0.25, 0.5]]]
    >>> plan.rows[0]
    tensor([[0.6000, 0.4000],
            [0.3333, 0.6667]])
    """
    row_exists, column_exists = _existing_pieces(mask)
    plan = similarity.float()
    if clamp is not None:
        plan = plan.clamp(min=clamp)
    plan = columns = torch.where(mask, plan, 0.0)
    for _ in range(rounds):
        columns = plan / torch.where(column_exists, plan.sum(1, keepdim=True), 1.0)
        plan = columns / torch.where(row_exists, columns.sum(2, keepdim=True), 1.0)
    if clamp is None:  # padding in a row or column of sum 0 has become 0 / 0 = NaN
        plan, columns = torch.where(mask, plan, 0.0), torch.where(mask, columns, 0.0)
    return Plan(plan, columns)


def softmax_plan(similarity: Tensor, mask: Tensor, temperature: float = 1.0) -> Plan:
    """Normalise each direction on its own: P(j | i) = exp(s_ij / τ) / Σ_j exp(s_ij / τ), and P(i | j) likewise.

    Args:
        similarity: (B, S, T), any floating dtype; it is divided by `temperature`.
        mask: (B, S, T) bool, True where both pieces exist.
        temperature: τ; smaller is sharper.

    Returns:
        Plan whose rows, or columns, sum to 1.

    Reference: Dou & Neubig 2021, section 2.1.

    >>> plan = softmax_plan(torch.tensor([[[0.0, 1.0986123]]]), torch.ones(1, 1, 2, dtype=torch.bool))
    >>> plan.rows.round(decimals=2).tolist(), plan.columns.tolist()
    ([[[0.25, 0.75]]], [[[1.0, 1.0]]])
    """
    return softmax_directions(similarity, similarity, mask, temperature)


def softmax_directions(forward: Tensor, backward: Tensor, mask: Tensor, temperature: float = 1.0) -> Plan:
    """Apply `softmax_plan` with separate similarities for each direction, (B, S, T) each.

    >>> one, mask = torch.zeros(1, 1, 2), torch.tensor([[[True, False]]])
    >>> softmax_directions(one, one + 1, mask).rows.tolist()
    [[[1.0, 0.0]]]
    """
    lowest = torch.finfo(torch.float32).min
    rows = torch.where(mask, forward.float() / temperature, lowest).softmax(2)
    columns = torch.where(mask, backward.float() / temperature, lowest).softmax(1)
    return Plan(torch.where(mask, rows, 0.0), torch.where(mask, columns, 0.0))


def unscaled_plan(similarity: Tensor, mask: Tensor) -> Plan:
    """Take the similarities as they are, 0 at padding.

    >>> unscaled_plan(torch.tensor([[[0.5, 9.0]]]), torch.tensor([[[True, False]]])).rows.tolist()
    [[[0.5, 0.0]]]
    """
    plan = torch.where(mask, similarity, 0.0)
    return Plan(plan, plan)


def _logsumexp(x: Tensor, dim: int) -> Tensor:
    """Return log Σ exp x along `dim`, kept with size 1; NaN where all x are -inf."""
    highest = x.amax(dim, keepdim=True)
    terms = (x - highest).clamp_(min=-87)  # e^-87 is negligible beside the highest term, 1; underflow is ten times slower
    return terms.exp_().sum(dim, keepdim=True).log_() + highest


def entropic_plan(similarity: Tensor, mask: Tensor, rounds: int = 8, temperature: float = 0.05) -> Plan:
    """Solve entropic optimal transport with uniform marginals 1/S and 1/T in the log domain.

    The plan maximises Σ A_ij s_ij − τ A_ij log A_ij with Σ_j A_ij = 1/S and Σ_i A_ij = 1/T; it has the form
    exp(s_ij / τ + u_i + v_j), and each round sets v, then u, so that the columns, then the rows, have their sums.

    Args:
        similarity: (B, S, T), any floating dtype; exp(similarity / temperature) is the kernel.
        mask: (B, S, T) bool, True where both pieces exist.
        rounds: each rescales the columns to 1/T, then the rows to 1/S.
        temperature: τ; smaller is sharper.

    Returns:
        Plan with total mass 1 a pair; `rows` has row sums 1/S exactly, `columns` column sums 1/T.

    Reference: Cuturi 2013; Peyré & Cuturi 2019, section 4.4 (log domain).

    >>> plan = entropic_plan(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.ones(1, 2, 2, dtype=torch.bool), 8, 0.5)
    >>> plan.rows[0]
    tensor([[0.4404, 0.0596],
            [0.0596, 0.4404]])
    """
    row_exists, column_exists = _existing_pieces(mask)
    kernel = torch.where(mask, similarity.float() / temperature, float("-inf"))
    row_marginal = -row_exists.sum(1, keepdim=True).clamp(min=1).float().log()
    column_marginal = -column_exists.sum(2, keepdim=True).clamp(min=1).float().log()
    u, v = torch.zeros_like(kernel[:, :, :1]), torch.zeros_like(kernel[:, :1])
    u_before = u
    for _ in range(rounds):
        u_before = u
        v = torch.where(column_exists, column_marginal - _logsumexp(kernel + u, 1), 0.0)
        u = torch.where(row_exists, row_marginal - _logsumexp(kernel + v, 2), 0.0)
    return Plan((kernel + u + v).exp_(), (kernel + u_before + v).exp_())
