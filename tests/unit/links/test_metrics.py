"""Tests of the measures, the intervals and the paired test."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links import metrics
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.metrics import Counts, CountTable, Paired, Resampled, count, paired_resampling, resampled_interval

LINKS = st.frozensets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=10)
PAIRS = st.lists(st.tuples(LINKS, LINKS, LINKS), min_size=1, max_size=6)


def counted(pairs):
    return [count(hypothesis, Gold(sure, sure | extra)) for hypothesis, sure, extra in pairs]


def corpus(seed, n=60, quality=0.8):
    """Make counts of n sentence pairs from plain arithmetic of a seeded generator."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        size = int(generator.integers(4, 20))
        good = int(generator.binomial(size, quality))
        made.append(Counts(size, 12, 15, min(good, 12), good, 1))
    return made


@given(PAIRS)
def test_counts_add_up_in_any_grouping(pairs):
    counts = counted(pairs)
    total = sum(counts, Counts())
    assert sum(counts) == total
    assert sum(counts[:2], Counts()) + sum(counts[2:], Counts()) == total
    assert total.sentences == len(pairs)
    assert total.hypothesis == sum(len(hypothesis) for hypothesis, _, _ in pairs)


@given(PAIRS)
def test_measures_stay_between_zero_and_one(pairs):
    total = sum(counted(pairs), Counts())
    for value in (total.aer, total.precision, total.recall, total.f1):
        assert 0 <= value <= 1


@given(LINKS, LINKS)
def test_aer_is_one_minus_f1_where_possible_is_sure(hypothesis, sure):
    counts = count(hypothesis, Gold(sure, sure))
    assert counts.aer == pytest.approx(1 - counts.f1)


@given(LINKS, LINKS)
def test_anything_between_sure_and_possible_is_free_of_errors(sure, extra):
    gold = Gold(sure, sure | extra)
    for hypothesis in (gold.sure, gold.possible):
        assert count(hypothesis, gold).aer == 0


def test_numbers_worked_by_hand():
    gold = Gold(frozenset({(0, 0), (1, 1), (2, 2)}), frozenset({(0, 0), (1, 1), (2, 2), (2, 3)}))
    counts = count([(0, 0), (1, 1), (2, 3), (3, 3), (3, 3)], gold)
    assert counts == Counts(4, 3, 4, 2, 3, 1)
    assert counts.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    assert counts.precision == 3 / 4
    assert counts.recall == 2 / 3
    assert counts.f1 == pytest.approx(2 * (3 / 4) * (2 / 3) / (3 / 4 + 2 / 3))


def test_corpus_aer_is_not_the_mean_over_sentences():
    easy, hard = Counts(9, 9, 9, 9, 9, 1), Counts(1, 1, 1, 0, 0, 1)
    assert (easy.aer, hard.aer) == (0, 1)
    assert (easy + hard).aer == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), (0, 1, 1, 1)),
        (Counts(sure=3, possible=3), (1, 1, 0, 0)),
        (Counts(hypothesis=3), (1, 0, 1, 0)),
        (Counts(hypothesis=2, possible=2, hypothesis_possible=2), (0, 1, 1, 1)),
        (Counts(hypothesis=2, sure=2, possible=2), (1, 0, 0, 0)),
    ],
)
def test_divisions_of_nothing_by_nothing(counts, expected):
    assert (counts.aer, counts.precision, counts.recall, counts.f1) == expected


def test_counts_do_not_add_to_other_things():
    with pytest.raises(TypeError):
        Counts() + 1
    with pytest.raises(TypeError):
        1 + Counts()


@given(PAIRS)
def test_a_table_of_counts_is_a_list_of_counts(pairs):
    counts = counted(pairs)
    table = CountTable(counts)
    assert list(table) == counts
    assert [len(table), table[-1], *table[1:]] == [len(counts), counts[-1], *counts[1:]]
    assert table.total() == sum(counts, Counts())
    assert all(type(number) is int for number in vars(table.total()).values())  # JSON knows no other
    with pytest.raises(IndexError):
        table[len(counts)]


def test_systems_that_are_drawn_together_are_as_each_for_itself():
    systems = [corpus(seed, quality=quality) for seed, quality in enumerate((0.8, 0.7, 0.9))]
    together = Resampled([systems[0], CountTable(systems[1]), systems[2]], samples=50, seed=3)
    for k, system in enumerate(systems):
        assert together.interval(k) == resampled_interval(system, samples=50, seed=3)
        assert together.paired(k) == paired_resampling(systems[0], system, samples=50, seed=3)


@pytest.mark.parametrize("seed", range(5))
def test_interval_holds_the_point_estimate_and_is_deterministic(seed):
    counts = corpus(seed)
    low, high = resampled_interval(counts)
    assert low < sum(counts, Counts()).aer < high
    assert (low, high) == resampled_interval(counts)
    assert (low, high) != resampled_interval(counts, seed=1)


@settings(max_examples=30, deadline=None)
@given(PAIRS)
def test_interval_stays_within_the_rates_of_the_sentences(pairs):
    counts = counted(pairs)
    low, high = resampled_interval(counts, samples=50)
    rates = [c.aer for c in counts if c.hypothesis + c.sure] or [0.0]
    anything = 0.0 if any(c.hypothesis + c.sure == 0 for c in counts) else min(rates)
    assert min(*rates, anything) - 1e-12 <= low <= high <= max(rates) + 1e-12


def test_interval_of_equal_sentences_is_a_point():
    counts = [Counts(4, 3, 4, 2, 3, 1)] * 7
    assert resampled_interval(counts, samples=20) == pytest.approx((2 / 7, 2 / 7))


def test_interval_agrees_with_a_plain_loop():
    counts = corpus(3, n=25)
    generator = np.random.default_rng(99)
    rates = [sum((counts[k] for k in generator.integers(0, 25, 25)), Counts()).aer for _ in range(4000)]
    assert resampled_interval(counts, samples=4000) == pytest.approx(np.percentile(rates, [2.5, 97.5]), abs=0.01)


def test_more_sentences_narrow_the_interval():
    few, many = corpus(1, n=50), corpus(1, n=50) * 16
    (low, high), (low_many, high_many) = resampled_interval(few), resampled_interval(many)
    assert (high_many - low_many) == pytest.approx((high - low) / 4, rel=0.2)


def test_pieces_do_not_change_the_draws(monkeypatch):
    counts, other = corpus(5), corpus(6)
    whole = resampled_interval(counts, samples=101), paired_resampling(counts, other, samples=101)
    monkeypatch.setattr(metrics, "_CELLS", 7 * 60)
    assert (resampled_interval(counts, samples=101), paired_resampling(counts, other, samples=101)) == whole


def test_a_system_does_not_differ_from_itself():
    counts = corpus(2)
    assert paired_resampling(counts, counts) == Paired(0.0, 0.0, 0.0, 1.0)


def test_paired_test_sees_a_clear_difference_and_its_sign():
    worse, better = corpus(1, quality=0.5), corpus(2, quality=0.9)
    test = paired_resampling(worse, better, samples=500)
    assert test.difference == pytest.approx(sum(better, Counts()).aer - sum(worse, Counts()).aer)
    assert test.low < test.difference < test.high < 0
    assert test.p_value == 1 / 501
    back = paired_resampling(better, worse, samples=500)
    assert (back.difference, back.low, back.high) == pytest.approx((-test.difference, -test.high, -test.low))
    assert back.p_value == test.p_value


def test_paired_p_value_agrees_with_a_plain_loop():
    a, b = corpus(10, n=30, quality=0.75), corpus(11, n=30, quality=0.8)
    generator = np.random.default_rng(7)
    observed = sum(b, Counts()).aer - sum(a, Counts()).aer
    drawn = []
    for _ in range(4000):
        chosen = generator.integers(0, 30, 30)
        drawn.append(sum((b[k] for k in chosen), Counts()).aer - sum((a[k] for k in chosen), Counts()).aer)
    p_value = (1 + sum(abs(d - np.mean(drawn)) >= abs(observed) for d in drawn)) / 4001
    assert 0.02 < p_value < 0.98
    assert paired_resampling(a, b, samples=4000).p_value == pytest.approx(p_value, abs=0.03)


def test_paired_test_rarely_speaks_where_there_is_no_difference():
    p_values = [paired_resampling(corpus(2 * k), corpus(2 * k + 1), samples=200).p_value for k in range(100)]
    assert sum(p <= 0.05 for p in p_values) <= 14
    assert 0.3 < np.mean(p_values) < 0.7


def test_one_sentence_pair_shows_nothing():
    assert paired_resampling([Counts(4, 3, 3, 3, 3, 1)], [Counts(4, 3, 3, 0, 0, 1)]).p_value == 1.0


def test_refusals():
    counts = corpus(1, n=3)
    with pytest.raises(InputError, match=r"^no sentence pairs to draw from"):
        resampled_interval([])
    with pytest.raises(InputError, match=r"^bootstrap samples: 0; allowed is 1 or more"):
        resampled_interval(counts, samples=0)
    with pytest.raises(InputError, match=r"^bootstrap seed: -1; allowed is 0 or more"):
        resampled_interval(counts, seed=-1)
    with pytest.raises(InputError, match=r"^3 sentence pairs against 2; a paired test needs the same"):
        paired_resampling(counts, counts[:2])
    with pytest.raises(InputError, match=r"^sentence pair 3: .* needs the same gold"):
        paired_resampling(counts, [*counts[:2], replace(counts[2], sure=1)])
