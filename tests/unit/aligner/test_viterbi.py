"""The most probable links, against all others; the same in any batch."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.aligner.viterbi import IMPOSSIBLE, best_places, certainty

REACH = 2


def score(places, words, nowhere, jumps):
    last, total = -1, 0.0
    for j, i in enumerate(places):
        if i < 0:
            total += nowhere[j]
        else:
            total += words[i, j] + jumps[np.clip(i - last, -REACH, REACH) + REACH]
            last = i
    return total


@settings(max_examples=150, deadline=None)
@given(n_source=st.integers(1, 4), n_target=st.integers(1, 4), seed=st.integers(0, 1 << 30), padding=st.integers(0, 3))
def test_no_links_are_more_probable_and_a_batch_changes_nothing(n_source, n_target, seed, padding):
    draw = np.random.default_rng(seed)
    words = draw.normal(size=(n_source, n_target)).astype(np.float32)
    words[draw.random(words.shape) < 0.3] = IMPOSSIBLE
    nowhere, jumps = (draw.normal(size=size).astype(np.float32) for size in (n_target, 2 * REACH + 1))
    places = best_places(words[None], nowhere[None], jumps, np.array([n_target]))
    found = places[0].tolist()
    every = itertools.product(range(-1, n_source), repeat=n_target)
    assert score(found, words, nowhere, jumps) == pytest.approx(max(score(way, words, nowhere, jumps) for way in every), abs=1e-4)
    sure = certainty(words[None], nowhere[None], jumps, places)[0]
    for j, i in enumerate(found):
        ways = [score([*found[:j], other, *found[j + 1 :]], words, nowhere, jumps) for other in range(-1, n_source)]
        expected = np.exp(score(found, words, nowhere, jumps)) / np.exp(ways).sum() if i >= 0 else 0
        assert sure[j] == pytest.approx(expected, abs=1e-3)

    wide = np.full((2, n_source + padding, n_target + padding), IMPOSSIBLE)
    wide[0, :n_source, :n_target] = words
    wide_nowhere = np.zeros((2, n_target + padding), np.float32)
    wide_nowhere[0, :n_target] = nowhere
    together = best_places(wide, wide_nowhere, jumps, np.array([n_target, 1]))
    assert together[0].tolist() == [*found, *[-1] * padding]
    assert (certainty(wide, wide_nowhere, jumps, together)[0, :n_target] == sure).all()
