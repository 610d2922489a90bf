"""Tests of ``xlm-align show``: the text printed, the page written, the refusals."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.cli import show
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.picture import LEGEND

ROOT = Path(__file__).resolve().parents[3]

FILES = {
    "test.de": "ein Haus\nja\n\n",
    "test.en": "a house\nyes yes\n\n",
    "one": "0-0\n0-0 0-1\n\n",
    "two": "0-0 1-1\n0-0\n\n",
    "one1": "1-1\n1-1 1-2\n\n",
    "gold": "0-0 1-1\n0-0 0p1\n\n",
    "gold1": "1-1 2-2\n1-1 1p2\n\n",
    "short": "0-0\n",
    "wide": "0-0\n3-0\n\n",
}
TEXTS = ["--src", "test.de", "--tgt", "test.en"]
BOTH = [*TEXTS, "--alignments", "one", "--alignments", "two"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def printed(capsys, *argv):
    assert show.main(argv) == 0
    return capsys.readouterr().out


def page(*argv):
    assert show.main([*argv, "--html", "out.html"]) == 0
    text = Path("out.html").read_text(encoding="utf-8")
    return text, json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_terminal_without_gold(capsys):
    out = printed(capsys, *TEXTS, "--alignments", "one", "--only", "1")
    assert out == "de-en 1  one\n     a\n     | house\nein  # .\nHaus . .\n"


def test_terminal_with_gold_prints_the_legend_once(capsys):
    out = printed(capsys, *BOTH, "--names", "before,after", "--gold", "gold")
    assert out.count(LEGEND) == 1
    heads = ["1  before  AER 33.3 %", "1  after  AER 0.0 %", "2  before  AER 0.0 %", "2  after  AER 0.0 %"]
    heads += ["3  before  AER 0.0 %", "3  after  AER 0.0 %"]
    assert re.findall(r"^de-en (.*)$", out, re.MULTILINE) == heads


def test_a_narrow_terminal_gets_numbered_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "9")
    out = printed(capsys, *TEXTS, "--alignments", "two", "--only", "1")
    assert out == "de-en 1  two\n0 ein  # 0 a\n1 Haus # 1 house\n"


def test_page(capsys):
    text, data = page(*BOTH, "--names", "before,after", "--gold", "gold", "--title", "A < B")
    assert capsys.readouterr().out == ""
    assert "<title>A &lt; B</title>" in text
    assert data["systems"] == ["before", "after"]
    assert [e["number"] for e in data["examples"]] == [1, 2, 3]
    assert {e["name"] for e in data["examples"]} == {"de-en"}
    assert data["examples"][2]["source"] == []
    # |S| = 3, |P| = 4. before: |A| = 3, all possible, 2 sure: 1 - 5/6. after: |A| = 3, all sure: 0.
    heads, before, after = data["notes"]
    assert heads == ["system", "sentence pairs", "links", "AER %", "precision %", "recall %", "F1 %"]
    assert before[:3] == ["before", 3, 3]
    assert before[3:] == pytest.approx([100 / 6, 100, 200 / 3, 80])
    assert after == ["after", 3, 3, 0.0, 100.0, 100.0, 100.0]


def test_page_without_gold_has_no_table():
    assert page(*BOTH)[1]["notes"] == []


def test_only_keeps_order_and_numbers():
    _, data = page(*BOTH, "--only", "2,1,2", "--gold", "gold")
    assert [e["number"] for e in data["examples"]] == [2, 1]
    assert data["notes"][1][1] == 2  # the table is about what is shown


def test_files_that_count_from_one():
    common = [*TEXTS, "--names", "x"]
    plain = page(*common, "--alignments", "one", "--gold", "gold")
    assert page(*common, "--alignments", "one1", "--one-based", "--gold", "gold1", "--gold-one-based") == plain


def test_no_directory_reaches_the_page(tmp_path):
    argv = [str(tmp_path / a) if a in FILES else a for a in BOTH]
    text, data = page(*argv, "--gold", str(tmp_path / "gold"))
    assert data["systems"] == ["one", "two"]
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("argv", "name"),
    [([], "de-en"), (["--pair", "x"], "x"), (["--src", "one", "--tgt", "one"], "pair")],
)
def test_name_of_the_pair(argv, name):
    Path("none").write_text("\n\n\n")
    _, data = page(*TEXTS, "--alignments", "none", *argv)
    assert data["examples"][0]["name"] == name


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([*TEXTS, "--alignments", "short"], "short: 1 lines, but 3 lines in test.de"),
        (["--src", "test.de", "--tgt", "short", "--alignments", "one"], "short: 1 lines, but 3 lines in test.de"),
        ([*BOTH, "--gold", "short"], "short: 1 lines, but 3 lines in test.de"),
        ([*TEXTS, "--alignments", "wide"], "wide:2: link 3-0 (0-based) is out of range"),
        ([*BOTH, "--gold", "wide"], "wide: sentence pair 2: link 3-0 (0-based) is out of range"),
        ([*TEXTS, "--alignments", "gone"], "gone: cannot read the file"),
        ([*BOTH, "--names", "x"], "--names x: 1 names for 2 --alignments"),
        ([*BOTH, "--names", "x,x"], "'x' is empty or names two systems"),
        ([*BOTH, "--names", "x,"], "'' is empty or names two systems"),
        ([*BOTH, "--only", "4"], "--only 4: '4' is not the number of a sentence pair; allowed are 1..3"),
        ([*BOTH, "--only", "1,"], "--only 1,: '' is not the number of a sentence pair"),
        ([*BOTH, "--only", "0"], "'0' is not the number"),
        ([*BOTH, "--html", "no/where.html"], "--html no/where.html: cannot write the page (No such file or directory)"),
    ],
)
def test_refusals(argv, text):
    with pytest.raises(InputError, match=re.escape(text)):
        show.main(argv)


def test_flags_are_checked_first(capsys):
    with pytest.raises(SystemExit) as stop:
        show.main(["--src", "gone"])
    assert stop.value.code == 2
    assert "--tgt" in capsys.readouterr().err


def test_nothing_heavy_is_imported(tmp_path):
    code = "import sys; from xlm_align_fairseq.cli import show; show.main(sys.argv[1:]);"
    code += "print([m for m in ('torch', 'numpy', 'fairseq') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *BOTH], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")
