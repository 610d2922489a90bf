"""Encoding in buckets: states do not depend on the other sequences of a batch, to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, init_weights
from xlm_align_fairseq.encoder.states import SHORTEST, STEP, States, buckets, padded


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(3)
    return Encoder(EncoderConfig(50, layers=2, width=64, heads=4, ffn=128, max_positions=61)).apply(init_weights).eval()


def sequences(lengths, seed=0):
    random = np.random.default_rng(seed)
    return [np.concatenate([[0], random.integers(4, 50, length - 2), [2]]) for length in lengths]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40), st.integers(1, 30))
def test_every_item_is_in_one_bucket_of_its_own_key(keys, capacity):
    columns = np.array(keys, np.int64).reshape(-1, 2)
    found = list(buckets(columns, columns.sum(1), capacity))
    assert sorted(np.concatenate([[], *found]).tolist()) == list(range(len(keys)))
    for batch in found:
        assert len({keys[n] for n in batch}) == 1
        assert len(batch) == 1 or len(batch) * sum(keys[batch[0]]) <= capacity


@given(st.integers(1, 500))
def test_padded_lengths(length):
    (found,) = padded(np.array([length]))
    assert found % STEP == 0
    assert 0 <= found - length < STEP or found == SHORTEST > length


@pytest.mark.parametrize("batch_tokens", [1, 100, 5000])
def test_states_are_those_of_each_sequence_alone_to_the_last_bit(encoder, batch_tokens):
    lengths = [3, 61, 9, 17, 16, 8, 60, 33, 17, 9, 4, 58, 30]
    rows = sequences(lengths)
    states = States(encoder, rows, [0, 2], batch_tokens)
    assert states.begins.tolist() == np.cumsum([0, *lengths]).tolist()
    for n, row in enumerate(rows):
        for layer in (0, 2):
            alone = States(encoder, [row], [layer], 10).layers[layer]
            assert torch.equal(states.layers[layer][states.begins[n] : states.begins[n + 1]], alone)
            with torch.inference_mode():
                unpadded = encoder(torch.from_numpy(row)[None], layer)[0]
            torch.testing.assert_close(alone, unpadded, rtol=1e-4, atol=1e-5)


def test_gather_pads_with_what_is_there(encoder):
    states = States(encoder, sequences([5, 7]), [1], 100)
    found = states.gather(1, states.begins[:2] + 1, np.array([3, 5]), 8)
    assert found.shape == (2, 8, 64)
    assert torch.equal(found[0, :3], states.layers[1][1:4])
    assert torch.equal(found[1, :5], states.layers[1][6:11])
    assert found.isfinite().all()
