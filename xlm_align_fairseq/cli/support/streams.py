"""What the commands that read text with its links share: flags, files line by line, links, the output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link, parse_pharaoh, parse_probabilities
from xlm_align_fairseq.system.files import check_output, real_path, write_atomically
from xlm_align_fairseq.text.lines import TextFile, read_together

EPILOG = (
    "Files are UTF-8, plain or packed as .gz, .bz2, .xz or .zst, and read line by line: memory does not grow with their length."
    " Words are what stands between single spaces."
)


def add_link_flags(p: argparse._ActionsContainer, required: bool = True) -> None:
    """Add the flags that say where links come from."""
    p.add_argument(
        "--alignments",
        metavar="FILE",
        required=required,
        help="0-based source-target links, a Pharaoh line for each sentence pair, with probabilities (0-0:0.9871) or without;"
        " - is standard input",
    )
    p.add_argument(
        "--min-probability",
        type=float,
        metavar="X",
        help="leave out links with a probability below X, 0 to 1; each link needs one (default: keep all)",
    )


def add_invalid_flag(p: argparse._ActionsContainer) -> None:
    """Add the flag about text that is not UTF-8."""
    p.add_argument("--replace-invalid", action="store_true", help="bytes that are not UTF-8 become U+FFFD, in place of an error")


def add_output_flags(p: argparse.ArgumentParser) -> None:
    """Add the flags about what is written."""
    p.add_argument(
        "--out",
        metavar="FILE",
        default="-",
        help="where the result goes; a file is complete or not there (default: standard output)",
    )
    p.add_argument("--quiet", action="store_true", help="no progress bar")


def text_paths(command: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """Return the files that --src and --tgt, or --tsv, name; end with a usage error where neither is given, or both are."""
    given = [flag for flag in ("src", "tgt", "tsv") if getattr(args, flag) is not None]
    if given not in (["src", "tgt"], ["tsv"]):
        command.error("give --src and --tgt, or --tsv")
    return [getattr(args, flag) for flag in given]


class StandardInput(TextFile):
    """Iterate over the lines of standard input, once."""

    def __init__(self, *, replace_invalid: bool = False) -> None:
        super().__init__("<stdin>", replace_invalid=replace_invalid)

    def size(self) -> None:
        """Return `None`: it may be a pipe."""

    def __iter__(self) -> Iterator[str]:
        """Yield the lines."""
        for line in sys.stdin.buffer:
            self.lines += 1
            yield self._decode(line.removesuffix(b"\n"))


def open_alignments(path: str) -> TextFile:
    """Return the lines of alignments; ``-`` is standard input."""
    return StandardInput() if path == "-" else TextFile(path)


def count_lines(*texts: TextFile) -> int | None:
    """Count the lines of files that belong together, so that different numbers are refused before the work, not after.

    Returns:
        The number, or `None` where one of the files is a pipe, which can be read but once.
    """
    if None in [text.size() for text in texts]:
        return None
    return sum(1 for _ in read_together(*texts))


def check_min_probability(value: float | None) -> None:
    """Refuse a ``--min-probability`` outside 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"--min-probability {value}: allowed are 0 to 1")


def parse_links(line: str, where: str, min_probability: float | None) -> dict[Link, float | None]:
    """Parse a Pharaoh line with or without probabilities.

    Args:
        line: the links.
        where: ``file:line`` for the text of an error.
        min_probability: links below it are left out; `None` keeps all.

    Returns:
        The probability of each link, `None` for those of a line without probabilities.

    Raises:
        InputError: a token is not a link, or a link lacks a probability that others of the line have or that
            `min_probability` needs.
    """
    if min_probability is None and ":" not in line:
        return dict.fromkeys(parse_pharaoh(line, where=where))
    least = min_probability or 0.0
    return {link: probability for link, probability in parse_probabilities(line, where=where).items() if probability >= least}


def refuse_output(out: str, inputs: Sequence[str | None]) -> None:
    """Refuse an ``--out`` that `files.check_output` refuses; ``-`` is standard input, `None` an input that was not given."""
    if out != "-":
        check_output("--out", out, [0 if path == "-" else path for path in inputs if path is not None])


def write_output(out: str, text: Iterable[str]) -> None:
    """Write text as UTF-8 to standard output (``-``) or to a file that takes its place once it is complete.

    Raises:
        InputError: the file cannot be written. What `text` raises comes through.
    """

    def write(file: BinaryIO) -> None:
        file.writelines(piece.encode() for piece in text)

    path = Path(real_path(out))
    try:
        if out == "-":
            write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        elif path.exists() and not path.is_file():  # a pipe or a device: it is written to, nothing takes its place
            with open(path, "wb") as file:
                write(file)
        else:
            write_atomically(path, write)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"--out {out}: cannot write the file ({error.strerror}); check the path") from error
