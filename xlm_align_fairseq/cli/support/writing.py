"""Write output to standard output, or atomically to files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import check_output, encoded, real_path, reporting, write_atomically


def add_output_flags(p: argparse._ActionsContainer) -> None:
    """Add the flags about what is written."""
    p.add_argument(
        "--out",
        metavar="FILE",
        default="-",
        help="where the result goes; a file is complete or not there (default: standard output)",
    )
    p.add_argument("--quiet", action="store_true", help="no progress bar")


def check_files(inputs: Sequence[str | None], *outputs: tuple[str, str | None]) -> None:
    """Refuse standard input that is to be read twice, outputs that are inputs or have the name of a packed file, and two in one.

    Args:
        inputs: paths, ``-`` for standard input and `None` for what was not given.
        outputs: flag and path, ``-`` for standard output and `None` for what was not given.

    Raises:
        InputError: a file cannot be used.
    """
    given = [path for path in inputs if path is not None]
    if given.count("-") > 1:
        raise InputError(f"- (standard input) is given {given.count('-')} times, but is there once; write the others to files")
    for flag, path in outputs:
        if path is not None and path != "-":
            check_output(flag, path, [0 if name == "-" else name for name in given])
    flags: dict[str, str] = {}
    for flag, path in outputs:
        name = "-" if path == "-" else os.path.realpath(path or os.devnull)
        if not os.path.exists(name) or os.path.isfile(name):  # into a pipe or a device more than one may write
            if name in flags:
                raise InputError(f"{flags[name]} and {flag} both write {path}; give each a file of its own")
            flags[name] = flag


def write_output(out: str, text: Iterable[str], inputs: Sequence[str | None]) -> None:
    """Write text as UTF-8 to where ``--out`` says, as `write_text` does.

    Args:
        out: what ``--out`` says.
        text: parts of the text; iterated after the files are checked.
        inputs: what `text` is made from, as for `check_files`.

    Raises:
        InputError: the file is one of the inputs or cannot be written. Exceptions of `text` are passed on.
    """
    check_files(inputs, ("--out", out))
    write_text("--out", out, text)


def write_text(flag: str, path: str, text: Iterable[str], thing: str = "file") -> None:
    """Write text as UTF-8 to standard output (``-``) or to a file that takes its place once it is complete.

    A symbolic link stays one: the file that it leads to is the one that is written.

    Args:
        flag: the flag that gave the path.
        path: where to.
        text: in pieces.
        thing: what is written, for the text of an error.

    Raises:
        InputError: it cannot be written. What `text` raises comes through.
    """

    def write(file: BinaryIO) -> None:
        file.writelines(map(encoded, text))

    name = f"{flag} {path}"
    file = Path(real_path(path))
    if path == "-":
        with reporting("standard output", "text"):
            write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
    elif file.exists() and not file.is_file():  # a pipe or a device: it is written to, nothing takes its place
        with reporting(name, thing), open(file, "wb") as stream:
            write(stream)
    else:
        write_atomically(file, write, name, thing)
