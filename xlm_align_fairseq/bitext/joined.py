"""One side of a language pair whose sentences are in several data directories, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlm_align_fairseq.bitext.indexed import IndexedReader, take_ranges


class JoinedReader:
    """Read several binarised sides as one; what nobody asks for stays on the disk.

    Args:
        readers: one or more, in order.

    Attributes:
        sizes: (items,) int32, elements of each item.
    """

    def __init__(self, readers: Sequence[IndexedReader]):
        self.readers = list(readers)
        self.sizes = np.concatenate([reader.sizes for reader in self.readers])
        self._starts = np.cumsum([0, *map(len, self.readers)])

    def __len__(self) -> int:
        return len(self.sizes)

    def place(self, number: int) -> tuple[IndexedReader, int]:
        """Return the reader of an item, and its number there."""
        k = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self.readers[k], number - int(self._starts[k])

    def __getitem__(self, number: int) -> np.ndarray:
        reader, line = self.place(number)
        return reader[line]

    def gather(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return many items one after another, and the (n,) size of each."""
        owners = np.searchsorted(self._starts, numbers, side="right") - 1
        where = [np.flatnonzero(owners == k) for k in range(len(self.readers))]
        flat = [
            reader.gather(numbers[there] - start)[0]
            for reader, there, start in zip(self.readers, where, self._starts, strict=False)
        ]
        order = np.argsort(np.concatenate(where))  # where each item stands among those of one reader after another
        sizes = self.sizes[numbers].astype(np.int64)
        dealt = sizes[np.concatenate(where)]
        return take_ranges(np.concatenate(flat), (np.cumsum(dealt) - dealt)[order], sizes), sizes

    def __reduce__(self):  # a process that gets it maps the files itself
        return JoinedReader, (self.readers,)


def readers_of(side: IndexedReader | JoinedReader) -> list[IndexedReader]:
    """Return the readers of a side, one or several."""
    return side.readers if isinstance(side, JoinedReader) else [side]
