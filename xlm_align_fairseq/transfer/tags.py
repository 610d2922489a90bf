"""Read and write tags of words, one word a line: XTREME's files, WikiANN's and UNER's originals, CoNLL with any columns.

A blank line ends a sentence, several do, too. A file has one of these forms, found by its lines:

- words alone, where no line has a tab: what XTREME leaves of its test files;
- columns between tabs. The word is first and the tag last, unless the first sentence counts 1, 2, … in the first of three
  columns or more: then the word is second and the tag third (UNER), or fourth where there are ten columns (CoNLL-U);
- columns between single spaces, where the first word's line has no tab and ends in a tag, or a column is asked for.

Where every word of a file begins with one and the same `LG:` (WikiANN), that is no part of the words. `# ` lines where words have
columns, `-DOCSTART-` lines, multiword tokens (`1-2`) and empty nodes (`1.1`) are no words. Nothing else is passed over: a word
may be empty, or a character that no reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import encoded, write_atomically
from xlm_align_fairseq.text.conll import TAG
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.transfer.tasks import UPOS

_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:")
_ID, _NO_ID = re.compile("[0-9]+"), re.compile(r"[0-9]+[-.][0-9]+")
_CONLLU_COLUMNS, _CONLLU_TAG, _UNER_TAG = 10, 4, 3
_DOCSTART = "-DOCSTART-"


class TaggedSentence(NamedTuple):
    """Hold the words of a sentence and their tags; `None`: the file has words alone."""

    words: list[str]
    tags: list[str] | None


class TaggedFile(NamedTuple):
    """Hold the sentences of a file, and what a file of tags needs to have the same lines.

    Attributes:
        sentences: in order; none is without words.
        blank: the lines that have no word, by number from 1, with their text: empty, or a comment and the like.
        path: of the file, for the text of an error.
    """

    sentences: list[TaggedSentence]
    blank: dict[int, str]
    path: str

    @property
    def has_tags(self) -> bool:
        """Whether words have tags; a file without words has them."""
        return all(sentence.tags is not None for sentence in self.sentences)

    @property
    def n_words(self) -> int:
        """How many words there are."""
        return sum(len(sentence.words) for sentence in self.sentences)

    def word_lines(self) -> Iterator[int]:
        """Yield the line of each word, from 1."""
        n = 0
        for _ in range(self.n_words):
            n += 1
            while n in self.blank:
                n += 1
            yield n

    def gold(self) -> list[list[str]]:
        """Return the tags of each sentence.

        Raises:
            InputError: the file has words alone.
        """
        if not self.has_tags:
            raise InputError(f"{self.path}: words alone, no tags; give a file whose lines are a word, a tab and its tag")
        return [sentence.tags or [] for sentence in self.sentences]


class _Form(NamedTuple):
    """How the lines of a file are read; columns count from 0."""

    separator: str | None = None  # None: words alone
    word: int = 0
    tag: int = -1
    counted: bool = False  # the first column counts the words
    columns: int = 1  # of the first word
    prefix: str = ""


def read_tagged(path: Path | str, column: int | None = None) -> TaggedFile:
    """Read a file of words, with their tags if it has them.

    Args:
        path: the file, which may be packed.
        column: which has the tags, from 1; by default the last, but see the head of this module for files that count words.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a line lacks a column.
    """
    if column is not None and column < 1:
        raise InputError(f"column {column}: columns count from 1; 2 is that behind the word where words come first")
    lines = [line.removesuffix("\r") for line in TextFile(path)]
    form = _find_form(lines, column)
    sentences: list[TaggedSentence] = []
    blank: dict[int, str] = {}
    words: list[str] = []
    tags: list[str] = []
    for n, line in enumerate([*lines, ""], 1):
        if not _is_blank(line) and not _is_no_word(line, form):
            word, tag = _split(line, form, f"{path}:{n}")
            words.append(word)
            tags += [] if tag is None else [tag]
            continue
        if n <= len(lines):
            blank[n] = "" if _is_blank(line) else line
        if _is_blank(line) and words:
            sentences.append(TaggedSentence(words, None if form.separator is None else tags))
            words, tags = [], []
    return TaggedFile(sentences, blank, str(path))


def write_tags(path: Path | str, file: TaggedFile, tags: Sequence[Sequence[str]]) -> None:
    """Write the tags that were predicted for the words of a file: as many lines as it has, blank where it is blank.

    Args:
        path: where to; the file is complete or not there.
        file: what the tags are of.
        tags: of each word of each sentence.

    Raises:
        InputError: another number of sentences, words or tags, a tag that is no text of one
            line, or no file can be written there.
    """
    numbers, wanted = [len(sentence) for sentence in tags], [len(sentence.words) for sentence in file.sentences]
    if numbers != wanted:
        raise InputError(
            f"{path}: {sum(numbers)} tags in {len(numbers)} sentences for {sum(wanted)} words in {len(wanted)}"
            f" sentences of {file.path}; allowed is a tag for each word"
        )
    flat = [tag for sentence in tags for tag in sentence]
    for tag in flat:
        if not tag.strip() or "\n" in tag or "\t" in tag:
            raise InputError(f"{path}: {tag!r} is no tag; allowed is a text without tabs and ends of lines, not empty")
    rows = dict(zip(file.word_lines(), flat, strict=True)) | file.blank
    text = encoded("".join(f"{rows[n]}\n" for n in range(1, len(rows) + 1)))
    write_atomically(Path(path), lambda stream: stream.write(text))


def _find_form(lines: Sequence[str], column: int | None) -> _Form:
    given = -1 if column is None else column - 1
    if any("\t" in line and not _is_blank(line) for line in lines):
        return _tabbed(lines, column)
    words = [line for line in lines if not _is_blank(line) and not line.startswith(("# ", _DOCSTART))]
    first = next(iter(words or (line for line in lines if not _is_blank(line))), "").rstrip(" ").split(" ")
    if len(first) > 1 and (column is not None or TAG.fullmatch(first[-1]) or first[-1] in UPOS):
        return _Form(" ", tag=given, columns=len(first))
    return _Form()


def _tabbed(lines: Sequence[str], column: int | None) -> _Form:
    """Return the form of a file with tabs."""
    form = _Form("\t", tag=-1 if column is None else column - 1)
    rows = [line for line in lines if _is_blank(line) or not _is_no_word(line, form)]
    start = next((n for n, line in enumerate(rows) if "\t" in line and not _is_blank(line)), None)
    if start is None:  # what has a tab is no word
        return form
    stop = next((n for n in range(start, len(rows)) if _is_blank(rows[n])), len(rows))
    sentence = [line.split("\t") for line in rows[start:stop]]
    ids = [columns[0] for columns in sentence if not _NO_ID.fullmatch(columns[0])]
    width = len(sentence[0])
    if width >= 3 and ids == [str(k + 1) for k in range(len(ids))]:
        tag = _CONLLU_TAG if width == _CONLLU_COLUMNS else _UNER_TAG
        return form._replace(word=1, tag=(column or tag) - 1, counted=True, columns=width)
    words = [line for line in rows if not _is_blank(line)]
    found = _PREFIX.match(words[0])
    if found and all(line.startswith(found[0]) for line in words):
        form = form._replace(prefix=found[0])
    return form._replace(columns=width)


def _is_blank(line: str) -> bool:
    return not line.strip(" \t")


def _is_no_word(line: str, form: _Form) -> bool:
    """Tell whether a line that is not blank is a comment and the like."""
    if line == _DOCSTART or line.startswith((f"{_DOCSTART} ", f"{_DOCSTART}\t")):
        return True
    if form.counted:
        return line.startswith("#") or _NO_ID.fullmatch(line.partition("\t")[0]) is not None
    if form.separator == "\t":
        return "\t" not in line and f"{line} ".startswith("# ")
    return form.separator == " " and line.startswith("# ") and len(line.rstrip(" ").split(" ")) != form.columns


def _split(line: str, form: _Form, where: str) -> tuple[str, str | None]:
    """Return word and tag of a line."""
    if form.separator is None:
        return line, None
    columns = (line.rstrip(" ") if form.separator == " " else line).split(form.separator)
    name = "tab" if form.separator == "\t" else "space"
    if len(columns) < 2:
        raise InputError(
            f"{where}: {line[:60]!r} has no {name}, and so no tag; allowed are a word, a {name} and its tag in every"
            " line, or words alone in all; correct the line"
        )
    if form.counted and not _ID.fullmatch(columns[0]):
        raise InputError(
            f"{where}: {columns[0][:60]!r} is not the number of a word, which the first column has in the first"
            " sentence; correct the line"
        )
    if len(columns) <= max(form.tag, form.word) or not columns[form.tag].strip():
        number = form.tag + 1 if form.tag >= 0 else "the last"
        raise InputError(
            f"{where}: {line[:60]!r} has no tag in column {number}; correct the line, or say which column has the tags"
        )
    return columns[form.word].removeprefix(form.prefix), columns[form.tag].strip()
