"""Files and scores of sentence retrieval."""

import numpy as np
import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.retrieval_files import (
    Candidate,
    has_scores,
    read_candidates,
    read_id_pairs,
    read_identified,
    read_indices,
    read_translations,
    write_id_pairs,
    write_indices,
)
from xlm_align_fairseq.transfer.retrieval_scores import above, best_threshold, nearest, score_id_pairs, score_indices


@pytest.fixture
def file(tmp_path):
    def write(content, name="f"):
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return write


def test_files_are_read(file, tmp_path):
    assert read_translations(file("a\r\n\n", "a"), file("x\ny\n", "b")) == [("a", "x"), ("", "y")]
    assert read_identified(file("de-1\ta\tb\nde-2\ta\tb\n")) == [("de-1", "a\tb"), ("de-2", "a\tb")]  # no id is lost
    assert read_candidates(file("1.5\ta\tx\n\n-2e-1\tb\ty\n")) == [Candidate(1.5, "a", "x"), Candidate(-0.2, "b", "y")]
    assert read_id_pairs(file("a\tx\na\tx\n")) == [("a", "x")]
    write_indices(tmp_path / "o", [3, 0])
    assert read_indices(tmp_path / "o") == [3, 0]
    write_id_pairs(tmp_path / "o", [("a", "x"), ("b", "y")])
    assert read_id_pairs(tmp_path / "o") == [("a", "x"), ("b", "y")]
    assert not has_scores(tmp_path / "o")
    assert has_scores(file("1\ta\tx\n"))


REFUSED = [
    (read_identified, "de-1\ta\nb\n", "f:2: 'b' is no id, a tab and a sentence"),
    (read_identified, "de-1\ta\nde-1\tb\n", "f:2: the id 'de-1' is that of line 1"),
    (read_candidates, "1\ta\tx\nb\ty\n", "f:2: .* is not a score and two ids"),
    (read_candidates, "x\ta\tx\n", "f:1: .* is not a score"),
    (read_candidates, "nan\ta\tx\n", "f:1: the score 'nan'; allowed are finite numbers"),
    (read_id_pairs, "a\n", "f:1: 'a' is not two ids"),
    (read_indices, "0\n-1\n", "f:2: '-1' is no line number"),
    (read_indices, "0\n\n1\n", "f:2: '' is no line number"),
    (read_indices, "²\n", "f:1: '²' is no line number"),
]


@pytest.mark.parametrize(("reader", "content", "said"), REFUSED)
def test_what_is_refused(reader, content, said, file):
    with pytest.raises(InputError, match=said):
        reader(file(content))


def test_other_numbers_of_lines(file):
    with pytest.raises(InputError, match="b: 1 lines, but 2 lines in"):
        read_translations(file("a\nb\n", "a"), file("x\n", "b"))
    with pytest.raises(InputError, match="1 predicted lines for 2"):
        score_indices([0, 1], [0])


def slow_nearest(x, y, k):
    """Return the nearest by loops over lists."""
    cosine = lambda a, b: float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))  # noqa: E731
    similar = [[cosine(a, b) for b in y] for a in x]
    if k is not None:
        rows = [sum(sorted(row)[-k:]) / (2 * k) for row in similar]
        columns = [sum(sorted(row[j] for row in similar)[-k:]) / (2 * k) for j in range(len(y))]
        similar = [[value / (rows[i] + columns[j]) for j, value in enumerate(row)] for i, row in enumerate(similar)]
    return [max(range(len(y)), key=lambda j: row[j]) for row in similar]


@pytest.mark.parametrize("k", [None, 1, 4])
def test_nearest_is_that_of_loops(k, monkeypatch):
    monkeypatch.setattr("xlm_align_fairseq.transfer.retrieval_scores._CELLS", 40)  # several blocks
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(17, 5)), draw.normal(size=(11, 5))
    assert nearest(x, y, k).tolist() == slow_nearest(x, y, k)


def test_of_equal_ones_the_lower_index():
    draw = np.random.default_rng(2)
    y = draw.normal(size=(50, 33)).astype(np.float32)
    y[[7, 40]] = y[23]
    assert nearest(y, y).tolist() == [7 if n in (23, 40) else n for n in range(50)]
    with pytest.raises(InputError, match="60 neighbours of 50 sentences"):
        nearest(y, y, 60)


def test_best_threshold_by_hand():
    candidates = [Candidate(s, a, b) for s, a, b in [(1, "c", "z"), (3, "a", "x"), (2, "b", "q"), (2, "b", "y")]]
    gold = [("a", "x"), ("b", "y")]
    assert best_threshold(candidates, gold) == 1.5  # equal scores are not parted: 2 of 3 right beats 1 of 1
    values = score_id_pairs(gold, above(candidates, 1.5)).values()
    assert values == {"f1": 80, "precision": pytest.approx(200 / 3), "recall": 100}
    assert best_threshold(candidates[:1], gold) == float("inf")
    assert best_threshold([candidates[1]], gold) == 3  # all are taken
    assert score_id_pairs(gold, []).values() == {"f1": 0, "precision": 0, "recall": 0}
