"""The loss of denoising word alignment: a pointer from each query piece to the pieces it is linked to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class PointerLoss(NamedTuple):
    """Sums over the queries of a batch, each a scalar tensor; means are computed after summing over batches."""

    loss: Tensor  # float32, nats
    queries: Tensor  # int64
    correct: Tensor  # int64, queries whose best key is one of their targets

    def __add__(self, other: PointerLoss) -> PointerLoss:  # type: ignore[override]
        """Add the sums of two losses up."""
        return PointerLoss(*(one + another for one, another in zip(self, other, strict=True)))


class QueryLosses(NamedTuple):
    """What `PointerLoss` sums, for each query."""

    loss: Tensor  # (B, N) float32, nats; 0 for a query without targets
    asked: Tensor  # (B, N) bool, whether it has targets
    correct: Tensor  # (B, N) bool

    def total(self, queries: Tensor) -> PointerLoss:
        """Sum over some queries, (B, N) bool."""
        asked = queries & self.asked
        return PointerLoss(torch.where(asked, self.loss, 0.0).sum(), asked.sum(), (self.correct & asked).sum())


def query_losses(logits: Tensor, links: Tensor, key_mask: Tensor) -> QueryLosses:
    """Compute the cross-entropy of every query against the uniform distribution over its targets: −Σ_(t∈T) log p_t / |T|.

    Args:
        logits: (B, N, K) of any floating dtype.
        links: (B, N, K) bool, the targets of each query.
        key_mask: (B, K) bool, True where a key exists.

    >>> exists = torch.ones(1, 2, dtype=torch.bool)
    >>> query_losses(torch.zeros(1, 1, 2), torch.tensor([[[True, False]]]), exists).loss.exp()
    tensor([[2.]])
    """
    logits = logits.float().masked_fill(~key_mask[:, None, :], torch.finfo(torch.float32).min)
    links = links & key_mask[:, None, :]
    targets = links.sum(2)
    log_probability = torch.where(links, logits - logits.logsumexp(2, keepdim=True), 0.0)
    best = logits.argmax(2, keepdim=True)
    return QueryLosses(-(log_probability.sum(2) / targets.clamp(min=1)), targets > 0, links.gather(2, best).squeeze(2))


def pointer_loss(logits: Tensor, links: Tensor, queries: Tensor, key_mask: Tensor) -> PointerLoss:
    """Sum the cross-entropy of every query against the uniform distribution over its targets: −Σ_k 1/|T| Σ_(t∈T) log p_k(t).

    With one target this is the paper's loss, −log softmax(q Kᵀ / √C)[target] (Chi et al. 2021, equation 6).

    Args:
        logits: (B, N, K) of any floating dtype.
        links: (B, N, K) bool, the targets of each query.
        queries: (B, N) bool, the queries to count; a query without targets is never counted.
        key_mask: (B, K) bool, True where a key exists.

    >>> logits, exists = torch.zeros(1, 1, 4), torch.ones(1, 4, dtype=torch.bool)
    >>> pointer_loss(logits, exists[:, None] & False | torch.eye(4)[None, :1].bool(), exists[:, :1], exists).loss.exp()
    tensor(4.)
    """
    return query_losses(logits, links, key_mask).total(queries)


def with_null(links: Tensor, queries: Tensor) -> Tensor:
    """Add a key, before the others, that is the target of the queries without one.

    Args:
        links: (B, N, K) bool.
        queries: (B, N) bool, which queries exist.

    Returns:
        (B, N, K + 1) bool.

    >>> with_null(torch.tensor([[[False, True], [False, False]]]), torch.tensor([[True, True]])).tolist()
    [[[False, False, True], [True, False, False]]]
    """
    unlinked = queries & (links.sum(2) == 0)
    return torch.cat([unlinked[:, :, None], links], 2)


def linked_and_null(
    logits: Tensor, links: Tensor, queries: Tensor, key_mask: Tensor, null: bool
) -> tuple[PointerLoss, PointerLoss]:
    """Return the sums of the queries that have links, and of those that have none.

    Args:
        logits: (B, N, K) of any floating dtype; with `null` (B, N, K + 1), the key for no link before the others.
        links: (B, N, K) bool.
        queries: (B, N) bool, the queries to count.
        key_mask: (B, K) bool, True where a key exists.
        null: whether there is a key for no link; queries without links count nothing if there is not.

    >>> logits, exists = torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)
    >>> links = torch.tensor([[[False, True], [False, False]]])
    >>> [int(sums.queries) for sums in linked_and_null(logits, links, exists, exists, null=True)]
    [1, 1]
    """
    links = links & key_mask[:, None, :]
    has_links = links.any(2)
    if null:
        links, key_mask = with_null(links, queries), functional.pad(key_mask, (1, 0), value=True)
    found = query_losses(logits, links, key_mask)
    return found.total(queries & has_links), found.total(queries & ~has_links)
