"""fairseq's XLM-R in its formats of 2019 and of today, and against fairseq's own RobertaModel."""

import argparse

import pytest
import torch

from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.record import load_encoder, load_heads


def flags(config, **changes):
    sizes = {
        "arch": "roberta_base",
        "task": "multilingual_masked_lm",
        "encoder_layers": config.layers,
        "encoder_embed_dim": config.width,
        "encoder_ffn_embed_dim": config.ffn,
        "encoder_attention_heads": config.heads,
        "max_positions": config.max_positions,
        "activation_fn": "gelu",
    }
    return {**sizes, **changes}


def write(directory, model, state, args, **options):
    directory.mkdir(exist_ok=True)
    content = {"args": args, "model": state, "optimizer_history": [{"best_loss": 1.0}], "extra_state": {"epoch": 1}}
    if isinstance(args, dict):
        content |= {"args": None, "cfg": {"model": args}}
    torch.save(content, directory / "model.pt", **options)
    model.vocabulary.write(directory / "dict.txt")
    (directory / "sentencepiece.bpe.model").write_bytes(model.sentencepiece)


def old_state(model):
    """Return the state under the names of 2019: `decoder.`, `emb_layer_norm`, one matrix for query, key and value."""
    state = {"decoder.sentence_encoder.version": torch.zeros(1)}
    for key, value in model.state.items():
        if key.startswith("encoder."):
            name = key.removeprefix("encoder.").replace("layernorm_embedding", "emb_layer_norm")
            if "q_proj" in name:
                fused = torch.cat([model.state[key.replace("q_proj", f"{part}_proj")] for part in "qkv"])
                state[f"decoder.sentence_encoder.{name.replace('q_proj.', 'in_proj_')}"] = fused
            elif "k_proj" not in name and "v_proj" not in name:
                state[f"decoder.sentence_encoder.{name}"] = value
        elif key.startswith("lm_head."):
            state[f"decoder.{key}"] = value
    state["decoder.lm_head.weight"] = state["decoder.sentence_encoder.embed_tokens.weight"]
    state["decoder.classification_heads.mnli.dense.weight"] = torch.zeros(2, 2)
    return state


@pytest.mark.parametrize("zipped", [True, False])
def test_format_of_2019(tmp_path, make_model, zipped):
    model = make_model(heads=("lm_head",))
    args = argparse.Namespace(**flags(model.config))
    write(tmp_path, model, old_state(model), args, _use_new_zipfile_serialization=zipped)
    again = open_model(tmp_path)
    assert again.state.keys() == model.state.keys()
    assert all(again.state[key].equal(value) for key, value in model.state.items())
    assert (again.config, again.vocabulary, again.hf_architecture) == (model.config, model.vocabulary, "xlm-roberta")
    assert (again.aligner.encoding, again.aligner.align_layer, again.chosen) == ("joint", 2, False)


def test_format_of_today(tmp_path, make_model):
    model = make_model(heads=("lm_head",))
    state = {}
    for key, value in model.state.items():
        name = key.removeprefix("encoder.")
        state[f"encoder.{key}" if key.startswith("lm_head") else f"encoder.sentence_encoder.{name}"] = value
    write(tmp_path, model, state, flags(model.config, _name="roberta"))
    again = open_model(tmp_path)
    assert again.state.keys() == model.state.keys()
    assert all(again.state[key].equal(value) for key, value in model.state.items())


def test_our_own_directory_is_read(tmp_path, make_model):
    model = make_model("bert")
    write_model(tmp_path, model)
    assert open_model(tmp_path).hf_architecture == "bert"


def test_hidden_states_and_logits_are_fairseqs(tmp_path, make_model, vocabulary, batch, randomised):
    roberta = pytest.importorskip("fairseq.models.roberta")
    data = pytest.importorskip("fairseq.data")
    model = make_model()
    vocabulary.write(tmp_path / "dict.txt")
    dictionary = data.Dictionary.load(str(tmp_path / "dict.txt"))
    dictionary.add_symbol("<mask>")
    args = argparse.Namespace(**flags(model.config, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0))
    roberta.base_architecture(args)
    encoder = randomised(roberta.RobertaEncoder(args, dictionary))
    theirs = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    write(tmp_path, model, theirs, args)
    ours = open_model(tmp_path)
    with torch.no_grad():
        logits, extra = encoder(batch, return_all_hiddens=True)
        states = load_encoder(ours).at_layers(batch, range(4))
        hidden = [state.transpose(0, 1) for state in extra["inner_states"]]
        assert len(hidden) == len(states) == 4
        keep = batch.ne(1)
        for one, other in zip(states, hidden, strict=True):
            assert (one - other)[keep].abs().max() < 1e-4
        lm_head, pointer = load_heads(ours, load_encoder(ours))
        assert pointer is None
        assert (lm_head(states[-1]) - logits)[keep].abs().max() < 1e-4


def test_refusals(tmp_path, make_model):
    model = make_model(heads=("lm_head",))

    def refused(text, state=None, **changes):
        write(tmp_path, model, state or old_state(model), argparse.Namespace(**flags(model.config, **changes)))
        with pytest.raises(InputError, match=text):
            open_model(tmp_path)

    refused("model.pt: its encoder_layers is 12, its tensors say 3", encoder_layers=12)
    refused("model.pt: its encoder_embed_dim is 768, its tensors say 32", encoder_embed_dim=768)
    refused("model.pt: activation_fn is 'relu'; XLM-R has gelu", activation_fn="relu")
    refused(
        "model.pt has no 'encoder.embed_tokens.weight': it is neither of ours nor XLM-R",
        {"encoder.layers.0.fc1.weight": torch.ones(1)},
    )
    refused(
        "encoder.layer_norm.weight is unknown",
        {**old_state(model), "decoder.sentence_encoder.layer_norm.weight": torch.ones(32)},
    )
    refused(
        "output layer of its LM head is not the embedding table",
        {**old_state(model), "decoder.lm_head.weight": torch.ones(2)},
    )
    (tmp_path / "dict.txt").unlink()
    with pytest.raises(InputError, match=r"dict.txt is missing, which fairseq's XLM-R comes with: `xlm-align convert"):
        open_model(tmp_path)
