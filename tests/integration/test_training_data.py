"""What training reads: every pair once an epoch, directories in turn; data and flags that cannot be trained with; validation."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from world import USER_DIR, assert_same_parameters, logged, run, train, train_flags, tree

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import IndexedReader, IndexedWriter
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.errors import InputError


def validated(flags):
    return [flag for flag in flags if flag != "--disable-validation"]


def test_every_pair_is_read_in_training_and_validation(world, tmp_path, monkeypatch, caplog):
    """By fairseq's defaults, which make multiples of 8, and with limits below some pairs; the log counts them."""
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask as Task

    read, label = {"train": [], "valid": []}, Task.label

    def watch(task, sample, teacher, store=None):
        read[sample["split"]].append(sample["id"].tolist())
        return label(task, sample, teacher, store)

    monkeypatch.setattr(Task, "label", watch)
    lengths = Corpus.open(world / "data", "train", None, 128).lengths
    most = int(sorted(lengths)[-20])
    limits = ["--required-batch-size-multiple", "8", "--max-tokens", str(most)]
    limits += ["--max-tokens-valid", "400", "--batch-size-valid", "7"]
    limits += ["--sampling-exponent", "1", "--max-update", "0", "--max-epoch", "1"]
    train(caplog, validated(train_flags(world, tmp_path, *limits)))
    for split, pairs in (("train", 200), ("valid", 40)):
        assert sorted(index for batch in read[split] for index in batch) == list(range(pairs))
        told = f"{split}, epoch 1: {pairs} pairs in {len(read[split])} batches (de-en {pairs // 2}, fr-en {pairs // 2})"
        if split == "train":
            told += f"; {(lengths > most).sum()} are longer than --max-tokens {most}: each is a batch of its own"
        assert caplog.messages.count(told) == 1


# data that is in several directories, and data that cannot be trained on


@pytest.fixture(scope="module")
def more(world, tmp_path_factory):
    """A second directory: 30 pairs of de-en, which the first one has too, and nothing else."""
    out = tmp_path_factory.mktemp("more") / "data"
    for lang in ("de", "en"):
        lines = (world / "text" / f"train.de-en.{lang}").read_text("utf-8").splitlines(keepends=True)[30:60]
        (out.parent / lang).write_text("".join(lines), "utf-8")
    sides = ["--src", str(out.parent / "de"), "--tgt", str(out.parent / "en")]
    assert xlm_align(["binarize", "--model", str(world / "model"), "--lang-pair", "de-en", *sides, "--out", str(out)]) == 0
    return out


def test_directories_of_data_are_read_in_turn(world, more, tmp_path, monkeypatch, caplog):
    """One an epoch, every pair of it once, with labels of an epoch and over its end; a run that was stopped goes on the same."""
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask as Task

    read, label = [], Task.label

    def watch(task, sample, teacher, store=None):
        read.append((task.training.iterator.epoch, sample["id"].tolist()))
        return label(task, sample, teacher, store)

    monkeypatch.setattr(Task, "label", watch)
    monkeypatch.setattr(Task, "_label_now", lambda *_: pytest.fail("a pass did not foresee what an epoch reads"))
    data = f"{world / 'data'}:{more}"
    flags = ["--label-schedule", "updates:20", "--max-update", "0", "--max-epoch", "3", "--sampling-exponent", "1"]
    flags += ["--save-interval-updates", "9"]
    train(caplog, train_flags(world, tmp_path / "straight", *flags, data=data))
    first, second = [*range(100), *range(130, 230)], [*range(100, 130)]
    for epoch, ids in ((1, first), (2, second), (3, first)):
        assert sorted(index for number, batch in read if number == epoch for index in batch) == ids
    train(caplog, train_flags(world, tmp_path / "stopped", *flags, "--max-update", "27", data=data))  # amid the second epoch
    train(caplog, train_flags(world, tmp_path / "stopped", *flags, data=data))
    assert_same_parameters(tmp_path / "straight" / "checkpoint_last.pt", tmp_path / "stopped" / "checkpoint_last.pt")
    assert tree(tmp_path / "straight" / "labels") == tree(tmp_path / "stopped" / "labels") != {}


def test_given_labels_of_several_directories(world, more, tmp_path, caplog):
    data = f"{world / 'data'}:{more}"
    fixed = ["--label-schedule", "fixed", "--max-update", "0", "--max-epoch", "2"]
    message = rf"--label-schedule fixed with {data}: give --initial-labels .* `xlm-align label --data {data} --out DIR`"
    with pytest.raises(InputError, match=message):
        train(caplog, train_flags(world, tmp_path / "run", *fixed, data=data))
    label = ["label", "--model", world / "model", "--data", data, "--out", tmp_path / "labels", "--device", "cpu", "--quiet"]
    assert xlm_align(list(map(str, label))) == 0
    logs = train(caplog, train_flags(world, tmp_path / "run", *fixed, "--initial-labels", str(tmp_path / "labels"), data=data))
    assert len(logs) == 25 + 4
    assert all(log["links_per_pair"] > 5 for log in logs)


def test_directories_that_do_not_belong_together(world, more, tmp_path, caplog):
    other = tmp_path / "other"
    shutil.copytree(more, other)
    flags = train_flags(world, tmp_path / "run", "--lang-pairs", "fr-en", data=f"{world / 'data'}:{more}")
    with pytest.raises(InputError, match=rf"{more} has no train pair of --lang-pairs that can be used: an epoch would be empty"):
        train(caplog, flags)
    (other / "dict.txt").write_text((other / "dict.txt").read_text("utf-8") + "newpiece 1\n", "utf-8")
    with pytest.raises(InputError, match=rf"{other}: its dictionary is not that of {world / 'data'}; binarise both with"):
        train(caplog, train_flags(world, tmp_path / "run", data=f"{world / 'data'}:{other}"))
    (other / "dict.txt").write_text("▁a 1\n▁a 1\n", "utf-8")
    with pytest.raises(InputError, match=rf"{other}/dict.txt is no dictionary of fairseq \(Duplicate word found .*\): binarise"):
        train(caplog, train_flags(world, tmp_path / "run", data=other))
    with pytest.raises(InputError, match="nowhere: no such directory of binarised bitext"):
        train(caplog, train_flags(world, tmp_path / "run", data=f"{world / 'data'}:nowhere"))


@pytest.mark.parametrize("where", ["train", "valid", "mono"])
def test_pieces_that_the_dictionary_lacks(world, tmp_path, monkeypatch, caplog, where):
    """They are refused before the first update, with the sentence."""
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask

    monkeypatch.setattr(DenoisingWordAlignmentTask, "train_step", lambda *_, **__: pytest.fail("it is trained on"))
    data = tmp_path / "data"
    shutil.copytree(world / "data", data)
    pieces = len((data / "dict.txt").read_text("utf-8").splitlines()) + 5  # and specials
    name = "train" if where == "mono" else f"{where}.fr-en.fr"
    with IndexedWriter(data / name, np.uint16) as writer:
        sizes = IndexedReader(world / "data" / f"{'train' if where == 'mono' else where}.fr-en.fr").sizes
        flat = np.full(sizes.sum(), 5)
        flat[sizes[0] + 1] = pieces
        writer.add(flat, sizes)
    flags = ["--mono", str(data)] if where == "mono" else []
    message = rf"{data / name}, sentence 2 has piece {pieces}, its dictionary has {pieces} \(0 to {pieces - 1}\): binarise with"
    with pytest.raises(InputError, match=message):
        train(caplog, validated(train_flags(world, tmp_path / "run", *flags, data=data)))


# validation


def test_fairseq_validate_measures_what_training_measured(world, tmp_path, caplog):
    """Also with the batch limits that fairseq leaves pairs out by."""
    train(caplog, validated(train_flags(world, tmp_path, "--max-update", "3")))
    (log,) = logged(caplog, "valid")
    measure = [
        Path(sys.executable).with_name("fairseq-validate"),
        world / "data",
        "--user-dir",
        USER_DIR,
        "--task",
        "denoising_word_alignment",
        "--cpu",
    ]
    measure += ["--path", tmp_path / "checkpoint_last.pt", "--max-tokens", "50", "--num-workers", "0", "--log-format", "json"]
    done = run(measure)
    found = json.loads(next(line for line in done.stdout.splitlines() if '"valid_loss"' in line).split(" | ")[-1])
    for name in ("valid_loss", "valid_dwa_loss", "valid_tlm_loss", "valid_pointer_accuracy", "valid_links_per_pair"):
        assert float(found[name]) == log[name]
    assert "valid, epoch 1: 40 pairs in 40 batches" in done.stdout


def test_a_batch_without_masked_pieces_counts_for_nothing(world, tmp_path, caplog):
    """fairseq would count a loss of -1; a validation that has no masked piece at all is refused."""
    flags = ["--mask-prob", "0.01", "--batch-size", "1", "--max-update", "40", "--batch-size-valid"]
    means = []
    for size in ("1", "40"):
        train_out = validated(train_flags(world, tmp_path / size, *flags, size, "--log-interval", "1000"))
        train(caplog, train_out)
        means.append(logged(caplog, "valid")[0])
        assert not any("did not log a 'loss' value" in message for message in caplog.messages)
    assert means[0]["valid_loss"] == pytest.approx(means[1]["valid_loss"], abs=0.002)
    assert means[0]["valid_loss"] > 1
    (epoch,) = logged(caplog, "train")
    assert epoch["train_loss"] == pytest.approx(epoch["train_tlm_loss"] + epoch["train_dwa_loss"], abs=8)
    message = rf"{world / 'data'}, valid: no piece of its 40 pairs is masked with --seed 1 --mask-prob 1e-06, so there is no"
    with pytest.raises(InputError, match=message):
        train(caplog, validated(train_flags(world, tmp_path / "none", "--mask-prob", "1e-6")))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mask-prob", "0"], "--mask-prob 0.0: allowed is above 0 and up to 1; without masked pieces there is no loss"),
        (["--mask-prob", "nan"], "--mask-prob nan: allowed is above 0"),
        (["--mask-prob", "1.5"], "--mask-prob 1.5: allowed is above 0"),
        (
            ["--leave-unmasked-prob", "0.6", "--random-token-prob", "0.5"],
            "0.6, --random-token-prob 0.5: allowed are shares",
        ),
        (["--random-token-prob", "-0.5"], "--random-token-prob -0.5: allowed are shares from 0 that make 1 at most"),
        (["--max-tokens", "0"], "--max-tokens 0: allowed are 1 and more"),
    ],
)
def test_flags_without_which_nothing_is_learnt(world, tmp_path, caplog, flags, message):
    with pytest.raises(InputError, match=message):
        train(caplog, train_flags(world, tmp_path, *flags))


def test_given_labels_that_do_not_reach_far_enough_are_told(world, tmp_path, caplog):
    """`xlm-align label --max-positions` left out pairs that training reads."""
    flags = ["--data", world / "data", "--out", tmp_path / "labels", "--max-positions", "80", "--device", "cpu", "--quiet"]
    assert xlm_align(list(map(str, ["label", "--model", world / "model", *flags]))) == 0
    fixed = ["--label-schedule", "fixed", "--initial-labels", str(tmp_path / "labels"), "--max-update", "1"]
    train(caplog, train_flags(world, tmp_path / "run", *fixed))
    longer = int((Corpus.open(world / "data", "train", None, 128).lengths > 80).sum())
    assert 0 < longer < 200
    told = f"{tmp_path / 'labels'}: {longer} pairs of train have no labels, which were made with --max-positions 80"
    assert sum(message.startswith(told) for message in caplog.messages) == 1


def test_blocks_and_what_fills_none_are_counted(world, tmp_path, caplog):
    text = world / "text" / "train.fr-en.fr"
    assert xlm_align(["binarize", "--model", str(world / "model"), "--mono", str(text), "--out", str(tmp_path / "mono")]) == 0
    train(caplog, train_flags(world, tmp_path / "run", "--mono", str(tmp_path / "mono"), "--max-update", "1"))
    pieces = int(IndexedReader(tmp_path / "mono" / "train").sizes.sum())
    blocks, left = divmod(pieces, 127)  # of 128 positions, one is <s>
    assert f"{tmp_path / 'mono'}, train: {blocks} blocks of 128 pieces; left out: {left} pieces at the end" in caplog.messages
