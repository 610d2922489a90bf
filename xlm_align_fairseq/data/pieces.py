"""Words to pieces: sentencepiece, then the encoder's ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from xlm_align_fairseq.alignment.spans import PAD, PieceBatch
from xlm_align_fairseq.alignment.words import NO_WORD
from xlm_align_fairseq.data.vocabulary import Vocabulary, open_sentencepiece

CACHED_WORDS = 1 << 19  # words whose pieces are remembered


class PieceEncoder:
    """Encode text as pieces.

    Args:
        sentencepiece: path or bytes of the sentencepiece model.
        vocabulary: the encoder's pieces; what it lacks becomes `<unk>`.
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
        new = list({word for word in words if word not in self._cache})
        if new:
            if len(self._cache) + len(new) > CACHED_WORDS:
                self._cache.clear()
                new = list(set(words))
            encoded = self.processor.encode(new, num_threads=1)
            self._cache.update((word, self._ids[ids]) for word, ids in zip(new, encoded, strict=True))
        pieces = [self._cache[word] for word in words]
        if not pieces:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        lengths = np.fromiter((len(ids) for ids in pieces), np.int64, len(pieces))
        return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), lengths)


def pad_rows(rows: Sequence[np.ndarray], value: int) -> np.ndarray:
    """Stack (L_b,) rows into one (B, longest) int64 array, filled up with a value."""
    lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    padded = np.full((len(rows), lengths.max(initial=0)), value, np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return padded


def batch_pieces(
    pairs: Sequence[tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]],
) -> tuple[PieceBatch, np.ndarray, np.ndarray]:
    """Collate pairs of what `PieceEncoder.words` returns: the pieces and the (B, S), (B, T) word indices."""
    sides = []
    for side in (0, 1):
        ids, words = zip(*(pair[side] for pair in pairs), strict=True)
        lengths = torch.tensor([len(row) for row in ids])
        sides.append((torch.from_numpy(pad_rows(ids, PAD)), lengths, pad_rows(words, NO_WORD)))
    (source, src_lengths, src_words), (target, tgt_lengths, tgt_words) = sides
    return PieceBatch(source, target, src_lengths, tgt_lengths), src_words, tgt_words
