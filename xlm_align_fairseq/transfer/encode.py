"""Encode a sentence of words as `<s> … </s>`, in windows where it is long, and say where the first piece of each word is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import sequence
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.transfer.windows import judging_windows

SPECIALS = 2  # of `<s> … </s>`
LONGEST_WORD = 1 << 16  # characters of a word that are read; its first piece hardly hangs on the others
MANY_UNKNOWN = 0.005  # share of unknown pieces from which on it is worth a warning


@dataclasses.dataclass
class PieceCounts:
    """Count pieces, and those that the encoder has no row for: it reads them as `<unk>`."""

    pieces: int = 0
    unknown: int = 0

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
