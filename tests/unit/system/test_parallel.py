"""Tests of the ordered map: order, bounded reading ahead, errors, a killed process."""

import functools
import itertools
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.parallel import IN_FLIGHT, ordered_map, prefetch

NEGATE = functools.partial(functools.partial, operator.neg)


def test_one_process_reads_nothing_ahead():
    taken = []
    results = ordered_map(NEGATE, (taken.append(n) or n for n in range(5)), 1)
    assert next(results) == 0
    assert taken == [0]
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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_survives_the_main_one(number):
    code = """
import functools, os, signal, time
from xlm_align_fairseq.system.parallel import ordered_map
signal.signal(signal.SIGINT, signal.default_int_handler)
pids = ordered_map(functools.partial(functools.partial, eval), ["__import__('os').getpid()"] * 100, 2)
print(next(pids), flush=True)
time.sleep(60)
"""
    main = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[3]
    )
    worker = Path("/proc") / main.stdout.readline().decode().strip()
    assert worker.is_dir()
    main.send_signal(number)
    assert main.wait(20) != 0
    main.stdout.close()
    for _ in range(100):
        if not worker.is_dir():
            break
        time.sleep(0.1)
    assert not worker.is_dir()


def test_prefetch_gives_the_stream_and_what_it_raises():
    def items():
        yield from range(100)
        raise OSError("the disk is gone")

    found = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(prefetch(items()))
    assert found == list(range(100))
    assert list(prefetch([])) == []


def test_prefetch_reads_ahead_by_what_it_was_told():
    taken = []
    stream = prefetch((taken.append(n) or n for n in range(50)), ahead=2)
    assert next(stream) == 0
    deadline = time.monotonic() + 10
    while len(taken) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(taken) == 4  # one received here, two waiting in the queue, one held by the reader


def test_a_stream_that_is_left_ends_its_thread():
    before = threading.active_count()
    stream = prefetch(itertools.count())
    next(stream)
    assert threading.active_count() == before + 1
    stream.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
