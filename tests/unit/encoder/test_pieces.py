"""Words to pieces: the cache changes no result, also with several threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sentencepiece
from world import SHIPPED

from xlm_align_fairseq.encoder import pieces
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.vocabulary import Vocabulary

LINES = [line for line in (SHIPPED / "ro-en" / "test.ro").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("pieces") / "spm"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(prefix), vocab_size=300, minloglevel=2, num_threads=1
    )
    return prefix.with_suffix(".model").read_bytes()


def encoder(model):
    return PieceEncoder(model, Vocabulary.from_sentencepiece(model))


def test_words(model):
    one, sentence = encoder(model), LINES[0].split(" ")
    ids, words = one.words(sentence)
    alone = [one.text(word) for word in sentence]
    assert ids.tolist() == np.concatenate(alone).tolist()
    assert words.tolist() == [n for n, found in enumerate(alone) for _ in found]
    for nothing in ([], [""]):
        assert [column.tolist() for column in one.words(nothing)] == [[], []]
    assert one.words(["a\ud800b"])[0].tolist() == one.text("a?b").tolist()


@pytest.mark.parametrize("room", [1, 60])
def test_forgetting_changes_nothing(model, monkeypatch, room):
    expected = [encoder(model).words(line.split(" ")) for line in LINES]
    monkeypatch.setattr(pieces, "CACHED_WORDS", room)
    one = encoder(model)

    def ask(number):
        return number, one.words(LINES[number].split(" "))

    with ThreadPoolExecutor(8) as threads:
        for number, found in threads.map(ask, [n % len(LINES) for n in range(2000)]):
            assert all((a == b).all() for a, b in zip(found, expected[number], strict=True))
