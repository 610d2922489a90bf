"""Read inline markup (``<b>two <i>cats</i></b> .<br/>``) of a source sentence as elements over its words.

What a tag is, and what is text, says `tags`. An element has words; what has none, such as ``<br>``, a comment or ``<i></i>``,
is a point between words. A start tag without an end tag is well formed if it is that of a void element of HTML. A pair of
standalone tags (``<bx id="1"/>`` and ``<ex id="1"/>``) is an element if it is properly nested, else two points in their order.
`placing` carries all of them to the target.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from xlm_align_fairseq.links.tags import BREAKS, CLOSE, OPEN, POINT, VOID, Tag, is_code, split_tags
from xlm_align_fairseq.text.words import Word, between_spaces

PAIRS = {"bx": "ex", "sc": "ec", "sm": "em", "bpt": "ept"}  # standalone tags of XLIFF 1.2, XLIFF 2 and TMX
_BEGINNINGS = {end: begin for begin, end in PAIRS.items()}
_ID = re.compile(r"""\s(rid|startRef|id|i)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'/>]+))""")


class MarkupError(ValueError):
    """Say what is not well formed about the markup of a sentence."""


class Part(NamedTuple):
    """Hold what of a word is meant, ``word[begin:end]``; a point within it if both are one."""

    word: str
    begin: int
    end: int


@dataclass(frozen=True)
class Element:
    """Hold an element of a source sentence.

    Attributes:
        words: the source words it has a part in. None for a point, which starts where the next word does: an empty element,
            with all that is in it.
        start, end: its tags as they stand; of a point all is `start`.
        outer: the number of the element around it, `None` for none.
        part: of its only word, if that has more; of a point the word it is in.
        follows: whether a point belongs to the word before it.
        breaks: whether a point ends the word before it: a line, a rule, a block.
        kept: whether its tags stay even without target words, with nothing between.
        after: the number of the point that it must not come before, the other one of a pair.
    """

    words: range
    start: str
    end: str
    outer: int | None
    part: Part | None = None
    follows: bool = False
    breaks: bool = False
    kept: bool = False
    after: int | None = None


def remove_markup(line: str) -> str:
    """Return the text of a line without its tags, the words of which are what links count.

    A tag with a space on either side leaves both, and between single spaces an empty word between them.

    >>> remove_markup('I &lt;3 <a href="x">two cats</a><br>a lot')
    'I <3 two cats a lot'
    """
    return split_tags(line)[0]


def read_markup(line: str, words: Sequence[Word] | None = None) -> list[Element]:
    """Return the elements of a line in the order of their start tags.

    Args:
        line: text with tags.
        words: of ``remove_markup(line)``; `None` for what stands between single spaces.

    Raises:
        MarkupError: an element is not closed, or not properly nested.
    """
    text, tags, fault = split_tags(line)
    if fault:
        raise MarkupError(f"{fault} is not closed")
    partners, pairs = _match(tags)
    place = _Places(text, between_spaces(text) if words is None else words)
    elements: list[Element] = []
    number_of: dict[int, int] = {}  # of the tag that begins it, its element
    stack: list[tuple[int, int]] = []  # of the open elements: their end tags, their numbers
    n = 0
    while n < len(tags):
        if stack and stack[-1][0] == n:
            stack.pop()
            n += 1
            continue
        last = partners.get(n, n)
        begin, end, outer = tags[n].at, tags[last].at, stack[-1][1] if stack else None
        covered = place.words(begin, end)
        number = len(elements)
        if covered:
            kept = tags[last].kind != CLOSE
            part = place.part(covered, begin, end)
            elements.append(Element(covered, tags[n].text, tags[last].text, outer, part, kept=kept))
            stack.append((last, number))
            number_of[n] = number
            n += 1
            continue
        inside = range(n, last + 1)  # what is in it are points as well
        after = max((number_of[pairs[tag]] for tag in inside if tag in pairs and pairs[tag] < n), default=None)
        elements.append(place.point(tags[n : last + 1], outer, after))
        number_of |= dict.fromkeys(inside, number)
        n = last + 1
    return elements


class _Places:
    """Say which words of a text are where."""

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self.text = text
        self.begins, self.ends = [word.begin for word in words], [word.end for word in words]
        self.full = [0, *accumulate(word.begin < word.end for word in words)]  # words before that have characters
        self.solid = [any(map(str.isalnum, word.text)) for word in words]  # not punctuation alone
        self._cut: tuple[int, str] = (-1, "")

    def words(self, begin: int, end: int) -> range:
        """Return the words that have a part in a piece of text; none if they are empty."""
        first, behind = bisect_right(self.ends, begin), bisect_left(self.begins, end)
        full = end > begin and behind > first and self.full[behind] > self.full[first]
        return range(first, behind if full else first)

    def part(self, words: range, begin: int, end: int) -> Part | None:
        """Return the part of a word that a piece of text has, `None` if it has all or more words."""
        first, n = words.start, len(words)
        if n != 1 or (begin <= self.begins[first] and self.ends[first] <= end):
            return None
        return Part(self._word(first), max(begin - self.begins[first], 0), min(end, self.ends[first]) - self.begins[first])

    def point(self, tags: Sequence[Tag], outer: int | None, after: int | None) -> Element:
        """Return what has no words as a point."""
        at = tags[0].at
        n = bisect_right(self.ends, at)
        before = n > 0 and self.begins[n - 1] < self.ends[n - 1] == at
        behind = n < len(self.ends) and self.begins[n] == at < self.ends[n]
        part, follows = None, before
        if n < len(self.ends) and self.begins[n] < at:
            part = Part(self._word(n), at - self.begins[n], at - self.begins[n])
        elif before and behind:  # between a word and punctuation it belongs to the word
            follows = tags[0].name not in PAIRS and (self.solid[n - 1] or not self.solid[n])
        breaks = any(tag.name.lower() in BREAKS for tag in tags)
        text = "".join(tag.text for tag in tags)
        return Element(range(n, n), text, "", outer, part, follows, breaks, after=after)

    def _word(self, n: int) -> str:
        if self._cut[0] != n:  # many tags may be in one word
            self._cut = n, self.text[self.begins[n] : self.ends[n]]
        return self._cut[1]


def _match(tags: Sequence[Tag]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the end tag of each element, and for a later tag of a pair that is no element the earlier one."""
    partners: dict[int, int] = {}
    pairs: dict[int, int] = {}
    begun: dict[tuple[str, str], int] = {}  # beginnings of pairs
    stack: list[int] = []  # tags without a partner so far
    needed: list[int] = []  # of those, the places in `stack` of which need one
    place: dict[int, int] = {}  # of beginnings of pairs in `stack`
    for n, (text, kind, name, _) in enumerate(tags):
        if kind == CLOSE:
            while stack and not _is_closed(tags[stack[-1]], name) and _may_be_alone(tags[stack[-1]]):
                place.pop(stack.pop(), None)
            if not stack:
                raise MarkupError(f"{text} closes no element")
            if not _is_closed(tags[stack[-1]], name):
                raise MarkupError(f"{text} stands where </{tags[stack[-1]].name}> is due")
            if needed and needed[-1] == len(stack) - 1:
                needed.pop()
            partners[stack.pop()] = n
        elif name in PAIRS and text.endswith("/>"):
            begun[name, _id(text)] = n
            place[n] = len(stack)
            stack.append(n)
        elif name in _BEGINNINGS and text.endswith("/>") and (key := (_BEGINNINGS[name], _id(text))) in begun:
            first = begun.pop(key)
            if first in place and place[first] > (needed[-1] if needed else -1):
                while stack[-1] != first:
                    place.pop(stack.pop(), None)
                del place[stack.pop()]
                partners[first] = n
            else:
                pairs[n] = first
        elif kind == OPEN:
            if not _may_be_alone(tags[n]):
                needed.append(len(stack))
            stack.append(n)
    if needed:
        raise MarkupError(f"<{tags[stack[needed[-1]]].name}> is not closed")
    return partners, pairs


def _is_closed(tag: Tag, name: str) -> bool:
    """Say whether an end tag of that name may close the element of a tag; HTML tells no upper from lower case."""
    return tag.kind == OPEN and tag.name.lower() == name.lower()


def _may_be_alone(tag: Tag) -> bool:
    """Say whether a tag needs no end tag.

    What ``<x id=1/>`` means is clear, though the slash is part of the value. Behind ``<script/>`` a reader of HTML would take
    the words of the target as code.
    """
    return tag.kind == POINT or tag.name.lower() in VOID or (tag.text.endswith("/>") and not is_code(tag.name))


def _id(tag: str) -> str:
    """Return what names the pair of a standalone tag."""
    found = {name: "".join(values) for name, *values in reversed(_ID.findall(tag))}
    return next((found[name] for name in ("rid", "startRef", "id", "i") if name in found), "")
