"""Encode words as pieces: sentencepiece, then the encoder's ids."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece

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

    def text(self, text: str) -> np.ndarray:
        """Return the ids of running text, (L,) int64."""
        return self._ids[self.processor.encode(text)]

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
            valid = [word.encode("utf-8", "replace").decode() for word in unseen]  # sentencepiece takes no lone surrogates
            encoded = self.processor.encode(valid, num_threads=1)
            cache.update((word, self._ids[ids]) for word, ids in zip(unseen, encoded, strict=True))
        pieces = [cache[word] for word in words]
        if not pieces:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        lengths = np.fromiter((len(ids) for ids in pieces), np.int64, len(pieces))
        return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), lengths)
