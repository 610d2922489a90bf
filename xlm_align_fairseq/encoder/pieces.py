"""Encode words, and running text, as pieces: sentencepiece, then the encoder's ids."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.encoder.vocabulary import MARK, Vocabulary, open_sentencepiece

CACHED_WORDS = 1 << 16  # words whose pieces are cached, in some 20 MB


@dataclasses.dataclass(frozen=True)
class PieceFiles:
    """Dictionary and sentencepiece model: bytes of both files, and the parsed dictionary."""

    dictionary: bytes
    sentencepiece: bytes
    vocabulary: Vocabulary

    @classmethod
    def read(cls, dictionary: Path, sentencepiece: Path) -> PieceFiles:
        """Read both files.

        Raises:
            InputError: one is missing or malformed.
        """
        vocabulary = Vocabulary.read(dictionary)
        open_sentencepiece(sentencepiece)
        return cls(dictionary.read_bytes(), sentencepiece.read_bytes(), vocabulary)


class PlacedPieces(NamedTuple):
    """The pieces of running text and their places in it.

    A place is what the piece was made of, without blanks at its ends: white space, and characters of which sentencepiece makes
    nothing, as U+200B. Where one character becomes several pieces, as `½` can, its place is that of each. The place of a lone
    `▁` is empty, unless it is one of those. Neither begins nor ends ever fall.

    Args:
        ids: (L,) int64.
        begins: (L,) int64, code points from 0 of the text as it was given.
        ends: (L,) int64, exclusive.
    """

    ids: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


class PieceEncoder:
    """Encode text as pieces.

    Args:
        sentencepiece: path or bytes of the sentencepiece model.
        vocabulary: the encoder's pieces; other pieces become `<unk>`.
    """

    def __init__(self, sentencepiece, vocabulary: Vocabulary):
        self.processor = open_sentencepiece(sentencepiece)
        self.vocabulary = vocabulary
        self._ids = vocabulary.lookup(self.processor)
        self._cache: dict[str, np.ndarray] = {}
        mark = self.processor.piece_to_id(MARK)
        self._mark = -1 if mark == self.processor.unk_id() else mark
        self._blank: dict[int, bool] = {}  # by code point

    def text(self, text: str) -> np.ndarray:
        """Return the ids of running text, (L,) int64."""
        return self._ids[self.processor.encode(_valid(text))]

    def placed(self, text: str) -> PlacedPieces:
        """Encode running text, with the place of each piece."""
        valid = _valid(text)
        encoded = self.processor.encode(valid, out_type="immutable_proto").pieces  # their places count code points
        rows = np.array([(piece.id, piece.begin, piece.end) for piece in encoded], np.int64).reshape(-1, 3)
        ids, begins, ends = rows.T
        begins, ends = _without_blanks(begins, ends, self._blanks(valid))
        return PlacedPieces(self._ids[ids], begins, _whole_characters(begins, ends, ids == self._mark))

    def _blanks(self, text: str) -> np.ndarray:
        """Tell which characters are white space or make no piece alone: (characters,) bool."""
        codes, places = np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)
        for code in codes.tolist():
            if code not in self._blank:
                self._blank[code] = chr(code).isspace() or not self.processor.encode(chr(code))
        return np.array([self._blank[code] for code in codes.tolist()], bool)[places]

    def words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode every word on its own.

        Args:
            words: a sentence; a word may be empty or have no pieces.

        Returns:
            (L,) int64 ids and (L,) int64 index of the word that each piece belongs to.
        """
        cache = self._cache  # use one cache throughout, even if another thread replaces it
        unseen = list({word for word in words if word not in cache})
        if unseen:
            if len(cache) + len(unseen) > CACHED_WORDS:
                self._cache = cache = {}
                unseen = list(set(words))
            encoded = self.processor.encode([_valid(word) for word in unseen], num_threads=1)
            cache.update((word, self._ids[ids]) for word, ids in zip(unseen, encoded, strict=True))
        pieces = [cache[word] for word in words]
        if not pieces:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        lengths = np.fromiter((len(ids) for ids in pieces), np.int64, len(pieces))
        return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), lengths)


def _valid(text: str) -> str:
    """Replace lone surrogates, which sentencepiece does not take, by one character each."""
    return text.encode("utf-8", "replace").decode()


def _without_blanks(begins: np.ndarray, ends: np.ndarray, blank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave blanks at both ends of places out; a place of blanks alone becomes empty, at its end."""
    length = len(blank)
    places = np.arange(length)
    following = np.minimum.accumulate(np.where(blank, length, places)[::-1])[::-1]  # the character that is none, from here on
    before = np.maximum.accumulate(np.where(blank, 0, places + 1))  # the end of the last one that is none, up to here
    begins = np.minimum(np.append(following, length)[begins], ends)
    return begins, np.maximum(np.insert(before, 0, 0)[ends], begins)


def _whole_characters(begins: np.ndarray, ends: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return the ends of places: of one character in several pieces only the last has it, the others get it here."""
    empty = ends == begins
    numbers = np.arange(len(ends))
    last = np.minimum.accumulate(np.where(empty, len(ends), numbers)[::-1])[::-1]  # the next piece that has text
    parts = np.flatnonzero(empty & ~marks & (last < len(ends)))
    parts = parts[begins[last[parts]] == begins[parts]]
    whole = ends.copy()
    whole[parts] = ends[last[parts]]
    return np.maximum.accumulate(whole)  # a mark can be within a character, too
