"""Tests of sets of linked words and of spans against what is written down in a line or two, and slow."""

from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.pieces import Pieces, Spans
from xlm_align_fairseq.links.projection import longest_piece

N = 12
LINKS = st.dictionaries(st.integers(0, N - 1), st.integers(1, 3), max_size=8)
SPANS = st.tuples(st.integers(0, N), st.integers(0, N)).map(lambda ends: range(min(ends), max(ends) + 1))


def best(tree):
    return range(-tree.best[2], tree.best[0] + 1 - tree.best[2]) if tree else None


def longest(links, max_gap):
    return longest_piece({j: (count, 0.0) for j, count in links.items()}, max_gap)


@given(LINKS, LINKS, SPANS, SPANS, st.integers(0, 3))
def test_sets_have_the_longest_piece_whatever_was_done_to_them(one, other, within, without, max_gap):
    pieces = Pieces(N, max_gap)
    tree = pieces.join(pieces.make(one), pieces.make(other))
    links = {j: one.get(j, 0) + other.get(j, 0) for j in {*one, *other}}
    assert best(tree) == longest(links, max_gap)
    tree, links = pieces.within(tree, within), {j: count for j, count in links.items() if j in within}
    assert best(tree) == longest(links, max_gap)
    tree, links = pieces.without(tree, without), {j: count for j, count in links.items() if j not in without}
    assert best(tree) == longest(links, max_gap)


@given(LINKS, LINKS, st.integers(0, 3))
def test_links_that_were_joined_twice_are_taken_away_again(one, other, max_gap):
    pieces = Pieces(N, max_gap)
    both = pieces.join(pieces.join(pieces.make(one), pieces.make(other)), pieces.make(one))
    less = pieces.join(both, pieces.make({j: -count for j, count in one.items()}))
    assert less == pieces.join(pieces.make(one), pieces.make(other))


def crosses(one, other):
    common = {*one} & {*other}
    return bool(common and {*one} - common and {*other} - common)


@given(st.lists(SPANS, max_size=12), st.lists(SPANS, max_size=5))
def test_the_first_span_that_crosses_is_found(candidates, asked):
    spans, kept = Spans(N + 1), []
    for candidate in candidates:
        first = next((span for span in kept if crosses(span, candidate)), None)
        assert spans.crossing(candidate) == first
        if first is None:
            spans.add(candidate)
            kept.append(candidate)
    for span in asked:
        assert spans.crossing(span) == next((other for other in kept if crosses(other, span)), None)


def test_no_words():
    pieces = Pieces(0, 1)
    assert pieces.make({}) is pieces.within(None, range(0)) is None
    assert Pieces(1, 1).make({0: 2}).best == (0, 2, 0)
