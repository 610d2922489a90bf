"""Carry the elements of a source sentence, see `markup`, over links into the target sentence.

An element is carried as a span of words, see `projection`, one without words as a point between words. The result is well
formed. An inner element stays within its outer one; two that would partly overlap do not: the later one keeps what the earlier
one leaves it. Where the target words of one lie within those of another, it is nested there.

Reference: Zenkel, Wuebker & DeNero, "Automatic Bilingual Markup Transfer", 2021, on the task and what makes it hard.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from xlm_align_fairseq.links.markup import Element, Part
from xlm_align_fairseq.links.pharaoh import Link
from xlm_align_fairseq.links.pieces import Pieces, Spans, Tree
from xlm_align_fairseq.links.projection import MAX_GAP, Links, by_source
from xlm_align_fairseq.links.tags import references
from xlm_align_fairseq.text.words import Word, between_spaces

# tags at the same place: behind the word before it, to which an end tag or a point belongs, between, before the word behind it
_CLOSING, _FOLLOWING, _BETWEEN, _OPENING = range(4)


class _Spot(NamedTuple):
    """Hold where a tag goes: its rank among all places, its place in the text."""

    rank: int
    place: int


Key = tuple[int, ...]  # sorts tags: the first two numbers say where, the others keep the nesting


def place_elements(elements: Sequence[Element], links: Links, max_gap: int = MAX_GAP) -> list[range | None]:
    """Return the target words of each element; any two have no word in common, or one has all those of the other.

    Args:
        elements: of a source sentence, as `markup.read_markup` returns them.
        links: source-target links.
        max_gap: the most words without a link to the element that may stand between two that have one.

    Returns:
        Words for each of `elements`, `None` for points and for elements without links or with no place left.
    """
    n_words = max((j for _, j in links), default=-1) + 1
    pieces, spans = Pieces(n_words, max_gap), Spans(n_words)
    placed: list[range | None] = []
    around: list[range | None] = []
    for element, linked in zip(elements, _linked(elements, links, pieces), strict=True):
        outer = None if element.outer is None else placed[element.outer] or around[element.outer]
        around.append(outer)
        left = linked if outer is None else pieces.within(linked, outer)
        words = None
        while left:
            length, _, first = left.best
            words = range(-first, length + 1 - first)
            other = spans.crossing(words)
            if other is None:
                spans.add(words)
                break
            words, left = None, pieces.without(left, other)
        placed.append(words)
    return placed


def insert_markup(
    target: str,
    elements: Sequence[Element],
    placed: Sequence[range | None],
    links: Links,
    keep_empty: bool = False,
    words: Sequence[Word] | None = None,
) -> str:
    """Put the tags into a target sentence, which is not changed otherwise.

    An element of a part of one word that goes to one word has the part of that which is left when the same characters before
    and behind are taken off both words, if there are such, else all of it. A point that belongs to the word before it comes
    behind the last target word linked with that. Any other comes before the first target word linked with the next source word
    that has a link, or at the end. It stays within the element that it is in.

    Args:
        target: the line.
        elements: those of the source.
        placed: their target words, as `place_elements` returns them.
        links: source-target links.
        keep_empty: elements without target words are kept, with nothing in them, after the last target word linked with the
            nearest source word before them that has a link, or at the start; without it they are left out.
        words: of the target, with their places; `None` for what stands between single spaces.
    """
    return _Insertion(target, between_spaces(target) if words is None else words, elements, placed, links).run(keep_empty)


def _linked(elements: Sequence[Element], links: Links, pieces: Pieces) -> list[Tree | None]:
    """Return the target words that are linked with each element, from those of the elements within it."""
    linked_with, single = by_source(links), dict[int, Tree | None]()

    def make(words: range, sign: int = 1) -> Tree | None:
        if len(words) == 1 and sign > 0 and words.start in single:
            return single[words.start]
        counts: dict[int, int] = {}
        for i in words:
            for j, _ in linked_with.get(i, ()):
                counts[j] = counts.get(j, 0) + sign
        tree = pieces.make(counts)
        if len(words) == 1 and sign > 0:
            single[words.start] = tree
        return tree

    inner: list[list[int]] = [[] for _ in elements]
    for k, element in enumerate(elements):
        if element.words and element.outer is not None:
            inner[element.outer].append(k)
    trees: list[Tree | None] = [None] * len(elements)
    for k in reversed(range(len(elements))):
        tree, at = None, elements[k].words.start
        for child in inner[k]:
            words = elements[child].words
            if words.stop <= at:
                continue
            tree = pieces.join(pieces.join(tree, make(range(at, words.start))), trees[child])
            if words.start < at:  # the word that it has a part in, as the one before it has
                tree = pieces.join(tree, make(range(words.start, at), -1))
            at = words.stop
        trees[k] = pieces.join(tree, make(range(at, elements[k].words.stop)))
    return trees


class _Insertion:
    """Put tags into one target sentence; the arguments are those of `insert_markup`."""

    def __init__(
        self,
        target: str,
        words: Sequence[Word],
        elements: Sequence[Element],
        placed: Sequence[range | None],
        links: Links,
    ) -> None:
        self.target, self.words, self.elements = target, words, elements
        self.links: list[Link] = sorted(links)
        self.cuts: dict[tuple[int, int], _Cuts] = {}
        self.around: list[int | None] = []  # of each element, the innermost one around it that has target words
        self.spots: list[tuple[_Spot, _Spot] | None] = []  # of each element, where its tags go
        self.owners: dict[int, int] = {}  # of a target word, the source word the parts of which it has
        for element, span in zip(elements, placed, strict=True):
            outer = element.outer
            outer = outer if outer is None or placed[outer] else self.around[outer]
            self.around.append(outer)
            self.spots.append(self._span(element, span, outer) if span else None)

    def run(self, keep_empty: bool) -> str:
        """Return the target sentence with the tags."""
        tags: list[tuple[Key, int, str]] = []
        points: dict[int, tuple[Key, int]] = {}
        for k, (element, spots) in enumerate(zip(self.elements, self.spots, strict=True)):
            if spots:
                begin, end = spots
                tags.append(((begin.rank, _OPENING, -end.rank, k, 0), begin.place, element.start))
                tags.append(((end.rank, _CLOSING, -begin.rank, -k, 1, k), end.place, element.end))
            elif not element.words or keep_empty or element.kept:
                key, place = self._point(k)
                first = None if element.after is None else points.get(element.after)
                if first and key < first[0]:
                    key, place = (*first[0], k), first[1]
                points[k] = key, place
                tags.append((key, place, element.start + element.end))
        pieces, at = [], 0
        for _, place, tag in sorted(tags):
            pieces += [self.target[at:place], tag]
            at = place
        return "".join([*pieces, self.target[at:]])

    def _span(self, element: Element, span: range, outer: int | None) -> tuple[_Spot, _Spot]:
        """Return where the tags of an element go."""
        word, part = span.start, element.part
        if part and len(span) == 1 and self.owners.setdefault(word, element.words.start) == element.words.start:
            begin, end = (self._cut(part, element.words.start, word, at) for at in (part.begin, part.end))
            if begin is not None and end is not None and begin < end:
                opening = self._inside(word, begin) if begin > 0 else self._spot(word, _OPENING)
                return opening, self._inside(word, end) if end < self._length(word) else self._spot(word + 1, _CLOSING)
        around = self.spots[outer] if outer is not None else None
        whole = self._spot(span.start, _OPENING), self._spot(span.stop, _CLOSING)
        return around if around and not around[0].rank <= whole[0].rank < whole[1].rank <= around[1].rank else whole

    def _point(self, k: int) -> tuple[Key, int]:
        """Return the key and the place of what has no target words."""
        element, n_words = self.elements[k], len(self.words)
        n = bisect_left(self.links, (element.words.start,))
        outer = self.around[k]
        around = None if outer is None else self.spots[outer]
        side, inside = _BETWEEN, None
        if element.words:
            gap = self.links[n - 1][1] + 1 if n else 0
        else:
            i, gap = self.links[n] if n < len(self.links) else (-1, n_words)
            if element.part and i == element.words.start:
                inside = self._cut(element.part, i, gap, element.part.begin)
            elif element.follows and element.breaks:
                side = _FOLLOWING if gap else _BETWEEN
            elif element.follows and n and self.links[n - 1][0] == element.words.start - 1:
                side, gap = _FOLLOWING, self.links[n - 1][1] + 1
        spot = self._inside(gap, inside) if inside and inside < self._length(gap) else self._spot(gap, side)
        if outer is not None and around is not None:
            begin, end = around
            if spot.rank <= begin.rank:
                return (begin.rank, _OPENING, -end.rank, outer, 1, k), begin.place
            if spot.rank >= end.rank:
                return (end.rank, _CLOSING, -begin.rank, -outer, 0, k), end.place
        return (spot.rank, side, k), spot.place

    def _spot(self, gap: int, side: int) -> _Spot:
        """Return where a tag goes that stands between words; every word has ranks of its own, also an empty one."""
        begin = self.words[gap].begin if gap < len(self.words) else len(self.target)
        return _Spot(begin + gap, self.words[gap - 1].end if side < _BETWEEN else begin)

    def _length(self, word: int) -> int:
        return self.words[word].end - self.words[word].begin

    def _inside(self, word: int, cut: int) -> _Spot:
        """Return where a tag goes that stands within a word."""
        return _Spot(self.words[word].begin + word + cut, self.words[word].begin + cut)

    def _cut(self, part: Part, source: int, target: int, at: int) -> int | None:
        """Return the place in a target word that is that of a place in a source word, `None` for none."""
        if (source, target) not in self.cuts:
            word = self.words[target]
            self.cuts[source, target] = _Cuts(part.word, self.target[word.begin : word.end])
        return self.cuts[source, target].carry(at)


class _Cuts:
    """Carry places in a word to another with the same beginning or end: those in what both have."""

    def __init__(self, source: str, target: str) -> None:
        self.n_source, self.target = len(source), target
        least = min(len(source), len(target))
        self.same = next((n for n in range(least) if source[n] != target[n]), least)
        most = least - self.same
        self.same_end = next((n for n in range(most) if source[-1 - n] != target[-1 - n]), most)
        self.references = references(target)

    def carry(self, at: int) -> int | None:
        """Return where a place of the source word is in the target word; a later one never comes before it."""
        from_end = self.n_source - at
        if at > self.same and from_end > self.same_end:
            return None
        cut = at if at <= self.same and from_end else len(self.target) - from_end
        n = bisect_left(self.references, (cut,)) - 1
        if n >= 0 and cut < self.references[n][1]:  # within a character reference
            return None
        return None if unicodedata.category(self.target[cut : cut + 1] or " ")[0] == "M" else cut
