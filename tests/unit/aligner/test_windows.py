"""Windows of long pairs: the source is covered, nothing is out of range, the path is monotone and the best; far links."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.aligner.windows import (
    NEAR,
    SEGMENT,
    far_share,
    monotone_path,
    plan_windows,
    segment_length,
)

lengths = st.integers(1, 400)
limits = st.integers(4, 90)


def best_path(similarity):
    """All monotone paths, one by one: the best sum, a diagonal step counting twice."""
    n, m = similarity.shape
    centred = similarity - similarity.mean()

    def best(i, j):
        if i == j == 0:
            return 2 * centred[0, 0]
        ways = []
        if i:
            ways.append(best(i - 1, j) + centred[i, j])
        if j:
            ways.append(best(i, j - 1) + centred[i, j])
        if i and j:
            ways.append(best(i - 1, j - 1) + 2 * centred[i, j])
        return max(ways)

    return best(n - 1, m - 1)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_path_is_monotone_and_the_best(n, m, seed):
    similarity = np.random.default_rng(seed).random((n, m))
    first, last = monotone_path(similarity)
    assert first[0] == 0
    assert last[-1] == m - 1
    assert (first <= last).all()
    for row in range(1, n):
        assert first[row] - last[row - 1] in (0, 1)
    centred = similarity - similarity.mean()
    total = 2 * centred[0, 0]
    before = (0, 0)
    for row in range(n):
        for column in range(first[row], last[row] + 1):
            if (row, column) != (0, 0):
                total += centred[row, column] * (2 if row > before[0] and column > before[1] else 1)
            before = (row, column)
    assert total == pytest.approx(best_path(similarity))


@given(lengths, lengths, limits, st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_cores_follow_each_other_and_cover_the_source(n_source, n_target, limit, seed):
    shape = -(-n_source // SEGMENT), -(-n_target // SEGMENT)
    windows = plan_windows(*monotone_path(np.random.default_rng(seed).random(shape)), n_source, n_target, limit)
    assert windows[0].core_begin == 0
    assert windows[-1].core_end == n_source
    for window, after in itertools.pairwise(windows):
        assert window.core_end == after.core_begin
    for window in windows:
        assert 0 <= window.source_begin < window.source_end <= n_source
        assert 0 <= window.target_begin < window.target_end <= n_target
        assert window.source_end - window.source_begin <= limit
        assert window.target_end - window.target_begin <= limit
        assert window.core_begin < window.core_end
        if limit >= SEGMENT:
            assert window.source_begin <= window.core_begin
            assert window.core_end <= window.source_end


def test_a_very_long_side_has_longer_segments():
    assert segment_length(100, 32_768) == SEGMENT
    assert segment_length(100, 32_769) == SEGMENT + 1
    windows = plan_windows(np.zeros(4096, int), np.zeros(4096, int), 4096 * 20, 10, 64)
    assert windows[-1].core_end == 4096 * 20
    assert all(window.source_begin <= window.core_begin < window.core_end <= window.source_end for window in windows)


def test_a_block_on_the_diagonal_is_followed():
    similarity = np.eye(20)
    first, last = monotone_path(similarity)
    assert first.tolist() == last.tolist() == list(range(20))
    windows = plan_windows(first, last, 160, 160, 50)
    for window in windows:
        assert window.target_begin <= window.core_begin
        assert window.core_end <= window.target_end


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_far_links_are_counted_one_by_one(n_source, n_target, segment, seed):
    random = np.random.default_rng(seed)
    first, last = monotone_path(random.random((-(-n_source // segment), -(-n_target // segment))))
    links = random.integers(0, (n_source, n_target), (random.integers(1, 30), 2))
    far = 0
    for i, j in links.tolist():
        row = next(row for row in range(len(first)) if i in range(row * segment, (row + 1) * segment))
        near = [k for column in range(first[row], last[row] + 1) for k in range(column * segment, (column + 1) * segment)]
        far += min(abs(j - k) for k in near) > NEAR
    assert far_share(links[:, 0], links[:, 1], first, last, segment) == pytest.approx(far / len(links))
    assert far_share(links[:0, 0], links[:0, 1], first, last, segment) == 0


def test_links_along_the_path_are_near_and_exchanged_halves_are_not():
    first = last = np.arange(20)
    pieces = np.arange(20 * SEGMENT)
    assert far_share(pieces, pieces, first, last, SEGMENT) == 0
    assert far_share(pieces, np.roll(pieces, 80), first, last, SEGMENT) == 1
    assert far_share(pieces, np.roll(pieces, NEAR), first, last, SEGMENT) < 0.1  # the ends alone
