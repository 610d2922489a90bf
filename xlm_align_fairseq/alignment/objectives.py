"""Losses that train the hidden states which links are read from: of pieces, and of whole sentences.

All are of the cosines of the states of two sides. Where a loss is of pairs, a pair has a loss, and the caller weighs it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from xlm_align_fairseq.alignment.pointer import PointerLoss, pointer_loss
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.alignment.sinkhorn import softmax_plan
from xlm_align_fairseq.encoder.sequences import Sides

CELLS = 1 << 24  # cosines of pieces that are held at once when every source of a batch is compared with every target


def similarity_loss(states: Sides, links: Tensor, mask: Tensor, temperature: float) -> PointerLoss:
    """Sum, over the linked pieces of both sides, the cross-entropy of their links and a softmax of cosine / τ.

    The loss is that of a pointer whose queries and keys are the normalised states themselves: it has no weights of its own, so
    what it teaches is in the states that links are read from.

    Args:
        states: (B, S, C) and (B, T, C).
        links: (B, S, T) bool.
        mask: (B, S, T) bool, True where both pieces exist.
        temperature: τ.

    >>> states = Sides(torch.eye(2)[None], torch.eye(2)[None])
    >>> links, mask = torch.eye(2)[None].bool(), torch.ones(1, 2, 2, dtype=torch.bool)
    >>> similarity_loss(states, links, mask, 0.1).loss < 0.001
    tensor(True)
    """
    scores = similarity(*states, "cosine") / temperature
    rows, columns = mask.any(2), mask.any(1)
    forward = pointer_loss(scores, links, rows, columns)
    return forward + pointer_loss(scores.transpose(1, 2), links.transpose(1, 2), columns, rows)


def consistency_loss(states: Sides, mask: Tensor, temperature: float) -> Tensor:
    """Return 1 − Σ_ij P(j | i) P(i | j) / min(S, T) of each pair: how far the two directions are from agreeing.

    P are softmaxes of cosine / τ.

    Returns:
        (B,) float32 in 0..1; arguments as those of `similarity_loss`.

    Reference: Dou & Neubig 2021, section 2.2 (consistency optimization).

    >>> states = Sides(torch.eye(2)[None], torch.eye(2)[None])
    >>> consistency_loss(states, torch.ones(1, 2, 2, dtype=torch.bool), 0.1).round(decimals=3)
    tensor([0.])
    """
    plan = softmax_plan(similarity(*states, "cosine"), mask, temperature)
    shortest = torch.minimum(mask.any(2).sum(1), mask.any(1).sum(1)).clamp(min=1)
    return 1 - (plan.rows * plan.columns).flatten(1).sum(1) / shortest


def sentence_similarities(source: Tensor, target: Tensor, src_mask: Tensor, tgt_mask: Tensor) -> Tensor:
    """Compare every source sentence with every target sentence: the mean over pieces of the largest cosine to one of the other.

    s_ab = ½ (mean_i max_j cos(a_i, b_j) + mean_j max_i cos(a_i, b_j)).

    Args:
        source, target: (A, S, C), (B, T, C) hidden states of any floating dtype.
        src_mask, tgt_mask: (A, S), (B, T) bool, True at the pieces that count.

    Returns:
        (A, B) float32; 0 where a sentence has no piece that counts.

    Reference: Khattab & Zaharia 2020 (late interaction: sums of largest similarities), in both directions.

    >>> piece = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> sentence_similarities(piece, piece, torch.ones(2, 1).bool(), torch.ones(2, 1).bool()).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    with torch.autocast(source.device.type, enabled=False):
        source, target = F.normalize(source.float(), dim=-1), F.normalize(target.float(), dim=-1)
        step = max(1, CELLS // max(1, source.size(1) * target.size(0) * target.size(1)))
        rows = [_similar(*part, target, tgt_mask) for part in zip(source.split(step), src_mask.split(step), strict=True)]
        return torch.cat(rows)


def _similar(source: Tensor, src_mask: Tensor, target: Tensor, tgt_mask: Tensor) -> Tensor:
    n_source, length = src_mask.shape
    cosines = (source.flatten(0, 1) @ target.flatten(0, 1).T).view(n_source, length, *tgt_mask.shape)  # (A, S, B, T)
    lowest = -2.0  # below every cosine
    best_target = torch.where(tgt_mask, cosines, lowest).max(3).values  # (A, S, B)
    best_source = torch.where(src_mask[:, :, None, None], cosines, lowest).max(1).values  # (A, B, T)
    n_pieces = src_mask.sum(1)[:, None], tgt_mask.sum(1)[None, :]
    to_target = torch.where(src_mask[:, :, None], best_target, 0.0).sum(1) / n_pieces[0].clamp(min=1)
    to_source = torch.where(tgt_mask, best_source, 0.0).sum(2) / n_pieces[1].clamp(min=1)
    return torch.where((n_pieces[0] > 0) & (n_pieces[1] > 0), (to_target + to_source) / 2, 0.0)


def contrast_loss(similarities: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Tell each sentence's translation from the other sentences of the batch: cross-entropy of a softmax of s / τ, both ways.

    Args:
        similarities: (B, B) float32 of every source and every target, translations on the diagonal.
        temperature: τ.

    Returns:
        (B,) float32 the mean loss of both directions of each pair, and (B,) bool, whether both choose the translation.

    Reference: van den Oord et al. 2018 (InfoNCE), with the other pairs of the batch as negatives.

    >>> loss, correct = contrast_loss(torch.eye(2), 0.1)
    >>> loss.round(decimals=3).tolist(), correct.tolist()
    ([0.0, 0.0], [True, True])
    """
    logits = similarities / temperature
    there = torch.arange(len(logits), device=logits.device)
    loss = F.cross_entropy(logits, there, reduction="none") + F.cross_entropy(logits.T, there, reduction="none")
    return loss / 2, (logits.argmax(1) == there) & (logits.argmax(0) == there)
