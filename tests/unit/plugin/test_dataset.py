"""The training stream: content and determinism of items, the pairs of an epoch, batches."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch
from fairseq.data import data_utils
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import random_pair, side, stream

from xlm_align_fairseq.bitext.corpus import Pair
from xlm_align_fairseq.encoder.sequences import PieceBatch, join_sides
from xlm_align_fairseq.errors import InputError


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return np.array_equal(a, b)


SRC, TGT = [17, 5, 230], [9, 44]


@pytest.fixture
def one_pair():
    return [Pair("de-en", side(SRC), side(TGT))]


def test_golden_ids(one_pair):
    item = stream(one_pair, both_orders=False, mask_probability=0.0)[0]
    assert item["joint"].tolist() == [0, 17, 5, 230, 2, 9, 44, 2]
    assert item["masked"].tolist() == [0, 17, 5, 230, 2, 9, 44, 2]
    assert (item["id"], item["lengths"], item["swapped"]) == (0, (3, 2), False)


def test_the_order_of_the_sides(one_pair):
    """The sides to train on are swapped, the sides to label keep their stored order."""
    seen = set()
    for epoch in range(1, 20):
        dataset = stream(one_pair)
        dataset.set_epoch(epoch)
        item = dataset[0]
        pairs = dataset.collater([item])["pairs"]
        seen.add(item["swapped"])
        joint, lengths = ([0, 9, 44, 2, 17, 5, 230, 2], [2, 3]) if item["swapped"] else ([0, 17, 5, 230, 2, 9, 44, 2], [3, 2])
        assert item["joint"].tolist() == joint
        assert [int(pairs["src_lengths"]), int(pairs["tgt_lengths"])] == lengths
        assert (pairs["source"].tolist(), pairs["target"].tolist()) == ([SRC], [TGT])
        assert pairs["swapped"].tolist() == [item["swapped"]]
    assert seen == {False, True}


def test_both_orders_come_about_equally_often():
    pairs = [random_pair("de-en", 1000)]
    free, fixed = stream(pairs), stream(pairs, both_orders=False)
    assert 430 < sum(free[i]["swapped"] for i in range(1000)) < 570  # 4.4 standard deviations
    assert not any(fixed[i]["swapped"] for i in range(1000))


@pytest.mark.parametrize(("seed", "epoch"), [(1, 2), (2, 1)])
def test_items_depend_on_seed_and_epoch(seed, epoch):
    pairs = [random_pair("de-en", 100)]
    first, second = stream(pairs), stream(pairs, seed=seed)
    second.set_epoch(epoch)
    for key in ("swapped", "predict"):
        assert not all(equal(first[i][key], second[i][key]) for i in range(100)), key


def test_items_depend_on_nothing_else():
    """Not on other items that were read, on the process, on global generators, or on later pairs of the directory."""
    pairs = [random_pair("de-en", 50), random_pair("fr-en", 30, seed=1)]
    dataset = stream(pairs)
    dataset.set_epoch(3)
    items = [dataset[i] for i in range(80)]
    np.random.seed(5)
    torch.manual_seed(5)
    assert all(equal(dataset[i], items[i]) for i in reversed(range(80)))
    alone = stream(pairs[:1])
    alone.set_epoch(3)
    assert all(equal(alone[i], items[i]) for i in range(50))


def test_batches_are_what_the_items_say():
    dataset = stream([random_pair("de-en", 20)])
    items = [dataset[i] for i in range(20)]
    batch = dataset.collater(items)
    pairs = batch["pairs"]
    assert {item["swapped"] for item in items} == {False, True}
    lengths = [torch.tensor([len(item["sides"][k]) for item in items]) for k in (0, 1)]
    stored = join_sides(PieceBatch(pairs["source"], pairs["target"], *lengths))
    joint = torch.ones(20, int(dataset.sizes[:20].max()), dtype=torch.int64)
    for b, item in enumerate(items):
        n = len(item["sides"][0])
        first, second = stored[b, 1 : n + 1].tolist(), stored[b, n + 2 : len(item["joint"]) - 1].tolist()
        first, second = (second, first) if item["swapped"] else (first, second)
        joint[b, : len(item["joint"])] = torch.tensor([0, *first, 2, *second, 2])
        length = len(item["joint"])
        assert joint[b, :length].tolist() == item["joint"].tolist()
        assert pairs["masked"][b, :length].tolist() == item["masked"].tolist()
        assert (joint[b, length:] == 1).all()
        assert (pairs["masked"][b, length:] == 1).all()
        assert pairs["predict"][b].nonzero().ravel().tolist() == np.flatnonzero(item["predict"]).tolist()
    assert pairs["targets"].tolist() == [piece for item in items for piece in item["joint"][item["predict"]]]
    assert batch["ntokens"] == sum(len(item["joint"]) for item in items)
    assert (batch["nsentences"], batch["id"].tolist()) == (20, list(range(20)))
    assert "links" not in pairs


def test_no_items_make_an_empty_batch():
    assert stream([random_pair("de-en", 2)]).collater([]) == {}


# which pairs an epoch has


@pytest.mark.parametrize(("exponent", "expected"), [(1.0, [900, 100]), (0.5, [750, 250]), (0.0, [500, 500])])
def test_language_pairs_get_their_shares(exponent, expected):
    dataset = stream([random_pair("de-en", 900), random_pair("fr-en", 100)], exponent=exponent)
    drawn = dataset.ordered_indices()
    assert np.bincount(drawn >= 900).tolist() == expected
    for part, n, size in ((drawn[drawn < 900], expected[0], 900), (drawn[drawn >= 900], expected[1], 100)):
        times = set(Counter(part.tolist()).values())
        assert times <= {n // size, -(-n // size)}  # all pairs equally often, up to the remainder


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.7, 1.0])
def test_an_epoch_has_as_many_pairs_as_the_data(exponent):
    sizes = (331, 97, 13)
    dataset = stream([random_pair(f"p{n}-en", n) for n in sizes], exponent=exponent)
    assert abs(len(dataset.ordered_indices()) - sum(sizes)) <= len(sizes) / 2


def test_an_epoch_is_drawn_anew_from_seed_and_epoch():
    pairs = [random_pair("de-en", 300), random_pair("fr-en", 50)]
    drawn = {}
    for seed, epoch in ((1, 1), (1, 2), (2, 1)):
        dataset = stream(pairs, seed=seed)
        dataset.set_epoch(epoch)
        drawn[seed, epoch] = dataset.ordered_indices()
        assert np.array_equal(drawn[seed, epoch], dataset.ordered_indices())
        assert (np.diff(dataset.sizes[drawn[seed, epoch]]) >= 0).all()
    used = [set(indices[indices < 300].tolist()) for indices in drawn.values()]
    assert used[0] != used[1]
    assert used[0] != used[2]
    assert not stream(pairs).can_reuse_epoch_itr_across_epochs


def test_validation_has_every_pair_once():
    dataset = stream([random_pair("de-en", 90), random_pair("fr-en", 10)], shuffle=False)
    assert sorted(dataset.ordered_indices().tolist()) == list(range(100))


def test_unusable_pairs_are_left_out_and_counted(caplog):
    long = [4] * 20
    odd = Pair("de-en", side([5], [], [6], long, long, [7]), side([8], [5], [], long, [9] * 21, [5, 6]))
    with caplog.at_level(logging.INFO):
        dataset = stream([odd, random_pair("fr-en", 4)], max_positions=43)
    assert "de-en: 3 pairs used; left out: 2 empty, 1 too long" in caplog.messages
    assert "fr-en: 4 pairs used; left out: 0 empty, 0 too long" in caplog.messages
    assert set(dataset.ordered_indices().tolist()) <= {0, 3, 5, 6, 7, 8, 9}
    every = stream([odd, random_pair("fr-en", 4)], max_positions=43, shuffle=False)
    assert sorted(every.ordered_indices().tolist()) == [0, 3, 5, 6, 7, 8, 9]


def test_a_language_pair_without_usable_pairs_does_not_stop_the_others():
    dataset = stream([Pair("de-en", side([]), side([5])), random_pair("fr-en", 4)])
    assert sorted(dataset.ordered_indices().tolist()) == [1, 2, 3, 4]


def test_no_usable_pair_and_unequal_sides_are_errors():
    with pytest.raises(InputError, match=r"no usable pair in de-en: every one is empty or longer than --max-positions 64"):
        stream([Pair("de-en", side([]), side([5]))])
    with pytest.raises(InputError, match=r"de-en: 2 source but 1 target sentences"):
        stream([Pair("de-en", side([4], [5]), side([5]))])


# batches and monolingual blocks


def test_batches_keep_within_the_tokens():
    dataset = stream([random_pair("de-en", 200)])
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_tokens=100)
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert max(len(batch) * max(dataset.sizes[i] for i in batch) for batch in batches) <= 100


limits = st.none() | st.integers(1, 120)


@given(st.integers(1, 40), limits, st.none() | st.integers(1, 30), st.integers(1, 9), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_every_pair_is_in_one_batch(n, max_tokens, max_sentences, multiple, seed):
    """Whatever the limits, shortest first; only a pair that is alone may be over them."""
    dataset = stream([random_pair("de-en", n, seed)])
    indices = dataset.ordered_indices()
    batches = dataset.batch_by_size(indices, max_tokens, max_sentences, multiple)
    assert np.concatenate(batches).tolist() == indices.tolist()
    for batch in batches:
        longest = max(dataset.sizes[i] for i in batch)
        assert len(batch) == 1 or max_tokens is None or len(batch) * longest <= max_tokens
        assert max_sentences is None or len(batch) <= max_sentences


@given(st.integers(1, 40), st.integers(26, 200), st.none() | st.integers(1, 30), st.integers(1, 9), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_batches_are_those_of_fairseq_and_what_it_leaves_out(n, max_tokens, max_sentences, multiple, seed):
    """No pair is over 25 pieces here; runs that left nothing out go on as they began."""
    dataset = stream([random_pair("de-en", n, seed)])
    indices = dataset.ordered_indices()
    sizes = dataset.sizes[indices]
    theirs = data_utils.batch_by_size(indices, dataset.num_tokens, sizes, max_tokens, max_sentences, multiple)
    ours = dataset.batch_by_size(indices, max_tokens, max_sentences, multiple)
    assert [list(batch) for batch in ours[: len(theirs)]] == [list(batch) for batch in theirs]
    left = ours[len(theirs) :]
    assert len(left) <= 1
    assert all(len(batch) % multiple for batch in left)


def test_the_longest_are_read_too(caplog):
    """The examples of the report: 30 pairs by 8 of which 24 were read, 5 of which none was, 5 pairs over --max-tokens."""
    with caplog.at_level(logging.INFO):
        for n, limit, sizes in (
            (30, {"max_sentences": 8}, [8, 8, 8, 6]),
            (5, {"max_sentences": 8}, [5]),
            (3, {"max_tokens": 4}, [1] * 3),
        ):
            dataset = stream([random_pair("de-en", n)], shuffle=False)
            batches = dataset.batch_by_size(dataset.ordered_indices(), **limit, required_batch_size_multiple=8)
            assert [len(batch) for batch in batches] == sizes
            dataset.batch_by_size(dataset.ordered_indices(), **limit, required_batch_size_multiple=8)
    told = [message for message in caplog.messages if "batches" in message]
    assert told == [
        "train, epoch 1: 30 pairs in 4 batches (de-en 30)",
        "train, epoch 1: 5 pairs in 1 batches (de-en 5)",
        "train, epoch 1: 3 pairs in 3 batches (de-en 3); 3 are longer than --max-tokens 4: each is a batch of its own",
    ]


@pytest.mark.parametrize("limit", ["max_tokens", "max_sentences", "required_batch_size_multiple"])
def test_limits_that_are_none(limit):
    flag = "--batch-size" if limit == "max_sentences" else f"--{limit.replace('_', '-')}"
    dataset = stream([random_pair("de-en", 3)])
    with pytest.raises(InputError, match=f"{flag} 0: allowed are 1 and more"):
        dataset.batch_by_size(dataset.ordered_indices(), **{limit: 0})


def test_blocks_stand_beside_every_batch():
    """11 batches of 2 blocks from 8 blocks: each is drawn at least twice before one is drawn a third time."""
    mono = [np.arange(10 * n, 10 * n + 16) for n in range(1, 9)]
    dataset = stream([random_pair("de-en", 44)], mono, block=16, mono_tokens=32)
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=4)
    assert len(batches) == 11
    assert sorted(i for batch in batches for i in batch if i < 44) == list(range(44))
    blocks = [[i for i in batch if i >= 44] for batch in batches]
    assert all(len(part) == 2 for part in blocks)
    assert sorted(Counter(i for part in blocks for i in part).values()) == [2] * 2 + [3] * 6
    batch = dataset.collater([dataset[i] for i in batches[0]])
    assert batch["nsentences"] == 4
    assert batch["mono"]["masked"].shape == (2, 16)
    assert len(batch["mono"]["targets"]) == batch["mono"]["predict"].sum()
    number = blocks[0][0] - 44
    seen, predict = batch["mono"]["masked"][0].numpy(), batch["mono"]["predict"][0].numpy()
    assert np.array_equal(seen[~predict], mono[number][~predict])
    assert batch["ntokens"] == 2 * 16 + sum(dataset.sizes[i] for i in batches[0][:4])


def test_without_blocks_there_is_no_monolingual_part():
    dataset = stream([random_pair("de-en", 8)], mono_tokens=32, block=16)
    batch = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=4)[0]
    assert "mono" not in dataset.collater([dataset[i] for i in batch])
