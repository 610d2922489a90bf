"""Tests of joining two directions: set relations first, then small cases worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.symmetrize import (
    grow_diag,
    grow_diag_final,
    grow_diag_final_and,
    intersection,
    union,
)

SETS = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=16)
ALL = [intersection, union, grow_diag, grow_diag_final, grow_diag_final_and]


@given(SETS, SETS)
def test_every_result_lies_between_the_one_before_and_the_union(forward, backward):
    both, either = set(intersection(forward, backward)), set(union(forward, backward))
    grown = set(grow_diag(forward, backward))
    final_and, final = set(grow_diag_final_and(forward, backward)), set(grow_diag_final(forward, backward))
    assert both == forward & backward
    assert either == forward | backward
    assert both <= grown <= final_and <= either
    assert grown <= final <= either


@given(SETS, SETS)
def test_order_and_form_of_the_arguments_do_not_matter(forward, backward):
    for join in ALL:
        result = join(forward, backward)
        assert result == sorted(set(result))
        assert join(sorted(forward, reverse=True), sorted(backward)) == result


@given(SETS)
def test_equal_directions_are_left_alone(links):
    for join in ALL:
        assert join(links, links) == sorted(links)


@given(SETS, SETS)
def test_final_covers_every_word_of_the_union_and_final_and_never_shares(forward, backward):
    either, final = forward | backward, grow_diag_final(forward, backward)
    assert {i for i, _ in final} == {i for i, _ in either}
    assert {j for _, j in final} == {j for _, j in either}
    grown, final_and = set(grow_diag(forward, backward)), grow_diag_final_and(forward, backward)
    for i, j in set(final_and) - grown:
        assert sum(a == i for a, _ in final_and) == 1
        assert sum(b == j for _, b in final_and) == 1


@given(SETS, SETS)
def test_nothing_more_can_grow(forward, backward):
    grown = set(grow_diag(forward, backward))
    sources, targets = {i for i, _ in grown}, {j for _, j in grown}
    for i, j in (forward | backward) - grown:
        if i not in sources or j not in targets:
            assert not any(abs(a - i) <= 1 and abs(b - j) <= 1 for a, b in grown)


@given(SETS, SETS)
def test_arguments_are_not_changed(forward, backward):
    before = set(forward), set(backward)
    for join in ALL:
        join(forward, backward)
    assert (forward, backward) == before


# Worked by hand from the pseudo-code. Columns: forward, backward, then grow-diag, -final, -final-and.
CASES = {
    "no seed, nothing grows; final takes both, the words of (0,1) being free": (
        {(0, 0)}, {(0, 1)}, [], [(0, 0), (0, 1)], [(0, 0)],
    ),
    "growth is a chain over links that joined earlier": (
        {(0, 0), (1, 1), (2, 2)}, {(0, 0)}, [(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 1), (2, 2)],
        [(0, 0), (1, 1), (2, 2)],
    ),
    "a neighbour with both words linked stays out": (
        {(0, 0), (1, 1), (0, 1)}, {(0, 0), (1, 1)}, [(0, 0), (1, 1)], [(0, 0), (1, 1)], [(0, 0), (1, 1)],
    ),
    "straight neighbours win: (1,0) takes source 1 and (0,1) target 1 before the diagonal (1,1)": (
        {(0, 0), (0, 1), (1, 0), (1, 1)}, {(0, 0)}, [(0, 0), (0, 1), (1, 0)], [(0, 0), (0, 1), (1, 0)],
        [(0, 0), (0, 1), (1, 0)],
    ),
    "apart: one free word is enough for final, not for final-and": (
        {(0, 0), (4, 0)}, {(0, 0), (6, 6)}, [(0, 0)], [(0, 0), (4, 0), (6, 6)], [(0, 0), (6, 6)],
    ),
    "final-and: the forward link comes first and keeps its word": (
        {(0, 0), (3, 4)}, {(0, 0), (3, 3)}, [(0, 0)], [(0, 0), (3, 3), (3, 4)], [(0, 0), (3, 4)],
    ),
    "a second scan: (1,0) joins through (2,1), which was scanned after it": (
        {(2, 1), (1, 0), (0, 0)}, {(2, 1)}, [(0, 0), (1, 0), (2, 1)], [(0, 0), (1, 0), (2, 1)],
        [(0, 0), (1, 0), (2, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases_worked_by_hand(name):
    forward, backward, grown, final, final_and = CASES[name]
    assert grow_diag(forward, backward) == grown
    assert grow_diag_final(forward, backward) == final
    assert grow_diag_final_and(forward, backward) == final_and
