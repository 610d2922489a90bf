"""Invariants of both scalings: marginals, padding, batching, no mutation, finite in half precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.alignment.sinkhorn import entropic_plan, reference_plan

SCALINGS = {
    "reference": lambda scores, mask: reference_plan(scores, mask, 3),
    "entropic": lambda scores, mask: entropic_plan(scores, mask, 60, 0.2),
}
shapes = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=4)


def padded(shapes, seed=0, fill=0.0):
    """Random cosines for pairs of the given shapes, padded with `fill`, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = max(s for s, _ in shapes), max(t for _, t in shapes)
    scores = torch.full((len(shapes), rows, columns), fill)
    mask = torch.zeros(scores.shape, dtype=torch.bool)
    for b, (s, t) in enumerate(shapes):
        scores[b, :s, :t] = torch.rand(s, t, generator=generator) * 2 - 1
        mask[b, :s, :t] = True
    return scores, mask


@given(shapes, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_entropic_marginals_are_uniform(shapes, seed):
    scores, mask = padded(shapes, seed)
    plan = entropic_plan(scores, mask, 200, 0.3)
    for b, (s, t) in enumerate(shapes):
        torch.testing.assert_close(plan.rows[b, :s].sum(1), torch.full((s,), 1 / s), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(plan.columns[b, :, :t].sum(0), torch.full((t,), 1 / t), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(plan.rows, plan.columns, rtol=1e-2, atol=1e-4)


def test_too_few_rounds_leave_the_columns_off_their_marginals():
    scores, mask = padded([(6, 4)])
    columns = entropic_plan(scores, mask, 1, 0.02).rows.sum(1)
    assert ((columns * 4 - 1).abs() > 1e-3).any()


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_reference_rows_sum_to_one_and_columns_did(rounds):
    scores, mask = padded([(5, 4), (3, 6)])
    plan = reference_plan(scores, mask, rounds)
    torch.testing.assert_close(plan.rows.sum(2), mask.any(2).float())
    torch.testing.assert_close(plan.columns.sum(1), mask.any(1).float())


@pytest.mark.parametrize("scaling", SCALINGS)
@given(shapes=shapes, fill=st.sampled_from([0.0, 5.0, -5.0, float("inf"), float("nan")]))
@settings(max_examples=30, deadline=None)
def test_padding_gets_no_mass_and_changes_nothing(scaling, shapes, fill):
    scores, mask = padded(shapes, 1, fill)
    plan = SCALINGS[scaling](scores, mask)
    for part in plan:
        assert part[~mask].eq(0).all()
    for b, (s, t) in enumerate(shapes):
        alone = SCALINGS[scaling](scores[b : b + 1, :s, :t], mask[b : b + 1, :s, :t])
        for part, single in zip(plan, alone, strict=True):
            torch.testing.assert_close(part[b, :s, :t], single[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_input_gives_finite_float32(scaling, dtype):
    scores, mask = padded([(5, 4), (2, 6)])
    before = scores.to(dtype).clone()
    plan = SCALINGS[scaling](before * 60 if scaling == "reference" else before, mask)
    assert plan.rows.dtype == torch.float32
    assert all(part.isfinite().all() for part in plan)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_arguments_are_not_changed(scaling):
    scores, mask = padded([(5, 4), (2, 6)], fill=3.0)
    copies = scores.clone(), mask.clone()
    SCALINGS[scaling](scores, mask)
    assert torch.equal(scores, copies[0])
    assert torch.equal(mask, copies[1])


def test_entropic_solution_has_the_form_of_the_paper():
    """A* = diag(u) K diag(v): cross ratios of the plan are those of the kernel."""
    scores, mask = padded([(3, 3)])
    plan, kernel = entropic_plan(scores, mask, 300, 0.4).rows[0].double(), (scores[0].double() / 0.4).exp()
    cross = lambda x: x[0, 0] * x[1, 2] / (x[0, 2] * x[1, 0])  # noqa: E731
    torch.testing.assert_close(cross(plan), cross(kernel), rtol=1e-4, atol=0)
