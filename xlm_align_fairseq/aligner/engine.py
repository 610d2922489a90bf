"""Align a chunk of sentence pairs: encode them sorted by length, extract the links, restore the input order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.aligner.result import Alignment, Details
from xlm_align_fairseq.aligner.windows import (
    Window,
    monotone_path,
    most_central,
    plan_windows,
    segment_length,
    side_windows,
)
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import Labels, extract, point
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.alignment.words import word_links
from xlm_align_fairseq.encoder.network import Encoder, PointerHead
from xlm_align_fairseq.encoder.sequences import Sides, length_mask, sequence
from xlm_align_fairseq.encoder.states import States, buckets, padded
from xlm_align_fairseq.encoder.vocabulary import Vocabulary

CELLS = 1 << 16  # of the similarity matrices in one extraction batch


class Encoded(NamedTuple):
    """One pair: words, pieces, and the word of each piece."""

    source: list[str]
    target: list[str]
    src_ids: np.ndarray  # (S,) int64
    tgt_ids: np.ndarray  # (T,)
    src_words: np.ndarray  # (S,)
    tgt_words: np.ndarray  # (T,)
    flags: tuple[str, ...]


class Job(NamedTuple):
    """A unit of alignment: a whole pair of the chunk, or one window of a pair."""

    pair: int
    window: Window


class PieceLinks(NamedTuple):
    """Piece links of a chunk, each with the indices of its pair and its job; parallel arrays."""

    pair: np.ndarray
    job: np.ndarray
    source: np.ndarray
    target: np.ndarray
    probability: np.ndarray


@dataclasses.dataclass(frozen=True)
class ChunkAligner:
    """Align chunks of pairs.

    Args:
        encoder: in evaluation mode, on its device.
        pointer: the pointer head, for the methods that use it.
        vocabulary: names the pieces in details.
        window: pieces of a window of a long pair.
        batch_tokens: maximum pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.
    """

    encoder: Encoder
    pointer: PointerHead | None
    vocabulary: Vocabulary
    window: int
    batch_tokens: int
    autocast: torch.dtype | None

    @torch.inference_mode()
    def align(self, chunk: Sequence[Encoded], variants: Sequence[AlignerConfig], details: bool = False) -> list[list[Alignment]]:
        """Align a chunk; return, for each pair, one alignment per variant."""
        long = [n for n, pair in enumerate(chunk) if "windows" in pair.flags]
        short = [n for n, pair in enumerate(chunk) if not {"windows", "blank"} & set(pair.flags)]
        extra = {n: self._nothing_compared(pair) for n, pair in enumerate(chunk)} if details else {}
        piece_links = self._links(chunk, [Job(n, _whole(chunk[n])) for n in short], variants, extra)
        for layer, numbers in self._by_layer(variants).items() if long else ():
            planned = zip(long, self._plan([chunk[n] for n in long], layer), strict=True)
            jobs = [Job(n, window) for n, windows in planned for window in windows]
            in_windows = self._links(chunk, jobs, [variants[k] for k in numbers], extra)
            for k, links in zip(numbers, in_windows, strict=True):
                piece_links[k] = _concatenated([piece_links[k], _one_window_a_target(links)])
        ways = [_alignments(chunk, way, extra) for way in piece_links]
        return [list(alignments) for alignments in zip(*ways, strict=True)]

    def _by_layer(self, variants: Sequence[AlignerConfig]) -> dict[int, list[int]]:
        """Group the variants by the layer whose states determine the windows of long pairs: the lowest that a variant reads."""
        numbers: dict[int, list[int]] = {}
        for k, config in enumerate(variants):
            numbers.setdefault(self.wanted_layers([config])[0], []).append(k)
        return numbers

    def _plan(self, pairs: Sequence[Encoded], layer: int) -> Iterator[list[Window]]:
        """Find the windows of long pairs: encode each side alone, in overlapping windows, and compare means of segments."""
        sides = [ids for pair in pairs for ids in (pair.src_ids, pair.tgt_ids)]
        windows = [side_windows(len(ids), self.window) for ids in sides]
        sequences = [sequence(ids[begin:end]) for ids, cuts in zip(sides, windows, strict=True) for begin, end in cuts]
        states = States(self.encoder, sequences, [layer], self.batch_tokens, self.autocast)
        numbers = np.cumsum([0, *map(len, windows)])
        for n, pair in enumerate(pairs):
            size = segment_length(len(pair.src_ids), len(pair.tgt_ids))
            source, target = (
                _segments(states, layer, len(sides[side]), windows[side], numbers[side], size) for side in (2 * n, 2 * n + 1)
            )
            middle = torch.cat([source, target]).mean(0)  # remove the component that all segments share
            scores = similarity((source - middle)[None], (target - middle)[None], "cosine")[0]
            path = monotone_path(scores.cpu().numpy())
            yield plan_windows(*path, len(pair.src_ids), len(pair.tgt_ids), self.window)

    def _links(
        self, chunk: Sequence[Encoded], jobs: Sequence[Job], variants: Sequence[AlignerConfig], extra: Mapping[int, Details]
    ) -> list[PieceLinks]:
        """Encode all jobs, then extract the links of each variant; add the similarities to the details."""
        source = [chunk[pair].src_ids[w.source_begin : w.source_end] for pair, w in jobs]
        target = [chunk[pair].tgt_ids[w.target_begin : w.target_end] for pair, w in jobs]
        joint = variants[0].encoding == "joint"
        if joint:
            sequences = [sequence(s, t) for s, t in zip(source, target, strict=True)]
        else:
            sequences = [sequence(side) for pair in zip(source, target, strict=True) for side in pair]
        states = States(self.encoder, sequences, self.wanted_layers(variants), self.batch_tokens, self.autocast)
        n_source, n_target = (np.fromiter(map(len, side), np.int64, len(jobs)) for side in (source, target))
        src_first = states.begins[: len(jobs)] + 1 if joint else states.begins[0:-1:2] + 1
        tgt_first = src_first + n_source + 1 if joint else states.begins[1::2] + 1
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
            for config, part in zip(variants, parts, strict=True):
                sides = states.sides(config.similarity_layer(self.encoder.config.layers), *here)
                labels = extract(sides, mask, config, pointer, probabilities=True)
                part.append(_found(labels, jobs, batch))
                if extra:
                    _add_similarity(extra, [jobs[n] for n in batch], sides, config)
        return [_concatenated(part) for part in parts]

    def _nothing_compared(self, pair: Encoded) -> Details:
        source, target = ([self.vocabulary.pieces[n] for n in ids.tolist()] for ids in (pair.src_ids, pair.tgt_ids))
        nothing = np.full((len(source), len(target)), np.nan, np.float32)
        return Details(source, target, pair.src_words, pair.tgt_words, nothing)

    def wanted_layers(self, variants: Sequence[AlignerConfig]) -> list[int]:
        """Return the layers whose states the variants read, ascending."""
        last = self.encoder.config.layers
        return sorted(set().union(*(config.wanted_layers(last) for config in variants)))


def _segments(states: States, layer: int, length: int, windows: list[tuple[int, int]], number: int, size: int) -> Tensor:
    """Return the mean state of each segment of a side, (segments, C) float32; each piece is read in its most central window.

    Args:
        states: hidden states of the windows of many sides.
        layer: layer to read.
        length: pieces of the side.
        windows: windows of the side.
        number: index of its first window in `states`.
        size: pieces of a segment.
    """
    window = most_central(length, windows)
    begins = np.array([begin for begin, _ in windows])
    places = states.begins[number + window] + 1 + np.arange(length) - begins[window]
    pieces = states.layers[layer][torch.from_numpy(places).to(states.layers[layer].device)].float()
    pieces = torch.nn.functional.pad(pieces, (0, 0, 0, -length % size))
    counts = torch.full((len(pieces) // size, 1), size, device=pieces.device)
    counts[-1] = length - size * (len(counts) - 1)
    return pieces.unflatten(0, (-1, size)).sum(1) / counts


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


def _found(labels: Labels, jobs: Sequence[Job], batch: np.ndarray) -> PieceLinks:
    """Move the links of a batch of jobs to the CPU, with positions in their pairs; drop links outside the window's core."""
    cells = labels.links.nonzero(as_tuple=True)
    assert labels.probabilities is not None
    probability = labels.probabilities[cells].cpu().numpy()
    row, source, target = (index.cpu().numpy() for index in cells)
    pair = np.array([jobs[n].pair for n in batch])
    windows = np.array([jobs[n].window for n in batch])
    source = source + windows[row, 0]
    target = target + windows[row, 2]
    inside = (source >= windows[row, 4]) & (source < windows[row, 5])
    return PieceLinks(*(column[inside] for column in (pair[row], batch[row], source, target, probability)))


def _one_window_a_target(links: PieceLinks) -> PieceLinks:
    """Keep, for each target piece, the links of one window: that of its most probable link, the first in a tie.

    Target ranges of windows overlap, source cores do not: several windows can link the same target piece.
    """
    if not len(links.pair):
        return links
    order = np.lexsort((links.job, -links.probability, links.target, links.pair))
    pair, target, job = links.pair[order], links.target[order], links.job[order]
    first = np.append(True, (np.diff(pair) != 0) | (np.diff(target) != 0))
    kept = order[job == job[np.flatnonzero(first)][np.cumsum(first) - 1]]
    return PieceLinks(*(column[kept] for column in links))


def _concatenated(parts: Sequence[PieceLinks]) -> PieceLinks:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return PieceLinks(nothing, nothing, nothing, nothing, np.zeros(0, np.float32))
    return PieceLinks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _alignments(chunk: Sequence[Encoded], piece_links: PieceLinks, extra: Mapping[int, Details]) -> list[Alignment]:
    """Turn the piece links of a chunk into word links."""
    words = []
    for side, piece in (("src_words", piece_links.source), ("tgt_words", piece_links.target)):
        columns = [getattr(pair, side) for pair in chunk]
        begins = np.cumsum([0, *map(len, columns)])
        words.append(np.concatenate(columns)[begins[piece_links.pair] + piece])
    links = word_links(piece_links.pair, words[0], words[1], piece_links.probability)
    ends = np.searchsorted(links.pair, np.arange(len(chunk) + 1)).tolist()
    pairs = list(zip(links.source.tolist(), links.target.tolist(), strict=True))
    probabilities = links.probability.tolist()
    return [
        Alignment(
            pair.source,
            pair.target,
            dict(zip(pairs[begin:end], probabilities[begin:end], strict=True)),
            pair.flags,
            extra.get(n),
        )
        for n, (pair, begin, end) in enumerate(zip(chunk, ends, ends[1:], strict=False))
    ]
