"""Several data directories as one: items, corpora, and which directory each sentence pair is in."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import IndexedReader, IndexedWriter
from xlm_align_fairseq.bitext.joined import JoinedReader
from xlm_align_fairseq.bitext.piece_check import check_pieces
from xlm_align_fairseq.errors import InputError


def write(prefix, items, dtype=np.uint16):
    prefix.parent.mkdir(exist_ok=True)
    with IndexedWriter(prefix, dtype) as writer:
        writer.add(np.array([x for item in items for x in item], np.int64), np.array([len(item) for item in items], np.int64))


items = st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6)


@given(st.lists(items, min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_joined_readers_read_as_one(tmp_path_factory, parts, data):
    """In any order, also twice, also none; also after it went to another process."""
    directory = tmp_path_factory.mktemp("parts")
    for k, part in enumerate(parts):
        write(directory / f"{k}", part, (np.uint16, np.uint32)[k % 2])
    joined = JoinedReader([IndexedReader(directory / f"{k}") for k in range(len(parts))])
    together = [item for part in parts for item in part]
    assert len(joined) == len(together)
    assert joined.sizes.tolist() == list(map(len, together))
    numbers = data.draw(st.lists(st.integers(0, len(together) - 1), max_size=9)) if together else []
    for reader in (joined, pickle.loads(pickle.dumps(joined))):
        flat, sizes = reader.gather(np.array(numbers, np.int64))
        assert flat.tolist() == [x for number in numbers for x in together[number]]
        assert sizes.tolist() == [len(together[number]) for number in numbers]
        assert [reader[number].tolist() for number in numbers] == [together[number] for number in numbers]


@pytest.fixture
def shards(tmp_path):
    """The first has de-en and fr-en, the second ro-en and more of de-en."""
    for name, directory, first, n in (("de-en", "a", 4, 3), ("fr-en", "a", 10, 2), ("ro-en", "b", 20, 1), ("de-en", "b", 30, 2)):
        for side, lang in enumerate(name.split("-")):
            write(tmp_path / directory / f"train.{name}.{lang}", [[first + k, *[50] * side, 2] for k in range(n)])
    return [tmp_path / "a", tmp_path / "b"]


def test_a_corpus_of_several_directories(shards):
    corpus = Corpus.open(shards, "train", None, 64)
    assert [pair.name for pair in corpus.pairs] == ["de-en", "fr-en", "ro-en"]
    assert corpus.starts.tolist() == [0, 5, 7, 8]
    assert corpus.directory.tolist() == [0, 0, 0, 1, 1, 0, 0, 1]
    pieces = corpus.pieces(np.array([7, 4, 0, 6]))
    assert pieces.source.tolist() == [[20], [31], [4], [11]]
    assert pieces.target.tolist() == [[20, 50], [31, 50], [4, 50], [11, 50]]
    alone = Corpus.open(shards[0], "train", None, 64)
    assert alone.directory is None
    assert len({corpus.pairs[0].fingerprint, alone.pairs[0].fingerprint}) == 2
    assert corpus.pairs[1].fingerprint == alone.pairs[1].fingerprint
    assert Corpus.open(shards, "train", "ro-en", 64).directory.tolist() == [1]
    with pytest.raises(InputError, match=r"/a, .*/b has no train bitext for x-y: it has de-en, fr-en, ro-en"):
        Corpus.open(shards, "train", "x-y", 64)
    write(shards[1] / "train.de-en.en", [[5, 2]])
    with pytest.raises(InputError, match=r"/b, de-en: 2 source but 1 target sentences"):
        Corpus.open(shards, "train", None, 64)


@pytest.mark.parametrize(
    ("piece", "dtype", "said"),
    [
        (
            60,
            np.uint16,
            r"/b/train\.de-en\.de, sentence 2 has piece 60, the encoder knows 60 \(0 to 59\): binarise with",
        ),
        (-1, np.int64, r"/b/train\.de-en\.de, sentence 2 has piece -1, the encoder knows 60 \(0 to 59\)"),
        (1, np.float64, r"/b/train\.de-en\.de holds float64 numbers: pieces are whole ones; binarise this text again"),
    ],
)
def test_pieces_that_no_dictionary_has(shards, piece, dtype, said):
    """In any of the directories, with the sentence."""
    corpus = Corpus.open(shards, "train", None, 64)
    check_pieces(corpus, 60)
    write(shards[1] / "train.de-en.de", [[4, 2], [5, piece, 6, 2]], dtype)
    with pytest.raises(InputError, match=said):
        check_pieces(Corpus.open(shards, "train", None, 64), 60)
    assert not check_pieces(Corpus.open(shards, "train", "fr-en,ro-en", 64), 60)


def test_items_without_a_piece_are_none(tmp_path):
    for lang in ("de", "en"):
        write(tmp_path / f"train.de-en.{lang}", [[], []])
    check_pieces(Corpus.open(tmp_path, "train", None, 64), 60)
