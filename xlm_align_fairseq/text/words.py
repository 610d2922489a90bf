"""Words with their places: what a tokeniser makes of a line, and where in the untouched line each word stands.

A word maker is any function from a line to its words in order, no two of which overlap. `word_maker` gives that of each
tokeniser by name, with the very words of `tokenize.tokenizer`, which are what links count. That of another tokeniser needs only
to return `Word`s.

``line[word.begin:word.end] == word.text`` holds unless the tokeniser reads other characters than the line has. Of those here
only `13a` does: ``&quot;``, ``&amp;``, ``&lt;`` and ``&gt;`` are one character each, the place of which is all of the reference,
and ``<skipped>`` is none. A word that a tokeniser made of what the line has not is looked for behind the word before it; if it
is nowhere, its place is empty and at the end of that word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from xlm_align_fairseq.text.tokenize import split_words, tokenizer


class Word(NamedTuple):
    """Hold a word and its place in its line, in code points from 0, the end not included."""

    text: str
    begin: int
    end: int


WordMaker = Callable[[str], list[Word]]
READ_AS = {  # what a tokeniser replaces before it makes words, in its order, by one character or none
    "13a": (("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
}


def word_maker(name: str) -> WordMaker:
    """Return a function from a line to its words with their places.

    Args:
        name: of a tokeniser, see `tokenize.tokenizer`.

    Raises:
        InputError: there is no such tokeniser, it would download something, or an extra of sacrebleu is missing.

    >>> word_maker("13a")("Ja, &amp;c")[2:]
    [Word(text='&', begin=4, end=9), Word(text='c', begin=9, end=10)]
    """
    if name == "none":
        return between_spaces
    tokenize, replacements = tokenizer(name), READ_AS.get(name, ())

    def words(line: str) -> list[Word]:
        text, places = line, None
        for old, new in replacements:
            if old in text:
                text, places = _replace(text, places or [(n, n + 1) for n in range(len(text))], old, new)
        found = find_words(text, split_words(tokenize(line)))
        if places is None:
            return found
        begins, ends = [begin for begin, _ in places] + [len(line)], [0] + [end for _, end in places]
        return [Word(word, begins[begin], max(ends[end], begins[begin])) for word, begin, end in found]

    return words


def between_spaces(line: str) -> list[Word]:
    """Return what stands between single spaces; two spaces have an empty word between them, an empty line has no word.

    >>> between_spaces("a  b")
    [Word(text='a', begin=0, end=1), Word(text='', begin=2, end=2), Word(text='b', begin=3, end=4)]
    """
    words, at = [], 0
    for word in split_words(line):
        words.append(Word(word, at, at + len(word)))
        at += len(word) + 1
    return words


def find_words(line: str, words: Sequence[str]) -> list[Word]:
    """Find words in the line that they were made of, one behind the other.

    >>> find_words("Ja, ja", ["Ja", ",", "ja"])[1:]
    [Word(text=',', begin=2, end=3), Word(text='ja', begin=4, end=6)]
    """
    found, last = [], 0
    for word in words:
        at = last
        while not line.startswith(word, at) and line[at : at + 1].isspace():
            at += 1
        if not line.startswith(word, at):
            at = line.find(word, last)
        end = at + len(word)
        if at < 0:
            at = end = last
        found.append(Word(word, at, end))
        last = end
    return found


def _replace(text: str, places: list[tuple[int, int]], old: str, new: str) -> tuple[str, list[tuple[int, int]]]:
    """Replace in a text, and in the places of its characters, what becomes one character or none."""
    parts = text.split(old)
    kept: list[tuple[int, int]] = []
    at = 0
    for n, part in enumerate(parts):
        kept += places[at : at + len(part)]
        at += len(part) + len(old)
        if new and n < len(parts) - 1:
            kept.append((places[at - len(old)][0], places[at - 1][1]))
    return new.join(parts), kept
