"""Extract piece links from hidden states as an `AlignerConfig` says; shared by training and aligning."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from xlm_align_fairseq.alignment import sinkhorn
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.methods import EXTRACTIONS, SCALINGS, Step
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.encoder.fingerprint import weights_fingerprint
from xlm_align_fairseq.encoder.network import EncoderAndPointer, PointerHead
from xlm_align_fairseq.encoder.sequences import Sides
from xlm_align_fairseq.errors import InputError

LINK_TEMPERATURE = 0.05  # chosen on development sets: expected calibration error 0.013 to 0.025


class Labels(NamedTuple):
    """Piece links of B pairs, with the plan and the mask that they were extracted from."""

    links: Tensor  # (B, S, T) bool
    plan: sinkhorn.Plan  # of (B, S, T) float32
    mask: Tensor  # (B, S, T) bool, True where both pieces exist
    probabilities: Tensor | None = None  # (B, S, T) float32, where they were asked for


def extract(
    states: Sides,
    mask: Tensor,
    config: AlignerConfig,
    pointer: sinkhorn.Plan | None = None,
    probabilities: bool = False,
    prior: Tensor | None = None,
) -> Labels:
    """Link the pieces of two encoded sides as the configuration says.

    Args:
        states: at `config.align_layer`.
        mask: (B, S, T) bool, True where both pieces exist.
        config: the method; its `second` method is applied too, if there is one.
        pointer: what `point` returns, for configurations that need it.
        probabilities: whether to return link probabilities.
        prior: (B, S, T) float32, added to the similarity before it is scaled; the pointer does not read it.

    >>> states = Sides(torch.eye(3)[None], torch.eye(3)[None, [1, 0]])
    >>> extract(states, torch.ones(1, 3, 2, dtype=torch.bool), AlignerConfig.named("argmax")).links.nonzero()[:, 1:].tolist()
    [[0, 1], [1, 0]]
    """
    plan, links = _links(states, mask, config, pointer, prior)
    if second := config.second():
        _, others = _links(states, mask, second, pointer, prior)
        links = links & others if config.combine == "intersection" else links | others
    probability = link_probabilities(states, mask) if probabilities or config.threshold > 0 else None
    if probability is not None and config.threshold > 0:
        links = links & (probability >= config.threshold)
    return Labels(links, plan, mask, probability)


def link_probabilities(states: Sides, mask: Tensor) -> Tensor:
    """Return √(P(target | source) · P(source | target)) of every cell: (B, S, T) float32 in 0..1.

    Both are softmaxes over the cosine of the hidden states divided by `LINK_TEMPERATURE`, for every method: on development sets
    they separate right links from wrong ones as well as the shares of any plan, and are the best calibrated.

    >>> states = Sides(torch.eye(2)[None], torch.eye(2)[None])
    >>> link_probabilities(states, torch.ones(1, 2, 2, dtype=torch.bool)).round(decimals=3).tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """
    plan = sinkhorn.softmax_plan(similarity(*states, "cosine"), mask, LINK_TEMPERATURE)
    return (plan.rows * plan.columns).sqrt().clamp(max=1.0)


def related_shares(states: Sides, mask: Tensor, background: float) -> tuple[Tensor, Tensor]:
    """Return how much of each piece's choice stays with the other side where a word that has nothing to do with it is let in.

    With s_ij the cosines, τ `LINK_TEMPERATURE` and b the background, a source piece has Σ_j exp(s_ij / τ) / (Σ_j exp(s_ij / τ) +
    exp(b / τ)).

    Args:
        states: as for `link_probabilities`.
        mask: (B, S, T) bool, True where both pieces exist.
        background: cosine of unrelated words.

    Returns:
        (B, S) and (B, T) float32 in 0..1.

    >>> states = Sides(torch.eye(2)[None, :1], torch.eye(2)[None])
    >>> related_shares(states, torch.ones(1, 1, 2, dtype=torch.bool), 0.5)[1].round(decimals=3)
    tensor([[1., 0.]])
    """
    scores = torch.where(mask, similarity(*states, "cosine"), float("-inf"))
    with_unrelated = torch.nn.functional.pad(scores, (0, 1, 0, 1), value=background) / LINK_TEMPERATURE
    return 1 - with_unrelated[:, :-1].softmax(2)[:, :, -1], 1 - with_unrelated[:, :, :-1].softmax(1)[:, -1]


def _links(
    states: Sides, mask: Tensor, config: AlignerConfig, pointer: sinkhorn.Plan | None, prior: Tensor | None
) -> tuple[sinkhorn.Plan, Tensor]:
    plan = pointer
    if config.scaling != "pointer":
        scores = similarity(*states, config.similarity)
        if prior is not None:
            scores = scores + prior
        plan = _scale(scores, mask, config)
    if plan is None:
        raise InputError("the method pointer asks a pointer head, and there is none: give another method, as argmax")
    return plan, _run(EXTRACTIONS[config.extraction], config, plan, mask)


def _scale(scores: Tensor, mask: Tensor, config: AlignerConfig) -> sinkhorn.Plan:
    if config.scaling == "none" and config.similarity == "cosine":
        scores = (1 + scores) / 2  # as in SimAlign; filtering multiplies scores, so the position of 0 matters
    return _run(SCALINGS[config.scaling], config, scores, mask)


def _run(step: Step, config: AlignerConfig, *tensors: Any) -> Any:
    return step.function()(*tensors, **{option: getattr(config, option) for option in step.options})


def point(head: PointerHead, states: Sides, mask: Tensor) -> sinkhorn.Plan:
    """Compute the pointer distribution of every piece of both sides.

    Args:
        head: the trained pointer head.
        states: of the last layer.
        mask: (B, S, T) bool, True where both pieces exist.

    Returns:
        Plan with P(target | source) in its rows and P(source | target) in its columns.

    Reference: Chi et al. 2021, equation 5.

    >>> from xlm_align_fairseq.encoder.network import EncoderConfig
    >>> head, states = PointerHead(EncoderConfig(10, width=4)), Sides(torch.ones(1, 2, 4), torch.ones(1, 2, 4))
    >>> point(head, states, torch.ones(1, 2, 2, dtype=torch.bool)).rows.tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]
    """
    with torch.autocast(mask.device.type, enabled=False):
        source, target = states.source.float(), states.target.float()
        return sinkhorn.softmax_directions(head(source, target), head(target, source).transpose(1, 2), mask)


def fingerprint(model: EncoderAndPointer, config: AlignerConfig) -> str:
    """Hash all weights that links depend on: up to `align_layer`, or all layers and the pointer head."""
    head = model.pointer if config.needs_pointer() else None
    return weights_fingerprint(model.encoder, config.align_layer if head is None else model.encoder.config.layers, head)
