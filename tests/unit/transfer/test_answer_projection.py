"""Answers over links: which words, which punctuation, exact places."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.text.words import between_spaces, word_maker
from xlm_align_fairseq.transfer.answer_projection import AnswerProjector
from xlm_align_fairseq.transfer.paragraphs import Answer


def project(source, answer, target, links, max_gap=1, tokenizer="none"):
    """Project the first place of an answer over links such as `0-1 2-3`."""
    pairs = {tuple(map(int, link.split("-"))): None for link in links.split()}
    words = word_maker(tokenizer)
    projector = AnswerProjector(source, target, words(source), words(target), pairs, max_gap)
    found = projector.project(Answer(answer, source.index(answer)))
    if found is not None:
        assert target[found.start : found.start + len(found.text)] == found.text
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("source", "answer", "target", "links", "text"),
    [
        ("Ann lives in Rome.", "Rome", "Ann lebt in Rom.", "3-3", "Rom"),
        ("Ann lives in Rome.", "Rome.", "Ann lebt in Rom.", "3-3", "Rom."),  # the answer has its full stop
        ("Ann (Anna) left.", "Anna", "Ann («Anna») ging.", "1-1", "Anna"),
        ("Ann (Anna) left.", "Ann (Anna)", "Ann (Anna), ging.", "0-0 1-1", "Ann (Anna),"),  # nothing says what the comma is
        ("Ann (Anna), left.", "Ann (Anna)", "Ann (Anna), ging.", "0-0 1-1", "Ann (Anna)"),  # it stands behind the answer here
        ("in the 1960s, in Bonn", "1960", "in den 1960ern, in Bonn", "2-2", "1960ern"),  # a part of a word has the word
        ("He saw the red car now", "red car", "Er sah nun das rote, schnelle Auto", "3-4 4-6", "rote, schnelle Auto"),
        ("He saw the red car now", "red car", "Er sah rot und dann ein Auto", "3-2 4-6", "rot"),  # the gap is too wide
        ("He saw it", "saw", "Er hat es gesehen", "0-0 2-2", None),
        ("a — b", "—", "a – b", "1-1", "–"),  # punctuation alone stays
        ("a b c", "b", "a - c", "1-1", "-"),  # nothing would be left
        ("It cost $5.", "$5", "Es kostete 5 $.", "2-2 2-3", "5 $"),
        ("a\u00a0b c", "b", "x\u00a0y z", "0-0", "x\u00a0y"),
        ("He is Ann.", "Ann", "Er ist \ufeffAnn\u200e.", "2-2", "Ann"),  # what no reader sees
        ("😀 Ann 😀", "Ann", "😀😀 „Ann“", "1-1", "Ann"),
    ],
)
def test_by_hand(source, answer, target, links, text):
    assert project(source, answer, target, links) == text


def test_words_of_a_tokeniser_are_smaller():
    assert project("He (Ann), left.", "Ann", "Er («Ann»), ging.", "2-2", tokenizer="13a") == "Ann"
    assert project("我们去汉诺威。", "汉诺威", "Hannover 我去汉。", "3-2 4-3 5-3", tokenizer="zh") == "去汉"


def test_the_gap():
    arguments = ("He saw the red car now", "red car", "Er sah rot und dann ein Auto", "3-2 4-6")
    assert project(*arguments, max_gap=3) == "rot und dann ein Auto"
    assert project(*arguments, max_gap=2) == "rot"


TEXT = st.text(st.sampled_from("ab.,«» (2"), min_size=1, max_size=14)


@given(st.data())
def test_answers_are_linked_words_without_punctuation_that_is_not_theirs(data):
    source, target = data.draw(TEXT), data.draw(TEXT)
    begin = data.draw(st.integers(0, len(source) - 1))
    text = source[begin : data.draw(st.integers(begin + 1, len(source)))]
    source_words, target_words = between_spaces(source), between_spaces(target)
    link = st.tuples(st.integers(0, len(source_words) - 1), st.integers(0, len(target_words) - 1))
    links = data.draw(st.dictionaries(link, st.none(), max_size=6))
    found = AnswerProjector(source, target, source_words, target_words, links, 100).project(Answer(text, begin))
    touched = [n for n, word in enumerate(source_words) if word.end > begin and word.begin < begin + len(text)]
    linked = [target_words[j] for i, j in sorted(links, key=lambda link: link[1]) if i in touched]
    whole = target[linked[0].begin : linked[-1].end] if linked else ""
    if not whole.strip() or not text.strip():
        assert found is None
        return
    assert found is not None
    assert target[found.start : found.start + len(found.text)] == found.text
    assert linked[0].begin <= found.start
    assert found.start + len(found.text) <= linked[-1].end
    cut = whole.replace(found.text, "", 1)
    assert all(char.isspace() or unicodedata.category(char)[0] == "P" for char in cut)
    if unicodedata.category(text.strip()[0])[0] != "P" and any(char.isalnum() for char in whole):
        assert found.text[0].isalnum()
    assert found.text
