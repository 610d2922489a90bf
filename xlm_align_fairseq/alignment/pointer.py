"""The loss of denoising word alignment: a pointer from each query piece to the pieces it is linked to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PointerLoss(NamedTuple):
    """Sums over the queries of a batch, each a scalar tensor; means are computed after summing over batches."""

    loss: Tensor  # float32, nats
    queries: Tensor  # int64
    correct: Tensor  # int64, queries whose best key is one of their targets


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
    logits = logits.float().masked_fill(~key_mask[:, None, :], torch.finfo(torch.float32).min)
    links = links & key_mask[:, None, :]
    targets = links.sum(2)
    asked = queries & (targets > 0)
    log_probability = torch.where(links, logits - logits.logsumexp(2, keepdim=True), 0.0)
    loss = -(log_probability.sum(2) / targets.clamp(min=1))
    best = logits.argmax(2, keepdim=True)
    correct = links.gather(2, best).squeeze(2) & asked
    return PointerLoss(torch.where(asked, loss, 0.0).sum(), asked.sum(), correct.sum())
