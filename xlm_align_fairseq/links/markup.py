"""Carry inline markup (``<b>two <i>cats</i></b> .<br/>``) from a source sentence over links into the target sentence.

A tag is a name directly after ``<`` or ``</``, then attributes, then ``>`` or ``/>``. Anything else is text, such as
``a < b``, ``<3`` or ``&lt;``. In the target, tags are text too: `escape_tags` writes ``&lt;b>``. An element is projected as a
span of words, see `projection`, an empty element as a point between words.

The result is well formed. An inner element stays within its outer one. If two elements would partly overlap, the later one
gets only the words outside the earlier one. An element whose target words lie within those of another is nested in it.

Reference: Zenkel, Wuebker & DeNero, "Automatic Bilingual Markup Transfer", 2021, on the task and what makes it hard.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xlm_align_fairseq.links.projection import MAX_GAP, Links, linked_words, longest_piece
from xlm_align_fairseq.text.tokenize import split_words

_NAME = r"[A-Za-z_][\w:.-]*"
_ATTRIBUTE = r"""\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=]+))?"""
_TAG = re.compile(rf"<(?:/(?P<end>{_NAME})\s*|(?P<start>{_NAME})(?:{_ATTRIBUTE})*\s*(?P<empty>/?))>")
_CLOSING, _BETWEEN, _OPENING = range(3)  # tags at the same place: after the word before it, between, before the word after it


class MarkupError(ValueError):
    """Say what is not well formed about the markup of a sentence."""


@dataclass(frozen=True)
class Element:
    """Hold an element of a source sentence.

    Attributes:
        words: the source words that it covers, in part or whole. An empty range for a point (an empty element with all
            elements in it), which starts where the next word does.
        start, end: its tags, unchanged; a point has all of them in `start`.
        outer: index of the enclosing element, `None` for none.
    """

    words: range
    start: str
    end: str
    outer: int | None


def remove_markup(line: str) -> str:
    """Return a line without its tags, to be split into words at single spaces.

    A tag between two spaces leaves both spaces, with an empty word between them.

    >>> remove_markup('I <3 <a href="x">two cats</a>')
    'I <3 two cats'
    """
    return _TAG.sub("", line)


def escape_tags(line: str) -> str:
    """Return a line of plain text with the ``<`` of tags escaped; nothing else is changed.

    >>> escape_tags("I <3 what <b> does")
    'I <3 what &lt;b> does'
    """
    while _TAG.search(line):  # escaping a tag can leave another one around it
        line = _TAG.sub(lambda tag: f"&lt;{tag[0][1:]}", line)
    return line


def read_markup(line: str) -> list[Element]:
    """Return the elements of a line in the order of their start tags.

    Raises:
        MarkupError: an element is not closed, or not properly nested.
    """
    text = remove_markup(line)
    starts, ends = _places(text)
    elements: list[Element] = []
    positions: list[int] = []  # of the start tags, in `text`
    stack: list[tuple[str, int]] = []  # names and numbers of the open elements
    removed = 0
    for tag in _TAG.finditer(line):
        at = tag.start() - removed
        removed += len(tag[0])
        if name := tag["start"]:
            point = bisect_right(ends, at)
            elements.append(Element(range(point, point), tag[0], "", stack[-1][1] if stack else None))
            positions.append(at)
            if not tag["empty"]:
                stack.append((name, len(elements) - 1))
            continue
        if not stack or stack[-1][0] != tag["end"]:
            raise MarkupError(f"{tag[0]} closes no element" if not stack else f"{tag[0]} stands where </{stack[-1][0]}> is due")
        k = stack.pop()[1]
        if text[positions[k] : at].strip(" "):
            words = range(elements[k].words.start, bisect_left(starts, at))
            elements[k] = replace(elements[k], words=words, end=tag[0])
        else:  # an empty element; elements in it are points as well
            elements[k] = replace(elements[k], start="".join(element.start for element in elements[k:]) + tag[0])
            del elements[k + 1 :], positions[k + 1 :]
    if stack:
        raise MarkupError(f"<{stack[-1][0]}> is not closed")
    return elements


def place_elements(elements: Sequence[Element], links: Links, max_gap: int = MAX_GAP) -> list[range | None]:
    """Return the target words of each element; any two elements are disjoint or nested.

    Args:
        elements: of a source sentence, as `read_markup` returns them.
        links: source-target links.
        max_gap: maximum number of words without a link to the element between two words with one.

    Returns:
        Words for each of `elements`, `None` for points and for elements without links or with no place left.
    """
    placed: list[range | None] = []
    for k, element in enumerate(elements):
        linked = linked_words(links, element.words)
        if around := _around(elements, placed, k):
            linked = {j: claim for j, claim in linked.items() if j in around[1]}
        while words := longest_piece(linked, max_gap):
            other = next((other for other in placed if other and _cross(words, other)), None)
            if other is None:
                break
            linked = {j: claim for j, claim in linked.items() if j not in other}
        placed.append(words)
    return placed


def insert_markup(
    target: str, elements: Sequence[Element], placed: Sequence[range | None], links: Links, keep_empty: bool = False
) -> str:
    """Insert the tags into a target sentence, which is not changed otherwise.

    A point goes before the first target word linked with the next linked source word, or to the end, but stays within its
    enclosing element.

    Args:
        target: the line.
        elements: those of the source.
        placed: their target words, as `place_elements` returns them.
        links: source-target links.
        keep_empty: keep elements without target words, as empty elements after the last target word linked with the nearest
            linked source word before them, or at the start; otherwise they are left out.
    """
    starts, ends = _places(target)
    n_words = len(starts)
    tags: list[tuple[tuple[int, ...], str]] = []  # sort keys: two numbers for the position, the others for the nesting
    for k, (element, words) in enumerate(zip(elements, placed, strict=True)):
        if words:
            tags.append(((words.start, _OPENING, -words.stop, k, 0), element.start))
            tags.append(((words.stop, _CLOSING, -words.start, -k, 1, k), element.end))
            continue
        if not element.words:
            after = min((link for link in links if link[0] >= element.words.start), default=(0, n_words))
            gap = after[1]
        elif keep_empty:
            before = max((link for link in links if link[0] < element.words.start), default=(0, -1))
            gap = before[1] + 1
        else:
            continue
        key: tuple[int, ...] = (_BETWEEN, k)
        if around := _around(elements, placed, k):
            number, outer = around
            gap = min(max(gap, outer.start), outer.stop)
            if gap == outer.start:
                key = (_OPENING, -outer.stop, number, 1, k)
            elif gap == outer.stop:
                key = (_CLOSING, -outer.start, -number, 0, k)
        tags.append(((gap, *key), element.start + element.end))
    pieces, at = [], 0
    for (gap, side, *_), tag in sorted(tags):
        place = ends[gap - 1] if side == _CLOSING else starts[gap] if gap < n_words else len(target)
        pieces += [target[at:place], tag]
        at = place
    return "".join([*pieces, target[at:]])


def _places(text: str) -> tuple[list[int], list[int]]:
    """Return where the words of a text start and end."""
    starts, ends, at = [], [], 0
    for word in split_words(text):
        starts.append(at)
        ends.append(at + len(word))
        at += len(word) + 1
    return starts, ends


def _around(elements: Sequence[Element], placed: Sequence[range | None], k: int) -> tuple[int, range] | None:
    """Return the number and the target words of the innermost enclosing element of element k that has target words."""
    outer = elements[k].outer
    while outer is not None:
        if words := placed[outer]:
            return outer, words
        outer = elements[outer].outer
    return None


def _cross(one: range, other: range) -> bool:
    """Return whether two spans overlap without one containing the other."""
    return one.start < other.start < one.stop < other.stop or other.start < one.start < other.stop < one.stop
