"""Read sentence pairs from two files, TSV, or `source ||| target` lines, and tokenise them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from xlm_align_fairseq.cli.support.streams import StandardInput, open_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import BARS, TAB, TextFile, read_together, split_pair
from xlm_align_fairseq.text.tokenize import NAMES, split_words, tokenizer, tokenizer_names

FLAGS = ("src", "tgt", "tsv", "pairs")
GIVE = "Give --src and --tgt, --tsv, or --pairs; - is standard input."
EPILOG = (
    "Files are UTF-8, plain or packed as .gz, .bz2, .xz or .zst, and read line by line: memory does not grow with their length."
    " Words are what stands between single spaces, unless --tokenizer says otherwise."
)


def add_text_flags(p: argparse._ActionsContainer, tokenizer_note: str = "") -> None:
    """Add the flags that say where sentence pairs come from and what their words are.

    Args:
        p: the group of the texts.
        tokenizer_note: addition to the help text of ``--tokenizer``.
    """
    p.add_argument("--src", metavar="FILE", help="source sentences, one a line")
    p.add_argument("--tgt", metavar="FILE", help="target sentences, line by line the translations of --src")
    p.add_argument("--tsv", metavar="FILE", help="source and target with a tab between; more columns are not read")
    p.add_argument("--pairs", metavar="FILE", help="`source ||| target` lines, with ||| once; - is standard input")
    p.add_argument(
        "--tokenizer",
        default="none",
        metavar="NAME[,NAME]",
        help="what makes words of a line, one for both sides or one for each: none takes what stands between single spaces;"
        f" {', '.join(NAMES[1:])} are sacrebleu's, zh with every ideograph a word{tokenizer_note} (default: none)",
    )


def add_invalid_flag(p: argparse._ActionsContainer) -> None:
    """Add the flag about text that is not UTF-8."""
    p.add_argument("--replace-invalid", action="store_true", help="bytes that are not UTF-8 become U+FFFD, in place of an error")


def given_flags(args: argparse.Namespace, alone: str | None = None) -> list[str]:
    """Return which flags name the text.

    Args:
        args: parsed flags.
        alone: a flag of this command that replaces the others.

    Raises:
        InputError: the flags contradict each other, or none is given.
    """
    given = [flag for flag in dict.fromkeys((*FLAGS, alone)) if flag is not None and getattr(args, flag) is not None]
    if given not in (["src", "tgt"], ["tsv"], ["pairs"], [alone]):
        flags = f"--{' --'.join(given)}" if given else "no text"
        ways = ["--src and --tgt together", "--tsv", "--pairs", *([f"--{alone} alone"] if alone else [])]
        raise InputError(f"{flags}: allowed are {', '.join(ways[:-1])}, or {ways[-1]}")
    return given


@dataclasses.dataclass
class Texts:
    """Sentence pairs from files or standard input.

    Args:
        files: two of a side each, one with both, or one with the target sentences alone.
        separator: between source and target in one file, `TAB` or `BARS`.
        tokenizers: names, of source and target.
    """

    files: list[TextFile]
    separator: str | None
    tokenizers: tuple[str, str]
    _tokenize: list[Callable[[str], str]] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tokenize = [tokenizer(name) for name in self.tokenizers]

    @classmethod
    def from_flags(cls, args: Any, alone: str | None = None) -> Texts:
        """Open what the flags name.

        Args:
            args: parsed flags, those of `add_text_flags` and `add_invalid_flag`.
            alone: see `given_flags`.

        Raises:
            InputError: flags do not go together, or there is no such tokeniser.
        """
        given = given_flags(args, alone)
        files = [open_text(getattr(args, flag), args.replace_invalid) for flag in given]
        return cls(files, {"tsv": TAB, "pairs": BARS}.get(given[0]), tokenizer_names(args.tokenizer))

    @property
    def inputs(self) -> list[str]:
        """The paths, ``-`` for standard input."""
        return ["-" if isinstance(file, StandardInput) else str(file.path) for file in self.files]

    @property
    def has_source(self) -> bool:
        """Whether there are source sentences."""
        return len(self.files) == 2 or self.separator is not None

    def split(self, lines: Sequence[str], source: str = "") -> tuple[str, str]:
        """Return the source and the target sentence in the lines that were just read.

        Args:
            lines: one of each of `files`.
            source: source sentence to use if the files have none.

        Raises:
            InputError: a line lacks the separator.
        """
        if self.separator is not None:
            return split_pair(lines[0], self.separator, self.where)
        return (source, lines[0]) if len(lines) == 1 else (lines[0], lines[1])

    def words(self, source: str, target: str) -> tuple[list[str], list[str]]:
        """Return the words of a sentence pair, which the links index."""
        of_source, of_target = self._tokenize
        return split_words(of_source(source)), split_words(of_target(target))

    def sentences(self) -> Iterator[tuple[str, str]]:
        """Yield source and target of each pair."""
        return map(self.split, read_together(*self.files))

    def pairs(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the words of both sides of each pair."""
        return (self.words(*pair) for pair in self.sentences())

    @property
    def where(self) -> str:
        """`file:line` of the source sentence that was just read, for the text of an error."""
        return f"{self.files[0].path}:{self.files[0].lines}"
