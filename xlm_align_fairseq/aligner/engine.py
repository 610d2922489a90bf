"""Align a chunk of sentence pairs: encode them sorted by length, extract the links, restore the input order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.aligner.evidence import Evidence
from xlm_align_fairseq.aligner.evidence_prior import of_windows
from xlm_align_fairseq.aligner.piece_links import (
    Encoded,
    PieceLinks,
    concatenated,
    one_window_a_target,
    without_marks,
    word_alignments,
)
from xlm_align_fairseq.aligner.result import Alignment, Details
from xlm_align_fairseq.aligner.windows import (
    FAR_SHARE,
    Window,
    far_share,
    monotone_path,
    plan_windows,
    segment_length,
)
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.extraction import mutual_argmax
from xlm_align_fairseq.alignment.linking import Labels, extract, point, related_shares
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.encoder.network import Encoder, PointerHead
from xlm_align_fairseq.encoder.sequences import LAYOUTS, Sides, length_mask, sequence
from xlm_align_fairseq.encoder.states import States, buckets, padded
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.encoder.windows import most_central, side_windows

CELLS = 1 << 16  # of the similarity matrices in one extraction batch


class Job(NamedTuple):
    """A unit of alignment: a whole pair of the chunk, or one window of a pair."""

    pair: int
    window: Window


@dataclasses.dataclass(frozen=True)
class ChunkAligner:
    """Align chunks of pairs.

    Args:
        encoder: in evaluation mode, on its device.
        pointer: the pointer head, for the methods that use it.
        vocabulary: names the pieces in details.
        window: pieces of a window of a long pair.
        whole: most pieces on a side of a long pair that may be aligned whole, if its words moved far.
        batch_tokens: maximum pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.
        background: for an encoding and a layer, the cosine of unrelated words, `None` if it is not known.
        evidence: of a corpus, that has a part in the links.
    """

    encoder: Encoder
    pointer: PointerHead | None
    vocabulary: Vocabulary
    window: int
    whole: int
    batch_tokens: int
    autocast: torch.dtype | None
    background: Callable[[str, int], float | None]
    evidence: Evidence | None = None

    @torch.inference_mode()
    def align(self, chunk: Sequence[Encoded], variants: Sequence[AlignerConfig], details: bool = False) -> list[list[Alignment]]:
        """Align a chunk; return, for each pair, one alignment per variant."""
        long = [n for n, pair in enumerate(chunk) if "windows" in pair.flags]
        short = [n for n, pair in enumerate(chunk) if not {"windows", "blank", "too-long"} & set(pair.flags)]
        extra = {n: self._nothing_compared(pair) for n, pair in enumerate(chunk)} if details else {}
        piece_links, spoiled = self._links(chunk, [Job(n, _whole(chunk[n])) for n in short], variants, extra)
        chunks = [chunk] * len(variants)
        for layer, numbers in self._by_layer(variants).items() if long else ():
            planned = list(zip(long, self._plan([chunk[n] for n in long], layer), strict=True))
            jobs = [Job(n, window) for n, (windows, _) in planned for window in windows]
            flagged = _unflagged(chunk, {n for n, (windows, _) in planned if windows == [_whole(chunk[n])]})
            lost = {n for n, (_, finite) in planned if not finite}
            in_windows, not_finite = self._links(chunk, jobs, [variants[k] for k in numbers], extra)
            for k, links, pairs in zip(numbers, in_windows, not_finite, strict=True):
                piece_links[k] = concatenated([piece_links[k], one_window_a_target(links)])
                spoiled[k] |= pairs | lost
                chunks[k] = flagged
        ways = [word_alignments(*way, extra) for way in zip(chunks, piece_links, spoiled, strict=True)]
        return [list(of_pair) for of_pair in zip(*ways, strict=True)]

    def _by_layer(self, variants: Sequence[AlignerConfig]) -> dict[int, list[int]]:
        """Group the variants by the layer whose states determine the windows of long pairs: the lowest that a variant reads."""
        numbers: dict[int, list[int]] = {}
        for k, config in enumerate(variants):
            numbers.setdefault(self.wanted_layers([config])[0], []).append(k)
        return numbers

    def _plan(self, pairs: Sequence[Encoded], layer: int) -> Iterator[tuple[list[Window], bool]]:
        """Find the windows of long pairs: their sides are encoded in windows, alone, and compared in segments.

        A pair of at most `whole` pieces a side stays whole, one window, if more than `FAR_SHARE` of its likely links are far.

        Yields:
            The windows of a pair, and whether all states that they were found in are finite.
        """
        sides = [ids for pair in pairs for ids in (pair.src_ids, pair.tgt_ids)]
        windows = [side_windows(len(ids), self.window) for ids in sides]
        sequences = [sequence(ids[begin:end]) for ids, cuts in zip(sides, windows, strict=True) for begin, end in cuts]
        states = States(self.encoder, sequences, [layer], self.batch_tokens, self.autocast)
        numbers = np.cumsum([0, *map(len, windows)])
        for n, pair in enumerate(pairs):
            size = segment_length(len(pair.src_ids), len(pair.tgt_ids))
            pieces = [_pieces(states, layer, len(sides[k]), windows[k], numbers[k]) for k in (2 * n, 2 * n + 1)]
            source, target = (_segments(side, size) for side in pieces)
            middle = torch.cat([source, target]).mean(0)  # remove the component that all segments share
            scores = similarity((source - middle)[None], (target - middle)[None], "cosine")[0]
            path = monotone_path(scores.cpu().numpy())
            planned = plan_windows(*path, len(pair.src_ids), len(pair.tgt_ids), self.window)
            if max(map(len, pieces)) <= self.whole and far_share(*_likely(pair, pieces), *path, size) > FAR_SHARE:
                planned = [_whole(pair)]
            yield planned, bool(scores.isfinite().all())

    def _links(
        self, chunk: Sequence[Encoded], jobs: Sequence[Job], variants: Sequence[AlignerConfig], extra: Mapping[int, Details]
    ) -> tuple[list[PieceLinks], list[set[int]]]:
        """Encode all jobs, then read the links of each variant from the states; add the similarities to the details.

        Returns:
            For each variant the links, and the pairs whose hidden states are not finite.
        """
        source = [chunk[pair].src_ids[w.source_begin : w.source_end] for pair, w in jobs]
        target = [chunk[pair].tgt_ids[w.target_begin : w.target_end] for pair, w in jobs]
        layers = self.wanted_layers(variants)
        encoding = variants[0].encoding_at(layers[-1])
        layout, late_layer = ("late", variants[0].late_layer) if encoding == "late" else ("translation", 0)
        if encoding == "separate":
            sequences = [sequence(side) for pair in zip(source, target, strict=True) for side in pair]
        else:
            sequences = [sequence(s, t, layout=layout) for s, t in zip(source, target, strict=True)]
        states = States(self.encoder, sequences, layers, self.batch_tokens, self.autocast, late_layer)
        n_source, n_target = (np.fromiter(map(len, side), np.int64, len(jobs)) for side in (source, target))
        src_first = states.begins[0:-1:2] + 1 if encoding == "separate" else states.begins[: len(jobs)] + 1
        tgt_first = states.begins[1::2] + 1 if encoding == "separate" else src_first + n_source + len(LAYOUTS[layout])
        evidence = of_windows(self.evidence, chunk, jobs) if self.evidence else None
        device = self.encoder.device
        parts: list[list[PieceLinks]] = [[] for _ in variants]
        shapes = np.stack([padded(n_source), padded(n_target)], 1)
        for batch in buckets(shapes, shapes.prod(1), CELLS):
            longest_source, longest_target = shapes[batch[0]].tolist()
            here = (src_first[batch], n_source[batch], longest_source), (tgt_first[batch], n_target[batch], longest_target)
            exists = [length_mask(torch.from_numpy(lengths), size) for _, lengths, size in here]
            mask = (exists[0][:, :, None] & exists[1][:, None, :]).to(device)
            pointer = None
            if self.pointer is not None and any(config.needs_pointer() for config in variants):
                pointer = point(self.pointer, states.sides(self.encoder.config.layers, *here), mask)
            directions = evidence.counts(batch, longest_source, longest_target).to(device) if evidence else None
            for config, part in zip(variants, parts, strict=True):
                sides = states.sides(config.similarity_layer(self.encoder.config.layers), *here)
                prior = None if directions is None else config.evidence_weight * directions
                labels = extract(sides, mask, config, pointer, probabilities=True, prior=prior)
                layer = config.similarity_layer(self.encoder.config.layers)
                background = self.background(config.encoding_at(layer), layer)
                shares = None if background is None else related_shares(sides, mask, background)
                part.append(_found(labels, shares, jobs, batch))
                if extra:
                    _add_similarity(extra, [jobs[n] for n in batch], sides, config)
        links = [concatenated(part) for part in parts]
        skip = [config.marks == "skip" for config in variants]
        links = [without_marks(chunk, found) if skipped else found for found, skipped in zip(links, skip, strict=True)]
        finite = {layer: states.finite(layer).reshape(len(jobs), -1).all(1) for layer in states.layers}
        spoiled: list[set[int]] = []
        for config in variants:
            read = [finite[layer] for layer in config.wanted_layers(self.encoder.config.layers) if layer in finite]
            sound = np.logical_and.reduce(read).tolist() if read else [True] * len(jobs)
            spoiled.append({pair for (pair, _), finite_states in zip(jobs, sound, strict=True) if not finite_states})
        return links, spoiled

    def _nothing_compared(self, pair: Encoded) -> Details:
        source, target = ([self.vocabulary.pieces[n] for n in ids.tolist()] for ids in (pair.src_ids, pair.tgt_ids))
        nothing = np.full((len(source), len(target)), np.nan, np.float32)
        return Details(source, target, pair.src_words, pair.tgt_words, nothing)

    def wanted_layers(self, variants: Sequence[AlignerConfig]) -> list[int]:
        """Return the layers whose states the variants read, ascending."""
        last = self.encoder.config.layers
        return sorted(set().union(*(config.wanted_layers(last) for config in variants)))


def _pieces(states: States, layer: int, length: int, windows: list[tuple[int, int]], number: int) -> Tensor:
    """Return the state of each piece of a side, read in its most central window, (length, C) float32.

    Args:
        states: hidden states of the windows of many sides.
        layer: layer to read.
        length: pieces of the side.
        windows: windows of the side.
        number: index of its first window in `states`.
    """
    window = most_central(length, windows)
    begins = np.array([begin for begin, _ in windows])
    places = states.begins[number + window] + 1 + np.arange(length) - begins[window]
    return states.layers[layer][torch.from_numpy(places).to(states.layers[layer].device)].float()


def _segments(pieces: Tensor, size: int) -> Tensor:
    """Return the means of every `size` states of (length, C) pieces, (segments, C)."""
    length = len(pieces)
    pieces = torch.nn.functional.pad(pieces, (0, 0, 0, -length % size))
    counts = torch.full((len(pieces) // size, 1), size, device=pieces.device)
    counts[-1] = length - size * (len(counts) - 1)
    return pieces.unflatten(0, (-1, size)).sum(1) / counts


def _likely(pair: Encoded, pieces: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Return the source and the target pieces whose states (length, C) are each other's nearest, lone marks left out."""
    source, target = (torch.from_numpy(~marks).to(pieces[0].device) for marks in (pair.src_marks, pair.tgt_marks))
    cosines = similarity(pieces[0][None], pieces[1][None], "cosine")
    links = mutual_argmax(cosines, cosines, (source[:, None] & target)[None])[0].nonzero().cpu().numpy()
    return links[:, 0], links[:, 1]


def _add_similarity(extra: Mapping[int, Details], jobs: Sequence[Job], sides: Sides, config: AlignerConfig) -> None:
    scores = similarity(*sides, config.similarity).cpu().numpy()
    for (number, window), cells in zip(jobs, scores, strict=True):
        n_source, n_target = window.core_end - window.core_begin, window.target_end - window.target_begin
        first = window.core_begin - window.source_begin
        place = slice(window.core_begin, window.core_end), slice(window.target_begin, window.target_end)
        extra[number].similarity[place] = cells[first : first + n_source, :n_target]


def _whole(pair: Encoded) -> Window:
    n_source, n_target = len(pair.src_ids), len(pair.tgt_ids)
    return Window(0, n_source, 0, n_target, 0, n_source)


def _unflagged(chunk: Sequence[Encoded], whole: set[int]) -> Sequence[Encoded]:
    """Take the flag `windows` from the pairs that are aligned whole."""
    if not whole:
        return chunk
    without = {n: tuple(flag for flag in chunk[n].flags if flag != "windows") for n in whole}
    return [pair._replace(flags=without[n]) if n in without else pair for n, pair in enumerate(chunk)]


def _found(labels: Labels, shares: tuple[Tensor, Tensor] | None, jobs: Sequence[Job], batch: np.ndarray) -> PieceLinks:
    """Take the links of a batch of jobs off the device, to where they stand in their pairs; those outside a core are left."""
    cells = labels.links.nonzero(as_tuple=True)
    assert labels.probabilities is not None
    probability = labels.probabilities[cells].cpu().numpy()
    confidence = probability
    if shares is not None:
        row_share, column_share = shares[0][cells[0], cells[1]], shares[1][cells[0], cells[2]]
        confidence = probability * (row_share * column_share).sqrt().cpu().numpy()
    row, source, target = (index.cpu().numpy() for index in cells)
    pair = np.array([jobs[n].pair for n in batch])
    windows = np.array([jobs[n].window for n in batch])
    source = source + windows[row, 0]
    target = target + windows[row, 2]
    inside = (source >= windows[row, 4]) & (source < windows[row, 5])
    return PieceLinks(*(column[inside] for column in (pair[row], batch[row], source, target, probability, confidence)))
