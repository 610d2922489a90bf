import codecs
import json
import shutil
import subprocess
import sys

import pytest
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import ALIGNER, read_aligner, write_aligner, write_model
from xlm_align_fairseq.model.record import default_aligner, load_encoder, load_heads


@pytest.mark.parametrize("heads", [(), ("lm_head", "pointer")])
@pytest.mark.parametrize("architecture", ["xlm-roberta", "bert"])
def test_written_and_opened(tmp_path, make_model, architecture, heads, batch):
    model = make_model(architecture, heads)
    write_model(tmp_path, model)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "aligner.json",
        "dict.txt",
        "model.pt",
        "sentencepiece.bpe.model",
    ]
    for path in (tmp_path, str(tmp_path), tmp_path / "model.pt"):
        again = open_model(path)
        assert again.state.keys() == model.state.keys()
        assert all(again.state[key].equal(value) for key, value in model.state.items())
        assert (again.config, again.vocabulary, again.aligner) == (model.config, model.vocabulary, model.aligner)
        assert (again.sentencepiece, again.hf_architecture) == (model.sentencepiece, architecture)
    encoder = load_encoder(again)
    assert not encoder.training
    lm_head, pointer = load_heads(again, encoder)
    assert (lm_head is None, pointer is None) == (not heads, not heads)
    if heads:
        hidden = encoder(batch)
        assert lm_head.weight is encoder.embed_tokens.weight
        assert lm_head(hidden).shape == (*batch.shape, len(model.vocabulary))
        assert pointer(hidden, hidden).shape == (3, 9, 9)


def test_a_byte_order_mark_is_no_part_of_json(tmp_path, make_model):
    write_model(tmp_path, make_model())
    expected = read_aligner(tmp_path)
    path = tmp_path / ALIGNER
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert read_aligner(tmp_path) == expected


def test_the_file_is_plain_data(tmp_path, make_model):
    write_model(tmp_path, make_model())
    assert torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "model.pt") == []
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content["cfg"]["model"]["_name"] == "xlm_align"
    assert content["cfg"]["model"]["encoder_layers"] == 3
    assert content["cfg"]["task"]["_name"] == "denoising_word_alignment"
    assert content["cfg"]["criterion"]["_name"] == "pointer_alignment"


def test_same_model_same_bytes(tmp_path, make_model):
    for name in ("a", "b"):
        write_model(tmp_path / name, make_model())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_half_precision_is_loaded_in_float32(tmp_path, make_model, batch):
    model = make_model()
    encoder = load_encoder(model)
    model.state = {key: value.half() for key, value in model.state.items()}
    write_model(tmp_path, model)
    again = load_encoder(open_model(tmp_path))
    assert again.embed_tokens.weight.dtype == torch.float32
    assert (again(batch) - encoder(batch))[batch.ne(1)].abs().max() < 0.02


def test_the_best_checkpoint_is_taken_before_the_last(tmp_path, make_model):
    model = make_model()
    write_model(tmp_path, model)
    (tmp_path / "model.pt").rename(tmp_path / "checkpoint_last.pt")
    assert open_model(tmp_path).state["pointer.key.bias"].equal(model.state["pointer.key.bias"])
    other = make_model()
    other.state["pointer.key.bias"] = torch.full((32,), 7.0)
    write_model(tmp_path / "other", other)
    (tmp_path / "other" / "model.pt").rename(tmp_path / "checkpoint_best.pt")
    assert open_model(tmp_path).state["pointer.key.bias"].eq(7).all()


def test_a_training_checkpoint_is_read(tmp_path, make_model):
    """It names the architecture, not the model, and holds the tied output layer."""
    write_model(tmp_path, make_model())
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["cfg"]["model"]["_name"] = "xlm_align_small"
    content["model"]["lm_head.weight"] = content["model"]["encoder.embed_tokens.weight"]
    content["last_optimizer_state"] = {"state": {0: {"exp_avg": torch.ones(3)}}}
    torch.save(content, tmp_path / "checkpoint_last.pt")
    (tmp_path / "model.pt").unlink()
    assert "lm_head.weight" not in open_model(tmp_path).state


def test_errors_say_what_is_missing_and_what_makes_it(tmp_path, make_model):
    good, bad = tmp_path / "good", tmp_path / "bad"
    write_model(good, make_model())
    command = "`xlm-align convert SOURCE --to fairseq DIRECTORY` makes a complete model directory"
    for name in ("dict.txt", "sentencepiece.bpe.model", "aligner.json"):
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(good, bad)
        (bad / name).unlink()
        with pytest.raises(InputError) as error:
            open_model(bad)
        assert str(error.value).startswith(f"{bad / name} is missing")
        assert str(error.value).endswith(f": {command}")
        (bad / "model.pt").unlink()
        with pytest.raises(InputError) as error:
            open_model(bad)
        files = "model.pt, checkpoint_best.pt or checkpoint_last.pt (fairseq) and no config.json (Hugging Face)"
        assert str(error.value) == f"{bad} has no {files}: {command}"
    with pytest.raises(InputError, match="nowhere: no such directory; give one of fairseq or Hugging Face"):
        open_model(tmp_path / "nowhere")


def test_files_of_two_models_are_refused(tmp_path, make_model):
    write_model(tmp_path, make_model())
    lines = (tmp_path / "dict.txt").read_text(encoding="utf-8").split("\n")
    (tmp_path / "dict.txt").write_text("\n".join(lines[1:]), encoding="utf-8")
    size = len(lines) - 1 + 5
    with pytest.raises(InputError, match=rf"the vocabulary has {size - 1} pieces .* the embedding table {size} rows"):
        open_model(tmp_path)


def test_another_fairseq_model_is_refused(tmp_path, make_model):
    write_model(tmp_path, make_model())
    torch.save({"cfg": {"model": {"_name": "transformer"}}, "model": {}}, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model.pt has no 'encoder.embed_tokens.weight': it is neither of ours nor XLM-R"):
        open_model(tmp_path)


def test_fairseq_is_not_imported(tmp_path, make_model):
    write_model(tmp_path, make_model())
    code = (
        "import sys; from xlm_align_fairseq.convert.open import open_model;"
        "from xlm_align_fairseq.model.record import load_encoder;"
        f"load_encoder(open_model({str(tmp_path)!r}));"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('fairseq', 'transformers')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_default_aligners():
    assert default_aligner("xlm-roberta", 12) == AlignerConfig(encoding="joint", align_layer=8)
    assert default_aligner("xlm-roberta", 24) == AlignerConfig(encoding="joint", align_layer=16)
    assert default_aligner("bert", 12) == AlignerConfig.named("entropic", encoding="separate", align_layer=6)
    assert default_aligner("xlm-roberta", 1).align_layer == 1


def test_fairseq_loads_it(tmp_path, make_model, batch):
    """Through fairseq's own loader, with heads of the file and with fresh ones."""
    checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")
    import xlm_align_fairseq  # noqa: F401  (registers)

    for heads in ((), ("lm_head", "pointer")):
        model = make_model("bert", heads, layers=8)  # the task's own default of --align-layer
        write_model(tmp_path, model)
        (theirs,), _, _ = checkpoint_utils.load_model_ensemble_and_task(
            [str(tmp_path / "model.pt")], arg_overrides={"data": str(tmp_path)}
        )
        assert theirs.encoder.config == model.config
        assert (theirs.eval().encoder(batch) - load_encoder(model)(batch))[batch.ne(1)].abs().max() == 0
        if heads:
            assert theirs.pointer.key.weight.equal(model.state["pointer.key.weight"])


def test_the_aligner_configuration_comes_back(tmp_path):
    config = AlignerConfig(encoding="separate", align_layer=6, scaling="entropic", similarity="cosine", clamp=None)
    write_aligner(tmp_path, config)
    assert read_aligner(tmp_path) == config


def test_aligner_files_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        read_aligner(tmp_path)
    path = tmp_path / ALIGNER
    for text, message in {
        "{": "is not JSON",
        json.dumps({"version": 99}): "of version 1 to 5",
        "[]": "of version 1 to 5",
        json.dumps({"version": 1, "layer": 3}): "unknown fields: layer",
        json.dumps({"version": 1, "rounds": 0}): rf"{ALIGNER}: rounds \(--sinkhorn-rounds\) is 0",
    }.items():
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_aligner(tmp_path)


def test_a_file_of_version_2_links_marks_as_it_did(tmp_path):
    (tmp_path / ALIGNER).write_text(json.dumps({"version": 2, "window": 100}))
    assert read_aligner(tmp_path) == AlignerConfig(window=100, marks="link")
    (tmp_path / ALIGNER).write_text(json.dumps({"version": 3, "window": 100}))
    assert read_aligner(tmp_path) == AlignerConfig(window=100, marks="skip")


def test_a_file_of_version_4_has_one_cutoff(tmp_path):
    (tmp_path / ALIGNER).write_text(json.dumps({"version": 4, "scaling": "softmax", "extraction": "mutual", "cutoff": 0.3}))
    assert read_aligner(tmp_path).low_cutoff == 1.0


def test_a_file_of_version_1_is_read(tmp_path):
    (tmp_path / ALIGNER).write_text(json.dumps({"version": 1, "encoding": "separate", "align_layer": 6, "max_pieces": 250}))
    assert read_aligner(tmp_path) == AlignerConfig(encoding="separate", align_layer=6, marks="link")
