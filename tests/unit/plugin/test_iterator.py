"""What ranks read in an epoch: every pair once, whatever fairseq is told; what comes is what is read."""

import logging

import numpy as np
import pytest
from fairseq.data.iterators import EpochBatchIterator, GroupedIterator
from streams import random_pair, stream

from xlm_align_fairseq.plugin.iterator import TrainingIterator

PAIRS = 30


def ranks(size, shuffle=True, update_freq=1, mono=None, **options):
    """Return the iterators of `size` ranks over 30 pairs, by 8 as fairseq does by default: 4 batches, the last of 6."""
    iterators = []
    for rank in range(size):
        changes = {"block": 16, "mono_tokens": 16} if mono else {}
        dataset = stream([random_pair("de-en", PAIRS)], mono, **changes)

        def batches(dataset, epoch):
            dataset.set_epoch(epoch)
            return dataset.batch_by_size(dataset.ordered_indices(), None, 8, 8)

        plain = EpochBatchIterator(dataset, list, batches, num_shards=size, shard_id=rank, **options)
        iterators.append(TrainingIterator(plain, [update_freq], None))
    return iterators


def read(iterators, update_freq=1, **options):
    """Return the ids that each rank reads in an epoch, batch by batch, as fairseq's training loop reads them."""
    return [
        [
            [int(item["id"]) for item in batch]
            for group in GroupedIterator(iterator.next_epoch_itr(), update_freq, **options)
            for batch in group
        ]
        for iterator in iterators
    ]


@pytest.mark.parametrize("mono", [None, [np.arange(10 * n, 10 * n + 16) for n in range(1, 9)]])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_pair_is_read_once_an_epoch(size, grouped, mono):
    """On any number of ranks, which take as many steps each; a rank that has no batch left gets an empty one."""
    iterators = ranks(size, grouped_shuffling=grouped, mono=mono)
    for _ in range(3):
        found = read(iterators)
        assert len({len(batches) for batches in found}) == 1
        assert len(found[0]) == len(iterators[0])
        every = [index for batches in found for batch in batches for index in batch]
        assert sorted(index for index in every if index < PAIRS) == list(range(PAIRS))
        assert sum(index >= PAIRS for index in every) == (4 if mono else 0)  # a block beside each batch of pairs


def test_grouped_batches_are_those_of_fairseq_where_none_is_over():
    iterators = ranks(2, grouped_shuffling=True)
    for iterator in iterators:
        ours = iterator.ordered_batches(1, False, True)
        theirs = EpochBatchIterator.ordered_batches(iterator, 1, False, True)
        assert [list(batch) for batch in ours] == [list(batch) for batch in theirs]


@pytest.mark.parametrize(("size", "update_freq"), [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)])
def test_a_remainder_that_is_to_be_skipped_is_counted(size, update_freq, caplog):
    """With --skip-remainder-batch: the log says how many pairs, and labels are made for what is read."""
    iterators = ranks(size, update_freq=update_freq, skip_remainder_batch=True)
    with caplog.at_level(logging.INFO):
        found = read(iterators, update_freq, skip_remainder_batch=True)
    every = sorted(index for batches in found for batch in batches for index in batch)
    assert (
        f"epoch 1: {PAIRS - len(every)} pairs of the last batches are left out, as --skip-remainder-batch says" in caplog.messages
    )
    fresh = ranks(size, update_freq=update_freq, skip_remainder_batch=True)[0]
    assert fresh.coming(epochs=1).tolist() == every
