"""Refuse binarised text with pieces that a dictionary lacks: an encoder would read beyond its table."""

from __future__ import annotations

import numpy as np

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import IndexedReader
from xlm_align_fairseq.bitext.joined import readers_of
from xlm_align_fairseq.errors import InputError

BLOCK = 1 << 16  # sentences that are looked at together


def check_pieces(corpus: Corpus, known: int, knows: str = "the encoder knows") -> None:
    """Refuse a corpus with a piece from `known` on, or below 0.

    Raises:
        InputError: there is one; the text says where, and what `knows` fewer.
    """
    for pair in corpus.pairs:
        for side in (pair.source, pair.target):
            for reader in readers_of(side):
                check_reader(reader, known, knows)


def check_reader(reader: IndexedReader, known: int, knows: str) -> None:
    """Refuse binarised text with a piece from `known` on, or below 0.

    Raises:
        InputError: there is one.
    """
    if reader.dtype.kind == "f":
        raise InputError(f"{reader.prefix} holds {reader.dtype} numbers: pieces are whole ones; binarise this text again")
    if reader.highest() < known and reader.lowest() >= 0:
        return
    for begin in range(0, len(reader), BLOCK):
        flat, sizes = reader.gather(np.arange(begin, min(begin + BLOCK, len(reader))))
        wrong = np.flatnonzero((flat < 0) | (flat >= known))
        if len(wrong):
            line = begin + int(np.searchsorted(np.cumsum(sizes), wrong[0], side="right")) + 1
            raise InputError(
                f"{reader.prefix}, sentence {line} has piece {flat[wrong[0]]}, {knows} {known} (0 to {known - 1}):"
                " binarise with its dictionary"
            )
