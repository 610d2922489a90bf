"""Tests of ``xlm-align show``: the text printed, the page written, the refusals."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.cli import show
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.pictures.picture import LEGEND

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
    # Mean probability of the best link of each word: (0.5 + 0.5) / 4, (0.75 + 0.25 + 0.75) / 3, and 0 for no words.
    "sure": "0-0:0.5\n0-0:0.25 0-1:0.75\n\n",
    "surer": "0-0:1\n0-0:1\n\n",
    "sure1": "1-1:0.5\n1-1:0.25 1-2:0.75\n\n",
    "half": "0-0:0.5\n0-0 0-1:0.75\n\n",
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


def test_alignments_from_standard_input(capsys, monkeypatch):
    assert show.main([*TEXTS, "--alignments", "one"]) == 0
    from_file = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("one").read_bytes())))
    assert show.main([*TEXTS, "--alignments", "-", "--names", "one"]) == 0
    assert capsys.readouterr().out == from_file


def test_only_keeps_order_and_numbers():
    _, data = page(*BOTH, "--only", "2,1,2", "--gold", "gold")
    assert [e["number"] for e in data["examples"]] == [2, 1]
    assert data["notes"][1][1] == 2  # the table is about what is shown


@pytest.mark.parametrize(("only", "numbers"), [("1-3", [1, 2, 3]), ("3,1-2", [3, 1, 2]), ("2-2", [2]), ("1-2,2-3", [1, 2, 3])])
def test_only_takes_ranges(only, numbers):
    _, data = page(*BOTH, "--only", only)
    assert [e["number"] for e in data["examples"]] == numbers


def test_a_page_too_large_for_a_browser_is_said(capsys, monkeypatch):
    page(*BOTH)
    assert capsys.readouterr().err == ""
    size = Path("out.html").stat().st_size
    monkeypatch.setattr(show, "LARGE_PAGE", size)
    page(*BOTH)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(show, "LARGE_PAGE", size - 1)
    page(*BOTH)
    assert capsys.readouterr().err == (
        "warning: out.html has 3 sentence pairs in 0 MB, which a browser opens slowly or not at all; show fewer, as by --only"
        " 1-1000 or --max-score 0.5\n"
    )


def test_rows_of_null_are_said(capsys):
    Path("rows").write_text("1 1 1\n1 0 2\n2 1 1\n3 0 1\n")
    Path("test.de").write_text("ein Haus\nja\nso\n", encoding="utf-8")
    Path("test.en").write_text("a house\nyes\nso\n", encoding="utf-8")
    Path("links").write_text("0-0\n0-0\n\n")
    _, data = page(*TEXTS, "--alignments", "links", "--gold", "rows")
    assert [e["sure"] for e in data["examples"]] == [[[0, 0]], [[0, 0]], []]
    assert capsys.readouterr().err.startswith("warning: 2 rows of rows link a word with nothing (position 0, NULL)")


def test_files_that_count_from_one():
    common = [*TEXTS, "--names", "x"]
    plain = page(*common, "--alignments", "one", "--gold", "gold")
    assert page(*common, "--alignments", "one1", "--one-based", "--gold", "gold1", "--gold-one-based") == plain


def test_no_directory_reaches_the_page(tmp_path):
    argv = [str(tmp_path / a) if a in FILES else a for a in BOTH]
    text, data = page(*argv, "--gold", str(tmp_path / "gold"))
    assert data["systems"] == ["one", "two"]
    assert str(tmp_path) not in text


SCORES = [0.25, (0.75 + 0.25 + 0.75) / 3, 0.0]


def test_probabilities_score_the_sentence_pairs():
    _, data = page(*TEXTS, "--alignments", "sure")
    assert [e["score"] for e in data["examples"]] == pytest.approx(SCORES)
    assert [e["probabilities"] for e in data["examples"]] == [[[0.5]], [[0.25, 0.75]], [[]]]
    assert [e["links"] for e in data["examples"]] == [[[[0, 0]]], [[[0, 0], [0, 1]]], [[]]]
    assert page(*TEXTS, "--alignments", "sure1", "--one-based", "--names", "sure")[1] == data


def test_the_first_system_with_probabilities_gives_the_score():
    _, data = page(*BOTH, "--alignments", "sure", "--alignments", "surer")
    assert [e["score"] for e in data["examples"]] == pytest.approx(SCORES)
    assert data["examples"][0]["probabilities"] == [None, None, [0.5], [1.0]]
    assert all(e["score"] is None for e in page(*BOTH)[1]["examples"])


def test_words_without_text_do_not_lower_the_score(files):
    (files / "test.de").write_text("ein  Haus\nja \n\n", encoding="utf-8")
    _, data = page(*TEXTS, "--alignments", "sure")
    assert data["examples"][0]["source"] == ["ein", "", "Haus"]
    assert [e["score"] for e in data["examples"]] == pytest.approx(SCORES)


@pytest.mark.parametrize(
    ("argv", "numbers"),
    [
        (["--sort", "score"], [3, 1, 2]),
        (["--min-score", "0.25"], [1, 2]),
        (["--max-score", "0.25"], [1, 3]),
        (["--max-score", "0.25", "--sort", "score"], [3, 1]),
        (["--min-score", "0.1", "--max-score", "0.3"], [1]),
        (["--only", "2,1", "--min-score", "0"], [2, 1]),
        (["--min-score", "0.9"], []),
    ],
)
def test_flags_about_scores(argv, numbers):
    _, data = page(*TEXTS, "--alignments", "sure", "--gold", "gold", *argv)
    assert [e["number"] for e in data["examples"]] == numbers
    if numbers:
        assert data["notes"][1][1] == len(numbers)  # the table is about what is shown


def test_terminal_prints_the_score(capsys):
    out = printed(capsys, *TEXTS, "--alignments", "sure", "--sort", "score", "--names", "x")
    assert re.findall(r"^de-en (.*)$", out, re.MULTILINE) == ["3  score 0  x", "1  score 0.25  x", "2  score 0.5833  x"]


def test_terminal_says_that_nothing_is_shown(capsys):
    assert show.main([*TEXTS, "--alignments", "sure", "--gold", "gold", "--min-score", "0.9"]) == 0
    assert capsys.readouterr() == ("", "xlm-align show: no sentence pair has such a score\n")


@pytest.mark.parametrize("name", ["test.de", "test.en", "one", "two", "gold"])
def test_an_input_is_not_overwritten(files, name):
    (files / "link").symlink_to(name)
    with pytest.raises(InputError, match=r"^--html link is one of the inputs"):
        show.main([*BOTH, "--gold", "gold", "--html", "link"])
    assert (files / name).read_text(encoding="utf-8") == FILES[name]


@pytest.mark.parametrize(
    ("argv", "name"),
    [([], "de-en"), (["--pair", "x"], "x"), (["--src", "one", "--tgt", "one"], "pair")],
)
def test_name_of_the_pair(argv, name):
    Path("none").write_text("\n\n\n")
    _, data = page(*TEXTS, "--alignments", "none", *argv)
    assert data["examples"][0]["name"] == name


def test_name_of_the_pair_of_packed_files():
    for name in ("test.de", "test.en"):
        Path(f"{name}.gz").write_bytes(gzip.compress(Path(name).read_bytes()))
    _, data = page("--src", "test.de.gz", "--tgt", "test.en.gz", "--alignments", "one")
    assert data["examples"][0]["name"] == "de-en"


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
        ([*BOTH, "--only", "2-1"], "'2-1' is not the number"),
        ([*BOTH, "--only", "2-4"], "'2-4' is not the number of a sentence pair; allowed are 1..3, separated by commas, and a"),
        ([*TEXTS, "--alignments", "half"], "half:2: link 0-0 (0-based) has no probability; allowed are links like"),
        ([*BOTH, "--min-score", "0"], "--min-score needs scores, but no --alignments file has probabilities; give one with"),
        ([*BOTH, "--sort", "score"], "--sort needs scores, but no --alignments file has probabilities"),
        (
            [*TEXTS, "--alignments", "sure", "--min-score", "0.5", "--max-score", "0.25"],
            "--min-score 0.5 is above --max-score 0.25: no score is both; give a lower --min-score",
        ),
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
    assert "--alignments" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^--src: allowed are --src and --tgt together, --tsv, or --pairs$"):
        show.main(["--src", "gone", "--alignments", "gone"])


@pytest.mark.parametrize("value", ["x", "-0.1", "1.1", "nan", ""])
def test_a_score_is_a_share(capsys, value):
    with pytest.raises(SystemExit) as stop:
        show.main([*BOTH, f"--min-score={value}"])
    assert stop.value.code == 2
    assert f"argument --min-score: {value!r}; allowed is a number 0..1" in capsys.readouterr().err


def test_nothing_heavy_is_imported(tmp_path):
    code = "import sys; from xlm_align_fairseq.cli import show; show.main(sys.argv[1:]);"
    code += "print([m for m in ('torch', 'numpy', 'fairseq') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *BOTH], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")


def test_a_page_on_standard_output(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    for name, line in {"x.de": "a", "x.en": "b", "links": "0-0"}.items():
        (tmp_path / name).write_text(f"{line}\n")
    assert show.main(["--src", "x.de", "--tgt", "x.en", "--alignments", "links", "--html", "-"]) == 0
    assert capfdbinary.readouterr().out.rstrip().endswith(b"</html>")
