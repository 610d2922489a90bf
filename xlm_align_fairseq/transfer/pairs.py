"""Read and write classes of pairs, or of sentences, one a line: XNLI, PAWS-X, SIB-200, as published or as XTREME has them.

Columns stand between tabs: first text, second text and class; two columns are a test file, whose classes are withheld. A first
line that names its columns is a header: columns are then found by their names.

XTREME's script writes its files with Python's csv writer: lines end in CRLF, and a text with quotes stands in quotes, with its
own doubled. XTREME reads them back as they stand, so that its models see `"He said ""no""."`; other projects have rewritten them.
A file whose lines all end in CRLF is therefore unquoted, and in any other file quotes are text.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import encoded, write_atomically
from xlm_align_fairseq.text.lines import TextFile

Quoting = Literal["csv", "none"]
FIRST, SECOND = ("sentence1", "premise", "text"), ("sentence2", "hypo", "hypothesis")
CLASS, LANGUAGE = ("gold_label", "label", "category"), ("language", "lang")
PLACEHOLDER = "NS"  # a side of PAWS-X that nobody has translated
RENAMED = {"contradictory": "contradiction"}  # in MNLI as XNLI's translations have it


class Pair(NamedTuple):
    """Hold two texts, or one, and their class; `None`: it is withheld."""

    first: str
    second: str | None
    label: str | None


class PairFile(NamedTuple):
    """Hold the pairs of a file, and what a file of classes needs to have the same lines.

    Attributes:
        pairs: in order.
        lines: that of each pair, from 1.
        blank: how many pairs are before each blank line.
        path: of the file, for the text of an error.
        quoting: how it was read, `csv` or `none`.
    """

    pairs: list[Pair]
    lines: list[int]
    blank: list[int]
    path: str
    quoting: Quoting

    @property
    def has_classes(self) -> bool:
        """Whether pairs have classes; a file without pairs has them."""
        return all(pair.label is not None for pair in self.pairs)

    def gold(self) -> list[str]:
        """Return the class of each pair.

        Raises:
            InputError: they are withheld.
        """
        if not self.has_classes:
            raise InputError(f"{self.path}: no classes, as in XTREME's test files: not scored; give a file with a third column")
        return [pair.label or "" for pair in self.pairs]

    def notes(self) -> list[str]:
        """Say what is odd about the texts: placeholders, and texts that are empty."""
        placeholders = sum(PLACEHOLDER in (pair.first, pair.second) for pair in self.pairs)
        empty = sum(not pair.first.strip() or (pair.second is not None and not pair.second.strip()) for pair in self.pairs)
        said = [f"{self.path}: {placeholders} pairs with the placeholder {PLACEHOLDER} for a text, kept"] if placeholders else []
        return [*said, f"{self.path}: {empty} pairs with an empty text, kept"] if empty else said


def read_pairs(path: Path | str, *, quoting: Quoting | None = None, language: str | None = None) -> PairFile:
    """Read a file of pairs.

    Args:
        path: the file, which may be packed.
        quoting: `csv`: a text in quotes is unquoted; `none`: quotes are text; `None`: by the ends of the lines.
        language: of the pairs that are read, where a header names a column for it (XNLI has all its languages in one file).

    Raises:
        InputError: the file cannot be read or is not UTF-8, a line has another number of columns, or quotes are not closed.
    """
    lines = list(TextFile(path))
    if quoting is None:
        quoting = "csv" if lines and all(line.endswith("\r") for line in lines) else "none"
    pairs: list[Pair] = []
    numbers: list[int] = []
    blank: list[int] = []
    header: list[str] = []
    width = 0
    for n, line in enumerate(lines, 1):
        where = f"{path}:{n}"
        if not line.strip(" \r"):
            blank.append(len(pairs))
            continue
        row = _columns(line.removesuffix("\r"), quoting, where)
        if not width and not header and _find(row, FIRST) is not None and _find(row, CLASS) is not None:
            header = row
            if language is not None and _find(header, LANGUAGE) is None:
                raise InputError(f"{where}: no column {LANGUAGE[0]!r} to choose the language {language!r} by; leave it out")
            continue
        if width and len(row) != width:
            raise InputError(
                f"{where}: {len(row)} columns, but {width} in the line of the first pair; allowed is one number of them in a"
                " file: correct the line"
            )
        width = len(row)
        pair = _named(row, header, language, where) if header else _plain(row, where)
        if pair is not None:
            pairs.append(pair)
            numbers.append(n)
    if header and not pairs and language is not None:
        raise InputError(f"{path}: no pairs of the language {language!r}; look into its column {LANGUAGE[0]!r}")
    return PairFile(pairs, numbers, blank, str(path), quoting)


def write_classes(path: Path | str, file: PairFile, classes: Sequence[str]) -> None:
    """Write the classes that were predicted for the pairs of a file, one a line, blank where it is blank.

    Args:
        path: where to; the file is complete or not there.
        file: what the classes are of; a header, and pairs of other languages, have no line.
        classes: of each pair.

    Raises:
        InputError: another number of classes, one that is no text of one line, or no file can be written there.
    """
    if len(classes) != len(file.pairs):
        raise InputError(f"{path}: {len(classes)} classes for {len(file.pairs)} pairs of {file.path}; allowed is one for each")
    for one in classes:
        if not one.strip() or "\n" in one or "\t" in one:
            raise InputError(f"{path}: {one!r} is no class; allowed is a text without tabs and ends of lines, not empty")
    rows = list(classes)
    for before in reversed(file.blank):
        rows.insert(before, "")
    text = encoded("".join(f"{row}\n" for row in rows))
    write_atomically(Path(path), lambda stream: stream.write(text))


def read_class_lines(path: Path | str, quoting: Quoting | None = None) -> list[str]:
    """Read gold classes or predictions: classes one a line, as XTREME's `evaluate.py` reads them, or pairs with their classes.

    Raises:
        InputError: as `read_pairs`, or the classes are withheld.
    """
    lines = [line.strip() for line in TextFile(path)]
    if any("\t" in line for line in lines):
        return read_pairs(path, quoting=quoting).gold()
    return [RENAMED.get(line, line) for line in lines if line]


def check_classes(file: PairFile, allowed: Collection[str]) -> None:
    """Refuse a file that nobody should train on.

    Raises:
        InputError: classes are withheld, or one is not allowed.
    """
    for n, label in zip(file.lines, file.gold(), strict=True):
        if label not in allowed:
            raise InputError(
                f"{file.path}:{n}: {label[:40]!r} is no class of the task; allowed are {', '.join(sorted(allowed))};"
                " correct the line"
            )


def _columns(line: str, quoting: Quoting, where: str) -> list[str]:
    if quoting == "none" or '"' not in line:
        return line.split("\t")
    try:
        (row,) = csv.reader([line], delimiter="\t", strict=True)
    except csv.Error as error:
        raise InputError(
            f"{where}: quotes that do not close, or not at the end of a text ({error}); in a csv file, as one whose lines all end"
            " in CRLF, a text with quotes stands in quotes and has its own doubled: read it with --tsv-quoting none if quotes are"
            " text"
        ) from error
    return row


def _plain(row: list[str], where: str) -> Pair:
    """Return the pair of a line of a file without header."""
    if len(row) not in (2, 3):
        raise InputError(
            f"{where}: {len(row)} columns; allowed are two texts and a class with tabs between, the two texts alone, or a header"
            " that names the columns: correct the line"
        )
    return Pair(row[0], row[1], RENAMED.get(row[2], row[2]) if len(row) == 3 else None)


def _named(row: list[str], header: list[str], language: str | None, where: str) -> Pair | None:
    """Return the pair of a line by the names of its columns, `None` for one of another language."""
    if len(row) != len(header):
        raise InputError(f"{where}: {len(row)} columns, but the header has {len(header)}; correct the line")
    first, second, label, spoken = (_find(header, names) for names in (FIRST, SECOND, CLASS, LANGUAGE))
    if language is not None and spoken is not None and row[spoken] != language:
        return None
    assert first is not None
    assert label is not None
    return Pair(row[first], None if second is None else row[second], RENAMED.get(row[label], row[label]))


def _find(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the first column that has one of the names, the first name before the others."""
    return next((header.index(name) for name in names if name in header), None)
