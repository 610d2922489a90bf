"""Tests of ``xlm-align project --squad``: answers over given links, what is left out, scores, refusals."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.cli import main, project
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model

SOURCE, TARGET = "Ann lives in Rome.\nShe (Ann) sings.", "Ann lebt\tin Rom.\nSie («Ann») singt."


def question(name, *answers, text="?"):
    return {"id": name, "question": text, "answers": [{"text": t, "answer_start": n} for t, n in answers]}


def squad(*articles):
    """Return a file of articles, each a list of paragraphs (context, questions)."""
    data = [
        {"title": f"t{n}", "paragraphs": [{"context": context, "qas": list(asked)} for context, asked in paragraphs]}
        for n, paragraphs in enumerate(articles)
    ]
    return {"version": "1.1", "data": data}


EN = squad(
    [
        (SOURCE, [question("a", ("Rome", 13)), question("b", ("Ann", 24), ("Ann", 0)), question("c", ("sings", 29))]),
        ("Nothing.", []),
    ],
    [("It rains.", [question("d", ("rains", 3))])],
)
ASKED = [question("b", text="Wer?"), question("a", ("Rom", 12), text="Wo?")]
DE = squad([(TARGET, ASKED), ("Nichts.", [])], [("Es regnet.", [])])
GOLD = squad(
    [(TARGET, [question("a", ("Rom", 12)), question("b", ("Ann", 23)), question("c", ("singt", 29))])],
    [("Es regnet.", [question("d", ("regnet", 3)), question("e", ("Es", 0))])],
)
ONE = squad([(TARGET, [])])
LINKS = "0-0 1-1 2-2 3-3 5-5\n0-0\n1-1\n"  # nothing leads from `sings`
FLAGS = ["--squad", "en", "--contexts", "de", "--alignments", "links", "--tokenizer", "none"]


def write(**files):
    for name, content in files.items():
        Path(name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(en=EN, de=DE, gold=GOLD, links=LINKS)


def run(capsys, *argv):
    assert main.main(["project", *argv, "--quiet"]) == 0
    return capsys.readouterr()


def questions(text):
    return [one for article in json.loads(text)["data"] for paragraph in article["paragraphs"] for one in paragraph["qas"]]


def test_answers_are_carried(capsys):
    done = run(capsys, *FLAGS)
    assert json.loads(done.out) == squad(
        [
            (TARGET, [question("a", ("Rom", 12)), question("b", ("Ann", 23), ("Ann", 0))]),
            ("Nichts.", []),
        ],
        [("Es regnet.", [question("d", ("regnet", 3))])],
    )
    assert done.err == (
        "warning: 1 of 5 answers have no link and were left out, and with them 1 of 4 questions, which have no other\n"
    )


def test_every_answer_stands_where_it_says(capsys):
    for article in json.loads(run(capsys, *FLAGS).out)["data"]:
        for paragraph in article["paragraphs"]:
            for answer in (answer for one in paragraph["qas"] for answer in one["answers"]):
                start = answer["answer_start"]
                assert paragraph["context"][start : start + len(answer["text"])] == answer["text"]


def test_questions_of_the_translation(capsys):
    write(en=squad([(SOURCE, [question("a", ("Rome", 13)), question("b", ("Ann", 0))])]), links="0-0 3-3\n")
    write(de=squad([(TARGET, ASKED)]))
    assert [one["question"] for one in questions(run(capsys, *FLAGS, "--questions", "target").out)] == ["Wo?", "Wer?"]
    assert {one["question"] for one in questions(run(capsys, *FLAGS, "--questions", "source").out)} == {"?"}
    write(de=squad([(TARGET, [question("a")])]))
    with pytest.raises(InputError, match=r"^de: question 'b' is not about the paragraph that begins 'Ann lebt"):
        project.main([*FLAGS, "--questions", "target", "--quiet"])


def test_documents_are_lines_for_the_aligner(capsys):
    assert run(capsys, "--squad", "en", "--plain-source").out == f"{SOURCE}\nNothing.\nIt rains.\n".replace("\nShe", " She")
    target = re.sub("[\t\n]", " ", TARGET)
    assert run(capsys, "--squad", "de", "--plain-source").out == f"{target}\nNichts.\nEs regnet.\n"


def test_words_and_punctuation_are_apart_by_default(capsys):
    """By the word `seven` of `seven-layered.`, which ends a sentence, not by all between two spaces."""
    write(en=squad([("It is seven-layered.", [question("a", ("seven", 6))])]), de=squad([("Es: „sieben-schichtig“.", [])]))
    write(links="2-3 3-4 4-5 5-7\n")
    assert questions(run(capsys, *FLAGS[:6]).out)[0]["answers"] == [{"text": "sieben", "answer_start": 5}]


def test_tokenizer_probabilities_and_gap(capsys):
    write(en=squad([(SOURCE, [question("b", ("Rome", 13))])]), de=ONE, links="3-1:0.2 3-3:0.9 3-6:0.3\n")
    narrow = questions(run(capsys, *FLAGS, "--tokenizer", "13a", "--max-gap", "1").out)[0]["answers"]
    assert narrow == [{"text": "lebt\tin Rom", "answer_start": 4}]
    whole = questions(run(capsys, *FLAGS, "--max-gap", "9").out)[0]["answers"]
    assert whole == [{"text": TARGET[4 : TARGET.rindex(".")], "answer_start": 4}]
    assert questions(run(capsys, *FLAGS, "--min-probability", "0.5").out)[0]["answers"] == [{"text": "Rom", "answer_start": 12}]


def test_scores(capsys):
    report = json.loads(run(capsys, *FLAGS, "--score", "gold", "--json").out)
    values = {name: score["value"] for name, score in report["scores"].items()}
    assert values == pytest.approx({"exact_match": 60, "f1": 60, "exact_match_linked": 100, "f1_linked": 100, "linked": 60})
    lines = run(capsys, *FLAGS, "--score", "gold", "--out", "out").out.splitlines()
    assert lines[0] == "projected answers of 5 questions"
    assert lines[-1].startswith("projected:answers|rules:squad|max_gap:")
    assert Path("out").read_text() == run(capsys, *FLAGS).out
    write(gold=squad([(TARGET, [question("a", ("Rom", 12))])]))
    done = run(capsys, *FLAGS, "--score", "gold")
    assert done.out.startswith("projected answers of 1 questions\n")
    assert "warning: 2 answers to questions that gold has not, not scored\n" in done.err


def test_the_command_aligns_as_align_does(capsys, make_model):
    """Words of the same model, aligned by `align` or by the command itself: the same answers; what was odd is said."""
    write_model(Path("model"), make_model(heads=()))
    for name in ("en", "de"):
        run(capsys, "--squad", name, "--plain-source", "--out", f"{name}.txt")
    align = ["align", "--model", "model", "--src", "en.txt", "--tgt", "de.txt", "--tokenizer", "intl", "--out", "made"]
    assert main.main([*align, "--format", "probabilities", "--quiet"]) == 0
    given = run(capsys, *FLAGS[:5], "made").out
    assert questions(given)
    assert run(capsys, *FLAGS[:4], "--model", "model", "--device", "cpu", "--threads", "1").out == given
    done = run(capsys, *FLAGS[:4], "--model", "model", "--min-probability", "1", "--score", "gold")
    assert "4 of 4 questions, which have no other" in done.err
    assert "|encoding:separate|" in done.out
    with pytest.raises(InputError, match=r"^gone: "):
        project.main([*FLAGS[:4], "--model", "gone", "--quiet"])


def test_answers_elsewhere_are_refused_or_counted(capsys):
    write(en=squad([(SOURCE, [question("a", ("Rome", 12)), question("b", ("Rome", 13), ("Ann", 1)), question("c")])]))
    write(de=ONE, links="3-3\n")
    with pytest.raises(InputError, match=r"^en: question 'a': the answer 'Rome' is not at answer_start 12"):
        project.main([*FLAGS, "--quiet"])
    done = run(capsys, *FLAGS, "--drop-bad-answers")
    assert [one["id"] for one in questions(done.out)] == ["b"]
    assert done.err == (
        "warning: 2 answers do not stand where en says and were left out\n"
        "warning: 2 of 3 questions have no answer in en and were left out\n"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"de": ONE}, "de: 1 paragraphs, but 3 in en; paragraph n of both are a document and its translation"),
        ({"links": "0-0\n"}, "links: 1 lines, but 3 paragraphs in en; line n has the links of paragraph n"),
        ({"links": LINKS + "\n"}, "links: 4 lines, but 3 paragraphs in en"),
        ({"links": "0-0\n9-9\n\n"}, "links:2: link 9-9 (0-based) is out of range: 1 source words and 1 target words"),
        ({"links": "x\n\n\n"}, "links:1: 'x' is not a link"),
        ({"en": "{"}, "en is not JSON"),
        ({"de": '{"data": 1}'}, "de: data is 1: allowed is a valid "),
        ({"en": squad([(SOURCE, [question("a", ("", 0))])]), "de": ONE}, "en: no answers, as in XTREME's test files"),
        ({"gold": squad([(TARGET, [question("x", ("Ann", 0))])])}, "gold: no question has an id of en"),
        ({"gold": squad([("Ann", [question("a", ("Ann", 0))])])}, "gold: question 'a' is about another text than in de"),
        ({"gold": squad([(TARGET, [question("a", ("", 0))])])}, "gold: no answers, as in XTREME's test files: not scored"),
        ({"en": squad([(SOURCE, [question("a", ("Ann", 0))] * 2)]), "de": ONE}, "en: question 'a': 2 questions have this id"),
    ],
)
def test_refusals(change, message):
    write(**change)
    with pytest.raises(InputError, match="^" + re.escape(message)):
        project.main([*FLAGS, "--score", "gold", "--quiet"])


@pytest.mark.parametrize(("links", "n"), [("0-0\n", 1), (LINKS + "\n\n", 5)])
def test_other_numbers_of_lines_are_found_in_pipes_too(links, n, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(links.encode())))
    with pytest.raises(InputError, match=f"^<stdin>: {n} lines, but 3 paragraphs in en"):
        project.main([*FLAGS, "--alignments", "-", "--quiet"])
