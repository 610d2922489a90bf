"""Safe loading: fairseq's checkpoints are read, files that would run code are refused before it runs."""

import argparse
import collections
import os
import sys
import types

import numpy as np
import pytest
import torch

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.system import files


class Hostile:
    def __init__(self, marker, function=os.system):
        self.marker, self.function = marker, function

    def __reduce__(self):
        text = f"open({str(self.marker)!r}, 'w')" if self.function is eval else f"touch {self.marker}"
        return self.function, (text,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [os.system, eval])
@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin"])
def test_hostile_files_are_refused_and_not_run(tmp_path, name, function, zipped):
    marker = tmp_path / "marker"
    content = {"args": Hostile(marker, function), "model": {"x": torch.ones(2)}}
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    wanted = rf"{name} wants to call (posix\.system|nt\.system|(\w+\.)?eval), .*refused, nothing was run"
    with pytest.raises(InputError, match=wanted):
        checkpoint.load_checkpoint(tmp_path / name)
    assert not marker.exists()
    torch.load(tmp_path / name, weights_only=False)
    assert marker.exists(), "the file is harmless: this test shows nothing"


def test_old_meters_namespaces_and_numpy_scalars_are_read(tmp_path, monkeypatch):
    meters = types.ModuleType("fairseq.meters")
    meters.AverageMeter = type("AverageMeter", (), {"__module__": "fairseq.meters"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fairseq", types.ModuleType("fairseq"))
        patch.setitem(sys.modules, "fairseq.meters", meters)
        meter = meters.AverageMeter()
        meter.avg = 3.5
        content = {
            "args": argparse.Namespace(arch="roberta_base", lr=[0.1]),
            "extra_state": {
                "train_meters": collections.OrderedDict(loss=meter),
                "best": np.float64(2.5),
                "n": np.int64(3),
            },
            "weights": np.arange(3.0),
        }
        torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    loaded = checkpoint.load_checkpoint(tmp_path / "old.pt")
    assert loaded["args"].arch == "roberta_base"
    assert loaded["extra_state"]["best"] == 2.5
    assert loaded["extra_state"]["n"] == 3
    assert vars(loaded["extra_state"]["train_meters"]["loss"])["avg"] == 3.5  # whether fairseq is loaded or not
    assert loaded["weights"].tolist() == [0, 1, 2]


def test_the_allowance_ends_with_the_call(tmp_path):
    torch.save({"args": argparse.Namespace(a=1)}, tmp_path / "a.pt")
    before = set(torch.serialization.get_safe_globals())
    checkpoint.load_checkpoint(tmp_path / "a.pt")
    assert set(torch.serialization.get_safe_globals()) == before
    with torch.serialization.safe_globals([argparse.Namespace, dict]):  # classes that others allowed stay allowed
        checkpoint.load_checkpoint(tmp_path / "a.pt")
        assert {argparse.Namespace, dict} <= set(torch.serialization.get_safe_globals())


def test_damaged_files(tmp_path):
    with pytest.raises(InputError, match=r"none.pt: cannot read the file \(No such file or directory\)"):
        checkpoint.load_checkpoint(tmp_path / "none.pt")
    torch.save({"x": torch.ones(1000)}, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    for name, data in (("cut.pt", whole[: len(whole) // 2]), ("text.pt", b"hello"), ("empty.pt", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"{name}.*copy it again|{name} is not a plain checkpoint"):
            checkpoint.load_checkpoint(tmp_path / name)
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(InputError, match=r"list.pt holds a list, not a checkpoint"):
        checkpoint.load_checkpoint(tmp_path / "list.pt")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"old")

    def fail(file):
        file.write(b"new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(tmp_path / "model.pt", fail)
    assert (tmp_path / "model.pt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.pt"]


def test_a_view_is_stored_alone(tmp_path, make_model):
    model = make_model(heads=())
    big = torch.zeros(100_000, 32)
    big[: model.config.vocabulary] = model.state["encoder.embed_tokens.weight"]
    checkpoint.save_checkpoint(tmp_path / "a.pt", model.config, model.state, "bert")
    viewed = {**model.state, "encoder.embed_tokens.weight": big[: model.config.vocabulary]}
    checkpoint.save_checkpoint(tmp_path / "b.pt", model.config, viewed, "bert")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
