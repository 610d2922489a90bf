"""Half-overlapping windows cover a side; each piece is nearest to the centre of its own."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.windows import most_central, side_windows

lengths = st.integers(1, 400)
limits = st.integers(4, 90)


@given(lengths, limits)
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
