"""Fine-tuning through fairseq's own entry points, on tags of words, classes of pairs and answers to questions, and its use."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from test_distributed import LAST, assert_same_training, two_ranks
from test_resume import kill_when_saved
from world import ENVIRONMENT, USER_DIR, assert_same_parameters, logged, run, train

from xlm_align_fairseq import Transfer
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.pairs import read_pairs
from xlm_align_fairseq.transfer.questions import Question, read_questions
from xlm_align_fairseq.transfer.tags import read_tagged

COMPANIONS = {"dict.txt", "sentencepiece.bpe.model", "aligner.json", "transfer.json"}
FAIRSEQ_TRAIN = Path(sys.executable).with_name("fairseq-train")


TAGS = ["NOUN", "NUM", "PROPN", "VERB"]
TASKS = ["token_labeling", "pair_classification", "span_extraction"]


def tag(word):
    """A tag that hangs on the first piece of a word alone: an encoder of random weights can learn it."""
    first = word[0]
    return "NUM" if not first.isalpha() else "PROPN" if first.isupper() else "NOUN" if first < "n" else "VERB"


CLASSES = {"question": "?", "statement": "!"}  # and what the first text of a pair ends with


def questions(draw, words, lengths):
    """Return a file of SQuAD's form, whose answer is the number that stands in the text."""
    data = []
    for n, length in enumerate(lengths):
        before, after = draw.choices(words, k=length), draw.choices(words, k=draw.randrange(1, 9))
        answer = str(draw.randrange(1000, 2000))
        context = " ".join([*before, answer, *after])
        answers = [{"text": answer, "answer_start": context.rindex(answer)}]
        data.append({"context": context, "qas": [{"id": str(n), "question": "which number ?", "answers": answers}]})
    return {"data": [{"title": "numbers", "paragraphs": data}]}


@pytest.fixture(scope="module")
def texts(world, tmp_path_factory):
    """Write train.tsv and dev.tsv of each task, of shuffled words of the shipped text; two items are longer than a window."""
    directory = tmp_path_factory.mktemp("texts")
    lines = [line for path in sorted((world / "text").glob("train.*.en")) for line in path.read_text("utf-8").splitlines()]
    words = [word for line in lines for word in line.split()]
    draw = random.Random(5)
    for task in TASKS:
        (directory / task).mkdir()
    for name, n in (("train", 150), ("dev", 40)):
        lengths = [draw.randrange(1, 20) for _ in range(n)] + ([150, 90] if name == "train" else [])
        rows = ["".join(f"{word}\t{tag(word)}\n" for word in draw.choices(words, k=length)) for length in lengths]
        (directory / "token_labeling" / f"{name}.txt").write_text("\n".join(rows), "utf-8")
        pairs = [(draw.choices(words, k=length), draw.choices(words, k=draw.randrange(1, 9))) for length in lengths]
        of = draw.choices(list(CLASSES), k=len(pairs))
        rows = [f"{' '.join(a)} {CLASSES[c]}\t{' '.join(b)}\t{c}\n" for (a, b), c in zip(pairs, of, strict=True)]
        (directory / "pair_classification" / f"{name}.txt").write_text("".join(rows), "utf-8")
        (directory / "span_extraction" / f"{name}.txt").write_text(json.dumps(questions(draw, words, lengths)), "utf-8")
    return directory


@pytest.fixture(scope="module")
def tagged(texts):
    return texts / "token_labeling"


@pytest.fixture(params=TASKS)
def kind(request):
    return request.param


@pytest.fixture
def data(texts, kind):
    return texts / kind


def flags(world, data, save_dir, *more):
    """Return the arguments of `fairseq-train` for a run of a few seconds, of the task that the folder is named as."""
    task = data.parent.name if data.parent.name in TASKS else TASKS[0]
    return [
        *[str(data), "--user-dir", USER_DIR, "--cpu", "--task", task, "--criterion", task],
        *["--arch", "xlm_align_tiny", "--cold-start", str(world / "model"), "--optimizer", "adam", "--lr-scheduler", "fixed"],
        *["--lr", "1e-3", "--batch-size", "8", "--required-batch-size-multiple", "1", "--num-workers", "0"],
        *["--log-format", "json", "--log-interval", "1", "--max-update", "6", "--disable-validation", "--no-epoch-checkpoints"],
        *(["--window-step", "40"] if task == "span_extraction" else []),
        *["--save-dir", str(save_dir), *more],
    ]


def losses(logs):
    return [log["loss"] for log in logs]


def test_it_learns_and_predicts(world, tagged, tmp_path):
    """In a process of its own; the best checkpoint is that of the best accuracy; `Transfer` finds the accuracy again."""
    more = ["--valid-data", tagged / "dev.txt", "--max-epoch", "8", "--max-update", "0", "--lr", "3e-3", "--dropout", "0.1"]
    more += ["--best-checkpoint-metric", "accuracy", "--maximize-best-checkpoint-metric"]
    command = [flag for flag in flags(world, tagged / "train.txt", tmp_path, *more) if flag != "--disable-validation"]
    done = run([FAIRSEQ_TRAIN, *command])
    assert "train.txt: 152 sentences" in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == COMPANIONS | {"checkpoint_best.pt", "checkpoint_last.pt"}
    record = json.loads((tmp_path / "transfer.json").read_text())
    assert record == {
        "schema": "xlm-align-transfer",
        "version": 2,
        "task": "token_labeling",
        "window": 128,
        "text": hashlib.sha256((tagged / "train.txt").read_bytes()).hexdigest(),
        "labels": TAGS,
    }
    dev = read_tagged(tagged / "dev.txt")
    gold = [of for tags in dev.gold() for of in tags]
    transfer = Transfer.load(tmp_path, device="cpu")
    found = [of for tags in transfer.predict(words for words, _ in dev.sentences) for of in tags]
    accuracy = 100 * sum(a == b for a, b in zip(gold, found, strict=True)) / len(gold)
    majority = 100 * Counter(gold).most_common(1)[0][1] / len(gold)
    assert accuracy > majority + 10
    best = torch.load(tmp_path / "checkpoint_best.pt", weights_only=True)["extra_state"]["best"]
    assert best == pytest.approx(accuracy, abs=0.01)
    (run_of_best,) = (Transfer.load(tmp_path / name, device="cpu") for name in ["checkpoint_best.pt"])
    assert run_of_best.head.out.weight.equal(transfer.head.out.weight)


def test_fairseq_opens_the_checkpoint(world, tagged, tmp_path, caplog):
    from fairseq.checkpoint_utils import load_model_ensemble_and_task

    train(caplog, flags(world, tagged / "train.txt", tmp_path, "--max-update", "1"))
    (model,), _, task = load_model_ensemble_and_task([str(tmp_path / LAST)])
    assert task.settings.labels == tuple(TAGS)
    ours = Transfer.load(tmp_path, device="cpu")
    assert model.head.out.weight.equal(ours.head.out.weight)
    assert {name.split(".")[0] for name in model.state_dict()} == {"encoder", "head"}


def test_the_files_are_there_before_the_first_update(world, data, tmp_path, caplog, monkeypatch):
    from xlm_align_fairseq.plugin.finetuning.base import FineTuningTask

    class Stop(BaseException):
        pass

    def stop(*_, **__):
        raise Stop

    monkeypatch.setattr(FineTuningTask, "train_step", stop)
    with pytest.raises(Stop):
        train(caplog, flags(world, data / "train.txt", tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == COMPANIONS


def test_every_word_counts_once_an_epoch(world, tagged, tmp_path, caplog, monkeypatch):
    from xlm_align_fairseq.plugin.finetuning.token_labeling import TokenLabelingTask

    sizes, widths = [], []
    step = TokenLabelingTask.train_step

    def counted(task, sample, *args, **kwargs):
        result = step(task, sample, *args, **kwargs)
        sizes.append(result[1])
        lengths = (sample["tokens"] != 1).sum(1)
        widths.append((sample["tokens"].size(1), int(lengths.max())))
        return result

    monkeypatch.setattr(TokenLabelingTask, "train_step", counted)
    for limit in (["--batch-size", "7"], ["--max-tokens", "50"]):  # 50: less than a window
        sizes.clear()
        more = [*limit, "--max-epoch", "2", "--max-update", "0", "--window", "60", "--required-batch-size-multiple", "8"]
        train(caplog, flags(world, tagged / "train.txt", tmp_path / limit[0], *more, "--no-save"))
        assert sum(sizes) == 2 * read_tagged(tagged / "train.txt").n_words
        assert all(width == longest for width, longest in widths)  # padded to the longest, not to a maximum
    assert any("2 sentences are longer than 60 pieces" in message or "with windows" in message for message in caplog.messages)


def test_accumulated_batches_are_one_batch(world, data, tmp_path):
    """8 × 1 and 2 × 4 sequences give the same losses, sample sizes and, after 3 updates, parameters."""
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq.trainer import Trainer

    results = []
    for size in (8, 2):
        arguments = flags(world, data / "train.txt", tmp_path, "--optimizer", "sgd", "--lr", "0.1")
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), arguments))
        torch.manual_seed(1)
        task = tasks.setup_task(cfg.task)
        model = task.build_model(cfg.model)
        initial = model.head.out.weight.detach().clone()
        trainer = Trainer(cfg, task, model, task.build_criterion(cfg.criterion))
        trainer.get_train_iterator(epoch=1)
        trainer.begin_epoch(1)
        dataset, updates = task.datasets["train"], []
        for update in range(3):
            ids = range(update * 40, update * 40 + 8)
            assert len({int(dataset.sizes[i]) for i in ids}) > 1
            log = trainer.train_step([dataset.collater([dataset[i] for i in ids[k : k + size]]) for k in range(0, 8, size)])
            updates.append(float(log["loss"]))
        results.append((updates, model.state_dict()))
    (whole, first), (parts, second) = results
    assert whole == pytest.approx(parts, abs=1e-5)
    assert not first["head.out.weight"].equal(initial)
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=1e-6)


def test_workers_change_nothing(world, data, tmp_path, caplog):
    """Over two epochs with batches of their own."""
    more = ["--max-epoch", "2", "--max-update", "0", "--dropout", "0.1"]
    ways = {n: train(caplog, flags(world, data / "train.txt", tmp_path / n, *more, "--num-workers", n)) for n in ("0", "2")}
    assert len(ways["0"]) > 30
    assert losses(ways["0"]) == losses(ways["2"])
    assert_same_parameters(tmp_path / "0" / LAST, tmp_path / "2" / LAST)


def test_two_ranks_are_one_rank_with_two_batches(world, data, tmp_path, caplog):
    """Over the end of an epoch, where one rank has no batch left, behind a validation; then the run goes on on one rank."""
    more = ["--max-update", "13", "--save-interval-updates", "1", "--valid-data", str(data / "dev.txt")]
    make = {name: flags(world, data / "train.txt", tmp_path / name, *more) for name in ("two", "one")}
    make = {name: [flag for flag in given if flag != "--disable-validation"] for name, given in make.items()}
    two_ranks(make["two"])
    train(caplog, [*make["one"], "--update-freq", "2"])
    assert len(assert_same_training(tmp_path / "two", tmp_path / "one")) >= 12
    more = train(caplog, [*make["two"], "--update-freq", "2", "--max-update", "15"])
    straight = train(caplog, [*make["one"], "--update-freq", "2", "--max-update", "15"])
    assert [log["num_updates"] for log in more] == [14, 15]
    assert losses(more) == pytest.approx(losses(straight), abs=1e-4)


def test_killed_and_resumed(world, data, tmp_path, caplog):
    """With dropout; killed in the second epoch, of 20 batches."""

    def arguments(name):
        more = ["--dropout", "0.1", "--attention-dropout", "0.1", "--save-interval-updates", "2", "--max-epoch", "2"]
        more += ["--max-update", "0", "--lr-scheduler", "polynomial_decay", "--total-num-update", "50"]
        return flags(world, data / "train.txt", tmp_path / name, *more)

    straight = train(caplog, arguments("straight"))
    n = len(straight)
    command = [str(FAIRSEQ_TRAIN), *arguments("killed")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        try:
            updates = kill_when_saved(process, tmp_path / "killed" / "checkpoint_2_24.pt")
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 20 < updates < n
    resumed = train(caplog, arguments("killed"))
    assert [log["num_updates"] for log in resumed] == list(range(updates + 1, n + 1))
    assert losses(resumed) == losses(straight[updates:])
    assert_same_parameters(*(tmp_path / name / LAST for name in ("straight", "killed")))


def test_bfloat16(world, data, tmp_path, caplog):
    """The encoder computes in 16 bits; losses stay float32 and near those of full precision, weights are float32."""
    whole, half = (
        losses(train(caplog, flags(world, data / "train.txt", tmp_path / way, "--autocast", way))) for way in ("none", "bfloat16")
    )
    assert whole == pytest.approx(half, abs=0.05)
    exact, rough = (
        torch.load(tmp_path / way / LAST, weights_only=True)["model"]["head.out.weight"] for way in ("none", "bfloat16")
    )
    assert not exact.equal(rough)
    assert rough.dtype == torch.float32


def test_a_checkpoint_of_pretraining_is_a_start(world, tagged, tmp_path, caplog):
    """--finetune-from-model, whose other heads are left aside, with the companions beside it."""
    from world import train_flags

    train(caplog, train_flags(world, tmp_path / "dwa", "--max-update", "1"))
    there = tmp_path / "dwa" / LAST
    arguments = flags(world, tagged / "train.txt", tmp_path / "run", "--finetune-from-model", str(there), "--lr", "0")
    at = arguments.index("--cold-start")
    train(caplog, [*arguments[:at], *arguments[at + 2 :], "--max-update", "1"])
    first, second = (torch.load(path, weights_only=True)["model"] for path in (there, tmp_path / "run" / LAST))
    assert not [key for key in second if key.startswith(("lm_head", "pointer"))]
    assert all(value.equal(first[key]) for key, value in second.items() if key.startswith("encoder."))


def test_tags_that_training_lacks_are_errors_and_said(world, tagged, tmp_path, caplog):
    train_file = tmp_path / "train.txt"
    train_file.write_text("a\tX\nb\tY\n\nc\tX\n\n")
    dev = tmp_path / "dev.txt"
    dev.write_text("a\tX\n\na\tZ\nb\tZ\nc\tZ\n")
    arguments = flags(world, train_file, tmp_path / "run", "--valid-data", str(dev), "--max-epoch", "1")
    train(caplog, [flag for flag in arguments if flag != "--disable-validation"])
    said = [message for message in caplog.messages if "not known" in message]
    assert said == [
        f"{dev}:3: words with a tag that is not known: 3 with 'Z'; they count as not found where they are not predicted"
    ]
    (valid,) = logged(caplog, "valid")
    assert valid["valid_accuracy"] <= 25
    assert valid["valid_loss"] > 0


BAD = {
    "": r"train.txt:1: no words, there is nothing to train on",
    "\n\n": r"train.txt:1: no words",
    "a\nb\n": r"train.txt.*words alone, no tags; give a file whose lines are a word, a tab and its tag",
    "a\tB-PER\nb\n": r"train.txt:2: 'b' has no ",
    "a\tB-PER\nb\tPER\n": r"train.txt:2: 'PER' is a tag of another kind than 'B-PER' in line 1",
    "a\tB-PER\n\xff": "UTF-8",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_text_is_refused(world, tmp_path, caplog, text):
    path = tmp_path / "train.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=BAD[text]):
        train(caplog, flags(world, path, tmp_path / "run"))
    assert not (tmp_path / "run" / "transfer.json").exists()


def test_bad_flags_are_refused(world, tagged, tmp_path, caplog):
    data = tagged / "train.txt"
    without = flags(world, data, tmp_path / "a")
    at = without.index("--cold-start")
    bad = {
        "--task token_labeling needs --cold-start DIR": [*without[:at], *without[at + 2 :]],
        "--window 7: allowed are 8 pieces and more": flags(world, data, tmp_path / "b", "--window", "7"),
        "give --valid-data or --disable-validation": [flag for flag in without if flag != "--disable-validation"],
        "--criterion cross_entropy: allowed is token_labeling": flags(
            world, data, tmp_path / "c", "--criterion", "cross_entropy"
        ),
        "does not fit the architecture": flags(world, data, tmp_path / "d", "--arch", "xlm_align_mini"),
        "--restore-file nowhere.pt: no such file": flags(world, data, tmp_path / "e", "--restore-file", "nowhere.pt"),
    }
    for message, arguments in bad.items():
        with pytest.raises(InputError, match=message):
            train(caplog, arguments)


def test_a_run_does_not_go_on_with_another_text(world, tagged, tmp_path, caplog):
    train(caplog, flags(world, tagged / "train.txt", tmp_path / "run", "--max-update", "1"))
    more = tmp_path / "more.tsv"
    more.write_bytes((tagged / "train.txt").read_bytes() + b"\nword\tNOUN\n")
    with pytest.raises(InputError, match=r"has a run with the text of SHA-256 [0-9a-f]{16}…, this one has [0-9a-f]{16}…: give"):
        train(caplog, flags(world, more, tmp_path / "run", "--max-update", "2"))
    with pytest.raises(InputError, match="has a run with the window 128, this one has 64: give another --save-dir"):
        train(caplog, flags(world, tagged / "train.txt", tmp_path / "run", "--max-update", "2", "--window", "64"))
    assert os.path.getsize(tmp_path / "run" / "transfer.json")


def test_f1_of_validation(world, tmp_path, caplog):
    """Spans of BIO tags, runs of other tags: those of `evaluate`; the best checkpoint can be chosen by it."""
    from xlm_align_fairseq.transfer.tag_scores import score_ner, score_pos

    for tags, score in ((["B-X", "I-X", "O"], score_ner), (["NOUN", "SYM", "X"], score_pos)):
        draw = random.Random(2)
        for name, n in (("train", 60), ("dev", 30)):
            rows = [
                "".join(f"{draw.choice('abcd')}\t{draw.choice(tags)}\n" for _ in range(draw.randrange(1, 9))) for _ in range(n)
            ]
            (tmp_path / f"{name}.txt").write_text("\n".join(rows))
        run_dir = tmp_path / tags[0]
        more = ["--valid-data", str(tmp_path / "dev.txt"), "--best-checkpoint-metric", "f1", "--maximize-best-checkpoint-metric"]
        arguments = [flag for flag in flags(world, tmp_path / "train.txt", run_dir, *more) if flag != "--disable-validation"]
        train(caplog, arguments)
        dev = read_tagged(tmp_path / "dev.txt")
        found = list(Transfer.load(run_dir, device="cpu").predict(words for words, _ in dev.sentences))
        expected = score(dev.gold(), found).values()["f1"]
        assert logged(caplog, "valid")[-1]["valid_f1"] == pytest.approx(expected, abs=0.006)
        assert torch.load(run_dir / LAST, weights_only=True)["extra_state"]["best"] == pytest.approx(expected, abs=0.006)
        caplog.clear()


def test_pairs_are_learned_and_predicted(world, texts, tmp_path, caplog):
    data = texts / "pair_classification"
    more = ["--valid-data", str(data / "dev.txt"), "--max-epoch", "12", "--max-update", "0", "--lr", "3e-3"]
    more += ["--best-checkpoint-metric", "accuracy", "--maximize-best-checkpoint-metric"]
    train(caplog, [flag for flag in flags(world, data / "train.txt", tmp_path, *more) if flag != "--disable-validation"])
    assert any("152 pairs; 2 are longer than 128 pieces and were cut" in message for message in caplog.messages)
    dev = read_pairs(data / "dev.txt")
    transfer = Transfer.load(tmp_path, device="cpu")
    found = list(transfer.predict(dev.pairs))
    accuracy = 100 * sum(a == b for a, b in zip(dev.gold(), found, strict=True)) / len(found)
    majority = 100 * Counter(dev.gold()).most_common(1)[0][1] / len(found)
    assert accuracy > majority + 10
    best = torch.load(tmp_path / "checkpoint_best.pt", weights_only=True)["extra_state"]["best"]
    assert best == pytest.approx(accuracy, abs=0.01)
    assert found == list(Transfer.load(tmp_path, device="cpu", batch_tokens=50).predict(iter(dev.pairs)))
    (alone,) = transfer.predict([("one text", None)])
    assert alone in ("question", "statement")


def test_answers_are_learned_and_predicted(world, texts, tmp_path, caplog):
    data = texts / "span_extraction"
    more = ["--valid-data", str(data / "dev.txt"), "--max-epoch", "15", "--max-update", "0", "--lr", "3e-3", "--window", "96"]
    more += ["--window-step", "16", "--best-checkpoint-metric", "exact", "--maximize-best-checkpoint-metric"]
    train(caplog, [flag for flag in flags(world, data / "train.txt", tmp_path, *more) if flag != "--disable-validation"])
    assert any("152 questions; 4 have a document that is read in windows of 96 pieces" in said for said in caplog.messages)
    dev = read_questions(data / "dev.txt")
    transfer = Transfer.load(tmp_path, device="cpu")
    found = list(transfer.predict(dev.questions))
    exact = 100 * sum(a == question.answers[0].text for a, question in zip(found, dev.questions, strict=True)) / len(found)
    assert exact > 30  # a span at random is right in one of a hundred
    assert all(answer in question.context for answer, question in zip(found, dev.questions, strict=True))
    best = torch.load(tmp_path / "checkpoint_best.pt", weights_only=True)["extra_state"]["best"]
    assert best == pytest.approx(exact, abs=12)  # of windows, by the places of pieces
    assert found == list(Transfer.load(tmp_path, device="cpu", batch_tokens=50).predict(iter(dev.questions)))
    empty = Question("x", "which number ?", " ", [], "")
    assert list(transfer.predict([empty, dev.questions[0], empty])) == ["", found[0], ""]


BAD_QUESTIONS = {
    '{"data": []}': "train.txt: no questions with answers, there is nothing to train on",
    "{": "train.txt is not JSON",
    '{"data": [{"paragraphs": [{"context": "a b", "qas": [{"id": "1", "question": "q", "answers": [{"text": "b",'
    ' "answer_start": 0}]}]}]}]}': "train.txt: .*'1'.*'b'.* stands at 2",
}


@pytest.mark.parametrize("text", BAD_QUESTIONS)
def test_bad_questions_are_refused(world, tmp_path, caplog, text):
    path = tmp_path / "train.txt"
    path.write_text(text)
    task = ["--task", "span_extraction", "--criterion", "span_extraction"]
    with pytest.raises(InputError, match=BAD_QUESTIONS[text]):
        train(caplog, flags(world, path, tmp_path / "run", *task))


def test_answers_that_do_not_stand_at_their_place_can_be_left_out(world, tmp_path, caplog):
    file = questions(random.Random(1), ["a"], [3, 4])
    file["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]["answer_start"] = 0
    path = tmp_path / "train.txt"
    path.write_text(json.dumps(file))
    task = ["--task", "span_extraction", "--criterion", "span_extraction", "--max-update", "1", "--drop-bad-answers"]
    with pytest.raises(InputError, match=r"--window-step 65 would leave text out: a window of 128 pieces"):
        train(caplog, flags(world, path, tmp_path / "run", *task, "--window-step", "65"))
    train(caplog, flags(world, path, tmp_path / "run", *task, "--window-step", "8"))
    said = "train.txt: 1 answers that do not stand where the file says are left out, and 1 questions without any"
    assert any(said in message for message in caplog.messages)


def test_quotes_of_csv(world, tmp_path, caplog):
    """A file whose lines all end in CRLF is unquoted; --tsv-quoting overrides."""
    path = tmp_path / "train.txt"
    path.write_bytes(b'"He said ""no""."\tb\t0\r\nc\td\t1\r\n')
    sizes = {}
    for quoting in (None, "csv", "none"):
        more = ["--task", "pair_classification", "--criterion", "pair_classification", "--max-update", "1"]
        more += ["--tsv-quoting", quoting] if quoting else []
        train(caplog, flags(world, path, tmp_path / str(quoting), *more))
        (sizes[quoting],) = (logs["train_wpb"] for logs in logged(caplog, "train"))
        caplog.clear()
    assert sizes[None] == sizes["csv"] < sizes["none"]


BAD_PAIRS = {
    "": r"train.txt:1: no pairs, there is nothing to train on",
    "a\tb\n": r"train.txt: no classes, as in XTREME's test files",
    "a\n": r"train.txt:1: 1 columns; allowed are two texts and a class",
    "a\tb\t0\nc\td\t0\n": r"train.txt:1: all pairs are of the class '0'; allowed are two classes and more",
    "a\tb\t0\nc\td\t \n": r"train.txt:2: the class is empty; allowed is a name",
}


@pytest.mark.parametrize("text", BAD_PAIRS)
def test_bad_pairs_are_refused(world, tmp_path, caplog, text):
    path = tmp_path / "train.txt"
    path.write_text(text)
    task = ["--task", "pair_classification", "--criterion", "pair_classification"]
    with pytest.raises(InputError, match=BAD_PAIRS[text]):
        train(caplog, flags(world, path, tmp_path / "run", *task))
    assert not (tmp_path / "run" / "transfer.json").exists()
