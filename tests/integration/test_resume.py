"""A run that is killed and resumed ends with the same bits as an uninterrupted run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from world import ENVIRONMENT, assert_same_parameters, run, train, train_flags

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.errors import InputError

UPDATES = 34  # 2 epochs of 17 batches


def kill_when_saved(process, checkpoint):
    """Stop the process once the file exists, check that no copy was in progress, and kill it."""
    last = checkpoint.with_name("checkpoint_last.pt")
    ends = time.monotonic() + 120
    while True:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < ends, f"no {checkpoint.name} in two minutes"
        if checkpoint.is_file():
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            try:
                updates = torch.load(last, weights_only=True)["optimizer_history"][-1]["num_updates"]
            except (OSError, RuntimeError, EOFError):
                process.send_signal(signal.SIGCONT)
            else:
                process.kill()
                process.wait()
                return updates
        time.sleep(0.005)


def test_killed_and_resumed(world, tmp_path, caplog):
    """With dropout and two language pairs of different size, resampled; killed in the second epoch."""
    shutil.copytree(world / "data", tmp_path / "data")
    text = [tmp_path / f"train.fr-en.{lang}" for lang in ("fr", "en")]
    for file in text:
        file.write_text("".join((world / "text" / file.name).read_text().splitlines(keepends=True)[:30]))
    arguments = ["--model", world / "model", "--lang-pair", "fr-en", "--src", text[0], "--tgt", text[1]]
    assert xlm_align(list(map(str, ["binarize", *arguments, "--out", tmp_path / "data"]))) == 0

    def flags(name):
        more = ["--dropout", "0.1", "--attention-dropout", "0.1", "--sampling-exponent", "0.5", "--save-interval-updates", "2"]
        more += ["--max-epoch", "2", "--max-update", "0", "--lr-scheduler", "polynomial_decay", "--total-num-update", "40"]
        return train_flags(world, tmp_path / name, *more, data=tmp_path / "data")

    straight = train(caplog, flags("straight"))
    assert "fr-en: 30 pairs used; left out: 0 empty, 0 too long" in caplog.messages
    assert len(straight) == UPDATES

    command = [str(Path(sys.executable).with_name("fairseq-train")), *flags("killed")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        try:
            updates = kill_when_saved(process, tmp_path / "killed" / "checkpoint_2_20.pt")
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 18 <= updates < UPDATES  # killed before checkpoint_last.pt followed, or after
    assert not (tmp_path / "killed" / f"checkpoint_2_{UPDATES}.pt").exists()
    done = run(command)
    assert re.search(rf"Loaded checkpoint \S+checkpoint_last.pt \(epoch 2 @ {updates} updates\)", done.stdout + done.stderr)
    ends = [tmp_path / name / "checkpoint_last.pt" for name in ("straight", "killed")]
    assert_same_parameters(*ends)
    first, second = (torch.load(end, weights_only=True) for end in ends)
    assert first["optimizer_history"][-1]["num_updates"] == second["optimizer_history"][-1]["num_updates"] == UPDATES
    for ours, theirs in zip(*(end["last_optimizer_state"]["state"].values() for end in (first, second)), strict=True):
        assert torch.equal(ours["exp_avg_sq"], theirs["exp_avg_sq"])
    middle = tmp_path / "straight" / "checkpoint_2_20.pt"
    assert not torch.equal(
        first["model"]["pointer.key.weight"], torch.load(middle, weights_only=True)["model"]["pointer.key.weight"]
    )


def test_another_dictionary_is_refused(world, tmp_path, caplog):
    """From scratch no cold start compares it; with two lines swapped, two pieces would take each other's place amid training."""
    data = tmp_path / "data"
    shutil.copytree(world / "data", data)
    flags = ["--align-layer", "2", "--max-update"]
    train(caplog, train_flags(world, tmp_path / "run", *flags, "2", data=data, cold_start=False))
    lines = (data / "dict.txt").read_text("utf-8").splitlines(keepends=True)
    lines[10], lines[300] = lines[300], lines[10]
    whole = (data / "dict.txt").read_bytes()
    (data / "dict.txt").write_text("".join(lines), "utf-8")
    with pytest.raises(InputError, match=r"the checkpoint was trained with another dictionary \(SHA-256 .{16}…, that of the"):
        train(caplog, train_flags(world, tmp_path / "run", *flags, "4", data=data, cold_start=False))
    (data / "dict.txt").write_bytes(whole)
    logs = train(caplog, train_flags(world, tmp_path / "run", *flags, "4", data=data, cold_start=False))
    assert [log["num_updates"] for log in logs] == [3, 4]
