"""Two ranks on the CPU, started as users start them, compared with one; refused launches."""

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from world import logged, parameters, run, train, train_flags, tree, write_random_model

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.patches import check_launch

TORCHRUN = Path(sys.executable).with_name("torchrun")
FAIRSEQ_TRAIN = Path(sys.executable).with_name("fairseq-train")
EM = ["--label-schedule", "updates:4", "--max-update", "14", "--save-interval-updates", "1"]
LAST = "checkpoint_last.pt"


def two_ranks(flags, check=True):
    """Run fairseq-train on two ranks of this machine."""
    start = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "--no-python", FAIRSEQ_TRAIN]
    return run([*start, *flags, "--distributed-world-size", "2"], check=check)


def losses(checkpoint):
    """Return the losses of the last update before a checkpoint, as fairseq's meters hold them, before logs round them."""
    meters = torch.load(checkpoint, weights_only=True)["extra_state"]["metrics"]["train"]
    return {name: float(state["val"]) for _, name, _, state in meters if name.endswith("loss")}


def assert_same_training(ours, theirs):
    """Check that two runs had the same losses in every update that left a checkpoint, and end with the same weights."""
    names = sorted(path.name for path in ours.glob("checkpoint_*.pt"))
    assert names == sorted(path.name for path in theirs.glob("checkpoint_*.pt"))
    for name in names:
        assert losses(ours / name) == pytest.approx(losses(theirs / name), abs=1e-5, rel=0)
    first, second = parameters(ours / LAST), parameters(theirs / LAST)
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=1e-5)
    return names


def test_two_ranks_are_one_rank_with_two_batches(world, tmp_path, caplog):
    """Label bytes are equal, losses and weights within 1e-5; then the run resumes with the other number of ranks."""
    two_ranks(train_flags(world, tmp_path / "two", *EM))
    alone = train(caplog, train_flags(world, tmp_path / "one", *EM, "--update-freq", "2"))
    assert [log["num_updates"] for log in alone] == list(range(1, 15))
    assert tree(tmp_path / "two" / "labels") == tree(tmp_path / "one" / "labels") != {}
    assert len(assert_same_training(tmp_path / "two", tmp_path / "one")) == 14  # every update but the last of the epoch; the end

    more = train(caplog, train_flags(world, tmp_path / "two", *EM, "--update-freq", "2", "--max-update", "17"))
    straight = train(caplog, train_flags(world, tmp_path / "one", *EM, "--update-freq", "2", "--max-update", "17"))
    assert [log["num_updates"] for log in more] == [15, 16, 17]
    assert [log["loss"] for log in more] == pytest.approx([log["loss"] for log in straight], abs=1e-4)
    assert tree(tmp_path / "two" / "labels") == tree(tmp_path / "one" / "labels")


def test_monolingual_text_on_two_ranks(world, tmp_path, caplog):
    """Every rank has pairs and blocks in every batch, so no dummy batches are needed to synchronise gradients."""
    text = world / "text" / "train.fr-en.fr"
    arguments = ["binarize", "--model", world / "model", "--mono", text, "--out", tmp_path / "mono"]
    assert xlm_align(list(map(str, arguments))) == 0
    flags = ["--mono", str(tmp_path / "mono"), "--mono-tokens", "512", "--max-positions", "512"]
    write_random_model(tmp_path / "model", (world / "spm.model").read_bytes(), max_positions=512)
    flags += ["--cold-start", str(tmp_path / "model"), "--max-update", "4", "--save-interval-updates", "1"]
    two_ranks(train_flags(world, tmp_path / "two", *flags))
    alone = train(caplog, train_flags(world, tmp_path / "one", *flags, "--update-freq", "2"))
    assert all(log["mlm_loss"] > 8 for log in alone)
    assert_same_training(tmp_path / "two", tmp_path / "one")
    assert set(losses(tmp_path / "one" / LAST)) == {"loss", "dwa_loss", "tlm_loss", "mlm_loss"}


def test_a_rank_that_has_no_batch_left_after_a_validation(world, tmp_path, caplog):
    """Fairseq gives the rank a batch of the validation, whose sentences and language pairs have no labels."""
    shutil.copytree(world / "data", tmp_path / "data")
    for path in (tmp_path / "data").glob("valid.fr-en*"):
        path.unlink()
    make = {name: train_flags(world, tmp_path / name, *EM, data=tmp_path / "data") for name in ("two", "one")}
    make = {name: [flag for flag in flags if flag != "--disable-validation"] for name, flags in make.items()}
    two_ranks(make["two"])
    train(caplog, [*make["one"], "--update-freq", "2"])
    assert len(logged(caplog, "valid")) == 14  # also before the last update of the epoch, for which one batch is left
    assert_same_training(tmp_path / "two", tmp_path / "one")
    assert tree(tmp_path / "two" / "labels") == tree(tmp_path / "one" / "labels") != {}


def test_two_ranks_resume_their_own_checkpoint_and_refuse_a_hostile_one(world, tmp_path):
    """fairseq hands the checkpoint from rank to rank as a pickle: plain data passes, calls do not."""
    flags = train_flags(world, tmp_path / "run", *EM, "--tlm-weight", "0")  # a head without a loss has no gradients
    two_ranks([*flags, "--max-update", "6"])
    done = two_ranks([*flags, "--max-update", "8"])
    assert "(epoch 1 @ 6 updates)" in done.stdout + done.stderr
    assert len(re.findall(r"\| train_inner \| ", done.stdout + done.stderr)) == 2

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch '{tmp_path / 'marker'}'",)

    content = torch.load(tmp_path / "run" / LAST, weights_only=True)
    content["extra_state"]["hostile"] = Hostile()
    torch.save(content, tmp_path / "hostile.pt")
    done = two_ranks([*train_flags(world, tmp_path / "other", *EM), "--restore-file", str(tmp_path / "hostile.pt")], check=False)
    assert done.returncode != 0
    assert "posix.system" in done.stderr
    assert not (tmp_path / "marker").exists()


def test_torchrun_without_the_world_size_is_refused(world, tmp_path):
    """Fairseq would train two models, each overwriting the other's checkpoints, and exit with code 0."""
    start = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "--no-python", FAIRSEQ_TRAIN]
    done = run([*start, *train_flags(world, tmp_path / "run")], check=False)
    assert done.returncode != 0
    assert "2 processes were started, --distributed-world-size is 1: each would train a model of its own" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", [[], ["--distributed-init-method", "tcp://127.0.0.1:29577"]])
def test_ranks_that_nobody_starts_are_refused(world, tmp_path, method):
    """With an init method fairseq would start no process at all, and exit with code 0."""
    done = run([FAIRSEQ_TRAIN, *train_flags(world, tmp_path / "run"), "--distributed-world-size", "2", *method], check=False)
    assert done.returncode != 0
    assert "--distributed-world-size 2: fairseq starts a process for each GPU and there is none" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("environment", "flags", "devices"),
    [
        ({}, {}, 0),
        ({}, {"size": 4}, 4),
        ({"RANK": "0", "WORLD_SIZE": "2"}, {"size": 2}, 0),
        ({"RANK": "0", "WORLD_SIZE": "1"}, {}, 0),
        ({"WORLD_SIZE": "8"}, {}, 1),  # left over from something else
        ({}, {"size": 2, "no_spawn": True}, 0),
    ],
)
def test_launches_that_are_right(monkeypatch, environment, flags, devices):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    launch(flags, devices)


def test_launches_that_are_wrong(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match="give --distributed-world-size 3"):
        launch({}, 1)
    monkeypatch.delenv("RANK")
    with pytest.raises(InputError, match="start 4 with: torchrun --nproc-per-node 4 --no-python fairseq-train"):
        launch({"size": 4}, 0)


def launch(flags, devices):
    names = {"size": "distributed_world_size", "no_spawn": "distributed_no_spawn"}
    group = {"distributed_world_size": 1, "distributed_init_method": None, "distributed_no_spawn": False}
    check_launch(SimpleNamespace(**group | {names[name]: value for name, value in flags.items()}), devices)


def test_ranks_that_cannot_share_a_position(world, tmp_path, caplog):
    """Half an epoch of an odd number of batches cannot be resumed on two ranks."""
    train(caplog, train_flags(world, tmp_path, "--max-update", "5"))
    done = two_ranks(train_flags(world, tmp_path), check=False)
    assert done.returncode != 0
    assert "the checkpoint stands 5 batches into epoch 1, which 2 ranks cannot share out: resume with 1 ranks" in done.stderr


def test_what_comes_is_what_is_read(world, tmp_path, monkeypatch, caplog):
    """The ids that a pass gets are those of the updates that follow, across epochs."""
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask as Task

    told, read = [], []
    coming, label = Task._coming, Task.label

    def tell(task, epoch, update):
        told.append((update, coming(task, epoch, update).tolist()))
        return coming(task, epoch, update)

    def watch(task, sample, teacher, store=None):
        read.append(sample["id"].tolist())
        return label(task, sample, teacher, store)

    monkeypatch.setattr(Task, "_coming", tell)
    monkeypatch.setattr(Task, "label", watch)
    flags = ["--label-schedule", "updates:9", "--max-update", "30", "--update-freq", "2", "--batch-size", "7"]
    train(caplog, train_flags(world, tmp_path, *flags))
    assert [update for update, _ in told] == [0, 9, 18, 27]
    updates, position = [], 0  # 29 batches an epoch: the last update of each has one
    while position < len(read):
        size = min(2, 29 - position % 29)
        updates.append([i for batch in read[position : position + size] for i in batch])
        position += size
    assert len(updates) == 30
    for update, ids in told[:-1]:  # the last one looks beyond the end
        assert ids == sorted({i for batch in updates[update : update + 9] for i in batch})
