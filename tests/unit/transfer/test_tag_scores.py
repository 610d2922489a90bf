"""Scores of tags: numbers by hand, those of other programs, and what always holds."""

import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer import tag_scores
from xlm_align_fairseq.transfer.tag_scores import f1_by_type, score_ner, score_pos, strict_spans, tag_runs

UPOS = ["NOUN", "VERB", "SCONJ", "CCONJ", "SYM", "X", "INTJ"]
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def runs(tags):
    """Return the runs of one tag by a plain loop: SCONJ and SYM are alone."""
    found = []
    for n, tag in enumerate(tags):
        if found and found[-1][0] == tag and tag not in ("SCONJ", "SYM"):
            found[-1] = (tag, found[-1][1], n)
        else:
            found.append((tag, n, n))
    return found


@settings(deadline=None)
@given(st.lists(st.sampled_from(UPOS), max_size=12))
def test_runs_are_those_of_a_plain_loop(tags):
    assert tag_runs(tags) == runs(tags)


def test_pos_has_two_numbers_by_hand():
    gold, predicted = [["NOUN", "NOUN", "VERB"]], [["NOUN", "NOUN", "NOUN"]]  # runs: gold NN V, predicted NNN: none right
    assert score_pos(gold, predicted).values() == {"accuracy": pytest.approx(200 / 3), "f1": 0, "precision": 0, "recall": 0}
    gold, predicted = [["SCONJ", "SCONJ"], ["SYM"]], [["SCONJ", "CCONJ"], ["SYM"]]  # 2 of 3 runs on either side
    assert score_pos(gold, predicted).values()["f1"] == pytest.approx(200 / 3)


def test_f1_of_pos_is_neither_accuracy_nor_seqeval_of_today():
    """seqeval#75 and xtreme#56: bare tags lose their first letter there, so that CCONJ and SCONJ are one type."""
    from seqeval.metrics import accuracy_score, f1_score

    gold, predicted = [["CCONJ", "NOUN", "NOUN", "PRON"]], [["SCONJ", "NOUN", "NOUN", "NOUN"]]
    values = score_pos(gold, predicted).values()
    with pytest.warns(UserWarning, match="not to be NE tag"):
        today = 100 * f1_score(gold, predicted)
    assert values["accuracy"] == pytest.approx(100 * accuracy_score(gold, predicted))
    assert len({round(values["f1"], 6), round(values["accuracy"], 6), round(today, 6)}) == 3


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.tuples(st.sampled_from(BIO), st.sampled_from(BIO)), min_size=1, max_size=6), min_size=1, max_size=5))
def test_ner_is_that_of_seqeval(pairs):
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    gold, predicted = [[a for a, _ in s] for s in pairs], [[b for _, b in s] for s in pairs]
    values = score_ner(gold, predicted).values()
    for prefix, how in (("", {}), ("strict_", {"mode": "strict", "scheme": IOB2})):
        for name, function in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            wanted = function(gold, predicted, zero_division=0, **how)
            assert values[f"{prefix}{name}"] == pytest.approx(100 * wanted), (prefix, name)


def test_a_tag_that_continues_nothing_begins_a_span_but_not_strictly():
    values = score_ner([["B-PER", "I-PER"]], [["I-PER", "I-PER"]]).values()
    assert (values["f1"], values["strict_f1"]) == (100, 0)
    assert strict_spans(["PER", "E-PER", "B-PER"]) == [("PER", 2, 2)]


def test_by_type():
    tables = f1_by_type([["B-PER", "O", "B-LOC"]], [["B-PER", "B-LOC", "B-LOC"]])
    assert {kind: table.values()["f1"] for kind, table in tables.items()} == {"LOC": pytest.approx(200 / 3), "PER": 100}


def test_counts_add_up_over_sentences_and_intervals_hold_the_value():
    source = random.Random(1)
    gold = [[source.choice(BIO) for _ in range(source.randint(1, 9))] for _ in range(40)]
    predicted = [[tag if source.random() < 0.8 else "O" for tag in tags] for tags in gold]
    whole, parts = score_ner(gold, predicted), [score_ner([a], [b]) for a, b in zip(gold, predicted, strict=True)]
    np.testing.assert_array_equal(whole.rows, np.concatenate([part.rows for part in parts]))
    intervals = whole.intervals(samples=200, seed=3)
    assert intervals == whole.intervals(samples=200, seed=3)
    for name, value in whole.values().items():
        low, high = intervals[name]
        assert low <= value <= high
        assert low < high
    assert set(score_ner(gold, gold).values().values()) == {100.0}


def test_without_seqeval(monkeypatch):
    monkeypatch.setitem(sys.modules, "seqeval.metrics.sequence_labeling", None)
    tag_scores._seqeval.cache_clear()
    with pytest.raises(InputError, match=r'pip install "xlm-align-fairseq\[transfer\]"'):
        score_pos([["X"]], [["X"]])


def test_other_numbers_of_words_are_refused():
    with pytest.raises(InputError, match="predicted tags of 0 sentences for 1"):
        score_pos([["X"]], [])
    with pytest.raises(InputError, match="sentence 2: 1 predicted tags for 2 words"):
        score_ner([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(InputError, match="no sentences to draw from"):
        score_pos([], []).intervals()
