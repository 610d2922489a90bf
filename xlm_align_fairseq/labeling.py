"""Self-labelling: an encoder, a batch of pieces and an `AlignerConfig` give piece links. Training and aligning both call this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.alignment import extraction, sinkhorn
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.alignment.spans import PieceBatch, join_sides, split_sides, wrap_side
from xlm_align_fairseq.encoder import Encoder


class Labels(NamedTuple):
    """Piece links of B pairs and what they were read from."""

    links: Tensor  # (B, S, T) bool
    plan: sinkhorn.Plan  # of (B, S, T) float32
    mask: Tensor  # (B, S, T) bool, True where both pieces exist


def encode_sides(run: Callable[[Tensor], Tensor], pieces: PieceBatch, encoding: str) -> tuple[Tensor, Tensor]:
    """Encode both sides of every pair.

    Args:
        run: (B, L) tokens → (B, L, C) hidden states.
        pieces: B pairs.
        encoding: `joint` or `separate`.

    Returns:
        (B, S, C) and (B, T, C) hidden states; what stands at padding is of no meaning.
    """
    if encoding == "joint":
        return split_sides(run(join_sides(pieces)), pieces.src_lengths, pieces.tgt_lengths)
    source = run(wrap_side(pieces.source, pieces.src_lengths))[:, 1:-1]
    target = run(wrap_side(pieces.target, pieces.tgt_lengths))[:, 1:-1]
    return source, target


def extract(source: Tensor, target: Tensor, pieces: PieceBatch, config: AlignerConfig) -> Labels:
    """Link the pieces of two encoded sides, (B, S, C) and (B, T, C), as the configuration says."""
    mask = pieces.cell_mask()
    scores = similarity(source, target, config.similarity)
    if config.scaling == "reference":
        plan = sinkhorn.reference_plan(scores, mask, config.rounds, config.clamp)
    else:
        plan = sinkhorn.entropic_plan(scores, mask, config.rounds, config.temperature)
    if config.extraction == "filter":
        links = extraction.iterative_filter(plan.rows, mask, config.filter_rounds, config.alpha)
    else:
        links = extraction.mutual_argmax(plan.rows, plan.columns, mask)
    return Labels(links, plan, mask)


@torch.no_grad()
def label(encoder: Encoder, pieces: PieceBatch, config: AlignerConfig) -> Labels:
    """Self-label B pairs from the unmasked input, at `config.align_layer` and with nothing computed above it."""
    source, target = encode_sides(lambda tokens: encoder(tokens, config.align_layer), pieces, config.encoding)
    return extract(source, target, pieces, config)


@torch.no_grad()
def label_variants(encoder: Encoder, pieces: PieceBatch, variants: Sequence[AlignerConfig]) -> list[Labels]:
    """Self-label B pairs in several ways from one encoding pass; the variants share `encoding`."""
    encoding, top = variants[0].encoding, max(config.align_layer for config in variants)
    if any(config.encoding != encoding for config in variants):
        raise ValueError("variants of different encodings need a pass each")
    run = lambda tokens: torch.stack(encoder.all_layers(tokens, top), 2)  # noqa: E731  (B, L, layers, C)
    source, target = encode_sides(run, pieces, encoding)
    layers = [config.align_layer for config in variants]
    return [extract(source[:, :, n], target[:, :, n], pieces, config) for n, config in zip(layers, variants, strict=True)]


def dense_links(counts: np.ndarray, cells: np.ndarray, pieces: PieceBatch) -> Tensor:
    """Return the (B, S, T) bool links of B pairs that have `counts` (B,) links each, `cells` (links, 2), pair after pair."""
    links = torch.zeros(pieces.source.size(0), pieces.source.size(1), pieces.target.size(1), dtype=torch.bool)
    links[np.repeat(np.arange(len(counts)), counts), cells[:, 0], cells[:, 1]] = True
    return links.to(pieces.source.device)


def link_statistics(links: Tensor, src_lengths: Tensor, tgt_lengths: Tensor) -> dict[str, Tensor]:
    """Return additive counts of (B, S, T) links: pairs, links, pieces, and pieces that are linked."""
    return {
        "pairs": (src_lengths > 0).sum(),
        "links": links.sum(),
        "pieces": src_lengths.sum() + tgt_lengths.sum(),
        "linked": links.any(2).sum() + links.any(1).sum(),
    }


def statistics(labels: Labels, pieces: PieceBatch) -> dict[str, Tensor]:
    """Return `link_statistics` and the summed agreement of the two argmax directions."""
    agreement = extraction.agreement(labels.plan.rows, labels.plan.columns, labels.mask).sum()
    return {**link_statistics(labels.links, pieces.src_lengths, pieces.tgt_lengths), "agreement": agreement}
