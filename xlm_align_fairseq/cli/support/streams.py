"""Read input line by line, from files or from standard input (`-`), with a progress bar."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.standard_streams import can_read
from xlm_align_fairseq.text.lines import TextFile, read_together


class StandardInput(TextFile):
    """Iterate over the lines of standard input, once.

    Raises:
        InputError: it is closed.
    """

    def __init__(self, *, replace_invalid: bool = False) -> None:
        super().__init__("<stdin>", replace_invalid=replace_invalid)
        if not can_read(sys.stdin):
            raise InputError("- (standard input) is closed; open it, as by < FILE, or give a file")
        self._hash, self._bytes = hashlib.sha256(), 0

    @property
    def bytes_read(self) -> int:
        """How many bytes were read so far."""
        return self._bytes

    @property
    def sha256(self) -> str:
        """The hash of what was read so far, hexadecimal."""
        return self._hash.hexdigest()

    def size(self) -> None:
        """Return `None`: it may be a pipe."""

    def __iter__(self) -> Iterator[str]:
        """Yield the lines."""
        yield from self._decoded(self._readline)  # each as it comes, for those who talk with us through two pipes

    def _readline(self, most: int) -> bytes:
        line = sys.stdin.buffer.readline(most)
        self._hash.update(line)
        self._bytes += len(line)
        return line


def open_text(path: str, replace_invalid: bool = False) -> TextFile:
    """Open a text file; ``-`` is standard input."""
    return StandardInput(replace_invalid=replace_invalid) if path == "-" else TextFile(path, replace_invalid=replace_invalid)


def count_lines(*texts: TextFile) -> int | None:
    """Count the lines of parallel files; different numbers are refused before any work is done.

    Returns:
        The number, or `None` if one of the files is a pipe, which can be read only once.
    """
    if None in [text.size() for text in texts]:
        return None
    return sum(1 for _ in read_together(*texts))


def progress(rows: Iterable[Any] | None, total: int | None, quiet: bool, initial: int = 0) -> Any:
    """Return tqdm's bar over sentence pairs, which yields the rows if there are any.

    Args:
        rows: a row for each pair; `None` for a bar that is moved by `update`.
        total: how many there are, if known.
        quiet: show nothing.
        initial: how many were done before.
    """
    from tqdm import tqdm

    return tqdm(rows, total=total, initial=initial, unit=" pairs", disable=quiet, file=sys.stderr)
