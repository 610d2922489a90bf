"""Masks are a function of their key, leave specials alone, and have the requested shares."""

import numpy as np
import pytest

from xlm_align_fairseq.plugin.keyed_random import rng
from xlm_align_fairseq.plugin.pretraining.masking import FIRST_PIECE, mask_pieces

MASK = 900
PIECES = np.random.default_rng(0).integers(FIRST_PIECE, MASK, 200_000)


def test_the_same_key_gives_the_same_mask():
    first, second = (mask_pieces(PIECES, rng(7, 2, 5), MASK) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("key", [(8, 2, 5), (7, 3, 5), (7, 2, 6)])
def test_seed_epoch_and_id_each_give_another_mask(key):
    assert not np.array_equal(mask_pieces(PIECES[:100], rng(7, 2, 5), MASK)[1], mask_pieces(PIECES[:100], rng(*key), MASK)[1])


def test_the_mask_of_a_key_is_golden():
    """Resuming a run with a newer version must not change its data."""
    masked, predict = mask_pieces(np.arange(4, 24), rng(1, 1, 0), MASK, probability=0.5)
    assert np.flatnonzero(predict).tolist() == [0, 3, 5, 6, 7, 10, 12, 13, 14, 15, 19]
    assert masked[predict].tolist() == [900, 861, 900, 653, 900, 900, 900, 900, 900, 900, 900]


def test_shares():
    """200,000 pieces: each bound is more than four standard deviations wide."""
    masked, predict = mask_pieces(PIECES, rng(1, 1, 1), MASK)
    assert predict.mean() == pytest.approx(0.15, abs=0.004)
    assert np.array_equal(masked[~predict], PIECES[~predict])
    hidden, kept = masked[predict] == MASK, masked[predict] == PIECES[predict]
    assert hidden.mean() == pytest.approx(0.8, abs=0.01)
    assert kept.mean() == pytest.approx(0.1 + 0.1 / (MASK - FIRST_PIECE), abs=0.008)
    random = masked[predict][~hidden & ~kept]
    assert len(random) / predict.sum() == pytest.approx(0.1, abs=0.008)
    assert random.min() == FIRST_PIECE
    assert random.max() == MASK - 1  # every piece can be drawn


@pytest.mark.parametrize(("keep", "replace", "expected"), [(1, 0, "kept"), (0, 0, "masked"), (0, 1, "random")])
def test_the_shares_can_be_changed(keep, replace, expected):
    masked, predict = mask_pieces(PIECES, rng(1, 1, 1), MASK, 0.5, keep, replace)
    assert predict.mean() == pytest.approx(0.5, abs=0.005)
    unchanged = (masked[predict] == PIECES[predict]).mean()
    hidden = (masked[predict] == MASK).mean()
    assert {"kept": (1, 0), "masked": (0, 1), "random": (pytest.approx(1 / 896, abs=6e-4), 0)}[expected] == (unchanged, hidden)


def test_specials_are_never_chosen_and_the_input_stays():
    tokens = np.array([0, 2, 1, 3, 2] * 1000)
    masked, predict = mask_pieces(tokens, rng(1, 1, 1), MASK, probability=1.0)
    assert not predict.any()
    assert np.array_equal(masked, tokens)
    tokens = np.array([0, 8, 9, 2, 7, 2])
    before = tokens.copy()
    masked, predict = mask_pieces(tokens, rng(1, 1, 1), MASK, 1.0, keep=0.0, replace=0.0)
    assert predict.tolist() == [False, True, True, False, True, False]
    assert masked.tolist() == [0, MASK, MASK, 2, MASK, 2]
    assert np.array_equal(tokens, before)
