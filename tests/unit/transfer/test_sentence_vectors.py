"""Vectors of sentences against a plain mean, windows of long ones, empty lines, counts."""

import numpy as np
import pytest
import torch

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import sequence
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.transfer import sentence_vectors
from xlm_align_fairseq.transfer.sentence_vectors import SentenceCounts, SentenceEncoder
from xlm_align_fairseq.transfer.windows import judging_windows


@pytest.fixture
def make(make_model):
    def build(**options):
        model = make_model(heads=())
        return SentenceEncoder(load_encoder(model), PieceEncoder(model.sentencepiece, model.vocabulary), 64, **options)

    return build


def plain(encoder, text, layer):
    """Return the mean of one sentence, encoded alone: window by window, piece by piece."""
    ids = encoder.pieces.text(text)
    limit = encoder.encoder.config.max_positions - 2
    kept = []
    for begin, end, first, last in judging_windows(len(ids), limit) or [(0, 0, 0, 0)]:
        with torch.inference_mode():
            states = encoder.encoder(torch.from_numpy(sequence(ids[begin:end]))[None], layer)[0].numpy()
        kept += [states[0]] if encoder.specials and begin == 0 else []
        kept += [states[1 + place - begin] for place in range(first, last)]
        kept += [states[-1]] if encoder.specials and end == len(ids) else []
    return np.mean(kept, axis=0) if kept else np.zeros(encoder.encoder.config.width)


@pytest.mark.parametrize("room", [1 << 28, 1])
@pytest.mark.parametrize("specials", [True, False])
def test_vectors_are_plain_means(make, sentences, specials, room, monkeypatch):
    monkeypatch.setattr(sentence_vectors, "CHUNK_BYTES", room)  # 1: each window of a long sentence is a chunk of its own
    encoder = make(specials=specials)
    lines = [*sentences[:8], "", " ".join(sentences[:9]), "  ", sentences[0]]
    vectors = encoder.encode(lines, encoder.all_layers)
    assert list(vectors) == [0, 1, 2, 3]
    for layer, found in vectors.items():
        assert found.shape == (12, 32)
        assert found.dtype == np.float32
        wanted = [plain(encoder, line, layer) for line in lines]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        assert (found[8] != 0).any() == specials
        np.testing.assert_array_equal(found[11], found[0])  # the same text, the same vector
    counts = encoder.counts
    assert (counts.sentences, counts.empty, counts.long, counts.cut) == (12, 2, 2, 0)
    assert counts.pieces == sum(len(encoder.pieces.text(line)) for line in lines)


def test_one_layer_of_many_is_the_same_as_alone(make, sentences):
    together, alone = make().encode(sentences, [0, 1, 2, 3]), make().encode(sentences, [2])
    np.testing.assert_array_equal(together[2], alone[2])


def test_long_lines_are_cut_and_surrogates_are_read(make, monkeypatch):
    monkeypatch.setattr(sentence_vectors, "LONGEST_SIDE", 5)
    encoder = make()
    vectors = encoder.encode(["How much", "How m", "a\udc80"], [3])[3]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert encoder.counts.cut == 1
    assert "f: 1 of 3 lines were cut after 5 characters" in encoder.counts.notes("f")


def test_damaged_weights_are_found(make, sentences):
    encoder = make()
    with torch.no_grad():
        encoder.encoder.layers[1].fc2.bias[3] = torch.nan
    encoder.encode(sentences, [1])
    with pytest.raises(InputError, match="f: the vector of sentence 1 is not finite at layer 2: the weights are damaged"):
        encoder.encode(sentences, [1, 2], name="f")


def test_notes_say_what_was_odd():
    assert SentenceCounts(100, 0, sentences=3).notes("f") == []
    unknown, *others = SentenceCounts(100, 2, sentences=3, empty=1, long=2).notes("f")
    assert unknown.startswith("f: 2 of 100 pieces are unknown (2.00 %); the vocabulary of the encoder was cut down")
    assert others == [
        "f: 1 of 3 lines are empty; each has a vector all the same",
        "f: 2 of 3 lines are longer than the encoder reads, and were read in windows",
    ]


def test_a_model_is_loaded(make, make_model, sentences, tmp_path):
    write_model(tmp_path, make_model())
    encoder = SentenceEncoder.load(tmp_path, "cpu", specials=False)
    assert encoder.default_layer == 2
    np.testing.assert_allclose(
        encoder.encode(sentences, [2])[2], make(specials=False).encode(sentences, [2])[2], rtol=1e-5, atol=1e-6
    )
    half = SentenceEncoder.load(tmp_path, "cpu", dtype=torch.bfloat16, specials=False).encode(sentences, [2])[2]
    assert np.abs(half - encoder.encode(sentences, [2])[2]).max() < 0.2
    assert encoder.encode([], [0])[0].shape == (0, 32)
    with pytest.raises(InputError, match=r"layer 4: allowed are 0 \(the embeddings\) to 3"):
        encoder.encode(["a"], [4])
    with pytest.raises(InputError, match="batch_tokens"):
        SentenceEncoder.load(tmp_path, "cpu", batch_tokens=0)
