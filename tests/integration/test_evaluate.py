"""`xlm-align evaluate --model`: a fine-tuned run on files of several languages."""

import json
import random
import sys
from pathlib import Path

import pytest
import torch
from world import USER_DIR, run

from xlm_align_fairseq import Transfer
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.transfer.answer_search import find_answers
from xlm_align_fairseq.transfer.pairs import read_pairs
from xlm_align_fairseq.transfer.question_sequences import encode_questions
from xlm_align_fairseq.transfer.questions import Question, read_questions
from xlm_align_fairseq.transfer.tags import read_tagged

FAIRSEQ_TRAIN = Path(sys.executable).with_name("fairseq-train")
WORDS = ["das", "Haus", "ist", "klein", "the", "house", "is", "small", "10", "000", ".", ",", "!", "Er", "sieht", "she", "sees"]


def tag(word):
    return "NUM" if word.isdigit() else "PUNCT" if not word.isalnum() else "PROPN" if word[0].isupper() else "NOUN"


def write(path, sentences, seed, tags=True):
    draw = random.Random(seed)
    rows = [draw.choices(WORDS, k=draw.randrange(1, 12)) for _ in range(sentences)]
    lines = ["".join(f"{word}\t{tag(word)}\n" if tags else f"{word}\n" for word in row) for row in rows]
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join(lines), "utf-8")


def write_pairs(path, pairs, seed, end, classes=True):
    draw = random.Random(seed)
    rows = [[draw.choices(WORDS, k=draw.randrange(1, 9)) for _ in range(2)] for _ in range(pairs)]
    columns = [[" ".join(one), " ".join(two), *([str(int(one[0] in WORDS[:8]))] if classes else [])] for one, two in rows]
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes("".join("\t".join(row) + end for row in columns).encode())


def write_questions(path, questions, seed):
    """The answer is the one number of the text, which may be longer than a window."""
    draw, paragraphs = random.Random(seed), []
    for n in range(questions):
        before, after = ([word for word in draw.choices(WORDS, k=draw.randrange(25)) if not word.isdigit()] for _ in range(2))
        answer = str(draw.randrange(1000, 9999))
        context = " ".join([*before, answer, *after])
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        paragraphs.append({"context": context, "qas": [{"id": str(n), "question": "10 10 ?", "answers": answers}]})
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({"data": [{"title": "numbers", "paragraphs": paragraphs}]}), "utf-8")


@pytest.fixture(scope="module")
def runs(world, tmp_path_factory):
    """Two runs: one of 60 updates, one that hardly learned; and files as XTREME's download script leaves them."""
    directory = tmp_path_factory.mktemp("runs")
    write(directory / "train.tsv", 200, 1)
    for name, rate in (("good", "3e-3"), ("bad", "1e-7")):
        run(
            [
                *[FAIRSEQ_TRAIN, directory / "train.tsv", "--user-dir", USER_DIR, "--cpu", "--task", "token_labeling"],
                *["--criterion", "token_labeling", "--arch", "xlm_align_tiny", "--cold-start", world / "model"],
                *["--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", rate, "--batch-size", "16", "--num-workers", "0"],
                *["--max-update", "60", "--disable-validation", "--no-epoch-checkpoints", "--save-dir", directory / name],
            ]
        )
    write_pairs(directory / "pairs.tsv", 200, 1, "\n")
    run(
        [
            *[FAIRSEQ_TRAIN, directory / "pairs.tsv", "--user-dir", USER_DIR, "--cpu", "--task", "pair_classification"],
            *["--criterion", "pair_classification", "--arch", "xlm_align_tiny", "--cold-start", world / "model"],
            *["--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "3e-3", "--batch-size", "16", "--num-workers", "0"],
            *["--max-update", "90", "--disable-validation", "--no-epoch-checkpoints", "--save-dir", directory / "pairs"],
        ]
    )
    write_questions(directory / "squad.json", 60, 1)
    run(
        [
            *[FAIRSEQ_TRAIN, directory / "squad.json", "--user-dir", USER_DIR, "--cpu", "--task", "span_extraction"],
            *["--criterion", "span_extraction", "--arch", "xlm_align_tiny", "--cold-start", world / "model", "--window", "48"],
            *["--question-pieces", "12", "--window-step", "12", "--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "3e-3"],
            *[
                "--batch-size",
                "16",
                "--num-workers",
                "0",
                "--max-update",
                "200",
                "--disable-validation",
                "--no-epoch-checkpoints",
            ],
            *["--save-dir", directory / "questions"],
        ]
    )
    write_questions(directory / "download" / "xquad" / "xquad.de.json", 30, 2)
    write_pairs(directory / "download" / "pawsx" / "dev-de.tsv", 60, 2, "\r\n")
    write_pairs(directory / "download" / "pawsx" / "test-de.tsv", 20, 3, "\r\n", classes=False)
    write(directory / "download" / "udpos" / "dev-de.tsv", 30, 2)
    write(directory / "download" / "udpos" / "dev-ja.tsv", 30, 3)
    write(directory / "download" / "udpos" / "test-de.tsv", 30, 4, tags=False)
    return directory


def evaluate(capsys, *flags):
    where = ["--quiet", "--device", "cpu"] if "--model" in flags else []
    code = xlm_align(["evaluate", *where, *map(str, flags)])
    return code, *capsys.readouterr()


def test_a_folder_is_scored_by_language_and_predictions_score_the_same(runs, tmp_path, capsys):
    flags = ["--task", "pos", "--model", runs / "good", "--data", runs / "download", "--split", "dev", "--out", tmp_path]
    code, out, err = evaluate(capsys, *flags, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert list(report["scores"]) == ["de", "ja", "mean"]
    assert report["scores"]["de"]["accuracy"]["value"] > 65  # the most frequent tag has 59
    mean = sum(report["scores"][lang]["f1"]["value"] for lang in ("de", "ja")) / 2
    assert report["scores"]["mean"]["f1"]["value"] == pytest.approx(mean)
    assert "lang:de+ja|f1:runs-of-one-tag" in report["signature"]
    for lang in ("de", "ja"):
        gold, written = runs / "download" / "udpos" / f"dev-{lang}.tsv", tmp_path / "udpos" / f"dev-{lang}.tsv"
        code, out, _ = evaluate(capsys, "--task", "pos", "--gold", gold, "--predictions", written, "--json")
        for name in ("accuracy", "f1"):
            assert json.loads(out)["scores"][name]["value"] == pytest.approx(report["scores"][lang][name]["value"])
        words = [sentence.words for sentence in read_tagged(gold).sentences]
        assert [line for line in written.read_text().split("\n") if line] == [
            tag for tags in Transfer.load(runs / "good", "cpu").predict(words) for tag in tags
        ]
    sentences = len(read_tagged(runs / "download" / "udpos" / "dev-de.tsv").sentences)
    assert report["files"]["de"] == report["files"]["de"] | {"examples": sentences, "unit": "sentences", "scored": True}


def test_a_file_without_tags_is_predicted_and_not_scored(runs, tmp_path, capsys):
    code, out, err = evaluate(
        capsys, "--task", "pos", "--model", runs / "good", "--data", runs / "download", "--lang", "de", "--out", tmp_path
    )
    assert code == 0
    assert "not scored: de" in out
    assert "sentences without answers, predicted and not scored" in err
    data = (runs / "download" / "udpos" / "test-de.tsv").read_text().split("\n")
    written = (tmp_path / "udpos" / "test-de.tsv").read_text().split("\n")
    assert [bool(line) for line in written] == [bool(line) for line in data]


def test_several_models_against_others(runs, tmp_path, capsys):
    de = runs / "download" / "udpos" / "dev-de.tsv"
    flags = ["--task", "pos", "--data", de, "--lang", "de", "--model", runs / "good", runs / "good", "--out", tmp_path]
    code, out, _ = evaluate(capsys, *flags, "--against", runs / "bad", "--json")
    assert code == 0
    report = json.loads(out)
    score, difference = (report[key]["de"]["accuracy"] for key in ("scores", "differences"))
    assert score["deviation"] == 0
    assert len(score["each"]) == 2
    assert difference["claimed"]
    assert 0 < difference["interval"][0] <= difference["value"] <= difference["interval"][1]
    assert (tmp_path / "1" / "udpos" / "test-de.tsv").read_bytes() == (tmp_path / "2" / "udpos" / "test-de.tsv").read_bytes()
    code, out, _ = evaluate(capsys, *flags, "--against", runs / "bad")
    assert "± 0.00 [" in out
    assert "minus 1 others, points; * where the interval excludes 0" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--task", "ner", "--data", "train.tsv", "--lang", "en"],
            "has the tags NOUN, NUM, PROPN, PUNCT; allowed for --task ner are B-LOC, ",
        ),
        (["--task", "xnli"], "good gives tags, --task xnli asks for classes: give another run or task"),
        (["--task", "bucc"], "--task bucc: allowed with --model are tasks of fine-tuned models; use `xlm-align retrieve`"),
        (["--tsv-quoting", "csv"], "--tsv-quoting changes nothing in the task pos; leave it out"),
        (["--task", "pos", "--gold", "x"], "--gold changes nothing with --model; leave it out"),
        (["--task", "pos", "--lang", "ro"], "dev-ro.tsv: no such file; it has dev files of pos in de, ja"),
    ],
)
def test_what_cannot_be_is_refused(runs, capsys, flags, said):
    flags = [runs / flag if flag == "train.tsv" else flag for flag in flags]
    with_model = ["--model", runs / "good", "--data", runs / "download", "--split", "dev"]
    try:
        code, _, err = evaluate(capsys, *with_model, *flags)
    except SystemExit as error:
        code, err = error.code, capsys.readouterr().err
    assert code == 2
    assert said in err


def test_transformers_gives_the_same_tags(runs, tmp_path, capsys):
    transformers = pytest.importorskip("transformers")
    assert xlm_align(["convert", str(runs / "good"), "--to", "hf", str(tmp_path / "hf")]) == 0
    assert "head: 4 tags, for AutoModelForTokenClassification" in capsys.readouterr().out
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "hf").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    sentences = [sentence.words for sentence in read_tagged(runs / "download" / "udpos" / "dev-de.tsv").sentences]
    sentences.append(["Ünknown", "\u200e", "wörd", "日本"])
    for words, tags in zip(sentences, Transfer.load(runs / "good", "cpu").predict(sentences), strict=True):
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        places = encoded.word_ids()
        with torch.inference_mode():
            best = theirs(**encoded).logits[0].argmax(1).tolist()
        found = {word: theirs.config.id2label[best[n]] for n, word in reversed(list(enumerate(places))) if word is not None}
        assert [found.get(n, tag) for n, tag in enumerate(tags)] == tags  # a word without pieces has none there


def test_a_head_is_not_lost_silently(runs, tmp_path, capsys):
    assert xlm_align(["convert", str(runs / "good"), "--to", "fairseq", str(tmp_path / "encoder")]) == 0
    assert "head: 4 tags, left out" in capsys.readouterr().out
    assert xlm_align(["convert", str(runs / "good"), "--average", "1", "--to", "hf", str(tmp_path / "hf")]) == 2
    assert "was fine-tuned, and heads are not averaged" in capsys.readouterr().err
    assert xlm_align(["convert", "--to", "shipped", str(runs / "good"), str(tmp_path / "x.safetensors")]) == 2
    assert "was fine-tuned, and the file has no head" in capsys.readouterr().err


def test_pairs(runs, tmp_path, capsys):
    """The task is that of the run; predictions are as many as the data; transformers gives the same classes from text."""
    flags = ["--model", runs / "pairs", "--data", runs / "download", "--out", tmp_path]
    code, out, err = evaluate(capsys, *flags, "--split", "dev", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["task"], report["files"]["de"]["examples"], report["files"]["de"]["unit"]) == ("pawsx", 60, "pairs")
    assert report["scores"]["de"]["accuracy"]["value"] > 65
    gold, written = runs / "download" / "pawsx" / "dev-de.tsv", tmp_path / "pawsx" / "dev-de.tsv"
    code, out, _ = evaluate(capsys, "--task", "pawsx", "--gold", gold, "--predictions", written, "--json")
    assert json.loads(out)["scores"]["accuracy"]["value"] == pytest.approx(report["scores"]["de"]["accuracy"]["value"])
    code, out, err = evaluate(capsys, *flags)
    assert "not scored: de" in out
    assert len((tmp_path / "pawsx" / "test-de.tsv").read_text().splitlines()) == 20

    transformers = pytest.importorskip("transformers")
    assert xlm_align(["convert", str(runs / "pairs"), "--to", "hf", str(tmp_path / "hf")]) == 0
    assert "head: 2 classes, for AutoModelForSequenceClassification" in capsys.readouterr().out
    pairs = [pair[:2] for pair in read_pairs(gold).pairs] + [("Ünknown “x”", "日本…"), ("", "T\x10his ½")]
    pipe = transformers.pipeline("text-classification", str(tmp_path / "hf"), device="cpu")
    theirs = [pipe({"text": one, "text_pair": two})["label"] for one, two in pairs]
    assert theirs == list(Transfer.load(runs / "pairs", "cpu").predict(pairs))
    assert len(set(theirs)) == 2


def test_questions(runs, tmp_path, capsys):
    """The task of a run on questions must be named; predictions are scored as `--gold` scores them."""
    flags = ["--model", runs / "questions", "--data", runs / "download", "--out", tmp_path]
    code, _, err = evaluate(capsys, *flags)
    assert code == 2
    assert "--task is missing: the run can do xquad, mlqa, tydiqa; give one of them" in err
    code, out, err = evaluate(capsys, *flags, "--task", "xquad", "--json")
    assert code == 0
    assert err.count("\n") == err.count("unknown")  # nothing else is said
    report = json.loads(out)
    assert (report["files"]["de"]["examples"], report["files"]["de"]["unit"]) == (30, "questions")
    scores = report["scores"]["de"]
    assert scores["f1"]["value"] > 20  # a span at random has less than 10
    assert scores["f1+em"]["value"] == pytest.approx((scores["f1"]["value"] + scores["exact_match"]["value"]) / 2)
    gold, written = runs / "download" / "xquad" / "xquad.de.json", tmp_path / "xquad" / "test-de.json"
    code, out, _ = evaluate(capsys, "--task", "xquad", "--gold", gold, "--predictions", written, "--json")
    assert json.loads(out)["scores"]["f1"]["value"] == pytest.approx(scores["f1"]["value"])
    code, out, _ = evaluate(capsys, *flags, "--task", "mlqa", "--rules", "squad", "--data", gold, "--lang", "de")
    assert "rules:squad" in out


def test_transformers_gives_the_same_answers(runs, tmp_path):
    """From text: its tokenizer gives the ids of each window, its model the logits, and so the answers are the same."""
    transformers = pytest.importorskip("transformers")
    assert xlm_align(["convert", str(runs / "questions"), "--to", "hf", str(tmp_path / "hf")]) == 0
    theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path / "hf").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ours = Transfer.load(runs / "questions", "cpu")
    odd = [Question("a", "10?", "T\x10his ½ … is 日本 1234 — “small”", [], ""), Question("b", "?", "das", [], "")]
    questions = read_questions(runs / "download" / "xquad" / "xquad.de.json").questions + odd
    limits = ours.settings.limits()
    for encoded, question, answer in zip(
        encode_questions(questions, ours.pieces, limits), questions, ours.predict(questions), strict=True
    ):
        logits = []
        for one in encoded.sequences:
            with torch.inference_mode():
                found = theirs(input_ids=torch.from_numpy(one.tokens)[None])
            logits.append(torch.stack([found.start_logits[0], found.end_logits[0]], 1))
        if len(encoded.sequences) == 1:
            assert tokenizer(question.question, question.context)["input_ids"] == encoded.sequences[0].tokens.tolist()
        start, end = torch.cat(logits).numpy().T
        assert find_answers(encoded, start, end, 1, ours.settings.answer)[0].text == answer
