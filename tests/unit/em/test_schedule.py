"""Tests of the schedule of labelling passes, and of the links that a batch gets from stored ones."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.em.em import Schedule
from xlm_align_fairseq.em.labeling import dense_links, swap_links
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.errors import InputError

# schedules


@pytest.mark.parametrize(
    ("text", "unit", "every"),
    [("online", "online", 0), ("fixed", "fixed", 0), ("updates:1", "updates", 1), ("epochs:250", "epochs", 250)],
)
def test_schedules_that_are_read(text, unit, every):
    schedule = Schedule.parse(text)
    assert (schedule.unit, schedule.every, schedule.periodic) == (unit, every, every > 0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "offline", "Fixed", "fixed:2", " online", "steps:5"),
        *("updates", "updates:", "updates:0", "updates:-1", "updates:07", "updates:1.5", "updates:1\n", "updates: 1"),
        *("epochs:x", "epochs:²", "epochs:٣", "epochs:1٣", "epochs:2,3"),
    ],
)
def test_schedules_that_are_refused(text):
    shown = text.replace("\n", "\\x0a")
    message = f"--label-schedule {shown}: allowed are online, fixed, updates:N and epochs:N, N from 1"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Schedule.parse(text)


@given(st.integers(1, 20), st.lists(st.integers(0, 100), min_size=1, max_size=30).map(sorted))
@settings(max_examples=60, deadline=None)
def test_a_stretch_has_so_many_updates(every, updates):
    """Independent of the epoch; counted from update 0."""
    schedule = Schedule.parse(f"updates:{every}")
    firsts = [n for n in range(101) if n == 0 or schedule.stretch(1, n) != schedule.stretch(1, n - 1)]
    assert firsts == list(range(0, 101, every))
    assert [schedule.stretch(9, n) for n in updates] == [sum(first <= n for first in firsts) - 1 for n in updates]


@given(st.integers(1, 20), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_stretch_has_so_many_epochs(every, update):
    """Independent of the update; counted from epoch 1."""
    schedule = Schedule.parse(f"epochs:{every}")
    stretches = [schedule.stretch(epoch, update) for epoch in range(1, 61)]
    assert stretches == [n for n in range(60) for _ in range(every)][:60]


@pytest.mark.parametrize("text", ["online", "fixed"])
def test_there_is_one_stretch_without_a_period(text):
    assert {Schedule.parse(text).stretch(epoch, update) for epoch in (1, 5) for update in (0, 1, 999)} == {0}


# links of a batch


@st.composite
def batches(draw):
    """Draw the links of up to 4 pairs, as lists, and the lengths of their sides."""
    lengths = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4))
    cell = lambda n, m: st.tuples(st.integers(0, n - 1), st.integers(0, m - 1))  # noqa: E731
    return lengths, [draw(st.lists(cell(*pair), max_size=6)) for pair in lengths]


def dense(lengths, links):
    src_lengths, tgt_lengths = torch.tensor(lengths).unbind(1)
    sides = [torch.ones(len(lengths), int(side.max()), dtype=torch.int64) for side in (src_lengths, tgt_lengths)]
    cells = np.array([link for row in links for link in row], np.int64).reshape(-1, 2)
    return dense_links(np.array(list(map(len, links))), cells, PieceBatch(*sides, src_lengths, tgt_lengths))


@given(batches())
@settings(max_examples=100, deadline=None)
def test_dense_links_have_the_cells_and_no_other(batch):
    lengths, links = batch
    made = dense(lengths, links)
    assert made.dtype == torch.bool
    assert made.shape == (len(lengths), *map(max, zip(*lengths, strict=True)))
    assert {tuple(cell) for cell in made.nonzero().tolist()} == {(b, *link) for b, row in enumerate(links) for link in row}


@given(batches(), st.lists(st.booleans(), min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_swapped_links_join_the_same_pieces(batch, drawn):
    """Swapping exchanges source and target of the swapped pairs; swapping twice restores the links."""
    lengths, links = batch
    made, swapped = dense(lengths, links), torch.tensor(drawn[: len(lengths)])
    before = made.clone()
    afterwards = [pair[::-1] if swap else pair for pair, swap in zip(lengths, drawn, strict=False)]
    n_source, n_target = map(max, zip(*afterwards, strict=True))
    result = swap_links(made, swapped, n_source, n_target)
    assert result.shape == (len(lengths), n_source, n_target)
    for b, swap in enumerate(swapped):
        assert {(i, j) for i, j in result[b].nonzero().tolist()} == {(j, i) if swap else (i, j) for i, j in links[b]}
    assert torch.equal(swap_links(result, swapped, *made.shape[1:]), made)
    assert torch.equal(made, before)
