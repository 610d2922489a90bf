"""The exact search against a plain transcription: ties, copies, zeros, blocks of odd sizes, both directions, the margin."""

import numpy as np
import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer import retrieval_search
from xlm_align_fairseq.transfer.retrieval_search import nearest, search


def plain(x, y, k=None):
    """Return the scores of all pairs by loops over lists, (N, M); 0 / 0 is lower than all."""

    def cosine(a, b):
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / lengths if lengths else 0.0

    similar = [[cosine(a, b) for b in y] for a in x]
    if k is None:
        return np.array(similar)
    rows = [sum(sorted(row)[-k:]) / (2 * k) for row in similar]
    columns = [sum(sorted(row[j] for row in similar)[-k:]) / (2 * k) for j in range(len(y))]
    means = [[rows[i] + columns[j] for j in range(len(y))] for i in range(len(x))]
    return np.array(
        [[a / b if a or b else -np.inf for a, b in zip(*both, strict=True)] for both in zip(similar, means, strict=True)]
    )


def check(hits, scores, **tolerance):
    """Each hit has the highest score there is."""
    found = scores[np.arange(len(scores)), hits.indices]
    np.testing.assert_allclose(found, scores.max(1), **tolerance)
    np.testing.assert_allclose(hits.scores, scores.max(1), **tolerance)


@pytest.fixture(params=[(4096, 1024, 32), (8, 8, 4), (7, 9, 4), (64, 5, 2)], ids=str)
def blocks(request, monkeypatch):
    for name, size in zip(("_ROWS", "_COLUMNS", "_GROUP"), request.param, strict=True):
        monkeypatch.setattr(retrieval_search, name, size)


SIZES = [(1, 1), (5, 4), (17, 33), (40, 11), (61, 64)]


@pytest.mark.parametrize(("n", "m", "k"), [(*size, k) for size in SIZES for k in (None, 1, 2, 4) if (k or 1) <= min(size)])
def test_both_directions_are_those_of_loops(blocks, n, m, k):
    draw = np.random.default_rng(n)
    centre = 0.6 * draw.normal(
        size=12
    )  # as those of encoders, vectors are all similar: the bound decides for some and not for others
    x, y = draw.normal(size=(n, 12)) + centre, draw.normal(size=(m, 12)) + centre
    y[:1] = 3 * x[-1:]
    forward, backward = search(x, y, k)
    scores = plain(x, y, k)
    check(forward, scores, rtol=1e-4, atol=1e-6)
    check(backward, scores.T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("k", [None, 1, 4])
def test_of_equal_ones_the_lower_index(blocks, k):
    draw = np.random.default_rng(2)
    y = draw.normal(size=(50, 33)).astype(np.float32)
    y[[7, 40]] = y[23]
    for hits in search(y, y, k):
        assert hits.indices.tolist() == [7 if n in (23, 40) else n for n in range(50)]


def test_equal_cosines_of_different_vectors(blocks):
    x = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    y = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]] * 9)
    assert nearest(x, y).tolist() == [1, 0]  # zeros have the cosine 0 with all
    assert nearest(y, x).tolist() == [0] * 27  # of the third axis, too: both are 0


def test_zeros_never_win_a_margin(blocks):
    x = np.zeros((9, 3))
    x[3:] = np.random.default_rng(3).uniform(0.5, 1, (6, 3))
    forward, backward = search(x, x.copy(), 2)
    for hits in (forward, backward):
        assert hits.indices[3:].tolist() == [3, 4, 5, 6, 7, 8]
        assert hits.indices[:3].tolist() == [3, 3, 3]  # 0 / 0 with other zeros, 0 with the rest: the first of these
        assert not np.isnan(hits.scores).any()


def test_the_margin_is_not_searched_among_the_nearest_alone():
    angles = np.radians([0, 9, 10, 11, 12, 40])  # four in a crowd; the last one is far from all and has no near neighbours
    y = np.stack([np.cos(angles), np.sin(angles)], 1)
    x = np.stack([np.cos(np.radians([25, 9, 10, 11, 12])), np.sin(np.radians([25, 9, 10, 11, 12]))], 1)
    assert nearest(x, y)[0] == 4
    assert nearest(x, y, 4)[0] == plain(x, y, 4)[0].argmax() == 5


def test_other_types_of_numbers():
    x = np.random.default_rng(4).normal(size=(20, 8)).astype(np.float16)
    assert nearest(x, x[::-1]).tolist() == list(range(19, -1, -1))


@pytest.mark.parametrize(
    ("x", "y", "k", "said"),
    [
        (np.ones((2, 3)), np.ones((0, 3)), None, "no sentences to search among"),
        (np.ones((2, 3)), np.ones((2, 4)), None, "vectors of 3 and of 4 numbers"),
        (np.ones((9, 3)), np.ones((2, 3)), 4, "4 neighbours of 2 sentences; allowed is 1 to the number of sentences, 4 is usual"),
        (np.ones((9, 3)), np.ones((9, 3)), 0, "0 neighbours of 9"),
        (np.ones((2, 3)), np.array([[1.0, 2, 3], [1, np.nan, 2]]), None, "sentence 2 is not finite"),
        (np.array([[np.inf, 1, 1]]), np.ones((2, 3)), None, "sentence 1 is not finite"),
    ],
)
def test_what_is_refused(x, y, k, said):
    with pytest.raises(InputError, match=said):
        search(x, y, k)
