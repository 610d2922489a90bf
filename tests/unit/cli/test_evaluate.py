"""Tests of `xlm-align evaluate`: the numbers printed, averages, the refusals."""

import json

import pytest
from signatures import parse_signature

from xlm_align_fairseq.cli import evaluate
from xlm_align_fairseq.errors import InputError

SQUAD = {"data": [{"paragraphs": [{"context": "der Rhein", "qas": [
    {"id": name, "question": "?", "answers": [{"text": "der Rhein", "answer_start": 0}]} for name in ("p", "q")
]}]}]}  # fmt: skip
FILES = {
    "pos": "NOUN\nNOUN\nVERB\n\nSYM\n",
    "pos.pred": "NOUN\nNOUN\nX\n\nSYM\n",
    "pos.data": "a\tNOUN\nb\tNOUN\nc\tVERB\n\nd\tSYM\n",
    "pos.test": "a\nb\nc\n\nd\n",
    "ner": "B-PER\nI-PER\nB-GPE\n",
    "ner.pred": "B-PER\nO\nB-FAC\n",
    "xnli": 'A\t"B"\tneutral\nA\tB\tentailment\n',
    "xnli.test": "A\tB\nA\tB\n",
    "xnli.pred": "neutral\nmaybe\n",
    "gold.json": json.dumps(SQUAD),
    "withheld.json": json.dumps(SQUAD).replace("der Rhein", ""),
    "pred.json": json.dumps({"p": "Der Rhein", "x": "?"}),
    "pred.de.json": json.dumps({"p": "Die Rhein", "q": "Rhein"}),
    "lines": "1\n0\n",
    "lines.pred": "1\n1\n",
    "gold.ids": "a\tx\nb\ty\n",
    "candidates": "2\ta\tx\n1\tb\tz\n",
    "ids": "a\tx\nb\tz\n",
}


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def run(capsys, task, gold, predictions, *flags):
    assert evaluate.main(["--task", task, "--gold", gold, "--predictions", predictions, "--samples", "50", *flags, "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == "".join(f"note: {note}\n" for note in report["notes"])
    return report


def values(report):
    return {name: one["value"] for name, one in report["scores"].items()}


@pytest.mark.parametrize("gold", ["pos", "pos.data"])
def test_pos_prints_both_numbers(gold, capsys):
    report = run(capsys, "pos", gold, "pos.pred", "--lang", "de")
    found = values(report)
    assert (found["accuracy"], found["f1"]) == (75, pytest.approx(200 / 3))
    assert "not to be compared" in report["scores"]["f1"]["meaning"]
    label = parse_signature(report["signature"])
    assert {name: label[name] for name in ("task", "lang", "f1", "seqeval", "sentences", "samples", "seed")} == {
        "task": "pos", "lang": "de", "f1": "runs-of-one-tag", "seqeval": "1.2.2", "sentences": "2",
        "samples": "50", "seed": "12345",
    }  # fmt: skip


def test_tags_that_the_task_has_not_are_said_once(capsys):
    report = run(capsys, "ner", "ner", "ner.pred")
    assert values(report)["f1"] == 0
    assert [note.split(": ", 1) for note in report["notes"]] == [
        ["ner:3", "words with a tag that is not known: 1 with 'B-GPE'; they count as not found where they are not predicted"],
        ["ner.pred", "1 words have a tag that neither the task nor ner has; they count as errors"],
    ]
    assert report["types"].keys() == {"PER", "GPE", "FAC"}


def test_classes(capsys):
    report = run(capsys, "xnli", "xnli", "xnli.pred")
    assert values(report) == {"accuracy": 50}
    assert report["notes"] == ["xnli.pred: 1 pairs have a class that the task has not; they count as errors"]


def test_answers(capsys):
    report = run(capsys, "tydiqa", "gold.json", "pred.json")
    assert values(report) == {"exact_match": 50, "f1": 50, "f1+em": 50}
    assert report["notes"] == [
        "pred.json: 1 of 2 questions have no answer and count 0, first 'q'",
        "pred.json: 1 answers to questions that gold.json has not, not read",
    ]
    assert values(run(capsys, "xquad", "gold.json", "pred.de.json"))["exact_match"] == 0
    for arguments in (["mlqa"], ["xquad", "--rules", "mlqa"]):
        report = run(capsys, arguments[0], "gold.json", "pred.de.json", *arguments[1:], "--lang", "de")
        assert values(report)["exact_match"] == 100
        assert parse_signature(report["signature"])["rules"] == "mlqa"


def test_retrieval(capsys):
    assert values(run(capsys, "tatoeba", "lines", "lines.pred")) == {"accuracy": 50}
    best = run(capsys, "bucc", "gold.ids", "candidates")
    assert best["threshold"] == 1.5
    assert values(best)["precision"] == 100
    assert "choose it on a development set" in best["notes"][0]
    assert values(run(capsys, "bucc", "gold.ids", "candidates", "--threshold", "1"))["precision"] == 50
    assert values(run(capsys, "bucc", "gold.ids", "ids"))["precision"] == 50


REFUSED = {
    ("pos", "pos.test", "pos.pred"): "pos.test: no line has a tag of the task pos: not scored",
    ("pos", "ner", "ner.pred"): "ner: no line has a tag of the task pos: not scored",
    ("pos", "pos", "ner.pred"): "ner.pred:5: no tag, but pos:5 has a word",
    ("xnli", "xnli.test", "xnli.pred"): "xnli.test: no classes, as in XTREME's test files: not scored",
    ("xnli", "xnli", "lines.pred", "--rules", "squad"): "--rules changes nothing in the task xnli; leave it out",
    ("xnli", "ner", "xnli.pred"): "2 classes, but 3 in ner",
    ("pawsx", "xnli", "xnli.pred"): "xnli: no line has a class of the task pawsx",
    ("pos", "pos", "pos.pred", "--tsv-quoting", "csv"): "--tsv-quoting changes nothing in the task pos",
    ("xquad", "withheld.json", "pred.json"): "withheld.json: no answers, as in XTREME's test files: not scored",
    ("mlqa", "gold.json", "pred.json"): "--lang is missing: MLQA's rules are those of the language",
    ("mlqa", "gold.json", "pred.json", "--lang", "fr"): "--lang fr: MLQA has no rules for that language",
    ("xquad", "gold.json", "gold.json"): "give a JSON object, from the id of each question",
    ("tatoeba", "lines", "pos"): "pos:1: 'NOUN' is no line number",
    ("bucc", "gold.ids", "ids", "--threshold", "1"): "--threshold: ids has pairs without scores",
    ("bucc", "ids", "missing"): "missing: cannot read the file",
    ("pos", "pos", "pos.pred", "--samples", "0"): "bootstrap samples: 0",
}


@pytest.mark.parametrize("case", REFUSED, ids=" ".join)
def test_what_is_refused(case):
    task, gold, predictions, *flags = case
    with pytest.raises(InputError) as error:
        evaluate.main(["--task", task, "--gold", gold, "--predictions", predictions, *flags])
    assert REFUSED[case] in str(error.value)


@pytest.mark.parametrize(
    "flags",
    [[], ["--task", "pos"], ["--numbers", "x", "--task", "pos"], ["--leave-out", "en", "--task", "pos", "--gold", "pos"]],
)
def test_flags_that_do_not_go_together(flags, capsys):
    with pytest.raises(SystemExit) as error:
        evaluate.main(flags)
    assert error.value.code == 2


def test_tables(capsys):
    assert evaluate.main(["--task", "ner", "--gold", "ner", "--predictions", "ner", "--samples", "9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ner: 1 sentences"
    assert lines[2] == "accuracy          100.00  [100.00, 100.00]  of words"
    assert lines[-1].startswith("task:ner|f1:spans|seqeval:1.2.2|sentences:1|samples:9|seed:12345|version:")
    assert any(line.startswith("GPE ") for line in lines)


def test_averages(capsys, tmp_path):
    numbers = {
        "pos": 76.0, "ner": {"en": 70, "de": 57.4}, "xnli": 76.2, "pawsx": 86.8,
        "xquad": {"de": {"f1": 74.7, "exact_match": 59.0}}, "mlqa": {"f1": 68.1, "exact_match": 49.8},
        "tydiqa": {"en": 0.0, "fi": {"f1": 62.1, "exact_match": 44.8}},
    }  # fmt: skip
    (tmp_path / "n.json").write_text(json.dumps(numbers))
    assert evaluate.main(["--numbers", "n.json", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tasks"]["ner"] == pytest.approx(63.7)
    assert report["tasks"]["tydiqa"] == pytest.approx(53.45 / 2)
    assert report["missing"] == {"xtreme": ["tatoeba", "bucc"]}
    del numbers["tydiqa"]["en"]
    (tmp_path / "n.json").write_text(json.dumps(numbers))
    assert evaluate.main(["--numbers", "n.json"]) == 0
    out = capsys.readouterr().out
    assert "average over the 7 tasks of the paper: 68.85\n" in out
    assert "average over the 9 tasks of XTREME: without tatoeba, bucc\n" in out
    assert evaluate.main(["--numbers", "n.json", "--leave-out", "en", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["ner"] == 57.4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"udpos": 1}', "no task 'udpos'"),
        ("{}", "n.json: no numbers; give"),
        ('{"pos": {}}', "n.json: pos: the mean of no languages"),
        ('{"pos": "1"}', "n.json: pos"),
        ('{"xquad": {"f1": 1, "em": 2}}', None),  # two languages of those names
    ],
)
def test_numbers_that_cannot_be_averaged(content, said, tmp_path):
    (tmp_path / "n.json").write_text(content)
    if said is None:
        assert evaluate.main(["--numbers", "n.json"]) == 0
        return
    with pytest.raises(InputError, match=said):
        evaluate.main(["--numbers", "n.json"])


@pytest.mark.parametrize(
    "flag", [["--data", "x"], ["--split", "dev"], ["--device", "cpu"], ["--batch-tokens", "9"], ["--out", "x"]]
)
def test_flags_of_models_are_refused_without_one(flag, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(["--task", "pos", "--gold", "pos", "--predictions", "pos.pred", *flag])
    assert f"{flag[0]} is of --model; leave it out, or give --model RUN" in capsys.readouterr().err
