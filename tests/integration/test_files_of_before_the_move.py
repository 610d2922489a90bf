"""Files of the code from before modules moved, which must be read for good: see tests/golden/README.md.

What a CPU computes differs from another's in the last digits. Links are those of sentence pairs where noise a hundred times as
large changes none; losses are compared before logs round them.
"""

import json
import re
import shutil

import pytest
import torch
from world import ROOT, USER_DIR, train, tree

from xlm_align_fairseq.cli.main import main as xlm_align

BEFORE = ROOT / "tests" / "golden" / "before_the_move"
RECORD = json.loads((BEFORE / "record.json").read_text("utf-8"))
# one in the last digit of what fairseq logs: a loss that is equal to 1e-5 can be rounded either way
DIGIT = {"pointer_accuracy": 0.0101, "gnorm": 0.00101}


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Work in a copy, in which the paths that the files hold lead somewhere."""
    shutil.copytree(BEFORE, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")
    return tmp_path / "old"


def losses(save_dir):
    found = {}
    for path in save_dir.glob("checkpoint_*_*.pt"):
        meters = torch.load(path, weights_only=True)["extra_state"]["metrics"]["train"]
        update = re.fullmatch(r"checkpoint_\d+_(\d+)", path.stem)[1]
        found[update] = {name: float(state["val"]) for _, name, _, state in meters if name.endswith("loss")}
    return found


def assert_trains_as_before(caplog, old, name, save_dir):
    logs = train(caplog, [*RECORD["flags"][name], "--user-dir", USER_DIR])
    expected = RECORD["losses"][name]
    found = losses(old / save_dir)
    assert found.keys() == expected.keys()
    for update in expected:
        assert found[update] == pytest.approx(expected[update], abs=1e-5, rel=0), update
    assert len(logs) == len(RECORD["logs"][name])
    for log, before in zip(logs, RECORD["logs"][name], strict=True):
        assert log.keys() == before.keys()
        for key, value in before.items():
            assert log[key] == pytest.approx(value, abs=DIGIT.get(key, 0.00101), rel=0), key


@pytest.mark.parametrize("name", RECORD["links"])
def test_old_models_align_as_before(old, name):
    """A directory of `xlm-align new` and one of a training run, by the defaults they hold and by other methods."""
    model, flags = RECORD["links"][name]
    texts = ["--src", "text.src", "--tgt", "text.tgt"]
    assert xlm_align(["align", "--model", model, *texts, *flags, "--out", "found", "--quiet", "--threads", "1"]) == 0
    assert (old / "found").read_bytes() == (old / name).read_bytes()


def test_an_old_checkpoint_is_trained_on(old, caplog):
    """It takes up weights, optimizer, place in the data and the labels in force, and makes the next ones when they are due."""
    labels = tree(old / "run" / "labels")
    assert_trains_as_before(caplog, old, "resumed", "run")
    assert any("(epoch 1 @ 6 updates)" in message for message in caplog.messages)
    after = tree(old / "run" / "labels")
    assert {path: data for path, data in after.items() if "em_iter_0003" not in path} == labels
    assert json.loads(after["em_iter_0003/labels.train.json"])["update"] == 8


def test_old_labels_are_trained_on(old, caplog):
    """Labels of `xlm-align label`, for data that was binarised then."""
    labels = tree(old / "labels")
    assert_trains_as_before(caplog, old, "fixed", "fixed")
    assert tree(old / "labels") == labels
    assert not (old / "fixed" / "labels").exists()


def test_old_shards_of_labels_are_put_together(old):
    """The same labels, cut in two by hand as `--num-shards 1` leaves them: a merge reads the old manifest."""
    shutil.copytree(old / "labels", old / "merged" / "shards" / "0-of-1")
    assert xlm_align(["label", "--data", "data", "--out", "merged", "--merge", "--num-shards", "1"]) == 0
    merged, labels = tree(old / "merged"), tree(old / "labels")
    assert {path: data for path, data in merged.items() if path.endswith((".bin", ".idx"))} == {
        path: data for path, data in labels.items() if path.endswith((".bin", ".idx"))
    }
