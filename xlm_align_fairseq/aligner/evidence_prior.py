"""What evidence says of pieces: in how many directions it links their words, for batches of pairs, or of windows of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.aligner.evidence import Evidence, padded_rows
from xlm_align_fairseq.aligner.piece_links import Encoded
from xlm_align_fairseq.aligner.windows import Window

_NO_PIECE, _NO_WORD = -2, -3  # equal to no word, nor to each other


class LinkedPieces(NamedTuple):
    """For each piece of each pair its word, and the word of the other side that the evidence links with it; -1 for none."""

    source: list[np.ndarray]  # (S,) int64 of each pair: words, …
    target: list[np.ndarray]  # (T,)
    target_of: list[np.ndarray]  # (S,) … and the target word of each source piece's word
    source_of: list[np.ndarray]  # (T,)

    @classmethod
    def of(
        cls, evidence: Evidence, words: Sequence[tuple[np.ndarray, np.ndarray]], pieces: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> LinkedPieces:
        """Ask evidence about pairs.

        Args:
            evidence: what is asked.
            words: the numbers of the words of source and target, as `Evidence.numbers` returns them.
            pieces: the place of each piece's word among these, from 0.
        """
        of_target, of_source = evidence.answer([source for source, _ in words], [target for _, target in words])
        source, target = [side for side, _ in pieces], [side for _, side in pieces]
        return cls(
            source,
            target,
            [linked[place] for linked, place in zip(of_source.places, source, strict=True)],
            [linked[place] for linked, place in zip(of_target.places, target, strict=True)],
        )

    def counts(self, batch: np.ndarray, n_source: int, n_target: int) -> Tensor:
        """Return the directions that link the words of two pieces, 0, 1 or 2: (B, `n_source`, `n_target`) float32.

        Args:
            batch: (B,) which pairs.
            n_source, n_target: pieces of each side, padding included.
        """
        source, target_of = (padded_rows(rows, batch, n_source, _NO_PIECE) for rows in (self.source, self.target_of))
        target, source_of = (padded_rows(rows, batch, n_target, _NO_PIECE) for rows in (self.target, self.source_of))
        forward = source[:, :, None] == np.where(source_of >= 0, source_of, _NO_WORD)[:, None, :]
        backward = np.where(target_of >= 0, target_of, _NO_WORD)[:, :, None] == target[:, None, :]
        return torch.from_numpy(forward.astype(np.float32) + backward)


def of_windows(evidence: Evidence, chunk: Sequence[Encoded], windows: Sequence[tuple[int, Window]]) -> LinkedPieces:
    """Ask evidence about windows of pairs, each by itself; of a pair that is aligned whole, the window is all of it.

    Args:
        evidence: what is asked.
        chunk: the pairs.
        windows: the number of a pair, and its window.
    """
    known = {
        number: (evidence.numbers("source", chunk[number].source), evidence.numbers("target", chunk[number].target))
        for number in {number for number, _ in windows}
    }
    words, pieces = [], []
    for number, window in windows:
        pair, numbers = chunk[number], known[number]
        source = pair.src_words[window.source_begin : window.source_end]
        target = pair.tgt_words[window.target_begin : window.target_end]
        words.append((numbers[0][source[0] : source[-1] + 1], numbers[1][target[0] : target[-1] + 1]))
        pieces.append((source - source[0], target - target[0]))
    return LinkedPieces.of(evidence, words, pieces)
