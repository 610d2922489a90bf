"""Files and scores of sentence retrieval."""

import numpy as np
import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.retrieval import distinct, mine, score_lines
from xlm_align_fairseq.transfer.retrieval_files import (
    Candidate,
    Identified,
    candidate_lines,
    has_scores,
    read_candidates,
    read_id_pairs,
    read_identified,
    read_indices,
    read_translations,
    write_id_pairs,
    write_indices,
)
from xlm_align_fairseq.transfer.retrieval_scores import above, best_threshold, score_id_pairs, score_indices
from xlm_align_fairseq.transfer.retrieval_search import Hits, search


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


def test_lines_and_copies_of_the_right_text():
    hits = Hits(np.array([0, 0, 2]), np.ones(3, np.float32)), Hits(np.array([1, 1, 0]), np.ones(3, np.float32))
    tables = score_lines(hits, ["a", "a", "b"], ["x", "x", "y"])
    assert tables["forward"].sums() == {"right": 2, "same_text": 1, "all": 3}
    assert tables["backward"].sums() == {"right": 1, "same_text": 1, "all": 3}  # the last one has another text
    assert tables["forward"].values()["accuracy"] == pytest.approx(200 / 3)


def test_mined_pairs_have_each_sentence_once():
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(30, 6)), draw.normal(size=(20, 6))
    found = search(x, y, 4)
    source, target = [f"s{n}" for n in range(30)], [f"t{n}" for n in range(20)]
    pairs = mine(found, source, target)
    assert [pair.score for pair in pairs] == sorted((pair.score for pair in pairs), reverse=True)
    assert len({pair.source for pair in pairs}) == len({pair.target for pair in pairs}) == len(pairs)
    wanted: list[tuple[str, str]] = []  # greedily, from all candidates of both directions
    rows = [(-s, n, j) for n, (j, s) in enumerate(zip(*found[0], strict=True))]
    rows += [(-s, i, n) for n, (i, s) in enumerate(zip(*found[1], strict=True))]
    for _, i, j in sorted(rows):
        if not any(source[i] == a or target[j] == b for a, b in wanted):
            wanted.append((source[i], target[j]))
    assert [(pair.source, pair.target) for pair in pairs] == wanted


def test_candidates_are_read_back(file):
    candidates = [Candidate(float(np.float32(1.1)), "a", "x"), Candidate(0.25, "b", "y")]
    assert read_candidates(file("".join(candidate_lines(candidates)))) == candidates


def test_repeated_sentences_have_their_first_id():
    sentences = [Identified("a", "Ja."), Identified("b", "Nein."), Identified("c", "Ja."), Identified("d", "")]
    assert distinct(sentences) == (["a", "b", "d"], ["Ja.", "Nein.", ""], 1)


def test_best_threshold_by_hand():
    candidates = [Candidate(s, a, b) for s, a, b in [(1, "c", "z"), (3, "a", "x"), (2, "b", "q"), (2, "b", "y")]]
    gold = [("a", "x"), ("b", "y")]
    assert best_threshold(candidates, gold) == 1.5  # equal scores are not parted: 2 of 3 right beats 1 of 1
    values = score_id_pairs(gold, above(candidates, 1.5)).values()
    assert values == {"f1": 80, "precision": pytest.approx(200 / 3), "recall": 100}
    assert best_threshold(candidates[:1], gold) == float("inf")
    assert best_threshold([candidates[1]], gold) == 3  # all are taken
    assert score_id_pairs(gold, []).values() == {"f1": 0, "precision": 0, "recall": 0}
