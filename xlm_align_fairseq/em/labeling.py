"""The E-step on a batch: self-labels of pairs of pieces, and labels joined to what is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.alignment import extraction
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import Labels, extract, point
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.labels import LabelStore
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.encoder.sequences import PieceBatch, Sides, encode_sides
from xlm_align_fairseq.errors import InputError


@torch.no_grad()
def label(teacher: EncoderAndPointer, pieces: PieceBatch, config: AlignerConfig, prior: Tensor | None = None) -> Labels:
    """Self-label B pairs from the unmasked input, with nothing computed above the layers that the configuration reads.

    Args:
        teacher: the weights.
        pieces: B pairs.
        config: how links are made.
        prior: (B, S, T) float32, added to the similarity before it is scaled.
    """
    if config.marks == "skip" and teacher.marks is None:
        raise ValueError("labels without links of lone marks need to know where words begin: give `marks` with the encoder")
    labels = _label(teacher, pieces, config, prior)
    if config.marks == "link":
        return labels
    return labels._replace(links=labels.links & pieces.cell_mask(without=teacher.marks))


def _label(teacher: EncoderAndPointer, pieces: PieceBatch, config: AlignerConfig, prior: Tensor | None) -> Labels:
    def sides(layer: int) -> Sides:
        states = encode_sides(lambda tokens: teacher.encoder(tokens, layer), pieces, config.encoding)
        if not all(bool(side.isfinite().all()) for side in states):
            raise InputError(
                f"the hidden states of layer {layer} are not finite, so no links can be made of them: the weights are damaged, or"
                " diverged in training, or the precision is too low; go on from an earlier checkpoint, or without half precision"
            )
        return states

    mask, last = pieces.cell_mask(), teacher.encoder.config.layers
    if not config.needs_pointer() or teacher.pointer is None:
        return extract(sides(config.align_layer), mask, config, prior=prior)
    states = {layer: sides(layer) for layer in config.wanted_layers(last)}
    pointer = point(teacher.pointer, states[last], mask)
    return extract(states[config.similarity_layer(last)], mask, config, pointer, prior=prior)


def pair_batch(pairs: Mapping[str, Tensor]) -> PieceBatch:
    """Return the unmasked pieces of a batch, sides in stored order even where training swaps them."""
    swapped, there = pairs["swapped"], (pairs["src_lengths"], pairs["tgt_lengths"])
    src_lengths, tgt_lengths = torch.where(swapped, there[1], there[0]), torch.where(swapped, there[0], there[1])
    return PieceBatch(pairs["source"], pairs["target"], src_lengths, tgt_lengths)


def join_labels(sample: dict[str, Any], corpus: Corpus, store: LabelStore | None, label_now: Callable[[], Labels]) -> None:
    """Add links and their counts to a batch: `pairs["links"]`, sides in training order, and `label_statistics`.

    Args:
        sample: a batch as `BitextDataset` merges it.
        corpus: what its ids count.
        store: has the links, if they are kept on disk; an EM iteration may lack pairs that it did not foresee.
        label_now: the E-step on this batch; asked where the store has no labels. A label may be that there are no links.
    """
    pairs, ids = sample["pairs"], sample["id"].cpu().numpy()
    batch = pair_batch(pairs)
    if store is None:
        labels = label_now()
        links, per_pair = labels.links, statistics(labels, batch)
    else:
        counts, cells = store.links(ids)
        links = dense_links(counts, cells, batch)
        labelled = store.labelled(ids)
        if not labelled.all():  # a pass did not foresee these: flags changed on resume
            missing = torch.from_numpy(~labelled).to(links.device)
            links[missing] = label_now().links[missing]
        per_pair = link_statistics(links, batch.src_lengths, batch.tgt_lengths)
    sample["label_statistics"] = total_statistics(per_pair, corpus.owners(ids), [pair.name for pair in corpus.pairs])
    pairs["links"] = swap_links(links, pairs["swapped"], int(pairs["src_lengths"].max()), int(pairs["tgt_lengths"].max()))


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


def swap_links(links: Tensor, swapped: Tensor, n_source: int, n_target: int) -> Tensor:
    """Exchange source and target in the links of some pairs.

    Args:
        links: (B, S, T) bool.
        swapped: (B,) bool, True for pairs whose sides are swapped.
        n_source, n_target: longest side of each kind afterwards.

    Returns:
        (B, n_source, n_target) bool.
    """
    size = max(links.shape[1:])
    square = torch.nn.functional.pad(links, (0, size - links.size(2), 0, size - links.size(1)))
    return torch.where(swapped[:, None, None], square.transpose(1, 2), square)[:, :n_source, :n_target]
