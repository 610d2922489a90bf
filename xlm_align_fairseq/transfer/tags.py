"""Read tags of words, one word a line: `word<TAB>TAG`, or words alone, with a blank line between sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile


class TaggedSentence(NamedTuple):
    """Hold the words of a sentence and their tags; `None`: the file has words alone."""

    words: list[str]
    tags: list[str] | None


class TaggedFile(NamedTuple):
    """Hold the sentences of a file, its blank lines by number from 1, and its path."""

    sentences: list[TaggedSentence]
    blank: dict[int, str]
    path: str

    @property
    def has_tags(self) -> bool:
        """Whether words have tags."""
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


def read_tagged(path: Path | str) -> TaggedFile:
    """Read a file of words, with their tags if it has them.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a line has no tag.
    """
    lines = [line.removesuffix("\r") for line in TextFile(path)]
    tagged = any("\t" in line for line in lines)
    sentences: list[TaggedSentence] = []
    blank: dict[int, str] = {}
    words: list[str] = []
    tags: list[str] = []
    for n, line in enumerate([*lines, ""], 1):
        if line:
            word, tab, tag = line.rpartition("\t") if tagged else (line, "", "")
            if tagged and not tag:
                raise InputError(f"{path}:{n}: {line[:60]!r} has no tag; a word, a tab and its tag are allowed; correct the line")
            if tagged and not tab:
                raise InputError(f"{path}:{n}: {line[:60]!r} has no tab, and so no tag; correct the line")
            words.append(word)
            tags.append(tag)
            continue
        if n <= len(lines):
            blank[n] = ""
        if words:
            sentences.append(TaggedSentence(words, tags if tagged else None))
            words, tags = [], []
    return TaggedFile(sentences, blank, str(path))
