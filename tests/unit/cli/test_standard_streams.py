"""Standard streams that are closed or the wrong way round, and names that are no text: refused before the work, or one line."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from xlm_align_fairseq.cli.main import COMMANDS, main

PROGRAM = Path(sys.executable).with_name("xlm-align")
ODD = os.fsdecode(b"n\xe4me\xff")  # a name of a file in Latin-1
TEXTS = {"text.de": "das Haus\n", "text.en": "the house\n", "links": "0-0:0.9 1-1:0.8\n", "gold": "0-0 1p1\n"}
SHOW = ["--src", "text.de", "--tgt", "text.en", "--alignments"]
CLOSED_OUT = "standard output is closed, the result would be lost; open it, as by > FILE or > /dev/null"
CLOSED_IN = "- (standard input) is closed; open it, as by < FILE, or give a file"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in TEXTS.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def shell(redirection, *arguments):
    """Run the program with its streams redirected by a shell."""
    command = ["sh", "-c", f'"$0" "$@" {redirection}', str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)


def test_a_closed_standard_output_is_refused_before_the_work(files):
    """Also where the result goes to a file; descriptor 1 would be that of the first file that is opened."""
    for redirection in (">&-", "1</dev/null"):
        done = shell(redirection, "lexicon", *SHOW, "links", "--out", "out")
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == f"xlm-align lexicon: error: {CLOSED_OUT}\n"
        assert not Path("out").exists()


@pytest.mark.parametrize("arguments", [[name] for name in COMMANDS] + [[], ["--help"], ["--version"], ["none"]])
def test_whatever_is_asked_of_it(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(arguments) == 2
    program = f"xlm-align {arguments[0]}" if arguments and arguments[0] in COMMANDS else "xlm-align"
    assert capsys.readouterr().err == f"{program}: error: {CLOSED_OUT}\n"


READERS = {
    "align": ["--model", "nowhere"],
    "align tsv": ["--model", "nowhere", "--tsv", "-"],
    "lexicon": ["--src", "text.de", "--tgt", "text.en", "--alignments", "-", "--quiet"],
    "project": ["--markup", "text.de", "--tgt", "-", "--alignments", "links", "--quiet"],
    "score": ["--gold", "gold", "links", "-"],
    "show": [*SHOW, "-"],
    "bootstrap": ["--pairs", "-", "--quiet"],
}


@pytest.mark.parametrize("name", READERS)
def test_a_closed_standard_input_is_refused_where_it_is_to_be_read(monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "stdin", None)
    assert main([name.split()[0], *READERS[name]]) == 2
    assert capsys.readouterr().err == f"xlm-align {name.split()[0]}: error: {CLOSED_IN}\n"


def test_a_closed_standard_input_that_nobody_reads(files):
    for redirection in ("<&-", "0>/dev/null"):
        done = shell(redirection, "lexicon", *SHOW, "links", "--quiet")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b"\n") == 3
        done = shell(redirection, "lexicon", *SHOW, "-", "--quiet")
        assert done.returncode == 2
        assert done.stderr.decode() == f"xlm-align lexicon: error: {CLOSED_IN}\n"


def test_what_is_said_on_a_closed_standard_error_is_not_among_the_result(files):
    """Python prints on standard output what is printed on a standard error that is closed."""
    Path("links").write_text("0-0\n")
    flags = ["--markup", "text.de", "--tgt", "text.en", "--alignments", "links"]
    Path("text.de").write_text("das <b>Haus</b>\n")
    whole = shell("", "project", *flags)
    assert b"warning: 1 of 1 elements have no link" in whole.stderr
    for redirection in ("2>&-", "2>&- 0<&-"):
        done = shell(redirection, "project", *flags)
        assert (done.returncode, done.stdout, done.stderr) == (0, whole.stdout, b"")
    done = shell("2>&-", "project", *flags, "--column", "1")
    assert (done.returncode, done.stdout) == (2, b"")


# names


class Text(HTMLParser):
    """Gather the text of a page."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def handle_data(self, data):
        self.text += data


def test_names_that_are_not_utf_8_work(files, capsys):
    """In arguments, as names of files to read and to write, in reports, JSON, comments, plots and pages."""
    shown = ODD.encode("utf-8", "backslashreplace").decode()
    for name in TEXTS:
        Path(f"{ODD}.{name}").write_text(TEXTS[name])
    text = ["--src", f"{ODD}.text.de", "--tgt", f"{ODD}.text.en"]
    links = f"{ODD}.links"
    assert main(["lexicon", *text, "--alignments", links, "--quiet", "--out", f"{ODD}.tsv"]) == 0
    assert Path(f"{ODD}.tsv").read_text().startswith("source\ttarget\tcount")
    assert main(["show", *text, "--alignments", links, "--title", ODD, "--html", f"{ODD}.html"]) == 0
    page = Text()
    page.feed(Path(f"{ODD}.html").read_text("utf-8"))
    assert shown in page.text
    assert main(["show", *text, "--alignments", links]) == 0
    capsys.readouterr()
    score = ["score", "--gold", f"{ODD}.gold", links, "--per-sentence", "sentences", "--curve-plot", f"{ODD}.svg"]
    assert main([*score, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.encode("utf-8", "backslashreplace"))["systems"][0]["name"] == links
    assert ascii(links) in Path("sentences").read_text("utf-8")
    assert Path(f"{ODD}.svg").read_text("utf-8").startswith("<svg")
    assert main(score) == 0


@pytest.mark.parametrize("name", [ODD, "two\nlines", "bell\a", "\u2028"])
def test_an_error_is_one_line_whatever_the_name(capsys, name):
    for arguments in (
        ["lexicon", "--src", name, "--tgt", "text.en", "--alignments", "links"],
        ["lexicon", *SHOW, "links", "--out", f"{name}/no"],
        ["score", "--gold", name, "links"],
        ["show", *SHOW, name],
        ["convert", name, "out"],
        ["binarize", "--model", name, "--mono", "text.de", "--out", "out"],
        [name],
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith("xlm-align")
        assert "error: " in said
        assert len(said.splitlines()) == 1, said
        assert said.removesuffix("\n").isprintable()


def test_it_is_so_through_a_pipe():
    done = subprocess.run([PROGRAM, "convert", ODD, "out"], capture_output=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith(rb"xlm-align convert: error: n\udce4me\udcff: no such directory; ")
