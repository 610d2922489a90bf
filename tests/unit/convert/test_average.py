"""The average of checkpoints: the mean of the last ones by updates, and what is refused."""

import dataclasses

import pytest
import torch

from xlm_align_fairseq.convert.average import average, last_checkpoints
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint, directory


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def run(tmp_path, model):
    """A run with four checkpoints; each has the weights of the model times a number, rounded to float32."""
    directory.write_model(tmp_path, model)
    for name, factor in {"1_90": 9.0, "1_100": 1.0, "2_200": 2.0, "2_1000": 6.0}.items():
        state = {key: value * factor for key, value in model.state.items()}
        checkpoint.save_checkpoint(tmp_path / f"checkpoint_{name}.pt", model.config, state, model.hf_architecture)
    return tmp_path


def test_the_last_by_updates(run):
    assert [path.name for path in last_checkpoints(run, 3)] == [
        "checkpoint_1_100.pt",
        "checkpoint_2_200.pt",
        "checkpoint_2_1000.pt",
    ]


def test_mean(run, model):
    found = average(run, 3)
    for key, value in model.state.items():
        torch.testing.assert_close(found.state[key], value * 3)
    one, last = average(run, 1), open_model(run / "checkpoint_2_1000.pt")
    assert all(one.state[key].equal(value) for key, value in last.state.items())


@pytest.mark.parametrize("count", [0, 5])
def test_too_many(run, count):
    with pytest.raises(InputError, match=rf"--average {count}: .* has 4 checkpoints by updates .* --save-interval-updates"):
        average(run, count)


def test_checkpoints_of_another_model(run, model):
    state = {key: value for key, value in model.state.items() if not key.startswith("pointer.")}
    assert len(state) < len(model.state)
    checkpoint.save_checkpoint(run / "checkpoint_2_999.pt", dataclasses.replace(model.config), state, model.hf_architecture)
    with pytest.raises(InputError, match=r"checkpoint_2_999\.pt is of another model than"):
        average(run, 2)
