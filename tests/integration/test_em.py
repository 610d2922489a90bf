"""EM iterations: periodic labels against online ones, given labels, the teacher, and runs that are killed at any point."""

import json
import math
import signal
import sys

import numpy as np
import pytest
import torch
from world import assert_same_parameters, logged, parameters, run, train, train_flags, tree

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.labels import LabelStore
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.em import shards as pass_shards
from xlm_align_fairseq.errors import InputError

EVERY_4 = ["--label-schedule", "updates:4"]
LAST = "checkpoint_last.pt"


def manifest(run_dir, em_iter):
    return json.loads((run_dir / "labels" / f"em_iter_{em_iter:04d}" / "labels.train.json").read_text())


# schedules


@pytest.mark.parametrize(("encoding", "method"), [("separate", "reference-label"), ("joint", "argmax"), ("joint", "pointer")])
def test_periodic_labels_of_every_update_are_online_labels(world, tmp_path, caplog, encoding, method):
    """N = 1, one batch an update, no teacher, no dropout: the same labels, hence the same losses and weights."""
    flags = ["--max-update", "12", "--encoding", encoding, "--label-method", method]
    online = train(caplog, train_flags(world, tmp_path / "online", *flags))
    periodic = train(caplog, train_flags(world, tmp_path / "periodic", *flags, "--label-schedule", "updates:1"))
    for log in online:
        for pair in ("", "_de-en", "_fr-en"):
            del log[f"agreement{pair}"]  # not known for labels on disk
    assert periodic == online
    assert_same_parameters(tmp_path / "online" / LAST, tmp_path / "periodic" / LAST)
    assert len(list((tmp_path / "periodic" / "labels").iterdir())) == 12


def test_a_stretch_keeps_its_labels(world, tmp_path, caplog):
    """Labels of frozen weights for 4 updates: those of the first update are online labels, later ones are not."""
    online = train(caplog, train_flags(world, tmp_path / "online", "--max-update", "5"))
    periodic = train(caplog, train_flags(world, tmp_path / "periodic", "--max-update", "5", *EVERY_4))
    assert periodic[0]["loss"] == online[0]["loss"]
    assert periodic[3]["loss"] != online[3]["loss"]
    about = manifest(tmp_path / "periodic", 1), manifest(tmp_path / "periodic", 2)
    assert [(m["em_iter"], m["update"]) for m in about] == [(1, 0), (2, 4)]
    assert about[0]["weights"] != about[1]["weights"]
    labelled = [sum(pair["labelled"] for pair in m["pairs"].values()) for m in about]
    assert labelled == [32, 32]  # four batches of 8


def test_epochs_and_the_whole_corpus(world, tmp_path, caplog):
    flags = ["--label-schedule", "epochs:2", "--label-scope", "corpus", "--max-update", "0", "--max-epoch", "3", "--lr", "1e-2"]
    train(caplog, train_flags(world, tmp_path, *flags))
    first, second = manifest(tmp_path, 1), manifest(tmp_path, 2)
    assert (first["update"], second["update"]) == (0, 50)
    for about in (first, second):
        assert {name: pair["labelled"] for name, pair in about["pairs"].items()} == {"de-en": 100, "fr-en": 100}
    assert first["pairs"]["de-en"]["change"] is None
    assert 0.01 < second["pairs"]["de-en"]["change"] < 1
    assert any("em_iter 2 | update 50 | fr-en: 100 pairs labelled" in message for message in caplog.messages)
    stretch = tmp_path / "stretch"
    train(caplog, train_flags(world, stretch, *flags[:2], "--max-update", "0", "--max-epoch", "3"))
    assert manifest(stretch, 2)["pairs"]["de-en"]["labelled"] == 100  # what the last epoch reads


def test_the_teacher_is_the_moving_average(world, tmp_path, caplog):
    """With decay 1 the average stays where training began: so every pass labels with the same weights."""
    flags = [*EVERY_4, "--label-scope", "corpus", "--store-ema", "--label-teacher", "ema", "--max-update", "9", "--ema-decay"]
    train(caplog, train_flags(world, tmp_path / "still", *flags, "1.0"))
    about = [manifest(tmp_path / "still", em_iter) for em_iter in (1, 2, 3)]
    assert len({m["weights"] for m in about}) == 1
    assert about[2]["pairs"]["de-en"]["change"] == 0
    train(caplog, train_flags(world, tmp_path / "moving", *flags, "0.5"))
    assert len({manifest(tmp_path / "moving", em_iter)["weights"] for em_iter in (1, 2, 3)}) == 3


def test_the_teacher_is_judged_on_validation(world, tmp_path, caplog):
    """The AER that decides on taking over is of the weights that will label: with decay 1 they never change."""
    from test_training import GOLD_SET

    flags = [*EVERY_4, "--store-ema", "--label-teacher", "ema", "--ema-decay", "1.0", "--valid-gold", GOLD_SET]
    flags = train_flags(world, tmp_path, *flags, "--max-update", "9", "--validate-interval-updates", "3", "--lr", "1e-2")
    train(caplog, [flag for flag in flags if flag != "--disable-validation"])
    logs = logged(caplog, "valid")
    assert len(logs) == 3
    assert len({log["valid_teacher_aer"] for log in logs}) == 1
    assert len({log["valid_aer"] for log in logs}) > 1


# labels from elsewhere


@pytest.fixture(scope="module")
def given(world, tmp_path_factory):
    """Make labels outside training, by layer 2, for both splits."""
    out = tmp_path_factory.mktemp("given")
    for split in ("train", "valid"):
        arguments = ["--model", world / "model", "--data", world / "data", "--split", split, "--align-layer", "2", "--out", out]
        assert xlm_align(["label", *map(str, arguments), "--device", "cpu", "--quiet"]) == 0
    return out


def test_fixed_labels(world, tmp_path, caplog, given):
    """Training reads exactly the given links."""
    flags = ["--label-schedule", "fixed", "--initial-labels", str(given)]
    logs = train(
        caplog, train_flags(world, tmp_path, *flags, "--max-update", "0", "--max-epoch", "1", "--sampling-exponent", "1")
    )
    store = LabelStore(given, "train", Corpus.open(world / "data", "train", None, 128))
    links = sum(about["links"] for about in store.manifest["pairs"].values())
    assert sum(log["links_per_pair"] * log["bsz"] for log in logs) == pytest.approx(links, abs=1)
    (epoch,) = logged(caplog, "train")
    for pair, about in store.manifest["pairs"].items():
        assert epoch[f"train_links_per_pair_{pair}"] == pytest.approx(about["links"] / about["labelled"], abs=0.01)
    assert not (tmp_path / "labels").exists()


def test_self_labels_take_over(world, tmp_path, caplog, given):
    """Without a threshold iteration 0 lasts for one stretch."""
    flags = [*EVERY_4, "--initial-labels", str(given), "--max-update", "9"]
    train(caplog, train_flags(world, tmp_path, *flags))
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["em_iter_0001", "em_iter_0002"]
    assert [manifest(tmp_path, em_iter)["update"] for em_iter in (1, 2)] == [4, 8]
    assert manifest(tmp_path, 1)["pairs"]["de-en"]["change"] > 0  # against the given ones


@pytest.mark.parametrize(("threshold", "expected"), [("0", []), ("100", [8])])
def test_self_labels_take_over_below_an_error_rate(world, tmp_path, caplog, given, threshold, expected):
    from test_training import GOLD_SET

    flags = [
        *EVERY_4,
        "--initial-labels",
        str(given),
        "--takeover-aer",
        threshold,
        "--valid-gold",
        GOLD_SET,
        "--max-update",
        "10",
    ]
    flags = train_flags(world, tmp_path, *flags, "--validate-interval-updates", "5")
    train(caplog, [flag for flag in flags if flag != "--disable-validation"])
    assert [manifest(tmp_path, 1)["update"]] == expected if expected else not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--label-schedule", "often"], "--label-schedule often: allowed are online, fixed, updates:N and epochs:N, N from 1"),
        (["--initial-labels", "x"], "--initial-labels: --label-schedule online makes its own; give fixed, updates:N"),
        (["--takeover-aer", "20"], "--takeover-aer needs --initial-labels, --valid-gold and --label-schedule"),
        (["--label-teacher", "ema"], "--label-teacher ema needs --store-ema, which keeps the moving average"),
        ([*EVERY_4, "--label-tokens", "0"], "--label-tokens 0: allowed are 1 and more pieces"),
        (
            [*EVERY_4, "--initial-labels", "nowhere"],
            "train.align.de-en.idx is missing: labels are needed",
        ),
    ],
)
def test_refused_flags(world, tmp_path, caplog, flags, text):
    with pytest.raises(InputError, match=text):
        train(caplog, train_flags(world, tmp_path, *flags))


# killed at any point

KILL = """
import os, signal, sys

def dies(function, when):
    def wrapped(*args, **kwargs):
        if when(*args, **kwargs):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped

class Call:
    def __init__(self, number):
        self.number = number

    def __call__(self, *args, **kwargs):
        self.number -= 1
        return self.number == 0

def second_epoch_labels(name):
    return lambda source, target, *_: str(target).endswith(name) and "em_iter_0003" in str(target)

def half(source, target):
    data = source.read()
    target.write(data[: len(data) // 2])
    target.flush()
    return False

import xlm_align_fairseq.em.label_pass as label_pass, xlm_align_fairseq.bitext.labels as labels, shutil
import xlm_align_fairseq.em.shards as pass_shards
from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask as Task

pass_shards.SLAB = 16  # two slabs a pass
{}
from fairseq_cli.train import cli_main
cli_main()
"""
KILLS = {
    "during the pass": "label_pass._label_slab = dies(label_pass._label_slab, Call(4))",
    "between two files of labels": "os.replace = dies(os.replace, second_epoch_labels('train.align.fr-en.bin'))",
    "between the labels and the manifest": "os.replace = dies(os.replace, second_epoch_labels('labels.train.json'))",
    "before the manifest": "labels.LabelWriter._write_manifest = dies(labels.LabelWriter._write_manifest, Call(3))",
    "after the labels": "Task.label = dies(Task.label, Call(9))",
    "amid an epoch": "Task.label = dies(Task.label, Call(15))",
    "while a checkpoint is copied": "copy, calls = shutil.copyfileobj, Call(3)\n"
    "shutil.copyfileobj = dies(copy, lambda source, target, *_: calls() and not half(source, target))",
}
KILLED = [*EVERY_4, "--max-update", "20", "--save-interval-updates", "3", "--dropout", "0.1", "--max-epoch", "2", "--store-ema"]
KILLED += ["--label-teacher", "ema", "--ema-decay", "0.9"]


@pytest.fixture(scope="module")
def straight(world, tmp_path_factory):
    """Run without being killed, in a process of its own."""
    out = tmp_path_factory.mktemp("straight")
    run([sys.executable, "-c", KILL.format(""), *train_flags(world, out, *KILLED)])
    return out


@pytest.mark.parametrize("point", KILLS)
def test_killed_and_resumed(world, tmp_path, caplog, monkeypatch, straight, point):
    """The run that was killed and started again ends with the same weights and the same bytes of every label file."""
    flags = train_flags(world, tmp_path, *KILLED)
    done = run([sys.executable, "-c", KILL.format(KILLS[point]), *flags], check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert tree(tmp_path / "labels") != tree(straight / "labels")
    monkeypatch.setattr(pass_shards, "SLAB", 16)
    train(caplog, flags)
    assert any("Loaded checkpoint" in message for message in caplog.messages)
    assert_same_parameters(tmp_path / LAST, straight / LAST)
    ours, theirs = ({k: v for k, v in tree(path / "labels").items() if ".tmp" not in k} for path in (tmp_path, straight))
    assert ours == theirs
    assert len(theirs) == 5 * 5  # iterations, each of two pairs and a manifest


def test_labels_that_changed_under_a_checkpoint(world, tmp_path, caplog):
    flags = train_flags(world, tmp_path, *EVERY_4, "--max-update", "6")
    train(caplog, flags)
    part = tmp_path / "labels" / "em_iter_0002" / "train.align.de-en.bin"
    data = bytearray(part.read_bytes())
    data[0] ^= 1
    part.write_bytes(data)
    with pytest.raises(InputError, match=r"the checkpoint needs the labels of iteration 2: .*labels of de-en are not those that"):
        train(caplog, [*flags, "--max-update", "7"])
    part.unlink()
    with pytest.raises(InputError, match=r"the checkpoint needs the labels of iteration 2: .*de-en.bin: cannot read it"):
        train(caplog, [*flags, "--max-update", "7"])
    train(caplog, [*flags, "--max-update", "7", "--reset-dataloader"])  # starts from epoch 1
    assert (tmp_path / "labels" / "em_iter_0001").is_dir()


def test_frozen_labels_are_frozen(world, tmp_path, monkeypatch, caplog):
    """A pair whose links are all below --threshold has none, and stays so while the weights move, over a restart too."""
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask as Task

    monkeypatch.setattr(Task, "_label_now", lambda *_: pytest.fail("a pair with labels is labelled again"))
    threshold = ["--symmetrization", "union", "--threshold", "0.999", "--marks", "link", "--lr", "1e-2"]
    flags = train_flags(world, tmp_path, "--label-schedule", "epochs:1", "--label-scope", "corpus", *threshold)
    logs = train(caplog, [*flags, "--max-update", "12", "--sampling-exponent", "1"])
    entries = manifest(tmp_path, 1)["pairs"].values()
    store = LabelStore(tmp_path / "labels" / "em_iter_0001", "train", Corpus.open(world / "data", "train", None, 128))
    counts, _ = store.links(np.arange(200))
    assert 10 < (counts == 0).sum() < 190
    assert any("without_links" in entry for entry in entries)
    logs += train(caplog, [*flags, "--max-update", "0", "--max-epoch", "1", "--sampling-exponent", "1"])
    assert [log["num_updates"] for log in logs] == list(range(1, 26))
    assert sum(log["links_per_pair"] * log["bsz"] for log in logs) == pytest.approx(counts.sum(), abs=1)


def test_what_a_pass_did_not_foresee_is_labelled_online(world, tmp_path, caplog):
    """With other batches after a resume, sentences without labels are read; they are labelled online."""
    train(caplog, train_flags(world, tmp_path, *EVERY_4, "--max-update", "6"))
    logs = train(caplog, train_flags(world, tmp_path, *EVERY_4, "--max-update", "8", "--batch-size", "5"))
    assert [log["num_updates"] for log in logs] == [7, 8]
    assert all(log["links_per_pair"] > 5 for log in logs)
    assert len(list((tmp_path / "labels").iterdir())) == 2


def test_a_schedule_may_change_on_resume(world, tmp_path, caplog):
    train(caplog, train_flags(world, tmp_path, *EVERY_4, "--max-update", "6"))
    logs = train(caplog, train_flags(world, tmp_path, "--label-schedule", "updates:3", "--max-update", "10"))
    assert [log["num_updates"] for log in logs] == [7, 8, 9, 10]
    assert [manifest(tmp_path, em_iter)["update"] for em_iter in (1, 2, 3, 4)] == [0, 4, 6, 9]


def test_patience_survives_a_restart(world, tmp_path, caplog):
    """Early stopping counts validations over restarts."""
    from fairseq_cli.train import should_stop_early
    from test_training import GOLD_SET

    flags = ["--valid-gold", GOLD_SET, "--best-checkpoint-metric", "aer", "--patience", "3", "--lr", "0"]
    flags = train_flags(world, tmp_path, *flags, "--save-interval-updates", "2", "--max-update", "4")
    flags = [flag for flag in flags if flag != "--disable-validation"]
    vars(should_stop_early).clear()
    train(caplog, flags)  # the first is the best, the second no better
    vars(should_stop_early).clear()  # as in a new process
    logs = train(caplog, [*flags, "--max-update", "20"])
    vars(should_stop_early).clear()
    assert [log["num_updates"] for log in logs] == [5, 6, 7, 8]
    assert any("early stop since valid performance hasn't improved for last 3 runs" in m for m in caplog.messages)
    assert math.isfinite(torch.linalg.vector_norm(parameters(tmp_path / LAST)["pointer.query.weight"]).item())
