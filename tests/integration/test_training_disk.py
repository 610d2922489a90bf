"""Training where the disk is full, or a checkpoint is damaged: one line that says what and what to do, nothing half there."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from disk import full_disk
from world import assert_same_parameters, run, train, train_flags

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin import checkpoints

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from fairseq_cli.train import cli_main
sys.argv = ["fairseq-train", *sys.argv[2:]]
cli_main()
"""


def train_on_a_full_disk(limit, flags):
    return run([sys.executable, "-c", FULL, limit, *flags], check=False)


def test_no_room_for_a_checkpoint(world, tmp_path):
    """The weights take 600 KB, with the moments of Adam 1.8 MB."""
    done = train_on_a_full_disk(1 << 20, train_flags(world, tmp_path / "run"))
    assert done.returncode == 2
    last = tmp_path / "run" / "checkpoint_last.pt"
    assert done.stderr.splitlines()[-1] == (
        f"fairseq-train: error: {last}: cannot write the file (File too large); check the path, rights and free space;"
        " the same command then goes on from the checkpoint before"
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert not list((tmp_path / "run").glob("*.pt*"))
    assert not list((tmp_path / "run").glob(".*"))


def test_no_room_for_labels(world, tmp_path):
    """They are written within an update, where fairseq would save crash.pt, which has no room either, and tell of that."""
    flags = ["--label-schedule", "updates:2", "--align-layer", "2"]
    done = train_on_a_full_disk(200, train_flags(world, tmp_path / "run", *flags, cold_start=False))
    assert done.returncode == 2
    assert ".align.de-en." in done.stderr.splitlines()[-1]
    assert "cannot write the file (File too large); check the path, rights and free space" in done.stderr.splitlines()[-1]
    assert "crash.pt" not in done.stdout + done.stderr
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_a_crash_is_told_where_crash_pt_cannot_be_written(world, tmp_path, caplog, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("the cause")

    def no_room(*_):
        raise OSError("no room")

    monkeypatch.setattr("xlm_align_fairseq.plugin.pretraining.task.label", fail)
    monkeypatch.setattr(torch, "save", no_room)
    with pytest.raises(ZeroDivisionError, match="the cause"):
        train(caplog, train_flags(world, tmp_path / "run"))
    assert "no crash.pt is there (no room); what crashed is said next" in caplog.text


def test_a_copy_that_fails_leaves_the_old_one(tmp_path):
    from fairseq.file_io import PathManager

    checkpoints.apply()
    (tmp_path / "new.pt").write_bytes(bytes(1 << 16))
    (tmp_path / "checkpoint_best.pt").write_bytes(b"old")
    with full_disk(1000), pytest.raises(InputError, match=r"checkpoint_best.pt: cannot write the file \(File too large\)"):
        PathManager.copy(str(tmp_path / "new.pt"), str(tmp_path / "checkpoint_best.pt"), overwrite=True)
    assert (tmp_path / "checkpoint_best.pt").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint_best.pt", "new.pt"]


DAMAGE = {
    "cut short": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "overwritten": lambda data: b"\0" * len(data),
    "text": lambda data: b"not a checkpoint\n",
}


@pytest.fixture(scope="module")
def stopped(world, tmp_path_factory):
    """A run that was stopped after six updates, with checkpoints of two, four and six."""
    place = tmp_path_factory.mktemp("stopped") / "run"
    done = run([Path(sys.executable).with_name("fairseq-train"), *train_flags(world, place, "--save-interval-updates", "2")])
    assert done.returncode == 0
    return place


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_last_checkpoint_names_the_newest_whole_one(world, tmp_path, stopped, caplog, damage):
    place = tmp_path / "run"
    shutil.copytree(stopped, place)
    last, newest = place / "checkpoint_last.pt", place / "checkpoint_1_6.pt"
    data = last.read_bytes()
    newest.unlink(missing_ok=True)  # damaged, too, in the next lines
    for path in (last, newest):
        path.write_bytes(DAMAGE[damage](data))
    with pytest.raises(InputError) as said:
        train(caplog, train_flags(world, place, "--max-update", "8"))
    whole = place / "checkpoint_1_4.pt"
    assert str(said.value).startswith(f"{last} ")
    assert str(said.value).endswith(
        f"; the newest one beside it that is whole, of update 4, is gone on from with --restore-file {whole}"
    )
    assert "weights_only" not in str(said.value) + caplog.text
    flags = train_flags(world, place, "--max-update", "6", "--restore-file", str(whole), cold_start=False)
    logs = train(caplog, flags)
    assert [log["num_updates"] for log in logs] == [5, 6]
    assert_same_parameters(last, stopped / "checkpoint_last.pt")


def test_a_damaged_checkpoint_that_is_the_only_one(world, tmp_path, stopped, caplog):
    place = tmp_path / "run"
    shutil.copytree(stopped, place, ignore=lambda _, names: [name for name in names if name.startswith("checkpoint_1")])
    (place / "checkpoint_last.pt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"; no other checkpoint is beside it: begin anew with another --save-dir$"):
        train(caplog, train_flags(world, place))
