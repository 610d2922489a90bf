"""The links of pieces of a chunk of pairs, and what becomes of them: links of words, probabilities, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.aligner.result import Alignment, Details
from xlm_align_fairseq.alignment.words import word_links


class Encoded(NamedTuple):
    """One pair: words, pieces, and the word of each piece."""

    source: list[str]
    target: list[str]
    src_ids: np.ndarray  # (S,) int64
    tgt_ids: np.ndarray  # (T,)
    src_words: np.ndarray  # (S,)
    tgt_words: np.ndarray  # (T,)
    src_marks: np.ndarray  # (S,) bool, True for pieces that are the mark of a word's beginning alone
    tgt_marks: np.ndarray  # (T,)
    flags: tuple[str, ...]


class PieceLinks(NamedTuple):
    """Piece links of a chunk, each with the numbers of its pair and of its job; all of one length."""

    pair: np.ndarray
    job: np.ndarray
    source: np.ndarray
    target: np.ndarray
    probability: np.ndarray
    confidence: np.ndarray  # the probability where an unrelated word could be linked, too


def without_marks(chunk: Sequence[Encoded], links: PieceLinks) -> PieceLinks:
    """Leave out the links of pieces that are the mark of a word's beginning alone."""
    source = _of_pieces(chunk, "src_marks", links.pair, links.source)
    target = _of_pieces(chunk, "tgt_marks", links.pair, links.target)
    return PieceLinks(*(column[~(source | target)] for column in links))


def _of_pieces(chunk: Sequence[Encoded], field: str, pair: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Look up what a field of `Encoded` says of pieces, given by the number of their pair and their place in it."""
    columns = [getattr(encoded, field) for encoded in chunk]
    begins = np.cumsum([0, *map(len, columns)])
    return np.concatenate(columns)[begins[pair] + piece]


def one_window_a_target(links: PieceLinks) -> PieceLinks:
    """Leave each target piece the links of one window: that of its most probable link, of equals the first.

    The targets of windows overlap, their source cores do not: each window, seeing its own part, links a target piece once more.
    """
    if not len(links.pair):
        return links
    order = np.lexsort((links.job, -links.probability, links.target, links.pair))
    pair, target, job = links.pair[order], links.target[order], links.job[order]
    first = np.append(True, (np.diff(pair) != 0) | (np.diff(target) != 0))
    kept = order[job == job[np.flatnonzero(first)][np.cumsum(first) - 1]]
    return PieceLinks(*(column[kept] for column in links))


def concatenated(parts: Sequence[PieceLinks]) -> PieceLinks:
    """Put links one behind the other."""
    if not parts:
        nothing, unlikely = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return PieceLinks(nothing, nothing, nothing, nothing, unlikely, unlikely)
    return PieceLinks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def word_alignments(
    chunk: Sequence[Encoded], piece_links: PieceLinks, spoiled: set[int], extra: Mapping[int, Details]
) -> list[Alignment]:
    """Turn the piece links of a chunk into word links; pairs whose hidden states are not finite have none, and a flag."""
    if spoiled:
        sound = ~np.isin(piece_links.pair, list(spoiled))
        piece_links = PieceLinks(*(column[sound] for column in piece_links))
    source = _of_pieces(chunk, "src_words", piece_links.pair, piece_links.source)
    target = _of_pieces(chunk, "tgt_words", piece_links.pair, piece_links.target)
    links = word_links(piece_links.pair, source, target, piece_links.probability)
    scores = _scores(chunk, piece_links, source, target)
    ends = np.searchsorted(links.pair, np.arange(len(chunk) + 1)).tolist()
    pairs = list(zip(links.source.tolist(), links.target.tolist(), strict=True))
    probabilities = links.probability.tolist()
    return [
        Alignment(
            pair.source,
            pair.target,
            dict(zip(pairs[begin:end], probabilities[begin:end], strict=True)),
            (*pair.flags, "not-finite") if n in spoiled else pair.flags,
            extra.get(n),
            score,
        )
        for n, (pair, score, begin, end) in enumerate(zip(chunk, scores, ends, ends[1:], strict=False))
    ]


def _scores(chunk: Sequence[Encoded], links: PieceLinks, source: np.ndarray, target: np.ndarray) -> list[float]:
    """Return the score of each pair: the mean over its words of the confidence of the word's best link, 0 for one without.

    Args:
        chunk: the pairs.
        links: of their pieces.
        source, target: the words of the linked pieces.
    """
    totals = np.zeros(len(chunk))
    words = np.zeros(len(chunk), np.int64)
    for side, linked in (("source", source), ("target", target)):
        begins = np.cumsum([0, *(len(getattr(pair, side)) for pair in chunk)])
        best = np.zeros(begins[-1] + 1)
        np.maximum.at(best, begins[links.pair] + linked, links.confidence)
        totals += np.add.reduceat(best, begins[:-1]) * (np.diff(begins) > 0)  # a side without words takes the next one's
        words += [sum(map(bool, getattr(pair, side))) for pair in chunk]
    return (totals / np.maximum(words, 1)).tolist()
