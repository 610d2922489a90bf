"""`xlm-align xtreme`: from an encoder and XTREME's folder to the table, stopped and started again."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from world import ENVIRONMENT

from xlm_align_fairseq.cli.main import main as xlm_align

XLM_ALIGN = Path(sys.executable).with_name("xlm-align")
CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "transfer" / "cases"
WORDS = ["das", "Haus", "ist", "klein", "the", "house", "small", "10", ".", "!", "Er", "sieht", "she"]


def tag(word):
    return "NUM" if word.isdigit() else "PUNCT" if not word.isalnum() else "PROPN" if word[0].isupper() else "NOUN"


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """POS in English and German, PAWS-X whose German answers are withheld, NER without training text."""
    folder = tmp_path_factory.mktemp("download")
    draw = random.Random(1)

    def write(name, lines):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(lines), "utf-8")

    def sentences(n):
        rows = [draw.choices(WORDS, k=draw.randrange(1, 9)) for _ in range(n)]
        return ["".join(f"{word}\t{tag(word)}\n" for word in row) + "\n" for row in rows]

    def pairs(n, classes=True):
        rows = [(draw.choice(WORDS), draw.choice(WORDS)) for _ in range(n)]
        return [f"{a}\t{b}" + f"\t{int(a.islower())}" * classes + "\n" for a, b in rows]

    write("udpos/train-en.tsv", sentences(60))
    write("udpos/dev-en.tsv", sentences(10))
    write("udpos/test-en.tsv", sentences(12))
    write("udpos/test-de.tsv", sentences(12))
    write("pawsx/train-en.tsv", pairs(60))
    write("pawsx/dev-en.tsv", pairs(10))
    write("pawsx/test-de.tsv", pairs(9, classes=False))
    write("panx/test-de.tsv", ["Rom\tB-LOC\n\n"])
    return folder


def flags(world, download, out, *more):
    return [
        *["xtreme", "--checkpoint", str(world / "model"), "--data", str(download), "--out", str(out), "--seeds", "1,2"],
        *["--device", "cpu", "--quiet", "--samples", "50", *more],
    ]


def written(out):
    """The bytes of all that a user reads; checkpoints and logs have times in them."""
    files = [
        path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix in (".txt", ".md", ".tex", ".tsv", ".json")
    ]
    return {str(path.relative_to(out)): path.read_bytes() for path in files if path.name != "dict.txt"}


def test_the_plan(world, download, tmp_path, capsys):
    assert xlm_align(flags(world, download, tmp_path / "out", "--dry-run")) == 0
    plan = capsys.readouterr().out
    assert "udpos/train-en.tsv, 60 sequences, 1 epochs at 0.0002, development text: dev-en.tsv; 1 encoders x 2 seeds" in plan
    assert "test pos: de, en" in plan
    assert "left out: ner: there is no panx/train-en.tsv to train on" in plan
    assert "left out: xquad: no test files" in plan
    assert "training takes about" in plan
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def whole(world, download, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    assert xlm_align(flags(world, download, out)) == 0
    return out


def test_the_table(whole):
    text = (whole / "table.txt").read_text()
    head, row = text.splitlines()[:2]
    assert head.split("  ")[0] == "encoder"
    assert "POS" in head
    assert " ± " in row
    assert "not scored: pawsx in de, no answers" in text
    assert "left out: ner: there is no panx/train-en.tsv to train on" in text
    report = json.loads((whole / "table.json").read_text())
    ((_, encoder),) = report["encoders"].items()
    pos = encoder["tasks"]["pos"]
    assert list(pos) == ["de", "en", "mean"]
    assert pos["mean"]["f1"]["value"] == pytest.approx((pos["de"]["f1"]["value"] + pos["en"]["f1"]["value"]) / 2)
    assert len(pos["de"]["f1"]["each"]) == 2
    assert encoder["averages"] == {}  # pawsx has no number
    assert "xnli" in encoder["missing"]["paper"]
    assert r"\begin{tabular}{lrrrr}" in (whole / "table.tex").read_text()
    for seed in "12":
        folder = next((whole / "predictions").iterdir()) / seed
        names = {str(path.relative_to(folder)) for path in folder.rglob("*.tsv")}
        assert names == {"udpos/test-de.tsv", "udpos/test-en.tsv", "pawsx/test-de.tsv"}
        assert len((folder / "pawsx" / "test-de.tsv").read_text().splitlines()) == 9


def test_stopped_and_started_again(world, download, tmp_path, whole, capsys):
    """Killed behind the first run: the table and the predictions end with the same bytes, and what was done is not done again."""
    out = tmp_path / "out"
    command = [str(XLM_ALIGN), *flags(world, download, out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True) as process:
        while process.poll() is None and not list(out.glob("predictions/*/1/pawsx/*")):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    first = next(out.glob("runs/*/pos.1/checkpoint_last.pt"))
    made = first.stat().st_mtime_ns
    assert xlm_align(flags(world, download, out)) == 0
    assert first.stat().st_mtime_ns == made
    assert written(out) == written(whole)


def test_against_another_encoder_and_labels(world, download, whole, tmp_path, capsys):
    """An encoder against itself differs by nothing; answers that are withheld come from --labels."""
    labels = tmp_path / "labels" / "pawsx"
    labels.mkdir(parents=True)
    (labels / "test-de.tsv").write_text("0\n1\n1\n0\n1\n1\n0\n1\n1\n")
    more = ["--against", str(world / "model"), "--labels", str(labels.parent), "--tasks", "pawsx", "--seeds", "1"]
    assert xlm_align(flags(world, download, tmp_path / "out", *more)) == 0
    assert "difference  +0.00" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "table.json").read_text())
    assert list(report["encoders"]) == ["checkpoint", "against"]
    difference = report["differences"]["pawsx"]["de"]
    assert (difference["value"], difference["claimed"]) == (0, False)
    assert report["not_scored"] == {}


def test_what_cannot_be_is_refused(world, download, whole, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").touch()
    bad = {
        "--seeds 1,1: allowed are numbers": flags(world, download, tmp_path / "a", "--seeds", "1,1"),
        "--tasks xxx: allowed are pos, ner": flags(world, download, tmp_path / "a", "--tasks", "xxx"),
        "nothing to do; pos: no test files in fi": flags(world, download, tmp_path / "a", "--tasks", "pos", "--languages", "fi"),
        "no such folder; give the one": flags(world, tmp_path / "nowhere", tmp_path / "a"),
        "is not empty and has no xtreme.json": flags(world, download, other),
        "was made of something else: recipe was 'small', now it is 'xtreme'": flags(world, download, whole, "--recipe", "xtreme"),
        "--train-flags --x 'y: No closing quotation": flags(world, download, tmp_path / "b", "--train-flags=--x 'y"),
        "failed, exit code 2: look at the end of": flags(world, download, tmp_path / "b", "--train-flags=--lr abc"),
    }
    for message, arguments in bad.items():
        assert xlm_align(arguments) == 2
        assert message in capsys.readouterr().err


def test_a_run_is_trained_by_one_process(world, download, tmp_path, capsys):
    """A training that outlives a killed command holds the lock: a second one does not write into its directory."""
    run = tmp_path / "out" / "runs" / "model" / "pos.1"
    arguments = flags(world, download, tmp_path / "out", "--tasks", "pos", "--seeds", "1", "--train-flags=--lr abc")
    assert xlm_align(arguments) == 2  # training failed
    assert "'abc'" in capsys.readouterr().err  # the last line of the log is said
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert xlm_align(arguments) == 2
        assert "another process trains there; wait until it ends" in capsys.readouterr().err


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_the_cases(world, tmp_path, capsys):
    """All nine tasks run on what XTREME's download script leaves, and with its labels all are scored."""
    arguments = flags(world, CASES / "download", tmp_path / "out", "--seeds", "1", "--labels", str(CASES / "download.labels"))
    assert xlm_align(arguments) == 0
    report = json.loads((tmp_path / "out" / "table.json").read_text())
    assert len(report["tasks"]) == 9
    folder = next((tmp_path / "out" / "predictions").iterdir()) / "1"
    assert {path.name for path in folder.iterdir()} == {path.name for path in (CASES / "download.labels").iterdir()}
    assert report["not_scored"] == {}
    pairs = flags(world, CASES / "download", tmp_path / "dev", "--seeds", "1", "--tasks", "bucc", "--split", "dev")
    assert xlm_align(pairs) == 0  # the development files of BUCC have the answers
    report = json.loads((tmp_path / "dev" / "table.json").read_text())
    assert report["not_scored"] == {}
    assert list(report["encoders"]["model"]["tasks"]["bucc"]) == ["de"]
