import gzip

import pytest
import torch

from xlm_align_fairseq.convert import trim
from xlm_align_fairseq.encoder.vocabulary import open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import load_encoder


@pytest.fixture
def texts(tmp_path, sentences):
    (tmp_path / "a.txt").write_text("\n".join(sentences[:3]) + "\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text(sentences[3], encoding="utf-8")  # no newline at the end
    return [tmp_path / "a.txt", tmp_path / "b.txt"]


def encode(model, text):
    processor = open_sentencepiece(model.sentencepiece)
    return torch.tensor([[0, *model.vocabulary.lookup(processor)[processor.encode(text)].tolist(), 2]])


def test_texts_keep_their_pieces_and_their_hidden_states(make_model, texts, sentences):
    model = make_model()
    small = trim.trim(model, texts)
    assert len(small.vocabulary) < len(model.vocabulary) == model.config.vocabulary
    assert small.config.vocabulary == len(small.vocabulary) == len(small.state["lm_head.bias"])
    assert small.sentencepiece == model.sentencepiece
    kept = [model.vocabulary.index(piece) for piece in small.vocabulary.pieces]
    assert kept == sorted(kept)
    full, cut = load_encoder(model), load_encoder(small)
    for line in [*sentences[:4], *(word for text in sentences[:4] for word in text.split())]:
        ids, fewer = encode(model, line), encode(small, line)
        assert [model.vocabulary.pieces[i] for i in ids[0]] == [small.vocabulary.pieces[i] for i in fewer[0]]
        assert full(ids).equal(cut(fewer))
    assert 3 in encode(small, sentences[8])


def test_expand_undoes_trim_bit_by_bit(make_model, texts):
    model = make_model()
    again = trim.expand(trim.trim(model, texts), model)
    assert again.state.keys() == model.state.keys()
    assert all(again.state[key].equal(value) for key, value in model.state.items())
    assert (again.config, again.vocabulary) == (model.config, model.vocabulary)


def test_expand_keeps_what_was_trained(make_model, texts):
    original = make_model(heads=())
    small = trim.trim(original, texts)
    trained = {key: value + 1 for key, value in small.state.items()}
    trained["lm_head.bias"] = torch.full((len(small.vocabulary),), 5.0)
    for key, value in make_model().state.items():
        if key.startswith("lm_head.") and key != "lm_head.bias":
            trained[key] = value
    small.state = trained
    big = trim.expand(small, original)
    kept = torch.tensor([original.vocabulary.index(piece) for piece in small.vocabulary.pieces])
    others = torch.ones(len(original.vocabulary), dtype=torch.bool)
    others[kept] = False
    name = "encoder.embed_tokens.weight"
    assert others.any()
    assert big.state[name][kept].equal(trained[name])
    assert big.state[name][others].equal(original.state[name][others])
    assert big.state["lm_head.bias"][kept].eq(5).all()
    assert big.state["lm_head.bias"][others].eq(0).all()
    assert big.state["encoder.layers.0.fc1.bias"].equal(trained["encoder.layers.0.fc1.bias"])
    assert original.state[name].equal(make_model(heads=()).state[name]), "expand changed the original"


def test_packed_texts(make_model, texts, tmp_path):
    packed = [tmp_path / f"{text.name}.gz" for text in texts]
    for text, file in zip(texts, packed, strict=True):
        file.write_bytes(gzip.compress(text.read_bytes()))
    assert trim.trim(make_model(), packed).vocabulary == trim.trim(make_model(), texts).vocabulary


def test_refusals(make_model, texts, tmp_path):
    model = make_model()
    small = trim.trim(model, texts)
    with pytest.raises(InputError, match=r"--expand-from: the original lacks \d+ pieces of the model, the first is "):
        trim.expand(model, small)
    narrow = make_model(heads=())
    narrow.config = narrow.config.__class__(**{**narrow.config.__dict__, "width": 16})
    with pytest.raises(InputError, match="--expand-from: the original has width 16, the model 32"):
        trim.expand(small, narrow)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match=r"empty.txt: no pieces in there"):
        trim.trim(model, [tmp_path / "empty.txt"])
    with pytest.raises(InputError, match=r"none.txt: cannot read the file \(No such file or directory\)"):
        trim.trim(model, [tmp_path / "none.txt"])
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.txt:1: byte 0xe9 \(byte 1 of the line\) is not UTF-8; convert the file"):
        trim.trim(model, [tmp_path / "latin.txt"])
