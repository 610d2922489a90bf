"""Read labelled words, one a line, sentence by sentence.

Columns are separated by tabs or, in a line without a tab, by single spaces; the first is the word. Every sentence ends
with a blank line. A sentence without words is a blank line alone, so consecutive blank lines are sentences without words.
The end of the file also ends the last sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile


@dataclass(frozen=True)
class Sentence:
    """Hold the words of a sentence, their labels and the line of the first, from 1."""

    words: list[str]
    labels: list[str]
    line: int


def read_conll(text: TextFile, column: int | None = None) -> Iterator[Sentence]:
    """Yield the sentences of a file.

    Args:
        text: its lines.
        column: number of the column with the labels, from 1; `None` is the last.

    Raises:
        InputError: a line lacks the column, or a word contains a space.
    """
    words: list[str] = []
    labels: list[str] = []
    for line in text:
        if line:
            word, label = _split(line, column, f"{text.path}:{text.lines}")
            words.append(word)
            labels.append(label)
        else:
            yield Sentence(words, labels, text.lines - len(words))
            words, labels = [], []
    if words:
        yield Sentence(words, labels, text.lines - len(words) + 1)


def _split(line: str, column: int | None, where: str) -> tuple[str, str]:
    columns = line.split("\t" if "\t" in line else " ")
    needed = column or 2
    if len(columns) < needed:
        raise InputError(
            f"{where}: {line[:60]!r} has {len(columns)} column(s), {needed} are needed; allowed are a word and its label with a"
            " tab or a single space between them, and blank lines between sentences, lines ending in '\\n' alone"
        )
    if " " in columns[0]:
        raise InputError(f"{where}: the word {columns[0][:40]!r} has a space within; links count words between single spaces")
    return columns[0], columns[column - 1 if column else -1]
