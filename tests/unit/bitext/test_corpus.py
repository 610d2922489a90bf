"""Tests of a corpus of several language pairs: ids against a loop over the items, which pairs are usable, files, batches."""

import itertools
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.bitext.corpus import Corpus, Pair, batch_by_tokens
from xlm_align_fairseq.bitext.indexed import IndexedWriter
from xlm_align_fairseq.encoder.vocabulary import EOS, PAD
from xlm_align_fairseq.errors import InputError

NAMES = ("de-en", "fr-en", "ja-en", "ro-en")
SIZES = (7, 0, 1, 5)
MAX_POSITIONS = 13


def write_side(data, split, pair, lang, sentences):
    """Write a binarised side: items that end with `</s>`."""
    with IndexedWriter(data / f"{split}.{pair}.{lang}", np.uint16) as writer:
        for pieces in sentences:
            writer.add(np.array([*pieces, EOS]), np.array([len(pieces) + 1]))


@pytest.fixture(scope="module")
def sentences():
    """(language pair, line, source pieces, target pieces) of every id: random ones with empty sides among them."""
    draw = np.random.default_rng(3)
    side = lambda: draw.integers(4, 999, draw.integers(0, 10)).tolist()  # noqa: E731
    return [(name, line, side(), side()) for name, size in zip(NAMES, SIZES, strict=True) for line in range(size)]


@pytest.fixture(scope="module")
def data(tmp_path_factory, sentences):
    data = tmp_path_factory.mktemp("data")
    for name in NAMES:
        for k, lang in enumerate(name.split("-")):
            write_side(data, "train", name, lang, [row[2 + k] for row in sentences if row[0] == name])
    return data


@pytest.fixture(scope="module")
def corpus(data):
    return Corpus.open(data, "train", None, MAX_POSITIONS)


ids = st.lists(st.integers(0, sum(SIZES) - 1), min_size=1, max_size=20).map(np.array)  # in any order, also twice


# ids


def test_ids_count_over_the_language_pairs(corpus, sentences):
    assert len(corpus) == len(sentences)
    assert corpus.starts.tolist() == [0, 7, 7, 8, 13]
    assert corpus.src_lengths.tolist() == [len(source) for _, _, source, _ in sentences]
    assert corpus.tgt_lengths.tolist() == [len(target) for _, _, _, target in sentences]
    assert corpus.lengths.tolist() == [len(source) + len(target) + 3 for _, _, source, target in sentences]


def test_usable_pairs_have_two_sides_and_fit(corpus, sentences, data):
    joint = [[0, *source, EOS, *target, EOS] if source and target else None for _, _, source, target in sentences]
    assert corpus.usable.tolist() == [bool(row) and len(row) <= MAX_POSITIONS for row in joint]
    reasons = {(row is None, row is not None and len(row) > MAX_POSITIONS) for row in joint}
    assert reasons == {(False, False), (True, False), (False, True)}  # the data has all of them
    longest = max(len(row) for row in joint if row)
    assert Corpus.open(data, "train", None, longest).usable.tolist() == list(map(bool, joint))
    assert sum(Corpus.open(data, "train", None, longest - 1).usable) < sum(map(bool, joint))


@given(ids)
@settings(max_examples=60, deadline=None)
def test_parts_are_those_of_a_loop(corpus, sentences, ids):
    found = {}
    for pair, where, lines in corpus.parts(ids):
        assert len(where) == len(lines) > 0
        found |= {k: (pair.name, line) for k, line in zip(where.tolist(), lines.tolist(), strict=True)}
    parts = corpus.parts(ids)
    assert [found[k] for k in range(len(ids))] == [sentences[i][:2] for i in ids]
    assert sum(len(where) for _, where, _ in parts) == len(ids)
    names = [pair.name for pair, _, _ in parts]
    assert names == sorted(set(names))  # each language pair once, in the order of the corpus
    assert all((np.diff(where) > 0).all() for _, where, _ in parts)


def test_no_ids_have_no_parts(corpus):
    assert corpus.parts(np.zeros(0, np.int64)) == []


@given(ids)
@settings(max_examples=60, deadline=None)
def test_pieces_are_the_items_without_their_end_padded(corpus, sentences, ids):
    pieces = corpus.pieces(ids)
    for k, (side, lengths) in enumerate(((pieces.source, pieces.src_lengths), (pieces.target, pieces.tgt_lengths))):
        rows = [sentences[i][2 + k] for i in ids]
        width = max(map(len, rows))
        assert side.tolist() == [row + [PAD] * (width - len(row)) for row in rows]
        assert side.shape == (len(ids), width)
        assert lengths.tolist() == list(map(len, rows))
    assert {tensor.dtype for tensor in pieces} == {pieces.source.long().dtype}


# files


def test_language_pairs_are_those_of_the_directory_or_those_that_are_named(data, sentences):
    names = lambda corpus: [pair.name for pair in corpus.pairs]  # noqa: E731
    assert names(Corpus.open(data, "train", None, 64)) == list(NAMES)
    assert names(Corpus.open(data, "train", "", 64)) == list(NAMES)
    some = Corpus.open(data, "train", "ro-en, de-en", 64)
    assert names(some) == ["ro-en", "de-en"]  # in the order given
    assert [len(pair.source) for pair in some.pairs] == [5, 7]
    assert some.pieces(np.array([0])).source.tolist() == [sentences[8][2]]


def test_other_splits_and_labels_are_no_bitext(data, tmp_path):
    for source, target in (("train.de-en", "train.de-en"), ("train.ro-en", "valid.ro-en"), ("train.ro-en", "train1.ro-en")):
        for lang, ending in itertools.product(target[-5:].split("-"), ("bin", "idx")):
            shutil.copy(data / f"{source}.{lang}.{ending}", tmp_path / f"{target}.{lang}.{ending}")
    for ending in ("bin", "idx"):
        shutil.copy(data / f"train.de-en.de.{ending}", tmp_path / f"train.align.de-en.{ending}")
    for split, found in {"train": "de-en", "valid": "ro-en"}.items():
        assert [pair.name for pair in Corpus.open(tmp_path, split, None, 64).pairs] == [found]


@pytest.mark.parametrize(
    ("split", "names", "message"),
    [
        ("train", "de-en,en-de,xx-yy", "has no train bitext for en-de, xx-yy: it has de-en, fr-en, ja-en, ro-en"),
        ("train", "de-en,ro-en,de-en", "--lang-pairs de-en,ro-en,de-en: name each language pair once"),
        ("valid", None, "has no valid bitext for any pair: it has none"),
        ("valid", "de-en", "has no valid bitext for de-en: it has none"),
    ],
)
def test_bitext_that_is_not_there(data, split, names, message):
    with pytest.raises(InputError, match=message):
        Corpus.open(data, split, names, 64)


def test_a_side_that_is_missing_is_named(data, tmp_path):
    for ending in ("bin", "idx"):
        shutil.copy(data / f"train.de-en.de.{ending}", tmp_path)
    with pytest.raises(InputError, match=r"train\.de-en\.en\.idx: cannot read it \(No such file or directory\); check the path"):
        Corpus.open(tmp_path, "train", None, 64)


def test_a_fingerprint_tells_of_the_sentences_alone(data, tmp_path):
    """Independent of the path; depends on every word, the order, and the sides."""

    def fingerprint(name, source, target):
        directory = tmp_path / name
        directory.mkdir()
        write_side(directory, "train", "de-en", "de", source)
        write_side(directory, "train", "de-en", "en", target)
        return Pair.open(directory, "train", "de-en").fingerprint

    source, target = [[5, 6], [7]], [[8], [9, 10]]
    same = fingerprint("first", source, target)
    assert fingerprint("elsewhere", source, target) == same
    others = [
        fingerprint("other source", [[5, 66], [7]], target),
        fingerprint("other target", source, [[8], [9, 11]]),
        fingerprint("other order", source[::-1], target[::-1]),
        fingerprint("other division", [[5], [6, 7]], target),
        fingerprint("sides exchanged", target, source),
    ]
    assert len({same, *others}) == 6


# batches


@given(st.lists(st.integers(1, 60), max_size=40).map(sorted), st.integers(1, 150))
@settings(max_examples=200, deadline=None)
def test_batches_are_as_large_as_they_may_be(lengths, batch_tokens):
    lengths = np.array(lengths, np.int32)
    batches = [list(range(len(lengths)))[batch] for batch in batch_by_tokens(lengths, batch_tokens)]
    assert [k for batch in batches for k in batch] == list(range(len(lengths)))  # all, each once, in order
    size = lambda batch: len(batch) * int(lengths[batch[-1]])  # noqa: E731
    assert all(len(batch) == 1 or size(batch) <= batch_tokens for batch in batches)
    for batch, following in itertools.pairwise(batches):
        assert size([*batch, following[0]]) > batch_tokens


def test_golden_batches():
    batches = batch_by_tokens(np.array([2, 2, 3, 5, 5, 30]), 10)
    assert [(batch.start, batch.stop) for batch in batches] == [(0, 3), (3, 5), (5, 6)]
