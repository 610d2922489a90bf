"""Write output to standard output, or atomically to files."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import check_output, real_path, write_atomically


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
    """Refuse standard input that is to be read twice, and outputs that are inputs or have the name of a packed file.

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


def write_output(out: str, text: Iterable[str], inputs: Sequence[str | None]) -> None:
    """Write text as UTF-8 to standard output (``-``) or atomically to a file.

    Args:
        out: what ``--out`` says.
        text: parts of the text; iterated after the files are checked.
        inputs: what `text` is made from, as for `check_files`.

    Raises:
        InputError: the file is one of the inputs or cannot be written. Exceptions of `text` are passed on.
    """
    check_files(inputs, ("--out", out))

    def write(file: BinaryIO) -> None:
        file.writelines(piece.encode() for piece in text)

    with reporting(f"--out {out}"):
        path = Path(real_path(out))
        if out == "-":
            write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        elif path.exists() and not path.is_file():  # a pipe or a device: written directly, not replaced
            with open(path, "wb") as file:
                write(file)
        else:
            write_atomically(path, write)


@contextlib.contextmanager
def reporting(flag: str, thing: str = "file") -> Iterator[None]:
    """Turn errors of writing into `InputError`.

    Args:
        flag: the flag and its value.
        thing: what cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{flag}: cannot write the {thing} ({error.strerror}); check the path") from error
