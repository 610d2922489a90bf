"""Write and read fairseq's memory-mapped data sets: `PREFIX.bin` with the items, `PREFIX.idx` with their positions.

An index is the magic, the version, the code of the item type, the number of items, the size of each (int32) and where
each begins in `.bin` (int64, bytes). No fairseq is needed for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import NewFiles

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
SLAB = 1 << 20  # items that are checked at once
HEADER = struct.Struct("<QBQ")  # after the magic: version, code of the item type, number of items
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
    """Write items as a stream; a context manager.

    Items go to temporary files beside the target. They are renamed to it, `.idx` last, if the `with` block succeeds,
    and deleted if it fails: an existing `.idx` always matches the `.bin` beside it.

    Args:
        prefix: the target without `.bin` and `.idx`; its directory exists.
        dtype: item type, one of `CODES`.

    Attributes:
        items, elements: how much was added.
        sha256: of the two files by their ending, hexadecimal; set by `finish`.
    """

    def __init__(self, prefix: Path | str, dtype: DTypeLike):
        self.prefix, self.dtype = Path(prefix), np.dtype(dtype)
        if self.dtype not in CODES:
            raise ValueError(f"{prefix}: items of type {self.dtype}; allowed are {', '.join(map(str, CODES))}")
        self.items = self.elements = 0
        self.sha256: dict[str, str] = {}
        self._hash = hashlib.sha256()
        self._new, self._stack = NewFiles(), contextlib.ExitStack()
        self._data: BinaryIO | None = None
        self._sizes: BinaryIO | None = None

    def path(self, ending: str) -> Path:
        """Return the target with an ending, `bin` or `idx`."""
        return self.prefix.with_name(f"{self.prefix.name}.{ending}")

    def __enter__(self) -> IndexedWriter:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._new)
            self._data = self._new.open(self.path("bin"))
            self._sizes = self._new.scratch(self.path("sizes"))
            self._stack = stack.pop_all()
        return self

    def add(self, flat: np.ndarray, sizes: np.ndarray) -> None:
        """Append items.

        Args:
            flat: (sum of sizes,) the concatenated items; values that the item type holds exactly.
            sizes: (n,) int, elements of each item, 0 or more.

        Raises:
            ValueError: the sizes do not add up, or the item type cannot hold a value.
        """
        if self._data is None or self._sizes is None or self.sha256:
            raise ValueError(f"{self.prefix}: not open for writing; add items inside the `with` block, before finish()")
        flat, sizes = np.asarray(flat), np.asarray(sizes)
        # numpy makes an empty list float64: check the type only if there are sizes.
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
        """Complete both files under their temporary names; the end of the block does it too. Do not `add` afterwards."""
        if self.sha256:
            return
        assert self._data is not None
        if not self.elements:
            # An empty file cannot be mapped into memory: fairseq could not open items that are all empty. No item
            # points to this element.
            self._put(np.zeros(1, self.dtype).tobytes())
        digest = hashlib.sha256()
        index = self._new.open(self.path("idx"))
        for block in self._index():
            index.write(block)
            digest.update(block)
        self._new.complete()
        self._new.remove(self.path("idx"))  # never a new .bin beside an old .idx
        self.sha256 = {"bin": self._hash.hexdigest(), "idx": digest.hexdigest()}

    def _index(self) -> Iterator[bytes]:
        assert self._sizes is not None
        yield MAGIC + HEADER.pack(VERSION, CODES[self.dtype], self.items)
        self._sizes.seek(0)
        while block := self._sizes.read(INDEX_BLOCK * 4):
            yield block
        self._sizes.seek(0)
        begin = 0
        while block := self._sizes.read(INDEX_BLOCK * 4):
            ends = begin + np.cumsum(np.frombuffer(block, np.int32), dtype=np.int64) * self.dtype.itemsize
            yield np.concatenate([[begin], ends[:-1]]).astype(np.int64).tobytes()
            begin = int(ends[-1])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:  # which takes everything away if completing it fails
            self.finish()


class IndexedReader:
    """Read items from memory-mapped files.

    Args:
        prefix: the files without `.bin` and `.idx`.

    Attributes:
        sizes: (items,) int32, elements of each item.

    Raises:
        InputError: a file is missing or not of this format, or the two do not belong together.
    """

    def __init__(self, prefix: Path | str):
        self.prefix = Path(prefix)
        self._open()

    def _open(self) -> None:
        index, data = (self.prefix.with_name(f"{self.prefix.name}.{ending}") for ending in ("idx", "bin"))
        try:
            with open(index, "rb") as file:
                header = file.read(len(MAGIC) + HEADER.size)
            if not header.startswith(MAGIC) or len(header) < len(MAGIC) + HEADER.size:
                raise InputError(f"{index} is no index of fairseq's memory-mapped format: write it with --dataset-impl mmap")
            version, code, items = HEADER.unpack(header[len(MAGIC) :])
            dtypes = {code: dtype for dtype, code in CODES.items()}
            if version != VERSION or code not in dtypes:
                raise InputError(f"{index}: version {version}, type {code}; allowed are version {VERSION}, types {[*dtypes]}")
            self.dtype = dtypes[code]
            sizes_end = len(header) + 4 * items
            if index.stat().st_size != sizes_end + 8 * items:
                raise InputError(f"{index} is cut short or has been changed: write it again")
            self.sizes = _mapped(index, np.int32, len(header), items)
            self._begins = _mapped(index, np.int64, sizes_end, items)
            end = int(self._begins[-1]) + int(self.sizes[-1]) * self.dtype.itemsize if items else 0
            if end > data.stat().st_size:
                raise InputError(f"{data} is shorter than {index} says: write both again")
            if not self._in_a_row():
                raise InputError(f"{index} is damaged, its items do not follow one another: write it again")
            self._data = _mapped(data, self.dtype, 0, end // self.dtype.itemsize)
        except OSError as error:
            raise InputError(f"{error.filename}: cannot read it ({error.strerror}); check the path") from error

    def _in_a_row(self) -> bool:
        """Return whether each item begins where the one before ends; in slabs, so that memory does not grow with them."""
        end = 0
        for first in range(0, len(self), SLAB):
            slab = slice(first, first + SLAB)
            sizes = self.sizes[slab].astype(np.int64) * self.dtype.itemsize
            ends = end + np.cumsum(sizes)
            if (sizes < 0).any() or not np.array_equal(self._begins[slab], ends - sizes):
                return False
            end = int(ends[-1])
        return True

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> np.ndarray:
        begin = int(self._begins[number]) // self.dtype.itemsize
        return np.asarray(self._data[begin : begin + int(self.sizes[number])])

    def gather(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the given items concatenated, and the (n,) size of each."""
        sizes = self.sizes[numbers].astype(np.int64)
        return take_ranges(self._data, self._begins[numbers] // self.dtype.itemsize, sizes), sizes

    def highest(self) -> int:
        """Return the highest element of all items, -1 if there is none."""
        return max((int(block.max()) for block in self._blocks()), default=-1)

    def lowest(self) -> int:
        """Return the lowest element of all items, 0 if there is none."""
        return 0 if self.dtype.kind == "u" else min((int(block.min()) for block in self._blocks()), default=0)

    def _blocks(self) -> Iterator[np.ndarray]:
        return (self._data[begin : begin + (1 << 22)] for begin in range(0, len(self._data), 1 << 22))

    def __getstate__(self) -> dict[str, Path]:  # pickled without data: the receiving process maps the files itself
        return {"prefix": self.prefix}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _mapped(path: Path, dtype: DTypeLike, offset: int, items: int) -> np.ndarray:
    if not items:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r", offset, (items,)))


def take_ranges(values: np.ndarray, begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return `values[begins[k] : begins[k] + sizes[k]]` for every k, concatenated.

    Args:
        values: (n, …); begins, sizes: (k,) int64.
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return values[np.arange(total) + np.repeat(begins - (ends - sizes), sizes)]
