"""Tests of the lexicon: counts and frequencies, order, probabilities, TSV."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.lexicon import Entry, Lexicon, format_tsv

WORDS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4)


@st.composite
def linked_pairs(draw, probability):
    source, target = draw(WORDS), draw(WORDS)
    link = st.tuples(st.integers(0, len(source) - 1), st.integers(0, len(target) - 1))
    return source, target, draw(st.dictionaries(link, probability, max_size=6))


def count(pairs):
    lexicon = Lexicon()
    for pair in pairs:
        lexicon.add(*pair)
    return lexicon


PAIRS = [
    (["das", "Haus"], ["the", "house"], {(0, 0): 0.5, (1, 1): 1.0}),
    (["das", "das"], ["the", "that"], {(0, 0): 0.75, (1, 1): 0.25}),
    (["die"], ["the"], {(0, 0): 0.25}),
]


def test_counts_frequencies_and_mean_probabilities():
    assert count(PAIRS).entries() == [
        Entry("das", "the", 2, 2 / 3, 2 / 3, 0.625),
        Entry("Haus", "house", 1, 1.0, 1.0, 1.0),
        Entry("das", "that", 1, 1 / 3, 1.0, 0.25),
        Entry("die", "the", 1, 1.0, 1 / 3, 0.25),
    ]


def test_tsv():
    assert "".join(format_tsv(count(PAIRS), min_count=2)) == (
        "source\ttarget\tcount\tp(target|source)\tp(source|target)\tmean probability\ndas\tthe\t2\t0.666667\t0.666667\t0.6250\n"
    )


def test_one_link_without_a_probability_takes_the_column_away():
    lexicon = count([*PAIRS, (["x"], ["y"], {(0, 0): None})])
    assert not lexicon.has_probabilities
    assert all(entry.probability is None for entry in lexicon.entries())
    header, first, *_ = format_tsv(lexicon)
    assert header == "source\ttarget\tcount\tp(target|source)\tp(source|target)\n"
    assert first == "das\tthe\t2\t0.666667\t0.666667\n"


def test_words_that_would_break_a_row_are_escaped_so_that_they_can_be_told_apart():
    lexicon = count([(["a\tb"], ["a\\tb\r"], {(0, 0): None})])
    assert list(format_tsv(lexicon))[1] == "a\\tb\ta\\\\tb\\r\t1\t1.000000\t1.000000\n"


def test_no_links():
    assert list(format_tsv(count([(["a"], ["b"], {})]))) == [
        "source\ttarget\tcount\tp(target|source)\tp(source|target)\tmean probability\n"
    ]


@given(st.lists(linked_pairs(st.none() | st.floats(0, 1)), max_size=8))
def test_each_link_is_counted_once_and_frequencies_of_a_word_sum_to_one(pairs):
    entries = count(pairs).entries()
    expected = Counter((source[i], target[j]) for source, target, links in pairs for i, j in links)
    assert {(entry.source, entry.target): entry.count for entry in entries} == expected
    for side, frequency in (("source", "p_target"), ("target", "p_source")):
        sums: Counter = Counter()
        for entry in entries:
            sums[getattr(entry, side)] += getattr(entry, frequency)
        assert list(sums.values()) == pytest.approx([1.0] * len(sums))


@given(st.lists(linked_pairs(st.none()), max_size=8), st.randoms(), st.integers(1, 3))
def test_order_depends_on_nothing_but_the_entries(pairs, random, min_count):
    entries = count(pairs).entries(min_count)
    assert entries == sorted(entries, key=lambda entry: (-entry.count, entry.source, entry.target))
    assert entries == [entry for entry in count(pairs).entries() if entry.count >= min_count]
    random.shuffle(pairs)
    assert count(pairs).entries(min_count) == entries
