"""`xlm-align` itself: the overview, and errors if output cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.cli.main import COMMANDS, main
from xlm_align_fairseq.version import __version__

PROGRAM = Path(sys.executable).with_name("xlm-align")


@pytest.fixture
def links(tmp_path, monkeypatch):
    """Two files of text and one of links in the current directory; the flags of `show` and `lexicon` that name them."""
    monkeypatch.chdir(tmp_path)
    for name, line in (("text.de", "das Haus"), ("text.en", "the house"), ("links", "0-0 1-1"), ("gold", "0-0 1p1")):
        Path(name).write_text(f"{line}\n" * 2000)
    return ["--src", "text.de", "--tgt", "text.en", "--alignments", "links"]


def run(arguments, stdout, **environment):
    return subprocess.run(
        [PROGRAM, *arguments], stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **environment}, timeout=120
    )


def test_overview(capsys):
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    assert all(f"\n  {name} " in overview for name in COMMANDS)
    assert main([]) == 2
    assert main(["--version"]) == 0
    assert f"xlm-align {__version__}\n" in capsys.readouterr().out
    assert main(["aline"]) == 2
    assert "xlm-align: error: no command 'aline': allowed are align, " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "lexicon", "score"])
def test_a_full_device_is_one_line(links, command):
    arguments = {"show": links, "lexicon": [*links, "--quiet"], "score": ["--gold", "gold", "links"]}[command]
    with open("/dev/full", "wb") as full:
        done = run([command, *arguments], full)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("out", [[], ["--out", "/dev/stdout"]])
def test_a_reader_that_goes_away(links, out):
    many = "".join(f"w{n} " for n in range(20_000)).strip()
    Path("text.de").write_text(f"{many}\n")
    Path("text.en").write_text(f"{many}\n")
    Path("links").write_text(" ".join(f"{n}-{n}" for n in range(20_000)) + "\n")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        done = run(["lexicon", *links, "--quiet", *out], gone)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_that_lacks_characters(links):
    done = run(["show", *links, "--gold", "gold", "--only", "1"], subprocess.PIPE, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u2713 link in gold" in done.stdout
