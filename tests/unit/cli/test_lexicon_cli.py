"""Tests of ``xlm-align lexicon``: the file it writes, the flags, the refusals."""

import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from xlm_align_fairseq.cli import lexicon, main
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import read_pharaoh
from xlm_align_fairseq.text.lines import read_lines

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "examples" / "quickstart" / "data" / "de-en"

HEADER = "source\ttarget\tcount\tp(target|source)\tp(source|target)\n"
FILES = {
    "src": "das Haus\n\nDas das\n",
    "tgt": "the house\n\nthe that\n",
    "tsv": "das Haus\tthe house\n\t\nDas das\tthe that\n",
    "align": "0-0 1-1\n\n0-0 1-1\n",
    "prob": "0-0:0.9 1-1:0.5\n\n0-0:0.8 1-1:0.25\n",
    "some": "0-0:0.9 1-1:0.5\n\n0-0 1-1\n",
    "mixed": "0-0:0.9 1-1\n\n\n",
    "wide": "0-0\n\n2-0\n",
    "short": "0-0\n",
    "bad": "0-0\nx\n\n",
    "tabs": "a\n\n\n",
}
TEXTS = ["--src", "src", "--tgt", "tgt"]
PLAIN = HEADER + (
    "Das\tthe\t1\t1.000000\t0.500000\n"
    "Haus\thouse\t1\t1.000000\t1.000000\n"
    "das\tthat\t1\t0.500000\t1.000000\n"
    "das\tthe\t1\t0.500000\t0.500000\n"
)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys, *argv):
    assert main.main(["lexicon", *argv]) == 0
    return capsys.readouterr().out


def test_tsv_of_counts_and_frequencies(capsys):
    assert printed(capsys, *TEXTS, "--alignments", "align") == PLAIN
    assert printed(capsys, "--tsv", "tsv", "--alignments", "align") == PLAIN


def test_lowercase_and_min_count(capsys):
    out = printed(capsys, *TEXTS, "--alignments", "align", "--lowercase", "--min-count", "2")
    assert out == HEADER + "das\tthe\t2\t0.666667\t1.000000\n"


def test_mean_probability_where_all_links_have_one(capsys):
    out = printed(capsys, *TEXTS, "--alignments", "prob", "--lowercase").splitlines()
    assert out[0] == HEADER.removesuffix("\n") + "\tmean probability"
    assert out[1] == "das\tthe\t2\t0.666667\t1.000000\t0.8500"
    assert printed(capsys, *TEXTS, "--alignments", "some") == PLAIN


def test_min_probability(capsys):
    out = printed(capsys, *TEXTS, "--alignments", "prob", "--lowercase", "--min-probability", "0.5").splitlines()
    assert out[1:] == ["das\tthe\t2\t1.000000\t1.000000\t0.8500", "haus\thouse\t1\t1.000000\t1.000000\t0.5000"]


def test_packed_files_and_standard_input(capsys, monkeypatch):
    Path("src.gz").write_bytes(gzip.compress(FILES["src"].encode()))
    Path("tgt.xz").write_bytes(lzma.compress(FILES["tgt"].encode()))
    Path("align.bz2").write_bytes(bz2.compress(FILES["align"].encode()))
    assert printed(capsys, "--src", "src.gz", "--tgt", "tgt.xz", "--alignments", "align.bz2") == PLAIN
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILES["align"].encode())))
    assert printed(capsys, *TEXTS, "--alignments", "-") == PLAIN
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"0-0\n\n5-0\n")))
    with pytest.raises(InputError, match=r"^<stdin>:3: link 5-0 \(0-based\) is out of range"):
        lexicon.main([*TEXTS, "--alignments", "-"])


def test_progress_counts_pairs_and_quiet_is_quiet(capsys):
    assert main.main(["lexicon", *TEXTS, "--alignments", "align"]) == 0
    assert "3/3" in capsys.readouterr().err
    assert main.main(["lexicon", *TEXTS, "--alignments", "align", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_out_is_complete_or_as_it_was(capsys):
    Path("out").write_text("old")
    with pytest.raises(InputError):
        lexicon.main([*TEXTS, "--alignments", "wide", "--out", "out"])
    assert Path("out").read_text() == "old"
    assert printed(capsys, *TEXTS, "--alignments", "align", "--out", "out") == ""
    assert Path("out").read_bytes() == PLAIN.encode()
    Path("link").symlink_to("out")
    printed(capsys, *TEXTS, "--alignments", "prob", "--out", "link")
    assert Path("link").is_symlink()
    assert "mean probability" in Path("out").read_text()
    assert not list(Path().glob(".*"))


def test_a_device_is_written_to(capsys):
    assert printed(capsys, *TEXTS, "--alignments", "align", "--out", "/dev/null") == ""
    assert not Path("/dev/null").is_file()


def test_texts_of_the_quickstart(capsys):
    files = ["--src", str(DATA / "test.de"), "--tgt", str(DATA / "test.en"), "--alignments", "gold"]
    Path("gold").write_text((DATA / "gold").read_text("utf-8").replace("p", "-"), "utf-8")
    rows = [line.split("\t") for line in printed(capsys, *files).removesuffix("\n").split("\n")][1:]
    assert rows[0] == [".", ".", "57", "1.000000", "1.000000"]
    expected: Counter = Counter()
    texts = [[line.split(" ") for line in read_lines(DATA / name)] for name in ("test.de", "test.en")]
    for source, target, links in zip(*texts, read_pharaoh("gold"), strict=True):
        expected.update((source[i], target[j]) for i, j in links)
    assert {(source, target): int(count) for source, target, count, *_ in rows} == expected


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([*TEXTS, "--alignments", "short"], "short: 1 lines, but 3 lines in src"),
        (["--src", "src", "--tgt", "short", "--alignments", "align"], "short: 1 lines, but 3 lines in src"),
        (["--tsv", "tsv", "--alignments", "short"], "short: 1 lines, but 3 lines in tsv"),
        (["--tsv", "tabs", "--alignments", "align"], "tabs:1: no tab; allowed are source and target with a tab between"),
        ([*TEXTS, "--alignments", "wide"], "wide:3: link 2-0 (0-based) is out of range: 2 source words and 2 target words"),
        ([*TEXTS, "--alignments", "bad"], "bad:2: 'x' is not a link"),
        ([*TEXTS, "--alignments", "mixed"], "mixed:1: link 1-1 (0-based) has no probability; allowed are links like 3-4:0.98"),
        ([*TEXTS, "--alignments", "align", "--min-probability", "0"], "align:1: link 0-0 (0-based) has no probability"),
        ([*TEXTS, "--alignments", "prob", "--min-probability", "2"], "--min-probability 2.0: allowed are 0 to 1"),
        ([*TEXTS, "--alignments", "prob", "--min-probability", "nan"], "--min-probability nan: allowed are 0 to 1"),
        ([*TEXTS, "--alignments", "align", "--min-count", "0"], "--min-count 0: allowed are 1 and more"),
        ([*TEXTS, "--alignments", "gone"], "gone: cannot read the file (No such file or directory); check the path"),
        ([*TEXTS, "--alignments", "align", "--out", "no/where"], "--out no/where: cannot write the file (No such file"),
        ([*TEXTS, "--alignments", "align", "--out", "./align"], "--out ./align is one of the inputs"),
        (["--tsv", "tsv", "--alignments", "align", "--out", "tsv"], "--out tsv is one of the inputs"),
    ],
)
def test_refusals(argv, text):
    with pytest.raises(InputError, match="^" + re.escape(text)):
        lexicon.main([*argv, "--quiet"])
    for name, content in FILES.items():
        assert Path(name).read_text() == content


def test_nothing_heavy_is_imported_and_pipes_are_read(files):
    code = "import sys; from xlm_align_fairseq.cli.main import main; main(sys.argv[1:]);"
    code += "print([m for m in ('torch', 'numpy', 'fairseq') if m in sys.modules])"
    os.mkfifo("pipe")
    argv = [sys.executable, "-c", code, "lexicon", *TEXTS, "--alignments", "pipe"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as command:
        Path("pipe").write_text(FILES["align"])
        assert command.communicate()[0] == PLAIN + "[]\n"
    assert command.returncode == 0
