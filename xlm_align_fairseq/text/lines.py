"""Read text files, plain or compressed, as a stream of lines, and hash them; `"\\n"` is the only separator."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from backports import zstd

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import PACKED

PathLike = str | os.PathLike[str]
OPENERS = dict(zip(PACKED, (gzip.open, bz2.open, lzma.open, zstd.open), strict=True))
TAB, BARS = "\t", " ||| "  # between source and target in one file


class TextFile:
    """Iterate over the lines of a UTF-8 file, without their `"\\n"`; a final `"\\n"` does not begin one more line.

    The file is read once and in order, so that pipes work too. `.gz`, `.bz2`, `.xz` and `.zst` are unpacked.

    Args:
        path: the file.
        replace_invalid: bytes that are not UTF-8 become U+FFFD; without it they are an `InputError`.

    Attributes:
        lines: how many were read so far.
    """

    def __init__(self, path: Path | str, *, replace_invalid: bool = False):
        self.path, self.replace_invalid = Path(path), replace_invalid
        self.lines = 0
        self._raw: _HashingFile | None = None

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file, as it is stored, were read so far."""
        return self._raw.count if self._raw else 0

    @property
    def sha256(self) -> str:
        """The hash of the file as it is stored, hexadecimal; of the whole file once all lines were read."""
        return (self._raw.hash if self._raw else hashlib.sha256()).hexdigest()

    def size(self) -> int | None:
        """Return the bytes of the file as it is stored, `None` for a pipe."""
        with _reporting(self.path):
            status = os.stat(self.path)
            return status.st_size if stat.S_ISREG(status.st_mode) else None

    def __iter__(self) -> Iterator[str]:
        """Yield the lines.

        Raises:
            InputError: the file cannot be read or unpacked, or a line is not UTF-8.
        """
        self.lines = 0
        with _reporting(self.path), open(self.path, "rb", buffering=0) as file:
            self._raw = _HashingFile(file)
            stored = io.BufferedReader(self._raw, 1 << 17)
            opener: Any = OPENERS.get(self.path.suffix)
            stream: IO[bytes] = opener(stored, "rb") if opener else stored
            while line := stream.readline():
                self.lines += 1
                yield self._decode(line.removesuffix(b"\n"))
            while stored.read(1 << 17):  # hash also what follows the last compressed block
                pass

    def _decode(self, line: bytes) -> str:
        try:
            return line.decode("utf-8", "replace" if self.replace_invalid else "strict")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path}:{self.lines}: byte 0x{line[error.start]:02x} (byte {error.start + 1} of the line) is not"
                " UTF-8; convert the file to UTF-8"
            ) from error


def read_lines(path: PathLike) -> list[str]:
    """Read the lines of a `TextFile`, which may be packed."""
    return list(TextFile(Path(path)))


def read_together(*texts: TextFile) -> Iterator[tuple[str, ...]]:
    """Yield line n of every file.

    Raises:
        InputError: the files have different numbers of lines; they are read to their ends to count them.
    """
    readers = [iter(text) for text in texts]
    while True:
        row = [next(reader, None) for reader in readers]
        if None in row:
            break
        yield tuple(line for line in row if line is not None)
    for reader in readers:
        for _ in reader:
            pass
    first = texts[0]
    for other in texts[1:]:
        if other.lines != first.lines:
            raise InputError(
                f"{other.path}: {other.lines} lines, but {first.lines} lines in {first.path}; line n of every file is"
                " sentence pair n, check that the files belong together and are complete"
            )


def as_text(file: TextFile | Path | str, *, replace_invalid: bool = False) -> TextFile:
    """Open a path as a `TextFile`; return an open one unchanged."""
    return file if isinstance(file, TextFile) else TextFile(file, replace_invalid=replace_invalid)


def read_bitext(texts: Sequence[TextFile], separator: str | None = None, *others: TextFile) -> Iterator[tuple[str, ...]]:
    """Yield source and target of each pair, and after them line n of every other file.

    Args:
        texts: a file for each side, or one with both.
        separator: stands between source and target in one file, `TAB` or `BARS`; `None` for two files.
        others: files with a line for each pair.

    Raises:
        InputError: the files have different numbers of lines, or a line lacks the separator.
    """
    for row in read_together(*texts, *others):
        if separator is None:
            yield row
        else:
            yield *split_pair(row[0], separator, f"{texts[0].path}:{texts[0].lines}"), *row[1:]


def split_pair(line: str, separator: str, where: str) -> tuple[str, str]:
    """Split a line into source and target.

    Args:
        line: the line.
        separator: `TAB`, of which columns after the second are not read, or `BARS`, where the target is the rest of the line.
        where: `file:line`, begins the message of an error.

    Raises:
        InputError: the separator is missing.
    """
    if pair := find_pair(line, separator):
        return pair
    if separator == TAB:
        raise InputError(f"{where}: no tab; allowed are source and target with a tab between, more columns are not read")
    raise InputError(f"{where}: no{separator}between source and target; allowed is `source ||| target`, a space on either side")


def find_pair(line: str, separator: str) -> tuple[str, str] | None:
    """Return source and target of a line as `split_pair` does, or `None` if the separator is missing."""
    source, found, target = line.partition(separator)
    if not found:
        return None
    return source, target.partition(TAB)[0] if separator == TAB else target


class _HashingFile(io.RawIOBase):
    """Hash and count what is read from a file."""

    def __init__(self, file: io.FileIO):
        self.file, self.hash, self.count = file, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer) or 0
        self.hash.update(memoryview(buffer)[:count])
        self.count += count
        return count


@contextlib.contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Turn errors of opening, reading and unpacking a file into `InputError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path}: cannot read the file ({error.strerror}); check the path") from error
        raise InputError(
            f"{path}: not a complete {path.suffix} file ({error}); copy it again, or rename it if it is not packed"
        ) from error
