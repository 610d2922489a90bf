"""Scores of what was projected: against slow transcriptions, seqeval, and numbers by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.links.projection import Span, read_bio
from xlm_align_fairseq.transfer.projection_scores import SpanScores, WordScores, score_projected_answers
from xlm_align_fairseq.transfer.tag_scores import f1_by_type, score_ner

TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=6, max_size=6)
CORPUS = st.lists(st.tuples(TAGS, TAGS, TAGS), min_size=1, max_size=5)


def spans(tags):
    return read_bio(tags)[0]


def scored(corpus):
    scores = SpanScores()
    for source, projected, gold in corpus:
        scores.add(spans(source), spans(projected), spans(gold))
    return scores


def f1(correct, one, other):
    return 200 * correct / (one + other) if one + other else 0.0


@settings(deadline=None)
@given(CORPUS)
def test_spans_are_scored_as_seqeval_scores_them(corpus):
    scores = scored(corpus)
    gold, projected = [row[2] for row in corpus], [row[1] for row in corpus]
    wanted = score_ner(gold, projected).values()
    assert {name: scores.table().values()[name] for name in ("f1", "precision", "recall")} == pytest.approx(
        {name: wanted[name] for name in ("f1", "precision", "recall")}
    )
    by_type = {kind: table.values() for kind, table in scores.by_type().items()}
    for kind, table in f1_by_type(gold, projected).items():
        assert {name: by_type[kind][name] for name in table.values()} == pytest.approx(table.values())


@given(CORPUS)
def test_ceiling_and_spans_without_types_by_plain_loops(corpus):
    least = both = same = n_projected = n_gold = 0
    for row in corpus:
        source, projected, gold = map(spans, row)
        for kind in "XY":
            one, other = (sum(span.tag == kind for span in side) for side in (source, gold))
            least += min(one, other)
            both += one + other
        same += sum(any(a.words == b.words for b in gold) for a in projected)
        n_projected, n_gold = n_projected + len(projected), n_gold + len(gold)
    values = scored(corpus).table().values()
    assert values["ceiling"] == pytest.approx(f1(least, both, 0))
    assert values["f1_without_types"] == pytest.approx(f1(same, n_projected, n_gold))
    assert values["f1_without_types"] >= values["f1"]


def test_types_add_up_to_all():
    corpus = [
        (["B-X", "B-Y", "O"], ["B-X", "O", "B-Y"], ["B-X", "O", "B-X"]),
        (["B-X", "O", "O"], ["O", "O", "O"], ["B-X", "O", "B-Y"]),
    ]
    scores = scored(corpus)
    sums = scores.table().sums()
    assert sums == {"correct": 1, "projected": 2, "gold": 4, "source": 3, "reachable": 2, "correct_without_types": 2}
    types = {kind: table.sums() for kind, table in scores.by_type().items()}
    assert {name: types["X"][name] + types["Y"][name] for name in types["X"]} == {name: sums[name] for name in types["X"]}
    assert types["Y"] == {"correct": 0, "projected": 1, "gold": 1, "source": 1, "reachable": 0}
    assert scores.table().values()["ceiling"] == pytest.approx(100 * 2 * 2 / 7)
    assert scores.by_type()["X"].values()["ceiling"] == pytest.approx(100 * 2 * 2 / 5)


def test_no_span_at_all():
    scores = SpanScores()
    scores.add([], [], [])
    assert set(scores.table().values().values()) == {0.0}
    assert scores.by_type() == {}
    scores.add([Span(range(1), "X")], [], [])
    assert scores.by_type()["X"].values() == {"f1": 0, "precision": 0, "recall": 0, "ceiling": 0}


def test_words():
    scores = WordScores()
    scores.add(["DET", None, "NOUN", "VERB"], ["DET", "ADJ", "NOUN", "AUX"])
    scores.add([], [])
    scores.add([None], ["_"])  # an unlinked word is never right, whatever the mark for it
    table = scores.table()
    assert table.sums() == {"right": 2, "linked": 3, "words": 5}
    assert table.values() == pytest.approx({"accuracy": 40, "accuracy_linked": 200 / 3, "linked": 60})
    assert len(table.rows) == 3


def test_answers_left_out_count_nothing_and_are_seen():
    gold = {"a": ["Rome"], "b": ["the old town", "town"], "c": ["Bonn"]}
    table = score_projected_answers(gold, {"a": "Rome.", "b": "old house", "x": "no matter"})
    assert table.values() == pytest.approx(
        {"exact_match": 100 / 3, "f1": 50, "exact_match_linked": 50, "f1_linked": 75, "linked": 200 / 3}
    )
    assert table.unit == "questions"
