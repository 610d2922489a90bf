"""Tests of words with places: the words that links count, each where it stands in the untouched line, nothing in between lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.tokenize import split_words, tokenizer
from xlm_align_fairseq.text.words import Word, between_spaces, find_words, word_maker

NAMES = ("none", "13a", "intl", "zh", "char")
SOME = [
    "Hannover",
    ",",
    "…",
    "3.5",
    "don't",
    " ",
    "  ",
    "\t",
    "\u00a0",
    "\u2028",
    "我爱",
    "。",
    "𠀀𠀁",
    "привет",
    "—",
    "é",
    "e\u0301",
]
READ_OTHERWISE = ["&quot;", "&amp;", "&lt;", "&gt;", "&amp;lt;", "&quot", "<skipped>", "<skip<skipped>ped>"]
LINES = st.lists(st.sampled_from([*SOME, *READ_OTHERWISE]), max_size=12).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize("name", NAMES)
@given(line=LINES)
def test_they_are_the_words_of_the_tokeniser_in_order_and_apart(name, line):
    words = word_maker(name)(line)
    assert [word.text for word in words] == split_words(tokenizer(name)(line))
    places = [at for word in words for at in word[1:]]
    assert places == sorted(places)
    assert not places or (places[0] >= 0 and places[-1] <= len(line))


@pytest.mark.parametrize("name", NAMES)
@given(line=LINES)
def test_the_slice_is_the_word_and_only_space_is_between(name, line):
    if name == "13a" and ("&" in line or "<skipped>" in line):
        return
    words = word_maker(name)(line)
    assert [line[word.begin : word.end] for word in words] == [word.text for word in words]
    ends = [0, *(word.end for word in words)]
    begins = [*(word.begin for word in words), len(line)]
    assert "".join(line[end:begin] for end, begin in zip(ends, begins, strict=True)).strip() == ""


@given(line=st.lists(st.sampled_from([*SOME, *READ_OTHERWISE]), max_size=12).map("".join))
def test_13a_reads_four_references_as_characters_and_the_places_are_those_of_the_references(line):
    replaced = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">", "&amp;lt;": "<", "<skipped>": ""}
    for word in word_maker("13a")(line):
        piece = line[word.begin : word.end]
        for old in sorted(replaced, key=len, reverse=True):
            piece = piece.replace(old, replaced[old])
        assert piece == word.text
        assert piece


@pytest.mark.parametrize(
    ("name", "line", "pieces"),
    [
        ("13a", "Hannover, dann …", ["Hannover", ",", "dann", "…"]),
        ("13a", "&quot;Ja&quot; &amp;lt; x", ["&quot;", "Ja", "&quot;", "&amp;lt;", "x"]),
        ("13a", "a<skipped>b", ["a<skipped>b"]),
        ("13a", "<skipped>", []),
        ("intl", "«Ja», 3.5", ["«", "Ja", "»", ",", "3.5"]),
        ("zh", " 我爱你\u3000ok.", ["我", "爱", "你", "ok", "."]),
        ("char", "a\tb c", ["a", "\t", "b", "c"]),
        ("none", "a  b\u00a0c ", ["a", "", "b\u00a0c", ""]),
        ("none", "", []),
    ],
)
def test_places_by_hand(name, line, pieces):
    assert [line[word.begin : word.end] for word in word_maker(name)(line)] == pieces


def test_empty_words_have_places_of_their_own():
    assert between_spaces(" a") == [Word("", 0, 0), Word("a", 1, 2)]
    assert [word.begin for word in between_spaces("a   b")] == [0, 2, 3, 4]


def test_a_word_of_what_the_line_has_not_is_looked_for_and_else_empty():
    """The rule for tokenisers that read other characters than the line has."""
    assert find_words("ab cd ef", ["ab", "CD", "ef"]) == [Word("ab", 0, 2), Word("CD", 2, 2), Word("ef", 6, 8)]


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="no tokeniser 'moses'"):
        word_maker("moses")
