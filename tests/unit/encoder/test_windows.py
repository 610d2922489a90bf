"""Overlapping windows cover a side; each piece is nearest to the centre of its own."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.windows import most_central, side_windows

lengths = st.integers(1, 400)
limits = st.integers(4, 90)


@given(lengths, limits)
@settings(deadline=None)
def test_side_windows_cover_a_side_and_overlap(length, limit):
    windows = side_windows(length, limit)
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    assert all(0 < end - begin <= limit for begin, end in windows)
    for (begin, end), (after, _) in itertools.pairwise(windows):
        assert begin < after <= end - limit // 2
    central = most_central(length, windows)
    assert (np.diff(central) >= 0).all()
    for piece, number in enumerate(central.tolist()):
        begin, end = windows[number]
        assert begin <= piece < end
        distances = [abs(piece + 0.5 - (begin + end) / 2) for begin, end in windows]
        assert distances[number] == min(distances)


@given(lengths, st.integers(1, 90), st.data())
@settings(deadline=None)
def test_windows_begin_a_step_apart(length, limit, data):
    step = data.draw(st.integers(1, limit))
    windows = side_windows(length, limit, step)
    assert [begin for begin, _ in windows[:-1]] == [n * step for n in range(len(windows) - 1)]
    assert all(end - begin == min(limit, length) for begin, end in windows)
    assert all(begin < after <= end for (begin, end), (after, _) in itertools.pairwise(windows))
    assert windows[-1][1] == length
