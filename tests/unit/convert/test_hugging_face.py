"""Compare reading and writing with `transformers`, on small random encoders of each architecture."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from xlm_align_fairseq.convert import hugging_face, hugging_face_tokenizer
from xlm_align_fairseq.convert.hugging_face_heads import FineTuned
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import Model, load_encoder, load_heads
from xlm_align_fairseq.transfer.heads import make_head
from xlm_align_fairseq.transfer.settings import AnswerSettings, ClassSettings, TagSettings

transformers = pytest.importorskip("transformers")

ARCHITECTURES = ("xlm-roberta", "bert")


def their_model(architecture, vocabulary, masked_lm, randomised):
    sizes = {
        "num_hidden_layers": 3,
        "hidden_size": 32,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "hidden_dropout_prob": 0.0,
    }
    if architecture == "bert":
        config = transformers.BertConfig(
            vocab_size=vocabulary + 5, max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12, **sizes
        )
        kind = transformers.BertForMaskedLM if masked_lm else transformers.BertModel
    else:
        config = transformers.XLMRobertaConfig(
            vocab_size=vocabulary, max_position_embeddings=42, type_vocab_size=1, layer_norm_eps=1e-5, **sizes
        )
        kind = transformers.XLMRobertaForMaskedLM if masked_lm else transformers.XLMRobertaModel
    return randomised(kind(config))


def difference(ours, theirs, tokens):
    """Return the largest difference between two lists of hidden states outside padding."""
    keep = tokens.ne(1)
    assert len(ours) == len(theirs)
    return max((a - b)[keep].abs().max().item() for a, b in zip(ours, theirs, strict=True))


def their_states(model, tokens):
    output = model(tokens, attention_mask=tokens.ne(1).long(), output_hidden_states=True)
    return output.hidden_states, getattr(output, "logits", None)


def compare(model: Model, theirs, tokens, vocabulary):
    encoder = load_encoder(model)
    with torch.no_grad():
        hidden, logits = their_states(theirs, tokens)
        states = encoder.at_layers(tokens, range(encoder.config.layers + 1))
        assert difference(states, hidden, tokens) < 1e-4
        if logits is not None:
            lm_head, _ = load_heads(model, encoder)
            assert (lm_head(states[-1]) - logits[..., :vocabulary])[tokens.ne(1)].abs().max() < 1e-4


@pytest.mark.parametrize("storage", ["safetensors", "sharded", "bin", "sharded bin"])
@pytest.mark.parametrize("masked_lm", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_read(tmp_path, architecture, masked_lm, storage, vocabulary, sentencepiece_model, batch, randomised):
    theirs = their_model(architecture, len(vocabulary), masked_lm, randomised)
    if "bin" in storage:
        theirs.config.save_pretrained(tmp_path)
        state = theirs.state_dict()
        names = sorted(state)
        if storage == "bin":
            torch.save(state, tmp_path / "pytorch_model.bin")
        else:
            weight_map = {name: f"part-{i % 2}.bin" for i, name in enumerate(names)}
            for part in set(weight_map.values()):
                torch.save({name: state[name] for name in names if weight_map[name] == part}, tmp_path / part)
            (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    else:
        theirs.save_pretrained(tmp_path, **({"max_shard_size": "20KB"} if storage == "sharded" else {}))
        assert (tmp_path / "model.safetensors.index.json").exists() == (storage == "sharded")
    (tmp_path / "sentencepiece.bpe.model").write_bytes(sentencepiece_model)

    model = open_model(tmp_path)

    assert model.hf_architecture == architecture
    assert len(model.vocabulary) == model.config.vocabulary == len(vocabulary)
    assert bool(model.head("lm_head")) == masked_lm
    assert (model.aligner.encoding, model.chosen) == ("joint" if architecture == "xlm-roberta" else "separate", False)
    compare(model, theirs, batch, len(vocabulary))


@pytest.mark.parametrize("heads", [(), ("lm_head",), ("lm_head", "pointer"), ("pointer",)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_write(tmp_path, architecture, heads, make_model, batch, vocabulary):
    model = make_model(architecture, heads)
    hugging_face.write(tmp_path, model)
    kind = transformers.AutoModelForMaskedLM if "lm_head" in heads else transformers.AutoModel
    theirs, report = kind.from_pretrained(tmp_path, output_loading_info=True)
    assert {key for key in report["missing_keys"] if "pooler" not in key} == set()
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    compare(model, theirs.eval(), batch, len(vocabulary))


@pytest.mark.parametrize("heads", [(), ("lm_head", "pointer")])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_fine_tuned_head(tmp_path, architecture, heads, make_model, batch, randomised):
    """transformers' class for the task gives the same logits, and knows the labels."""
    model, labels = make_model(architecture, heads), ("NOUN", "VERB", "O")
    states, there = load_encoder(model)(batch), batch != 1
    text, endings = "0" * 64, ("TokenClassification", "SequenceClassification", "QuestionAnswering")
    kinds = TagSettings(8, text, labels), ClassSettings(8, text, labels), AnswerSettings(40, text, 8, 8, 8)
    for settings, ending in zip(kinds, endings, strict=True):
        head = randomised(make_head(settings, model.config.width), 4).eval()
        directory = tmp_path / ending
        hugging_face.write(directory, model, FineTuned(settings.kind, getattr(settings, "labels", ()), head.state_dict()))
        auto = getattr(transformers, f"AutoModelFor{ending}")
        theirs, report = auto.from_pretrained(directory, output_loading_info=True)
        assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        if settings.kind != "questions":
            assert theirs.config.id2label == dict(enumerate(labels))
            assert theirs.config.label2id == {label: n for n, label in enumerate(labels)}
        with torch.inference_mode():
            found = theirs.eval()(input_ids=batch, attention_mask=there.long())
            logits = torch.stack([found.start_logits, found.end_logits], -1) if settings.kind == "questions" else found.logits
            ours, logits = (head(states[:, 0]), logits) if settings.kind == "classes" else (head(states[there]), logits[there])
        torch.testing.assert_close(logits, ours, atol=1e-4, rtol=0)
        assert logits.std() > 0.01


@pytest.mark.parametrize("heads", [(), ("lm_head", "pointer")])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_round_trip_loses_nothing(tmp_path, architecture, heads, make_model):
    model = make_model(architecture, heads)
    for row in (0, 1):  # never read
        model.state["encoder.embed_positions.weight"][row] = 0
    hugging_face.write(tmp_path, model)
    again = hugging_face.read(tmp_path)
    assert again.state.keys() == model.state.keys()
    assert all(again.state[key].equal(value) for key, value in model.state.items())
    assert (again.config, again.aligner, again.vocabulary) == (model.config, model.aligner, model.vocabulary)
    assert (again.sentencepiece, again.hf_architecture, again.chosen) == (model.sentencepiece, architecture, True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokenizer_gives_our_ids(tmp_path, architecture, make_model, sentences):
    model = make_model(architecture)
    hugging_face.write(tmp_path, model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(tokenizer, transformers.PreTrainedTokenizerFast)  # XLMRobertaTokenizer has other steps than the file's
    assert (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (
        0,
        1,
        2,
        3,
    )
    assert tokenizer.mask_token_id == model.vocabulary.mask
    assert len(tokenizer) == len(model.vocabulary)
    processor = open_sentencepiece(model.sentencepiece)
    lookup = model.vocabulary.lookup(processor)
    ours = [[0, *lookup[processor.encode(sentence)].tolist(), 2] for sentence in sentences]
    assert any(3 in ids for ids in ours), "the sentences have no unknown piece: the comparison is weaker than it looks"
    assert tokenizer(sentences)["input_ids"] == ours


def test_a_sentencepiece_model_is_assembled_from_tokenizer_json(tmp_path, make_model, sentences):
    model = make_model()
    hugging_face_tokenizer.write(tmp_path, model.vocabulary, model.sentencepiece, 40)
    (tmp_path / "sentencepiece.bpe.model").unlink()
    sentencepiece, vocabulary = hugging_face_tokenizer.read(tmp_path)
    assert vocabulary == model.vocabulary
    one, other = open_sentencepiece(sentencepiece), open_sentencepiece(model.sentencepiece)
    assert one.encode(sentences) == other.encode(sentences)


def test_files_of_an_earlier_model_do_not_stay(tmp_path, make_model):
    hugging_face.write(tmp_path, make_model("bert", ("pointer",)))
    (tmp_path / "pytorch_model.bin").write_bytes(b"old")
    hugging_face.write(tmp_path, make_model("bert", ()))
    assert not (tmp_path / "pointer.safetensors").exists()
    assert not (tmp_path / "pytorch_model.bin").exists()


def test_errors_name_the_file(tmp_path, make_model):
    good = tmp_path / "good"
    hugging_face.write(good, make_model("bert"))

    def refused(change, *texts):
        bad = tmp_path / "bad"
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(good, bad)
        change(bad)
        with pytest.raises(InputError) as error:
            open_model(bad)
        for text in texts:
            assert text in str(error.value)

    def settings(**changes):
        def change(directory):
            content = json.loads((directory / "config.json").read_text())
            (directory / "config.json").write_text(json.dumps({**content, **changes}))

        return change

    def of_type(key, dtype):
        def change(directory):
            tensors = load_file(directory / "model.safetensors")
            (key_there,) = (name for name in tensors if name.endswith(key))
            save_file({**tensors, key_there: tensors[key_there].to(dtype)}, directory / "model.safetensors")

        return change

    refused(settings(model_type="gpt2"), "model_type is 'gpt2'", "allowed are xlm-roberta, bert")
    refused(settings(hidden_act="relu"), "hidden_act is 'relu'", "only 'gelu'")
    refused(settings(intermediate_size=49), "encoder.layers.0.fc1.weight has shape (48, 32), the sizes say (49, 32)")
    for kind in ("position", "token_type", "word"):
        for dtype in (torch.uint16, torch.float8_e4m3fn, torch.bool):
            key = f"embeddings.{kind}_embeddings.weight"
            refused(of_type(key, dtype), f" is of {dtype}: allowed are torch.float64")
    refused(settings(num_attention_heads=5), "5 attention heads do not divide the width 32")
    refused(settings(num_hidden_layers=2), "encoder.layers.2.fc1.bias is unknown")
    refused(lambda d: (d / "model.safetensors").unlink(), "has no model.safetensors or")
    refused(lambda d: (d / "model.safetensors").write_bytes(b"x"), "model.safetensors is not a safetensors file")
    refused(lambda d: (d / "config.json").write_text("{"), "config.json is not JSON")
    refused(
        lambda d: [(d / name).unlink() for name in ("sentencepiece.bpe.model", "tokenizer.json")],
        "has neither sentencepiece.bpe.model nor tokenizer.json",
    )


def test_vocabulary_larger_than_the_table_is_refused(tmp_path, vocabulary, sentencepiece_model, randomised):
    their_model("xlm-roberta", len(vocabulary) - 1, False, randomised).save_pretrained(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(sentencepiece_model)
    with pytest.raises(InputError, match=f"{len(Vocabulary.from_sentencepiece(sentencepiece_model))} pieces"):
        open_model(tmp_path)
