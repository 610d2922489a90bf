"""Keep the target words of many elements of one sentence, so that the time grows with the sentence and not with its square.

`Pieces` holds sets of linked words as trees that share what they have in common: joining two sets, or taking words out of one,
costs the logarithm of the sentence for each word that differs, and the longest piece (see `projection.longest_piece`) stands at
the root. `Spans` finds the first of many spans that partly overlaps another.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import NamedTuple

Piece = tuple[int, int, int]  # its length less one, its links, minus its first word: of two the greater is the one to keep


class Tree(NamedTuple):
    """Hold linked words of a range.

    Attributes:
        first, last: the outermost of them.
        head, tail: the pieces that these two are in.
        best: the piece to keep.
        left, right: the words of either half, `None` for none and in a single word.
    """

    first: int
    last: int
    head: Piece
    tail: Piece
    best: Piece
    left: Tree | None
    right: Tree | None


class Pieces:
    """Make, join and cut sets of linked words.

    Args:
        n_words: how many words there are.
        max_gap: the most other words that may stand between two words of a piece.
    """

    def __init__(self, n_words: int, max_gap: int) -> None:
        self.size = 1 << max(n_words - 1, 0).bit_length()
        self.max_gap = max_gap

    def make(self, links: Mapping[int, int]) -> Tree | None:
        """Return a set of words.

        Args:
            links: of each word, how many.
        """
        return self._make(sorted(links.items()), 0, self.size)

    def join(self, one: Tree | None, other: Tree | None) -> Tree | None:
        """Return the words of two sets, with the links of both."""
        return self._join(one, other, 0, self.size)

    def without(self, tree: Tree | None, words: range) -> Tree | None:
        """Return a set without some words."""
        return self._without(tree, words.start, words.stop, 0, self.size)

    def within(self, tree: Tree | None, words: range) -> Tree | None:
        """Return a set without all but some words."""
        return self.without(self.without(tree, range(words.start)), range(words.stop, self.size))

    def _make(self, links: list[tuple[int, int]], start: int, stop: int) -> Tree | None:
        if not links:
            return None
        if stop - start == 1:
            return _word(*links[0])
        middle = (start + stop) // 2
        cut = bisect_left(links, (middle,))
        return self._tree(self._make(links[:cut], start, middle), self._make(links[cut:], middle, stop))

    def _join(self, one: Tree | None, other: Tree | None, start: int, stop: int) -> Tree | None:
        if one is None or other is None:
            return one or other
        if stop - start == 1:
            return _word(start, one.best[1] + other.best[1])
        middle = (start + stop) // 2
        left = self._join(one.left, other.left, start, middle)
        return self._tree(left, self._join(one.right, other.right, middle, stop))

    def _without(self, tree: Tree | None, begin: int, end: int, start: int, stop: int) -> Tree | None:
        if tree is None or end <= tree.first or tree.last < begin:
            return tree
        if begin <= tree.first and tree.last < end:
            return None
        middle = (start + stop) // 2
        left = self._without(tree.left, begin, end, start, middle)
        return self._tree(left, self._without(tree.right, begin, end, middle, stop))

    def _tree(self, left: Tree | None, right: Tree | None) -> Tree | None:
        if left is None or right is None:
            some = left or right
            return some and Tree(some.first, some.last, some.head, some.tail, some.best, left, right)
        head, tail, best = left.head, right.tail, max(left.best, right.best)
        if right.first - left.last - 1 <= self.max_gap:  # the piece before the middle and that behind it are one
            begin, end = -left.tail[2], right.first + right.head[0]
            bridge = (end - begin, left.tail[1] + right.head[1], -begin)
            head = bridge if begin == left.first else head
            tail = bridge if end == right.last else tail
            best = max(best, bridge)
        return Tree(left.first, right.last, head, tail, best, left, right)


def _word(word: int, links: int) -> Tree:
    piece = (0, links, -word)
    return Tree(word, word, piece, piece, piece, None, None)


class Spans:
    """Hold spans of words, any two of which have no word in common, or one has all those of the other.

    Every span is kept at those nodes of a tree over the cuts between words that make up the cuts within it. All spans at one
    node have a cut in common, so that one is within the other; only one that ends sooner, or begins later, than all before it
    can ever be the first that does.

    Args:
        n_words: how many words there are.
    """

    def __init__(self, n_words: int) -> None:
        self.size = 1 << n_words.bit_length()
        self.spans: list[range] = []
        self._ends: dict[int, tuple[list[int], list[int]]] = {}  # of a node: minus the ends, rising, and the spans' numbers
        self._begins: dict[int, tuple[list[int], list[int]]] = {}

    def add(self, span: range) -> None:
        """Add a span that crosses none."""
        number = len(self.spans)
        self.spans.append(span)
        low, high = span.start + 1 + self.size, span.stop + self.size
        while low < high:
            if low % 2:
                self._keep(low, span, number)
                low += 1
            if high % 2:
                high -= 1
                self._keep(high, span, number)
            low, high = low // 2, high // 2

    def crossing(self, span: range) -> range | None:
        """Return the first span that has words in common with another while each has words that the other has not."""
        ends = self._first(self._ends, span.start, -span.stop)
        begins = self._first(self._begins, span.stop, span.start)
        number = min(ends, begins)
        return self.spans[number] if number < len(self.spans) else None

    def _keep(self, node: int, span: range, number: int) -> None:
        for kept, key in ((self._ends, -span.stop), (self._begins, span.start)):
            keys, numbers = kept.setdefault(node, ([], []))
            if not keys or key > keys[-1]:
                keys.append(key)
                numbers.append(number)

    def _first(self, kept: dict[int, tuple[list[int], list[int]]], cut: int, beyond: int) -> int:
        """Return the number of the first span around a cut with a key beyond another, or one that no span has."""
        found = len(self.spans)
        node = cut + self.size
        while node:
            keys, numbers = kept.get(node, ([], []))
            n = bisect_right(keys, beyond)
            if n < len(numbers):
                found = min(found, numbers[n])
            node //= 2
        return found
