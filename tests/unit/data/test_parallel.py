"""Tests of the ordered map: order, bounded reading ahead, errors, a killed process."""

import functools
import operator
import os

import pytest

from xlm_align_fairseq.data.parallel import IN_FLIGHT, ordered_map
from xlm_align_fairseq.errors import InputError

NEGATE = functools.partial(functools.partial, operator.neg)


def test_one_process_reads_nothing_ahead():
    taken = []
    results = ordered_map(NEGATE, (taken.append(n) or n for n in range(5)), 1)
    assert next(results) == 0 and taken == [0]
    assert list(results) == [-1, -2, -3, -4]


def test_order_and_bounded_reading_ahead():
    taken = []
    results = ordered_map(NEGATE, (taken.append(n) or n for n in range(50)), 2)
    for n in range(50):
        assert next(results) == -n
        assert len(taken) <= n + 2 * IN_FLIGHT
    assert next(results, None) is None


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_through(workers):
    with pytest.raises(TypeError, match="bad operand"):
        list(ordered_map(NEGATE, ["a"], workers))

    def items():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ordered_map(NEGATE, items(), workers))


def test_a_killed_process_is_reported():
    with pytest.raises(InputError, match="--workers 2: one was killed, perhaps for want of memory; give fewer"):
        list(ordered_map(functools.partial(functools.partial, os._exit), [1], 2))
