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
from xlm_align_fairseq.encoder.network import Encoder, PointerHead
from xlm_align_fairseq.encoder.sequences import PieceBatch, join_sides, split_sides, wrap_side
from xlm_align_fairseq.errors import InputError

LINK_TEMPERATURE = 0.05  # chosen on development sets: expected calibration error 0.013 to 0.025


class Teacher(NamedTuple):
    """What labels: an encoder, and the pointer head for the method that asks it."""

    encoder: Encoder
    pointer: PointerHead | None = None


class Labels(NamedTuple):
    """Piece links of B pairs and what they were read from."""

    links: Tensor  # (B, S, T) bool
    plan: sinkhorn.Plan  # of (B, S, T) float32
    mask: Tensor  # (B, S, T) bool, True where both pieces exist
    probabilities: Tensor | None = None  # (B, S, T) float32, where they were asked for


class Sides(NamedTuple):
    """Hidden states of both sides at one layer; what stands at padding is of no meaning."""

    source: Tensor  # (B, S, C)
    target: Tensor  # (B, T, C)


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


def extract(
    states: Sides,
    mask: Tensor,
    config: AlignerConfig,
    pointer: sinkhorn.Plan | None = None,
    probabilities: bool = False,
) -> Labels:
    """Link the pieces of two encoded sides as the configuration says.

    Args:
        states: at `config.align_layer`.
        mask: (B, S, T) bool, True where both pieces exist.
        config: how; its `second` method too, if there is one.
        pointer: what `point` returns, for configurations that need it.
        probabilities: whether to return link probabilities.
    """
    plan, links = _links(states, mask, config, pointer)
    if second := config.second():
        _, others = _links(states, mask, second, pointer)
        links = links & others if config.combine == "intersection" else links | others
    probability = link_probabilities(states, mask) if probabilities or config.threshold > 0 else None
    if probability is not None and config.threshold > 0:
        links = links & (probability >= config.threshold)
    return Labels(links, plan, mask, probability)


def link_probabilities(states: Sides, mask: Tensor) -> Tensor:
    """Return √(P(target | source) · P(source | target)) of every cell: (B, S, T) float32 in 0..1.

    Both are softmaxes over the cosine of the hidden states divided by `LINK_TEMPERATURE`, whatever the method that links: on
    development sets they tell right links from wrong ones as well as the shares of any plan, and are the best calibrated.
    """
    plan = sinkhorn.softmax_plan(similarity(*states, "cosine"), mask, LINK_TEMPERATURE)
    return (plan.rows * plan.columns).sqrt().clamp(max=1.0)


def _links(states: Sides, mask: Tensor, config: AlignerConfig, pointer: sinkhorn.Plan | None) -> tuple[sinkhorn.Plan, Tensor]:
    scores = None if config.scaling == "pointer" else similarity(*states, config.similarity)
    plan = _scale(scores, mask, config, pointer)
    if config.extraction == "filter":
        return plan, extraction.iterative_filter(plan.rows, mask, config.filter_rounds, config.alpha)
    if config.extraction == "matching":
        return plan, extraction.matching(plan.rows, mask)
    if config.extraction == "argmax" and config.symmetrization == "intersection":
        return plan, extraction.mutual_argmax(*plan, mask)
    if config.extraction == "argmax":
        return plan, extraction.join_directions(*extraction.argmax_directions(*plan, mask), config.symmetrization)
    return plan, extraction.join_directions(*extraction.cutoff_directions(*plan, mask, config.cutoff), config.symmetrization)


def _scale(scores: Tensor | None, mask: Tensor, config: AlignerConfig, pointer: sinkhorn.Plan | None) -> sinkhorn.Plan:
    if scores is None:
        if pointer is None:
            raise InputError("the method pointer asks a pointer head, and there is none: give another method, as argmax")
        return pointer
    if config.scaling == "reference":
        return sinkhorn.reference_plan(scores, mask, config.rounds, config.clamp)
    if config.scaling == "entropic":
        return sinkhorn.entropic_plan(scores, mask, config.rounds, config.temperature)
    if config.scaling == "softmax":
        return sinkhorn.softmax_plan(scores, mask, config.temperature)
    scores = (1 + scores) / 2 if config.similarity == "cosine" else scores  # SimAlign's: filtering scales it, so 0 matters
    return sinkhorn.Plan(*[torch.where(mask, scores, 0.0)] * 2)


def point(head: PointerHead, states: Sides, mask: Tensor) -> sinkhorn.Plan:
    """Ask the pointer head for every piece of both sides.

    Args:
        head: trained.
        states: of the last layer.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        Plan with P(target | source) in its rows and P(source | target) in its columns.
    """
    with torch.autocast(mask.device.type, enabled=False):
        source, target = states.source.float(), states.target.float()
        return sinkhorn.softmax_directions(head(source, target), head(target, source).transpose(1, 2), mask)


@torch.no_grad()
def label(teacher: Teacher, pieces: PieceBatch, config: AlignerConfig) -> Labels:
    """Self-label B pairs from the unmasked input, with nothing computed above the layers that the configuration reads."""

    def sides(layer: int) -> Sides:
        return Sides(*encode_sides(lambda tokens: teacher.encoder(tokens, layer), pieces, config.encoding))

    mask, last = pieces.cell_mask(), teacher.encoder.config.layers
    if not config.needs_pointer() or teacher.pointer is None:
        return extract(sides(config.align_layer), mask, config)
    states = {layer: sides(layer) for layer in config.wanted_layers(last)}
    return extract(states[config.similarity_layer(last)], mask, config, point(teacher.pointer, states[last], mask))


def dense_links(counts: np.ndarray, cells: np.ndarray, pieces: PieceBatch) -> Tensor:
    """Return the (B, S, T) bool links of B pairs that have `counts` (B,) links each, `cells` (links, 2), pair after pair."""
    links = torch.zeros(pieces.source.size(0), pieces.source.size(1), pieces.target.size(1), dtype=torch.bool)
    links[np.repeat(np.arange(len(counts)), counts), cells[:, 0], cells[:, 1]] = True
    return links.to(pieces.source.device)


def link_statistics(links: Tensor, src_lengths: Tensor, tgt_lengths: Tensor) -> dict[str, Tensor]:
    """Return additive counts of (B, S, T) links, (B,) each: pairs, links, pieces, and pieces that are linked."""
    return {
        "pairs": (src_lengths > 0).long(),
        "links": links.flatten(1).sum(1),
        "pieces": src_lengths + tgt_lengths,
        "linked": links.any(2).sum(1) + links.any(1).sum(1),
    }


def statistics(labels: Labels, pieces: PieceBatch) -> dict[str, Tensor]:
    """Return `link_statistics` and the agreement of the two argmax directions."""
    agreement = extraction.agreement(labels.plan.rows, labels.plan.columns, labels.mask)
    return {**link_statistics(labels.links, pieces.src_lengths, pieces.tgt_lengths), "agreement": agreement}


def total_statistics(counts: dict[str, Tensor], owners: np.ndarray, names: Sequence[str]) -> dict[str, Tensor]:
    """Add counts up over a batch, and over the sentence pairs of each language pair where there are several.

    Args:
        counts: what `statistics` or `link_statistics` returns.
        owners: (B,) number of the language pair of each.
        names: of the language pairs; the keys are the same for every batch, as sums over ranks need.

    Returns:
        Scalars, as `links` and `links_de-en`.
    """
    totals = {name: column.sum() for name, column in counts.items()}
    if len(names) > 1:
        index = torch.from_numpy(owners).to(counts["pairs"].device)
        for name, column in counts.items():
            sums = column.new_zeros(len(names)).index_add(0, index, column)
            totals |= {f"{name}_{pair}": sums[k] for k, pair in enumerate(names)}
    return totals
