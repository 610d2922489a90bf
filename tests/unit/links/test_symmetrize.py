"""Tests of joining two directions: set relations first, then Moses' symal, then small cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.links.symmetrize import (
    grow_diag,
    grow_diag_final,
    grow_diag_final_and,
    intersection,
    union,
)

SETS = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=16)
DIRECT, INVERSE = 1, 2  # directions in which symal has found a link
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


def symal(direct, inverse, n_source, n_target, final, both):
    """What Moses' symal does, told once more, over a grid: rows are target words, columns source words.

    `direct` has the target of each source word, `inverse` the source of each target word, -1 for none: symal's own input.
    """
    found = np.zeros((n_target, n_source), int)
    for source, target in enumerate(direct):
        found[target, source] |= DIRECT if target >= 0 else 0
    for target, source in enumerate(inverse):
        found[target, source] |= INVERSE if source >= 0 else 0
    points = found == DIRECT | INVERSE
    changed = True
    while changed:
        changed = False
        for target, source in np.ndindex(points.shape):
            if points[target, source]:
                around = [(target - 1, source), (target, source - 1), (target + 1, source), (target, source + 1)]
                around += [(target + up, source + left) for up in (-1, 1) for left in (-1, 1)]
                for near in around:
                    inside = 0 <= near[0] < n_target and 0 <= near[1] < n_source
                    if inside and found[near] and not (points[near[0]].any() and points[:, near[1]].any()):
                        points[near] = changed = True
    for direction in (INVERSE, DIRECT) if final else ():
        for target, source in np.argwhere(found == direction):  # row by row
            covered = points[target].any(), points[:, source].any()
            if not (any(covered) if both else all(covered)):
                points[target, source] = True
    return sorted((int(source), int(target)) for target, source in np.argwhere(points))


@st.composite
def directions(draw):
    """Alignments as symal takes them: each word of one side has a word of the other, or none."""
    n_source, n_target = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    direct = draw(st.lists(st.integers(-1, n_target - 1), min_size=n_source, max_size=n_source))
    inverse = draw(st.lists(st.integers(-1, n_source - 1), min_size=n_target, max_size=n_target))
    return direct, inverse, n_source, n_target


@given(directions())
@settings(max_examples=500, deadline=None)
def test_grown_links_are_those_of_symal(case):
    direct, inverse, _, _ = case
    forward = [(source, target) for source, target in enumerate(direct) if target >= 0]
    backward = [(source, target) for target, source in enumerate(inverse) if source >= 0]
    assert grow_diag(forward, backward) == symal(*case, final=False, both=False)
    assert grow_diag_final(forward, backward) == symal(*case, final=True, both=False)
    assert grow_diag_final_and(forward, backward) == symal(*case, final=True, both=True)


# Worked by hand from the pseudo-code. Columns: forward, backward, then grow-diag, -final, -final-and.
CASES = {
    "no seed, nothing grows; final takes both, the words of (0,1) being free": (
        {(0, 0)}, {(0, 1)}, [], [(0, 0), (0, 1)], [(0, 1)],
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
    "final-and: the backward link comes first and keeps its word": (
        {(0, 0), (3, 3)}, {(0, 0), (3, 4)}, [(0, 0)], [(0, 0), (3, 3), (3, 4)], [(0, 0), (3, 4)],
    ),
    "scans are by target: (0,2) takes target 2, joining from (1,1), before (3,1) is there to let (3,2) join": (
        {(0, 2), (1, 1), (2, 0)}, {(2, 0), (3, 1), (3, 2)}, [(0, 2), (1, 1), (2, 0), (3, 1)],
        [(0, 2), (1, 1), (2, 0), (3, 1)], [(0, 2), (1, 1), (2, 0), (3, 1)],
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
