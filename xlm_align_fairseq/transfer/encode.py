"""Encode what fine-tuned models read: the words of a sentence, in windows where it is long, and pairs of texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import sequence
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.transfer.windows import judging_windows

SPECIALS, PAIR_SPECIALS = 2, 4  # of `<s> … </s>`, of `<s> … </s></s> … </s>`
LONGEST_WORD = 1 << 16  # characters of a word that are read; its first piece hardly hangs on the others
MANY_UNKNOWN = 0.005  # share of unknown pieces from which on it is worth a warning


@dataclasses.dataclass
class PieceCounts:
    """Count pieces, those that the encoder has no row for, which it reads as `<unk>`, and texts that were too long for it."""

    pieces: int = 0
    unknown: int = 0
    cut: int = 0

    @property
    def share(self) -> float:
        """Which share of the pieces is unknown; 0 of none."""
        return self.unknown / self.pieces if self.pieces else 0.0

    @property
    def many(self) -> bool:
        """Whether so many are unknown that results suffer."""
        return self.share > MANY_UNKNOWN

    def __str__(self) -> str:
        advice = "; the vocabulary of the encoder was cut down to other text: take one that covers this" if self.many else ""
        return f"{self.unknown} of {self.pieces} pieces are unknown ({100 * self.share:.2f} %){advice}"


class WordSequence(NamedTuple):
    """One sequence that the encoder reads, and the words that are judged in it.

    Args:
        tokens: (L,) int64, `<s> … </s>`.
        first: (N,) int64, places in the sequence of the first pieces of N consecutive words.
    """

    tokens: np.ndarray
    first: np.ndarray


class WordPieces(NamedTuple):
    """The pieces of a sentence, without specials.

    Args:
        ids: (L,) int64.
        first: (words,) int64, index of the first piece of each word.
    """

    ids: np.ndarray
    first: np.ndarray


def encode_words(words: Sequence[str], pieces: PieceEncoder, counts: PieceCounts | None = None) -> WordPieces:
    """Encode words one by one; a word that gives no piece gets `<unk>`.

    Args:
        words: of a sentence.
        pieces: encodes a word.
        counts: are added to, if given; `<unk>` of a word without pieces is not counted.
    """
    ids, owners = pieces.words([word[:LONGEST_WORD] for word in words])
    if counts is not None:
        counts.pieces += len(ids)
        counts.unknown += int((ids == UNK).sum())
    lengths = np.bincount(owners, minlength=len(words))
    begins = np.cumsum(lengths) - lengths
    ids = np.insert(ids, begins[lengths == 0], UNK)
    lengths = np.maximum(lengths, 1)
    return WordPieces(ids, np.cumsum(lengths) - lengths)


def word_sequences(words: WordPieces, window: int) -> list[WordSequence]:
    """Return the sequences in which the words of a sentence are judged, in order: every word in exactly one of them.

    Args:
        words: what `encode_words` returns.
        window: longest sequence, specials included.
    """
    found = []
    for begin, end, core_begin, core_end in judging_windows(len(words.ids), window - SPECIALS):
        here = words.first[slice(*np.searchsorted(words.first, [core_begin, core_end]))]
        if len(here):  # else there is the middle of a long word
            found.append(WordSequence(sequence(words.ids[begin:end]), here - begin + 1))
    return found


def pair_sequence(
    first: str, second: str | None, pieces: PieceEncoder, window: int, counts: PieceCounts | None = None
) -> np.ndarray:
    """Return `<s> A </s></s> B </s>`, or `<s> A </s>`: (L,) int64. What does not fit is cut off, of the longer text first.

    Args:
        first, second: running text; `None` for the second of one text.
        pieces: encodes them.
        window: longest sequence, specials included.
        counts: are added to, if given.
    """
    sides = [pieces.text(side) for side in ((first,) if second is None else (first, second))]
    lengths = fitting([len(side) for side in sides], window - (SPECIALS if second is None else PAIR_SPECIALS))
    if counts is not None:
        counts.pieces += sum(map(len, sides))
        counts.unknown += sum(int((side == UNK).sum()) for side in sides)
        counts.cut += any(length < len(side) for length, side in zip(lengths, sides, strict=True))
    return sequence(*(side[:length] for length, side in zip(lengths, sides, strict=True)), layout="classification")


def fitting(lengths: Sequence[int], room: int) -> list[int]:
    """Return how many pieces of one or two texts fit into a room: the longer one is cut first, then both alike.

    >>> fitting([5, 3], 10), fitting([9, 3], 10), fitting([9, 8], 9)
    ([5, 3], [7, 3], [5, 4])
    """
    if sum(lengths) <= room:
        return list(lengths)
    if len(lengths) == 1:
        return [room]
    half = room // 2
    first, second = lengths
    if second <= half:
        return [room - second, second]
    if first <= room - half:
        return [first, room - first]
    return [room - half, half]
