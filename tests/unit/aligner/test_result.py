"""Formats and scores of an alignment."""

import json

import pytest

from xlm_align_fairseq.aligner.result import FORMATS, Alignment
from xlm_align_fairseq.links.confidence import sentence_score

FOUND = Alignment(["ein", "", "Haus"], ["a", "big", "house"], {(0, 0): 0.75, (2, 1): 0.25, (2, 2): 0.5}, ("unknown",))


def test_formats():
    assert FOUND.format("pharaoh") == str(FOUND) == "0-0 2-1 2-2"
    assert FOUND.format("probabilities") == "0-0:0.7500 2-1:0.2500 2-2:0.5000"
    assert FOUND.format("words") == "ein<sep>a Haus<sep>big Haus<sep>house"
    assert json.loads(FOUND.format("jsonl")) == {
        "source": ["ein", "", "Haus"],
        "target": ["a", "big", "house"],
        "links": [[0, 0], [2, 1], [2, 2]],
        "probabilities": [0.75, 0.25, 0.5],
        "score": 0.55,
        "flags": ["unknown"],
    }


@pytest.mark.parametrize("name", FORMATS)
def test_no_links_in_every_format(name):
    line = Alignment(["a"], [], {}, ("blank",)).format(name)
    assert json.loads(line)["score"] == 0 if name == "jsonl" else line == ""


def test_whatever_words_hold_a_record_is_one_line():
    words = ["a\nb", "\u2028", "\x00", '"', "\\"]
    line = Alignment(words, words, {(0, 0): 1.0}).format("jsonl")
    assert "\n" not in line
    assert json.loads(line)["source"] == words


def test_the_score_is_the_mean_over_the_words_of_both_sides():
    assert FOUND.score == pytest.approx((0.75 + 0.5 + 0.75 + 0.25 + 0.5) / 5)  # the empty word does not count
    assert sentence_score({}, 3, 4) == 0
    assert sentence_score({}, 0, 0) == 0
    assert sentence_score({(0, 0): 1.0, (1, 1): 1.0}, 2, 2) == 1
