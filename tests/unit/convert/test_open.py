"""The kind of a model is detected in one place: every command and training read the same model from a path."""

import shutil

import pytest
import torch

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert import hugging_face
from xlm_align_fairseq.convert.open import identify, open_model, open_pieces
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.plugin.cold_start import ColdStart


@pytest.fixture
def ours(tmp_path, make_model):
    write_model(tmp_path / "ours", make_model())
    return tmp_path / "ours"


def test_a_checkpoint_beside_config_json_is_what_everybody_reads(tmp_path, make_model, ours):
    other = make_model()
    other.state["encoder.layers.0.fc1.bias"] = torch.full((48,), 7.0)
    hugging_face.write(tmp_path / "hf", other)
    for file in ours.iterdir():
        shutil.copy(file, tmp_path / "hf")
    directory = tmp_path / "hf"
    assert identify(directory) == ("fairseq", directory / "model.pt")
    expected = open_model(ours).state["encoder.layers.0.fc1.bias"]
    assert not expected.eq(7).any()
    assert Aligner.load(directory, "cpu").encoder.layers[0].fc1.bias.equal(expected)
    assert ColdStart.read(str(directory), other.vocabulary).model.state["encoder.layers.0.fc1.bias"].equal(expected)
    assert xlm_align(["convert", str(directory), str(tmp_path / "out")]) == 0
    assert open_model(tmp_path / "out").state["encoder.layers.0.fc1.bias"].equal(expected)
    assert xlm_align(["convert", "--from", "hf", str(directory), str(tmp_path / "theirs")]) == 0
    assert open_model(tmp_path / "theirs").state["encoder.layers.0.fc1.bias"].eq(7).all()


def test_pieces_are_those_of_the_model(tmp_path, make_model, ours):
    model = make_model()
    hugging_face.write(tmp_path / "hf", model)
    (ours / "model.pt").rename(tmp_path / "elsewhere.pt")  # pieces need no weights
    for path in (ours, tmp_path / "hf"):
        files = open_pieces(path)
        assert files.vocabulary == model.vocabulary
        assert files.dictionary == (ours / "dict.txt").read_bytes()
    (ours / "dict.txt").unlink()
    with pytest.raises(InputError, match=r"ours has no model.pt"):
        open_pieces(ours)


def test_what_is_no_model_is_refused(tmp_path, ours):
    with pytest.raises(InputError, match=r"dict.txt is no .pt file: give a model directory, a .pt file inside one"):
        open_model(ours / "dict.txt")
    with pytest.raises(InputError, match=r"absent: no such directory; give one of fairseq or Hugging Face"):
        open_model(tmp_path / "absent")
