"""Links from plans: compared with a slow transcription, and invariants of any plan."""

from math import inf, nan
from unittest.mock import patch

import numpy as np
import slow_labeller
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_labeller import filtered, mutual, plans

from xlm_align_fairseq.alignment.extraction import above_mutual, agreement, iterative_filter, mutual_argmax
from xlm_align_fairseq.alignment.sinkhorn import reference_plan, softmax_plan

# eighths: sums and ties are exact in float32 and in Python alike, before the divisions
cells = st.integers(-8, 40).map(lambda n: n / 8)


def matrices_of(cells, size=8):
    shapes = st.tuples(st.integers(1, size), st.integers(1, size))
    return shapes.flatmap(lambda s: st.lists(st.lists(cells, min_size=s[1], max_size=s[1]), min_size=s[0], max_size=s[0]))


matrices = matrices_of(cells)
tied = st.sampled_from(
    [-1.0, -0.5, -0.0, 0.0, 0.5, 0.5, 0.75, 1.0, 1.0]
)  # products with powers of two are exact in any precision
wild = st.one_of(tied, st.sampled_from([nan, inf, -inf]))


def as_set(links):
    return {tuple(link) for link in links.nonzero().tolist()}


def batch(matrices, fill=9.0, dtype=torch.float64):
    shape = len(matrices), max(map(len, matrices)), max(len(m[0]) for m in matrices)
    scores, mask = torch.full(shape, fill, dtype=dtype), torch.zeros(shape, dtype=torch.bool)
    for b, matrix in enumerate(matrices):
        scores[b, : len(matrix), : len(matrix[0])] = torch.tensor(matrix, dtype=dtype)
        mask[b, : len(matrix), : len(matrix[0])] = True
    return scores, mask


@given(st.lists(matrices, min_size=1, max_size=5), st.integers(1, 4), st.sampled_from([0.9, 0.5, 1.0]))
@settings(max_examples=150, deadline=None)
def test_filter_equals_the_slow_transcription(matrices, rounds, alpha):
    plan, mask = batch([plans(matrix, 2, 1e-6)[0] for matrix in matrices])
    links = iterative_filter(plan, mask, rounds, alpha)
    for b, matrix in enumerate(matrices):
        assert as_set(links[b]) == filtered(plans(matrix, 2, 1e-6)[0], rounds, alpha)


@given(st.lists(matrices, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_mutual_argmax_equals_the_slow_transcription(matrices):
    both = [plans(matrix, 2, 1e-6) for matrix in matrices]
    rows, mask = batch([rows for rows, _ in both])
    columns, _ = batch([columns for _, columns in both])
    links = mutual_argmax(rows, columns, mask)
    for b, (slow_rows, slow_columns) in enumerate(both):
        assert as_set(links[b]) == mutual(slow_rows, slow_columns)


@given(
    st.lists(st.one_of(matrices_of(tied, 6), matrices_of(wild, 6)), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([9.0, -inf, inf, nan]),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=300, deadline=None)
def test_ties_negative_cells_nan_and_whatever_stands_at_padding(matrices, rounds, alpha, fill, dtype):
    plan, mask = batch(matrices, fill, dtype)
    links, flipped = iterative_filter(plan, mask, rounds, alpha), mutual_argmax(plan, -plan, mask)
    with patch.object(slow_labeller, "first_best", np.argmax):  # the first nan, else the first of equals
        for b, matrix in enumerate(matrices):
            assert as_set(links[b]) == filtered(matrix, rounds, alpha)
            assert as_set(flipped[b]) == mutual(matrix, [[-cell for cell in row] for row in matrix])


@given(st.lists(matrices, min_size=1, max_size=5), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_plans_equal_the_slow_transcription(matrices, rounds):
    scores, mask = batch(matrices, nan)
    found = reference_plan(scores, mask, rounds)
    for b, matrix in enumerate(matrices):
        for plan, slow in zip(found, plans(matrix, rounds, 1e-6), strict=True):
            alone = plan[b, : len(matrix), : len(matrix[0])].double()
            torch.testing.assert_close(alone, torch.tensor(slow, dtype=torch.float64), rtol=1e-5, atol=1e-7)
    assert all(plan[~mask].eq(0).all() for plan in found)


def test_a_column_of_sum_zero_is_not_a_number_and_padding_stays_zero():
    scores, mask = batch([[[1.0, 2.0, 3.0], [-1.0, 1.0, 1.0]], [[1.0] * 4] * 3])
    plan = reference_plan(scores, mask, 2, clamp=None)
    assert plan.rows[0, :2].isnan().any()
    assert plan.rows[1, :3].eq(0.25).all()
    assert all(part[~mask].eq(0).all() for part in plan)


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_what_holds_for_any_plan(seed, rounds):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (6, 2), generator=generator)
    cell = torch.arange(12)
    mask = (cell < lengths[:, :1])[:, :, None] & (cell < lengths[:, 1:])[:, None, :]
    scores = torch.rand(6, 12, 12, generator=generator)
    before = scores.clone()
    plan = reference_plan(scores, mask)
    links = iterative_filter(plan.rows, mask, rounds)
    assert not (links & ~mask).any()
    assert links.flatten(1).any(1).all()  # the largest cell of a pair is always the best of its row and column
    assert (links | iterative_filter(plan.rows, mask, rounds + 1)).equal(iterative_filter(plan.rows, mask, rounds + 1))
    first = iterative_filter(plan.rows, mask, 1)
    assert first.equal(mutual_argmax(plan.rows, plan.rows, mask))
    assert first.sum(1).max() <= 1
    assert first.sum(2).max() <= 1
    for b in range(6):
        alone = iterative_filter(plan.rows[b : b + 1], mask[b : b + 1], rounds)
        assert alone[0].equal(links[b])
    assert scores.equal(before)


def test_ties_go_to_the_first_index():
    plan, mask = torch.ones(1, 3, 3), torch.ones(1, 3, 3, dtype=torch.bool)
    assert as_set(mutual_argmax(plan, plan, mask)[0]) == {(0, 0)}


@given(st.lists(matrices_of(st.tuples(wild, wild), 6), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_agreement_equals_sets_of_choices(pairs_of_cells):
    rows, columns = ([[[cell[n] for cell in row] for row in matrix] for matrix in pairs_of_cells] for n in (0, 1))
    plan, mask = batch(rows, nan)
    found = agreement(plan, batch(columns, nan)[0], mask)
    for b in range(len(rows)):
        forward = {(i, np.argmax(row)) for i, row in enumerate(rows[b])}
        backward = {(np.argmax(column), j) for j, column in enumerate(zip(*columns[b], strict=True))}
        torch.testing.assert_close(found[b], torch.tensor(len(forward & backward) / len(forward | backward)))


def test_agreement_counts_both_directions():
    plan = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]])  # forward (0,0) (1,0); backward (0,0) (1,1)
    mask = torch.ones(1, 2, 2, dtype=torch.bool)
    torch.testing.assert_close(agreement(plan, plan, mask), torch.tensor([1 / 3]))


def test_a_pair_without_cells_has_no_links():
    plan, mask = torch.ones(2, 3, 3), torch.zeros(2, 3, 3, dtype=torch.bool)
    mask[1, 1:, 1:] = True  # and pieces need not come first
    assert [as_set(links) for links in mutual_argmax(plan, plan, mask)] == [set(), {(1, 1)}]
    assert [as_set(links) for links in iterative_filter(plan, mask)] == [set(), {(1, 1)}]
    torch.testing.assert_close(agreement(plan, plan, mask), torch.tensor([0.0, 1 / 3]))


@given(st.lists(matrices_of(st.floats(-3, 3)), min_size=1, max_size=3), st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]))
@settings(deadline=None)
def test_a_cell_beside_a_link_needs_the_low_cutoff_alone(matrices, low):
    scores, mask = batch(matrices)
    plan = softmax_plan(scores, mask, 1.0)
    links = above_mutual(plan, mask, 0.4, low)
    shares = (plan.rows * plan.columns).sqrt()
    for b, matrix in enumerate(matrices):
        cells = {(i, j): float(shares[b, i, j]) for i in range(len(matrix)) for j in range(len(matrix[0]))}
        strong = {cell for cell, share in cells.items() if share > 0.4}
        beside = {(i + di, j + dj) for i, j in strong for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1))}
        assert as_set(links[b]) == strong | {cell for cell in beside & set(cells) if cells[cell] > low}
