"""Sentences with tags as items and batches: nothing is lost, nothing is padded beyond the longest."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.tags import TaggedFile, TaggedSentence

pytest.importorskip("fairseq")
from xlm_align_fairseq.plugin.finetuning.dataset import NO_PIECE, UNKNOWN_TAG, Flat, TagDataset, tags_of

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
    dataset = TagDataset(tagged(sentences), pieces, TAGS[:2], window, shuffle=shuffle)
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=size, required_batch_size_multiple=8)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(dataset)))
    assert all(len(batch) <= size for batch in batches)
    found = []
    for batch in map(dataset.collater, ([dataset[i] for i in batch] for batch in batches)):
        lengths = (batch["tokens"] != 1).sum(1)
        assert batch["tokens"].size(1) == int(lengths.max()) <= window
        assert batch["ntokens"] == int(lengths.sum())
        assert not batch["targets"][batch["tokens"] <= 2].ne(NO_PIECE).any()  # specials have no tags
        rows = [row[row != NO_PIECE].tolist() for row in batch["targets"]]
        found += zip(batch["id"].tolist(), rows, strict=True)
    expected = [{"A": 0, "B": 1, "C": UNKNOWN_TAG}[tag] for rows in sentences for _, tag in rows]
    assert [tag for _, row in sorted(found) for tag in row] == expected


def test_another_order_in_each_epoch(pieces):
    sentences = [[("a", "A")] for _ in range(40)]
    dataset = TagDataset(tagged(sentences), pieces, TAGS, 16, shuffle=True)
    orders = []
    for epoch in (1, 2, 1):
        dataset.set_epoch(epoch)
        orders.append(dataset.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1]
    assert TagDataset(tagged(sentences), pieces, TAGS, 16).ordered_indices().tolist() == list(range(40))


def test_tags_are_sorted():
    assert tags_of(tagged([[("a", "O"), ("b", "B-X")], [("c", "I-X")]])) == ("B-X", "I-X", "O")
    with pytest.raises(InputError, match=r"train.tsv:1: no words"):
        tags_of(tagged([]))


def test_flat():
    flat = Flat.of([np.array([1, 2]), np.zeros(0, np.int64), np.array([3])])
    assert [flat[n].tolist() for n in range(3)] == [[1, 2], [], [3]]
    assert Flat.of([]).ends.tolist() == [0]
