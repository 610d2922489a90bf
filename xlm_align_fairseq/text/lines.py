"""Read text files, plain or compressed, as a stream of lines, and hash them; `"\\n"` is the only separator."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from backports import zstd

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import PACKED

PathLike = str | os.PathLike[str]
OPENERS = dict(zip(PACKED, (gzip.open, bz2.open, lzma.open, zstd.open), strict=True))
TAB, BARS = "\t", " ||| "  # between source and target in one file
LONGEST_LINE = 1 << 26  # bytes that are read of a line; a few times as many are then in memory
LONGEST_SIDE = 1 << 18  # characters of a sentence, beyond any; what makes pieces of text takes some 250 bytes for each
_MARK, _UTF16 = codecs.BOM_UTF8, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TextFile:
    """Iterate over the lines of a UTF-8 file, without their `"\\n"`; a final `"\\n"` does not begin one more line.

    The file is read in order, so that pipes work too. `.gz`, `.bz2`, `.xz` and `.zst` are unpacked. Some commands count the lines
    first and read them after: a file that is not the same each time it is read to its end is an error there.

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
        self._known: tuple[int, str] | None = None  # lines and hash of the first time that it was read to its end

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
            InputError: the file cannot be read or unpacked, it has changed, or a line is not UTF-8 or too long.
        """
        self.lines = 0
        with _reporting(self.path), open(self.path, "rb", buffering=0) as file:
            self._raw = _HashingFile(file)
            stored = io.BufferedReader(self._raw, 1 << 17)
            opener: Any = OPENERS.get(self.path.suffix)
            stream: IO[bytes] = opener(stored, "rb") if opener else stored
            yield from self._decoded(stream.readline)
            while stored.read(1 << 17):  # what follows the last compressed block belongs to the hash
                pass
        found = self.lines, self.sha256
        if self._known is not None and found != self._known:
            raise InputError(
                f"{self.path}: the text changed while it was read: {self._known[0]} lines (SHA-256 {self._known[1][:16]}…) when"
                f" they were counted, now {found[0]} ({found[1][:16]}…); the output is not complete: let nothing write to the"
                " file, and start again"
            )
        self._known = found

    def _decoded(self, readline: Callable[[int], bytes]) -> Iterator[str]:
        """Yield the lines of a stream, each as soon as it is there, and count them."""
        while line := readline(LONGEST_LINE + 1):
            self.lines += 1
            complete = line.endswith(b"\n") or len(line) <= LONGEST_LINE
            if not complete and not self.replace_invalid:
                raise InputError(
                    f"{self.path}:{self.lines}: a line of more than {LONGEST_LINE} bytes; lines end in '\\n' alone, check what"
                    " ends those of this file"
                )
            if self.lines == 1:
                line = self._without_mark(line)
            yield self._decode(line.removesuffix(b"\n"))
            while not complete:
                rest = readline(LONGEST_LINE)
                complete = not rest or rest.endswith(b"\n")

    def _without_mark(self, line: bytes) -> bytes:
        if line.startswith(_UTF16) and not self.replace_invalid:
            raise InputError(f"{self.path}: the file begins as UTF-16 does; convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
        return line.removeprefix(_MARK)

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


def ending(path: str) -> str:
    """Return the ending of a file's name, as `de` of `test.de` and of `test.de.gz`; empty where it has none."""
    return Path(Path(path).stem if path.endswith(PACKED) else path).suffix.removeprefix(".")


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
        separator: `TAB`, of which columns after the second are not read, or `BARS`, which stands in the line once: a word `|||`
            more and nobody knows what is what.
        where: `file:line`, begins the message of an error.

    Raises:
        InputError: the separator is not there, or `BARS` more than once.
    """
    if pair := find_pair(line, separator):
        return pair
    if separator == TAB:
        raise InputError(f"{where}: no tab; allowed are source and target with a tab between, more columns are not read")
    if has_more_fields(line, separator):
        raise InputError(
            f"{where}: {line.split(' ').count(BARS.strip())} times |||, which is more than two fields; allowed is `source |||"
            " target`: leave out the other fields, and give links in a file of their own"
        )
    raise InputError(f"{where}: no{separator}between source and target; allowed is `source ||| target`, a space on either side")


def find_pair(line: str, separator: str) -> tuple[str, str] | None:
    """Return source and target of a line as `split_pair` does, or `None` where that is an error."""
    source, found, target = line.partition(separator)
    if not found or has_more_fields(line, separator):
        return None
    return source, target.partition(TAB)[0] if separator == TAB else target


def has_more_fields(line: str, separator: str) -> bool:
    """Tell whether a line has fields after source and target, so that it cannot be read.

    >>> has_more_fields("Ja . ||| Yes . ||| 0-0 1-1", BARS), has_more_fields("Ja . ||| Yes .", BARS)
    (True, False)
    """
    source, found, target = line.partition(separator)
    return found == BARS and any(BARS in f" {side} " for side in (source, target))


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
