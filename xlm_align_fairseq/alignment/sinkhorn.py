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

    Rows compete for a target in `columns`, targets compete for a row in `rows`; at convergence the two are one plan.
    """

    rows: Tensor
    columns: Tensor


def _existing_pieces(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return which rows, (B, S, 1) bool, and which columns, (B, 1, T) bool, have a cell."""
    return mask.sum(2, keepdim=True) > 0, mask.sum(1, keepdim=True) > 0  # any() takes five times as long


def reference_plan(similarity: Tensor, mask: Tensor, rounds: int = 2, clamp: float | None = 1e-6) -> Plan:
    """Normalise columns, then rows, of the similarities themselves (the authors' code: μ = 1, f = log max(clamp, s)).

    Args:
        similarity: (B, S, T), any floating dtype.
        mask: (B, S, T) bool, True where both pieces exist.
        rounds: each normalises the columns, then the rows, to sum 1.
        clamp: smallest similarity; `None` leaves negative ones as they are.

    Returns:
        Plan. Without a clamp a sum can be 0 and its quotient not a number, which the argmax then prefers: so does the original.
        A similarity that is not finite can make its row and column not a number, padding included.
    """
    row_exists, column_exists = _existing_pieces(mask)
    plan = similarity.float()
    if clamp is not None:
        plan = plan.clamp(min=clamp)
    plan = columns = torch.where(mask, plan, 0.0)
    for _ in range(rounds):
        columns = plan / torch.where(column_exists, plan.sum(1, keepdim=True), 1.0)
        plan = columns / torch.where(row_exists, columns.sum(2, keepdim=True), 1.0)
    if clamp is None:  # what is padding in a row or column of sum 0 has become 0 / 0
        plan, columns = torch.where(mask, plan, 0.0), torch.where(mask, columns, 0.0)
    return Plan(plan, columns)


def softmax_plan(similarity: Tensor, mask: Tensor, temperature: float = 1.0) -> Plan:
    """Normalise each direction on its own: P(target | source) and P(source | target) (Dou & Neubig 2021).

    Args:
        similarity: (B, S, T), any floating dtype; it is divided by `temperature`.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        Plan whose rows, or columns, sum to 1.
    """
    return softmax_directions(similarity, similarity, mask, temperature)


def softmax_directions(forward: Tensor, backward: Tensor, mask: Tensor, temperature: float = 1.0) -> Plan:
    """Do what `softmax_plan` does where each direction has similarities of its own, (B, S, T) both."""
    lowest = torch.finfo(torch.float32).min
    rows = torch.where(mask, forward.float() / temperature, lowest).softmax(2)
    columns = torch.where(mask, backward.float() / temperature, lowest).softmax(1)
    return Plan(torch.where(mask, rows, 0.0), torch.where(mask, columns, 0.0))


def _logsumexp(x: Tensor, dim: int) -> Tensor:
    """Return log Σ exp x along `dim`, kept; not a number where all x are -inf."""
    highest = x.amax(dim, keepdim=True)
    terms = (x - highest).clamp_(min=-87)  # nothing beside the highest, whose term is 1; a term that underflows costs ten others
    return terms.exp_().sum(dim, keepdim=True).log_() + highest


def entropic_plan(similarity: Tensor, mask: Tensor, rounds: int = 8, temperature: float = 0.05) -> Plan:
    """Solve entropic optimal transport with uniform marginals 1/S and 1/T in the log domain.

    Args:
        similarity: (B, S, T), any floating dtype; exp(similarity / temperature) is the kernel.
        mask: (B, S, T) bool, True where both pieces exist.
        rounds: each rescales the columns to 1/T, then the rows to 1/S.
        temperature: smaller is sharper.

    Returns:
        Plan with total mass 1 a pair; `rows` has row sums 1/S exactly, `columns` column sums 1/T.
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
