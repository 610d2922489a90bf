"""Read tagged words, one a line, sentence by sentence.

Columns stand between tabs or, in a line without a tab, between single spaces; the first is the word. Spaces and tabs at the end
of a line are no column. Every sentence ends with a blank line, so that one without words is just its blank line and blank lines
in a row are sentences without words; the end of the file ends a last sentence too.

Not words are, each with the blank line after it if no word comes between:

- Comments: lines that are `#` or begin with `# `, before the first word of a sentence. They have no tab in front of their first
  space. Where words have a tab that says all. Where columns stand between spaces, `# O` may be the word `#` as well: it is one if
  it has as many columns as the first word of the file and, where words have their tag, a tag of `TAG`.
- `-DOCSTART-` lines.
- In CoNLL-U the lines of multiword tokens (`1-2`) and of empty nodes (`1.1`). A file is CoNLL-U where its first sentence has ids
  1, 2, … in the first of three or more columns between tabs, and comments before it or ten columns; words are then in the second,
  their tags in the third (UNER), where there are ten columns in the fourth.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile

TAG = re.compile(r"O|[BIELSU]-.+")  # of BIO, IOB1, BIOES and BILOU
COMMENT, DOCSTART, MULTIWORD, EMPTY_NODE = "comment lines", "-DOCSTART- lines", "multiword tokens", "empty nodes"
_DOCSTART = re.compile(r"-DOCSTART-(?:[ \t]|$)")
_IDS = {re.compile("[0-9]+-[0-9]+"): MULTIWORD, re.compile(r"[0-9]+\.[0-9]+"): EMPTY_NODE}
_CONLLU_COLUMNS, _CONLLU_TAG, _UNER_TAG = 10, 4, 3


@dataclass(frozen=True)
class Sentence:
    """Hold the words of a sentence, their tags and lines, from 1, and the line of the first; without words, of its end."""

    words: list[str]
    tags: list[str]
    line: int
    lines: list[int] = field(default_factory=list)


@dataclass
class PassedOver:
    """Count the lines that are no words, and hold whether the file is CoNLL-U."""

    lines: Counter[str] = field(default_factory=Counter)
    conllu: bool = False

    def report(self) -> list[str]:
        """Say what was found."""
        said = ["the labels are in a file of the form of CoNLL-U: words are in its second column"] if self.conllu else []
        counts = [f"{count} {kind}" for kind in (COMMENT, DOCSTART, MULTIWORD, EMPTY_NODE) if (count := self.lines[kind])]
        return [*said, f"{', '.join(counts)} were passed over"] if counts else said


class _Layout(NamedTuple):
    """What the first word of a file looks like; there may be none."""

    tabs: bool = False
    columns: int = 2
    conllu: bool = False


def read_conll(text: TextFile, column: int | None = None, passed_over: PassedOver | None = None) -> Iterator[Sentence]:
    """Yield the sentences of a file.

    Args:
        text: its lines.
        column: which has the tags, from 1; `None` is the last, in CoNLL-U see the head of this module.
        passed_over: is told which lines are no words.

    Raises:
        InputError: a line has not the column, a word has a space within, ids of CoNLL-U do not count, or a comment or
            `-DOCSTART-` stands within a sentence.
    """
    found = PassedOver() if passed_over is None else passed_over
    lines = enumerate((line.rstrip(" \t") for line in text), 1)
    layout, ahead = _look_ahead(lines)
    found.conllu = layout.conllu
    if column is None and layout.conllu:
        column = _CONLLU_TAG if layout.columns == _CONLLU_COLUMNS else _UNER_TAG
    words: list[str] = []
    tags: list[str] = []
    numbers: list[int] = []
    passed = False  # lines that are no words, since the last sentence
    for n, line in itertools.chain(ahead, lines):
        where = f"{text.path}:{n}"
        if not line:
            if words or not passed:
                yield Sentence(words, tags, numbers[0] if words else n, numbers)
            words, tags, numbers, passed = [], [], [], False
        elif kind := _kind(line, layout, column, len(words), where):
            found.lines[kind] += 1
            passed = True
        else:
            word, tag = _split(line, column, where, layout.conllu)
            words.append(word)
            tags.append(tag)
            numbers.append(n)
    if words:
        yield Sentence(words, tags, numbers[0], numbers)


def _look_ahead(lines: Iterator[tuple[int, str]]) -> tuple[_Layout, list[tuple[int, str]]]:
    """Read up to the first word of a file, and where that may be CoNLL-U to the end of its sentence.

    Returns:
        What it looks like, and the lines that were read.
    """
    ahead: list[tuple[int, str]] = []
    commented = False
    for n, line in lines:
        ahead.append((n, line))
        if not line or line.startswith("#") or _DOCSTART.match(line):
            commented = f"{line} ".startswith("# ") or (commented and bool(line))
            continue
        columns = _columns(line)
        layout = _Layout("\t" in line, len(columns))
        if layout.tabs and len(columns) >= 3 and (commented or len(columns) == _CONLLU_COLUMNS):
            sentence = [columns[0]]
            while sentence[-1] and (following := next(lines, None)) is not None:
                ahead.append(following)
                sentence.append(following[1].partition("\t")[0])
            ids = [first for first in sentence if first and not _id_kind(first)]
            layout = layout._replace(conllu=bool(ids) and ids == [str(k + 1) for k in range(len(ids))])
        return layout, ahead
    return _Layout(), ahead


def _kind(line: str, layout: _Layout, column: int | None, n_words: int, where: str) -> str | None:
    """Return what a line is, `None` for a word; `n_words` are before it in its sentence."""
    if _DOCSTART.match(line):
        kind, rule = DOCSTART, "a blank line stands before it and behind it"
    elif _is_comment(line, layout, column):
        kind, rule = COMMENT, "comments stand before the first word of a sentence, and the word # has the columns of other words"
    else:
        return _check_id(line.partition("\t")[0], n_words, where) if layout.conllu else None
    if n_words:
        raise InputError(f"{where}: {line[:60]!r} within a sentence; {rule}: correct the line, or put a blank line before it")
    return kind


def _is_comment(line: str, layout: _Layout, column: int | None) -> bool:
    if layout.conllu:
        return line.startswith("#")
    if line != "#" and not line.startswith("# "):
        return False
    if "\t" in line or layout.tabs:
        return True  # in front of a tab would be a word with a space within
    columns = _columns(line)
    tag = columns[column - 1 if column and column <= len(columns) else -1]
    return len(columns) != layout.columns or not TAG.fullmatch(tag)


def _check_id(first: str, n_words: int, where: str) -> str | None:
    kind = _id_kind(first)
    if kind is None and first != str(n_words + 1):
        raise InputError(
            f"{where}: {first[:40]!r} is not the id {n_words + 1}; the ids of the first sentence, in the first column, count 1, 2"
            " and so on, as those of CoNLL-U, and all must; correct the line, or leave out the column of ids"
        )
    return kind


def _id_kind(first: str) -> str | None:
    return next((kind for pattern, kind in _IDS.items() if pattern.fullmatch(first)), None)


def _columns(line: str) -> list[str]:
    return line.split("\t" if "\t" in line else " ")


def _split(line: str, column: int | None, where: str, conllu: bool) -> tuple[str, str]:
    columns = _columns(line)
    needed = max(column or 2, 2 if conllu else 1)
    if len(columns) < needed:
        raise InputError(
            f"{where}: {line[:60]!r} has {len(columns)} column(s), {needed} are needed; allowed are a word and its label with a"
            " tab or a single space between them, and blank lines between sentences, lines ending in '\\n' alone"
        )
    word = columns[1 if conllu else 0]
    if " " in word:
        raise InputError(f"{where}: the word {word[:40]!r} has a space within; links count words between single spaces")
    return word, columns[column - 1 if column else -1]
