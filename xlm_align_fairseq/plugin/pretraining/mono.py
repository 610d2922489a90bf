"""Monolingual text in blocks, for masked language modelling beside the pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xlm_align_fairseq.bitext.indexed import IndexedReader
from xlm_align_fairseq.encoder.vocabulary import BOS
from xlm_align_fairseq.errors import InputError


def has_split(directory: Path, split: str) -> bool:
    """Return whether there is monolingual text for a split; only training needs it."""
    return (directory / f"{split}.idx").is_file()


class MonoBlocks:
    """The concatenated sentences of `SPLIT.bin`, cut into blocks of equal length: `<s> … </s> … `.

    Args:
        directory: made by `xlm-align binarize --mono` or `fairseq-preprocess --only-source`.
        split: `train`, `valid`, …
        block: pieces of a block, its leading `<s>` included; the last, shorter one is left out.
    """

    def __init__(self, directory: Path, split: str, block: int):
        if not has_split(directory, split):
            raise InputError(f"{directory / split}.idx is missing: make it with `xlm-align binarize --mono`")
        self.sentences = IndexedReader(directory / split)
        self.body = block - 1
        self.starts = np.concatenate([[0], np.cumsum(self.sentences.sizes, dtype=np.int64)])
        if not len(self):
            raise InputError(f"{directory / split}.bin has {self.starts[-1]} pieces: fewer than one block of {block}")

    def __len__(self) -> int:
        return int(self.starts[-1] // self.body)

    @property
    def left_out(self) -> int:
        """Pieces at the end that fill no block."""
        return int(self.starts[-1]) - len(self) * self.body

    def __getitem__(self, number: int) -> np.ndarray:
        """Return block `number`: (block,) int64."""
        start, end = number * self.body, (number + 1) * self.body
        first, last = np.searchsorted(self.starts, [start, end - 1], side="right") - 1
        text, _ = self.sentences.gather(np.arange(first, last + 1))
        return np.concatenate([[BOS], text[start - self.starts[first] :][: self.body]]).astype(np.int64)
