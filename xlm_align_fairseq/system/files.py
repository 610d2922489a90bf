"""Write files atomically, and refuse unsafe outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from xlm_align_fairseq.errors import InputError

PACKED = (".gz", ".bz2", ".xz", ".zst")  # endings of files that are unpacked when they are read


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Call `write` on a temporary file, sync it to the disk and rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def real_path(path: str) -> str:
    """Resolve a symbolic link to a regular file, so that writing keeps the link; return other paths unchanged."""
    if not os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        return path
    return os.path.realpath(path)


def check_output(flag: str, path: str, inputs: Iterable[str | int]) -> None:
    """Refuse an output that is one of the inputs, under any name, or that has the name of a packed file.

    Outputs that are not regular files, such as pipes, are accepted.

    Args:
        flag: the flag that gave the output, for the text of the error.
        path: the output; it need not exist.
        inputs: paths of the inputs, missing ones ignored; a number is a file descriptor, such as 0 for standard input.

    Raises:
        InputError: the output is the same file as an input, or has a name that a reader would unpack.
    """
    if path.endswith(PACKED):
        raise InputError(f"{flag} {path}: output is plain text; give a name without {Path(path).suffix} and pack it after")
    if not os.path.isfile(path):
        return
    output = os.stat(path)
    for file in inputs:
        try:
            same = os.path.samestat(output, os.stat(file))
        except OSError:
            continue
        if same:
            raise InputError(f"{flag} {path} is one of the inputs, which it would overwrite; give another file")
