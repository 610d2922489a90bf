"""Sentences with tags as items and batches: nothing is lost, nothing is padded beyond the longest."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.pairs import Pair, PairFile
from xlm_align_fairseq.transfer.tags import TaggedFile, TaggedSentence

pytest.importorskip("fairseq")
from xlm_align_fairseq.plugin.finetuning.dataset import NO_LABEL, Flat
from xlm_align_fairseq.plugin.finetuning.pair_classification import classes_of, pair_dataset
from xlm_align_fairseq.plugin.finetuning.token_labeling import tag_dataset, tags_of

TAGS = ("A", "B", "C")
words = st.text("abcdefghij ", min_size=0, max_size=9)
files = st.lists(st.lists(st.tuples(words, st.sampled_from(TAGS)), min_size=1, max_size=30), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def pieces(sentencepiece_model, vocabulary):
    return PieceEncoder(sentencepiece_model, vocabulary)


def tagged(sentences):
    return TaggedFile([TaggedSentence([w for w, _ in rows], [t for _, t in rows]) for rows in sentences], {}, "train.tsv")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(files, st.integers(8, 40), st.integers(1, 9), st.booleans())
def test_every_word_is_in_one_batch_with_its_tag(pieces, sentences, window, size, shuffle):
    dataset = tag_dataset(tagged(sentences), pieces, TAGS[:2], window, shuffle=shuffle)
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=size, required_batch_size_multiple=8)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(dataset)))
    assert all(len(batch) <= size for batch in batches)
    found = []
    for batch in map(dataset.collater, ([dataset[i] for i in batch] for batch in batches)):
        lengths = (batch["tokens"] != 1).sum(1)
        assert batch["tokens"].size(1) == int(lengths.max()) <= window
        assert batch["ntokens"] == int(lengths.sum())
        assert not batch["targets"][batch["tokens"] <= 2].ne(NO_LABEL).any()  # specials have no tags
        rows = [row[row != NO_LABEL].tolist() for row in batch["targets"]]
        found += zip(batch["id"].tolist(), rows, strict=True)
    expected = [{"A": 0, "B": 1, "C": 2}[tag] for rows in sentences for _, tag in rows]
    assert [tag for _, row in sorted(found) for tag in row] == expected


def test_another_order_in_each_epoch(pieces):
    sentences = [[("a", "A")] for _ in range(40)]
    dataset = tag_dataset(tagged(sentences), pieces, TAGS, 16, shuffle=True)
    orders = []
    for epoch in (1, 2, 1):
        dataset.set_epoch(epoch)
        orders.append(dataset.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1]
    assert tag_dataset(tagged(sentences), pieces, TAGS, 16).ordered_indices().tolist() == list(range(40))


def test_tags_are_sorted():
    assert tags_of(tagged([[("a", "O"), ("b", "B-X")], [("c", "I-X")]])) == ("B-X", "I-X", "O")
    with pytest.raises(InputError, match=r"train.tsv:1: no words"):
        tags_of(tagged([]))


def test_flat():
    flat = Flat.of([np.array([1, 2]), np.zeros(0, np.int64), np.array([3])])
    assert [flat[n].tolist() for n in range(3)] == [[1, 2], [], [3]]
    assert Flat.of([]).ends.tolist() == [0]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(words, words, st.sampled_from("012")), min_size=1, max_size=20), st.integers(8, 30))
def test_every_pair_has_its_class_at_the_first_piece(pieces, rows, window):
    file = PairFile([Pair(*row) for row in rows], list(range(1, len(rows) + 1)), [], "train.tsv", "none")
    dataset = pair_dataset(file, pieces, ("0", "1"), window)
    assert len(dataset) == len(rows)
    batch = dataset.collater([dataset[n] for n in range(len(rows))])
    assert batch["tokens"].size(1) <= window
    assert batch["targets"][:, 0].tolist() == [int(row[2]) for row in rows]
    assert not batch["targets"][:, 1:].ne(NO_LABEL).any()
    for (first, second, _), tokens in zip(rows, batch["tokens"].tolist(), strict=True):
        sides = [pieces.text(side).tolist() for side in (first, second)]
        whole = [0, *sides[0], 2, 2, *sides[1], 2]
        kept = [token for token in tokens if token != 1]
        if len(whole) <= window:
            assert kept == whole
        else:
            middle = kept.index(2)
            assert len(kept) == window
            assert kept[1:middle] == sides[0][: middle - 1]
            assert kept[middle + 2 : -1] == sides[1][: window - middle - 3]
            lengths = middle - 1, window - middle - 3
            shorter = min(len(side) for side in sides)
            assert min(lengths) >= min(shorter, (window - 4) // 2)


def test_classes_are_sorted():
    file = PairFile([Pair("a", "b", "y"), Pair("a", None, "x")], [1, 2], [], "train.tsv", "none")
    assert classes_of(file) == ("x", "y")
