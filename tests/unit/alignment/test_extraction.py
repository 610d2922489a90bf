"""Links from plans: against a slow transcription, and what must hold for any plan."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_labeller import filtered, mutual, plans

from xlm_align_fairseq.alignment.extraction import agreement, iterative_filter, mutual_argmax
from xlm_align_fairseq.alignment.sinkhorn import reference_plan

# eighths: sums and ties are exact in float32 and in Python alike, before the divisions
cells = st.integers(-8, 40).map(lambda n: n / 8)
matrices = st.integers(1, 8).flatmap(
    lambda s: st.integers(1, 8).flatmap(lambda t: st.lists(st.lists(cells, min_size=t, max_size=t), min_size=s, max_size=s))
)


def as_set(links):
    return {tuple(link) for link in links.nonzero().tolist()}


def batch(matrices):
    shape = len(matrices), max(map(len, matrices)), max(len(m[0]) for m in matrices)
    scores, mask = torch.full(shape, 9.0, dtype=torch.float64), torch.zeros(shape, dtype=torch.bool)
    for b, matrix in enumerate(matrices):
        scores[b, : len(matrix), : len(matrix[0])] = torch.tensor(matrix, dtype=torch.float64)
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


def test_agreement_counts_both_directions():
    plan = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]])  # forward (0,0) (1,0); backward (0,0) (1,1)
    mask = torch.ones(1, 2, 2, dtype=torch.bool)
    torch.testing.assert_close(agreement(plan, plan, mask), torch.tensor([1 / 3]))
