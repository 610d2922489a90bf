"""Tests of precision and recall over thresholds: against one count a threshold, and by hand."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.curve import MarkedLinks
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.metrics import Counts, count

LINK = st.tuples(st.integers(0, 3), st.integers(0, 3))
# Few values, so that probabilities are often equal to one another and to a threshold.
PROBABILITY = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 0.9999, 1.0]), st.floats(0, 1))
PAIR = st.tuples(
    st.dictionaries(LINK, PROBABILITY, max_size=8),
    st.builds(lambda sure, more: Gold(sure, sure | more), st.frozensets(LINK, max_size=5), st.frozensets(LINK, max_size=3)),
)
CORPUS = st.lists(PAIR, max_size=5)


def apart(corpus):
    return [links for links, _ in corpus], [gold for _, gold in corpus]


def marked(links, gold):
    every = MarkedLinks()
    for one, right in zip(links, gold, strict=True):
        every.add(one, right)
    return every


def curve(links, gold, thresholds):
    return marked(links, gold).curve(thresholds)


def by_hand(corpus, threshold):
    kept = ([link for link, probability in links.items() if probability >= threshold] for links, _ in corpus)
    return sum((count(links, gold) for links, (_, gold) in zip(kept, corpus, strict=True)), Counts())


@given(CORPUS, st.lists(PROBABILITY, max_size=6))
@example([], [0.0])
@example([({}, Gold(frozenset(), frozenset()))], [0.0, 1.0])
def test_a_curve_is_filtering_then_counting(corpus, thresholds):
    expected = [(threshold, by_hand(corpus, threshold)) for threshold in thresholds]
    found = curve(*apart(corpus), thresholds)
    assert found == expected
    assert all(type(number) is int for _, counts in found for number in vars(counts).values())  # JSON knows no other


@given(CORPUS, st.lists(PROBABILITY, min_size=2, max_size=6).map(sorted))
def test_recall_never_rises_with_the_threshold(corpus, thresholds):
    recalls = [counts.recall for _, counts in curve(*apart(corpus), thresholds)]
    assert recalls == sorted(recalls, reverse=True)


@given(CORPUS)
def test_threshold_zero_is_the_plain_score(corpus):
    ((_, counts),) = curve(*apart(corpus), [0.0])
    assert counts == sum((count(links, gold) for links, gold in corpus), Counts())


def test_numbers_worked_by_hand():
    # S = {0-0, 1-1}, P adds 1-2. From 0.5 on: 0-0 (sure), 1-2 (possible); from 0.9 on: 1-2 alone.
    gold = [Gold(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (1, 1), (1, 2)}))]
    links = [{(0, 0): 0.5, (0, 2): 0.1, (1, 2): 0.95}]
    found = dict(curve(links, gold, [0.0, 0.5, 0.95, 0.99]))
    assert (found[0.0].precision, found[0.0].recall, found[0.0].aer) == pytest.approx((2 / 3, 1 / 2, 2 / 5))
    assert (found[0.5].precision, found[0.5].recall, found[0.5].aer) == pytest.approx((1, 1 / 2, 1 / 4))
    assert (found[0.95].precision, found[0.95].recall, found[0.95].aer) == pytest.approx((1, 0, 2 / 3))
    assert found[0.99].hypothesis == 0


def test_the_order_of_thresholds_is_kept():
    assert [threshold for threshold, _ in curve([], [], [0.5, 0.1, 0.5])] == [0.5, 0.1, 0.5]


@given(CORPUS, st.integers(2, 6))
def test_spread_thresholds_are_probabilities_with_both_ends(corpus, most):
    links, _ = apart(corpus)
    distinct = sorted({probability for one in links for probability in one.values()})
    found = marked(*apart(corpus)).spread(most)
    assert found == sorted(set(found))
    assert set(found) <= set(distinct)
    assert len(found) <= most
    if len(distinct) <= most:
        assert found == distinct
    else:
        assert (found[0], found[-1]) == (distinct[0], distinct[-1])


def test_spread_thresholds_keep_numbers_of_links_that_are_apart():
    # 1,000 links crowd between 0.9 and 1 and 10 lie below: no step may leave out many links.
    links = [{(0, n): n / 20 for n in range(10)} | {(1, n): 0.9 + n / 10_000 for n in range(1000)}]
    found = marked(links, [Gold(frozenset(), frozenset())]).spread(100)
    numbers = [counts.hypothesis for _, counts in curve(links, [Gold(frozenset(), frozenset())], found)]
    assert numbers[0] == 1010
    assert max(a - b for a, b in pairwise(numbers)) <= 11


@pytest.mark.parametrize(
    ("links", "thresholds", "text"),
    [
        ([], [1.5], "threshold 1.5; allowed is 0..1"),
        ([], [-0.1], "threshold -0.1; allowed is 0..1"),
        ([], [float("nan")], "threshold nan; allowed is 0..1"),
    ],
)
def test_refusals(links, thresholds, text):
    with pytest.raises(InputError, match=re.escape(text)):
        curve(links, [], thresholds)
