"""Write fairseq's memory-mapped data sets as a stream: `PREFIX.bin` with the items, `PREFIX.idx` with where they are.

An index is the magic, the version, the code of the item type, the number of items, the size of each (int32) and where
each begins in `.bin` (int64, bytes). No fairseq is needed to write it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
CODES = {
    np.dtype(name): code
    for name, code in {
        "uint8": 1,
        "int8": 2,
        "int16": 3,
        "int32": 4,
        "int64": 5,
        "float64": 6,
        "uint16": 8,
        "uint32": 9,
        "uint64": 10,
    }.items()
}
ENDINGS = ("bin", "idx")
INDEX_BLOCK = 1 << 17  # sizes that are in memory at once while the index is written


def best_dtype(size: int) -> np.dtype:
    """Return the item type that fairseq takes for a vocabulary of `size` pieces."""
    if size < 65500:
        return np.dtype(np.uint16)
    return np.dtype(np.uint32 if size < 4294967295 else np.int64)


class IndexedWriter:
    """Write items one after another; a context manager.

    Everything goes to temporary files beside the target. They take its place when the `with` block ends well, `.idx`
    last, and are removed when it does not: an `.idx` that is there belongs to the `.bin` beside it.

    Args:
        prefix: the target without `.bin` and `.idx`; its directory exists.
        dtype: item type, one of `CODES`.

    Attributes:
        items, elements: how much was added.
        sha256: of the two files by their ending, hexadecimal; there once `finish` was called.
    """

    def __init__(self, prefix: Path | str, dtype: DTypeLike):
        self.prefix, self.dtype = Path(prefix), np.dtype(dtype)
        if self.dtype not in CODES:
            raise ValueError(f"{prefix}: items of type {self.dtype}; allowed are {', '.join(map(str, CODES))}")
        self.items = self.elements = 0
        self.sha256: dict[str, str] = {}
        self._hash = hashlib.sha256()
        self._data: BinaryIO | None = None
        self._sizes: BinaryIO | None = None

    def path(self, ending: str) -> Path:
        """Return the target with an ending, `bin` or `idx`."""
        return self.prefix.with_name(f"{self.prefix.name}.{ending}")

    def _temporary(self, ending: str) -> Path:
        return self.prefix.with_name(f".{self.prefix.name}.{ending}.{os.getpid()}.tmp")

    def __enter__(self) -> IndexedWriter:
        try:
            self._data = open(self._temporary("bin"), "wb")
            self._sizes = open(self._temporary("sizes"), "w+b")
        except BaseException:
            self._discard()
            raise
        return self

    def add(self, flat: np.ndarray, sizes: np.ndarray) -> None:
        """Append items.

        Args:
            flat: (sum of sizes,) the items one after another; values that the item type holds exactly.
            sizes: (n,) int, elements of each item, 0 or more.

        Raises:
            ValueError: the sizes do not add up, or the item type cannot hold a value.
        """
        if self._data is None or self._sizes is None or self.sha256:
            raise ValueError(f"{self.prefix}: not open for writing; add items inside the `with` block, before finish()")
        flat, sizes = np.asarray(flat), np.asarray(sizes)
        # An empty list is float64: its type says nothing.
        if (len(sizes) and (sizes.dtype.kind not in "iu" or sizes.min() < 0)) or sizes.sum() != flat.size:
            raise ValueError(f"{self.prefix}: {len(sizes)} sizes add up to {sizes.sum()}, not to {flat.size} elements")
        stored = flat.astype(self.dtype)
        if stored.dtype != flat.dtype and not np.array_equal(stored, flat):
            raise ValueError(f"{self.prefix}: {self.dtype} cannot hold values from {flat.min()} to {flat.max()}")
        self._put(stored.tobytes())
        self._sizes.write(sizes.astype(np.int32).tobytes())
        self.items += len(sizes)
        self.elements += flat.size

    def _put(self, data: bytes) -> None:
        assert self._data is not None
        self._data.write(data)
        self._hash.update(data)

    def finish(self) -> None:
        """Complete both files under their temporary names; the end of the block does it too. No `add` afterwards."""
        if self.sha256:
            return
        assert self._data is not None
        if not self.elements:
            # An empty file cannot be mapped into memory: fairseq could not open items that are all empty. No item
            # points to this element.
            self._put(np.zeros(1, self.dtype).tobytes())
        _complete(self._data)
        digest = hashlib.sha256()
        with open(self._temporary("idx"), "wb") as index:
            self._write_index(index)
            _complete(index)
        with open(self._temporary("idx"), "rb") as index:
            while block := index.read(1 << 20):
                digest.update(block)
        self.sha256 = {"bin": self._hash.hexdigest(), "idx": digest.hexdigest()}

    def _write_index(self, index: BinaryIO) -> None:
        assert self._sizes is not None
        index.write(MAGIC + struct.pack("<QBQ", VERSION, CODES[self.dtype], self.items))
        self._sizes.seek(0)
        shutil.copyfileobj(self._sizes, index)
        self._sizes.seek(0)
        begin = 0
        while block := self._sizes.read(INDEX_BLOCK * 4):
            ends = begin + np.cumsum(np.frombuffer(block, np.int32), dtype=np.int64) * self.dtype.itemsize
            index.write(np.concatenate([[begin], ends[:-1]]).astype(np.int64).tobytes())
            begin = int(ends[-1])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if kind is None:
                self.finish()
                self.path("idx").unlink(missing_ok=True)  # never a new .bin beside an old .idx
                for ending in ENDINGS:
                    os.replace(self._temporary(ending), self.path(ending))
        finally:
            self._discard()

    def _discard(self) -> None:
        for file in (self._data, self._sizes):
            if file is not None:
                file.close()
        for ending in (*ENDINGS, "sizes"):
            self._temporary(ending).unlink(missing_ok=True)


def _complete(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
