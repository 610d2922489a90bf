"""Tests of ``xlm-align project --labels … --score``: scores of spans and of the labels of words, refusals."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.cli import main, project
from xlm_align_fairseq.errors import InputError

FILES = {
    "ner": "Frau\tO\nAngela\tB-PER\nMerkel\tI-PER\nin\tO\nBerlin\tB-LOC\n\n\nBonn\tB-LOC\n\n",
    "tgt": "In Berlin , Angela Merkel\n\nin Bonn\n",
    "links": "1-3 2-4 3-0 4-1\n\n0-1\n",
    "gold": "In\tO\nBerlin\tB-ORG\n,\tO\nAngela\tB-PER\nMerkel\tI-PER\n\n\nin\tB-LOC\nBonn\tI-LOC\n\n",
    "pos": "Frau\tNOUN\nAngela\tPROPN\nMerkel\tPROPN\nin\tADP\nBerlin\tPROPN\n\n\nBonn\tPROPN\n\n",
    "gold.pos": "In\tADP\nBerlin\tNOUN\n,\tPUNCT\nAngela\tPROPN\nMerkel\tPROPN\n\n\nin\tADP\nBonn\tPROPN\n\n",
}
SPANS = ["--labels", "ner", "--tgt", "tgt", "--alignments", "links", "--score", "gold"]
WORDS = ["--labels", "pos", "--tgt", "tgt", "--alignments", "links", "--each-word"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def run(capsys, *argv):
    assert main.main(["project", *argv, "--quiet"]) == 0
    return capsys.readouterr()


def scores(capsys, *argv):
    report = json.loads(run(capsys, *argv, "--json").out)
    return {name: round(score["value"], 1) for name, score in report["scores"].items()}


def test_spans_are_scored(capsys):
    done = run(capsys, *SPANS, "--samples", "50")
    lines = done.out.splitlines()
    assert lines[0] == "projected spans of 3 sentences"
    assert [line.split()[:2] for line in lines[2:7]] == [
        ["f1", "33.33"],  # one of three projected, of three gold
        ["precision", "33.33"],
        ["recall", "33.33"],
        ["ceiling", "66.67"],  # Berlin is no LOC in the target
        ["f1_without_types", "66.67"],
    ]
    assert [line.split() for line in lines[9:12]] == [
        ["LOC", "0.00", "0.00", "0.00", "66.67", "2", "1", "2", "0"],
        ["ORG", "0.00", "0.00", "0.00", "0.00", "0", "1", "0", "0"],
        ["PER", "100.00", "100.00", "100.00", "100.00", "1", "1", "1", "1"],
    ]
    assert lines[-1].startswith("projected:spans|max_gap:1|tokenizers:none|sentences:3|samples:50|seed:12345|version:")
    assert done.err == ""


def test_json_has_all_that_the_table_has(capsys):
    report = json.loads(run(capsys, *SPANS, "--json", "--seed", "7", "--max-gap", "0").out)
    assert report["format"] == "xlm-align-projection.1"
    assert report["counts"]["reachable"] == 2
    assert report["types"]["PER"]["f1"] == 100
    low, high = report["scores"]["f1"]["interval"]
    assert low <= report["scores"]["f1"]["value"] <= high
    assert "|seed:7|" in report["signature"]
    assert "|max_gap:0|" in report["signature"]


def test_the_result_goes_to_out_alone(capsys):
    expected = run(capsys, *SPANS[:-2]).out
    table = run(capsys, *SPANS).out
    assert run(capsys, *SPANS, "--out", "out").out == table
    assert Path("out").read_text() == expected
    run(capsys, *SPANS, "--spans", "--out", "out")
    assert [len(json.loads(line)["spans"]) for line in Path("out").read_text().splitlines()] == [2, 0, 1]
    with pytest.raises(InputError, match="--out and the table of --score both write -"):
        project.main([*SPANS, "--out", "-", "--quiet"])
    with pytest.raises(InputError, match="--out gold is one of the inputs"):
        project.main([*SPANS, "--out", "gold", "--quiet"])


def test_gold_in_other_forms(capsys):
    expected = scores(capsys, *SPANS)
    blocks = [block.split("\n") for block in FILES["gold"].strip().split("\n\n\n")]
    rows = ["".join(f"{n}\t{line}\t-\t-\n" for n, line in enumerate(block, 1)) for block in blocks]
    Path("uner").write_text(f"# sent_id = 1\n{rows[0]}\n\n# sent_id = 2\n{rows[1]}\n")
    assert scores(capsys, *SPANS[:-1], "uner") == expected
    done = run(capsys, *SPANS[:-1], "uner")
    assert "warning: uner: the labels are in a file of the form of CoNLL-U: words are in its second column\n" in done.err
    Path("more").write_text(FILES["gold"].replace("\t", " x "))
    assert scores(capsys, *SPANS[:-1], "more") == expected
    Path("first").write_text(re.sub(r"\t(.+)", r"\t\1\tO", FILES["gold"]))
    assert scores(capsys, *SPANS[:-1], "first", "--score-column", "2") == expected
    iobes = FILES["gold"].replace("B-ORG", "S-ORG").replace("I-PER", "E-PER").replace("I-LOC", "E-LOC")
    Path("bioes").write_text(iobes)
    assert scores(capsys, *SPANS[:-1], "bioes") == expected


def test_what_is_projected_scores_all_of_itself(capsys):
    run(capsys, *SPANS[:-2], "--out", "own")
    found = scores(capsys, *SPANS[:-1], "own")
    assert found == {"f1": 100, "precision": 100, "recall": 100, "ceiling": 100, "f1_without_types": 100}


def test_labels_of_words(capsys):
    done = run(capsys, *WORDS)
    assert done.out == "In\tADP\nBerlin\tPROPN\n,\t_\nAngela\tPROPN\nMerkel\tPROPN\n\n\nin\t_\nBonn\tPROPN\n\n"
    assert done.err == (
        "warning: 2 sentence pairs have links without probabilities: a word with several has the label of the first; `xlm-align"
        " align --format probabilities` writes them\n"
        "warning: 2 of 7 target words have no link and are labelled _\n"
    )
    assert scores(capsys, *WORDS, "--score", "gold.pos") == {"accuracy": 57.1, "accuracy_linked": 80, "linked": 71.4}
    lines = run(capsys, *WORDS, "--score", "gold.pos").out.splitlines()
    assert lines[0] == "projected words of 3 sentences"
    assert lines[2].split()[:2] == ["accuracy", "57.14"]
    assert lines[-1].startswith("projected:words|tokenizers:none|sentences:3|")


def test_the_most_probable_link_says_the_label(capsys):
    Path("one").write_text("a\tX\nb\tY\n\n")
    Path("t").write_text("A B\n")
    flags = ["--labels", "one", "--tgt", "t", "--alignments", "l", "--each-word"]
    Path("l").write_text("0-0:0.3 1-0:0.4 0-1:0.5 1-1:0.5\n")
    assert run(capsys, *flags) == ("A\tY\nB\tX\n\n", "")
    assert run(capsys, *flags, "--min-probability", "0.45").out == "A\t_\nB\tX\n\n"


def test_as_many_lines_as_target_words(capsys):
    out = run(capsys, *WORDS).out
    Path("again").write_text(out)
    assert run(capsys, "--labels", "again", "--plain-source").out == FILES["tgt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gold": FILES["gold"].replace("Angela", "Angelika")},
            "gold:4: word 4 is 'Angelika', but 'Angela' in tgt:1; allowed are the words of the target text as --tokenizer makes",
        ),
        ({"gold": FILES["gold"].replace("Merkel\tI-PER\n", "")}, "gold:4: word 5 is no word, but 'Merkel' in tgt:1;"),
        ({"gold": FILES["gold"].replace("Bonn", "Bonn\tO\n!")}, "gold:10: word 3 is '!', but no word in tgt:3;"),
        ({"gold": FILES["gold"] + "a\tO\n"}, "gold: 4 sentences, but 3 lines in tgt; sentence n and line n"),
        ({"gold": FILES["gold"][: FILES["gold"].rindex("in\t")]}, "gold: 2 sentences, but 3 lines in tgt;"),
        ({"gold": FILES["gold"].replace("B-ORG", "ORG")}, "gold:2: 'ORG' is not a BIO label; allowed are"),
        ({"gold": "In\nBerlin\n"}, "gold:1: 'In' has 1 column(s), 2 are needed"),
        ({"gold": "", "ner": "", "tgt": "", "links": ""}, "no sentences to draw from"),
    ],
)
def test_refusals(change, message):
    for name, content in change.items():
        Path(name).write_text(content)
    with pytest.raises(InputError, match="^" + re.escape(message)):
        project.main([*SPANS, "--quiet"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--score", "gone"], "gone: cannot read the file"),
        (["--score-column", "0"], "--score-column 0: allowed are 1 and more"),
        (["--samples", "0"], "--samples 0: allowed are 1 and more"),
        (["--seed", "-1"], "--seed -1: allowed are 0 and more"),
        (["--score-column", "3"], "gold:1: 'In\\tO' has 2 column(s), 3 are needed"),
        (["--tokenizer", "none,char"], "gold:1: word 1 is 'In', but 'I' in tgt:1"),
    ],
)
def test_flags_that_cannot_be_used(flags, message):
    with pytest.raises(InputError, match="^" + re.escape(message)):
        project.main([*SPANS, *flags, "--quiet"])


@pytest.mark.parametrize(("content", "n"), [(FILES["gold"] + "a\tO\n", 4), (FILES["gold"][: FILES["gold"].rindex("in\t")], 2)])
def test_other_numbers_of_gold_are_found_in_pipes_too(content, n, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    with pytest.raises(InputError, match=f"^<stdin>: {n} sentences, but 3 lines in tgt"):
        project.main([*SPANS[:-1], "-", "--quiet"])
