"""`xlm-align align` in a pipe that stays open, and on a terminal: it answers a line when it gets a line."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from world import ENVIRONMENT, SHIPPED, run

from xlm_align_fairseq.cli.main import main as xlm_align

PROGRAM = Path(sys.executable).with_name("xlm-align")
SOURCE, TARGET = ((SHIPPED / "ro-en" / f"test.{side}").read_text("utf-8").splitlines()[:30] for side in ("ro", "en"))
PAIRS = [f"{s} ||| {t}\n".encode() for s, t in zip(SOURCE, TARGET, strict=True)]
PAIRS[3:3] = [b"no separator\n", b" ||| \n", b"bad \xff ||| utf\n"]


@pytest.fixture
def expected(world, tmp_path):
    (tmp_path / "pairs").write_bytes(b"".join(PAIRS))
    flags = ["--pairs", str(tmp_path / "pairs"), "--format", "probabilities", "--quiet", "--out", str(tmp_path / "expected")]
    assert xlm_align(["align", "--model", str(world / "model"), *flags]) == 0
    return (tmp_path / "expected").read_bytes()


def start(world, *flags, **options):
    command = [PROGRAM, "align", "--model", world / "model", "--format", "probabilities", *flags]
    return subprocess.Popen(list(map(str, command)), env=ENVIRONMENT, **options)


def read_line(number, seconds=60):
    """Read a line from a descriptor, a byte at a time; what does not come in time is a failure."""
    line, end = b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        assert select.select([number], [], [], max(0.0, end - time.monotonic()))[0], f"no line in {seconds} s, only {line!r}"
        byte = os.read(number, 1)
        assert byte, f"the end, after {line!r}"
        line += byte
    return line


def test_a_resident_process_answers_line_by_line(world, expected):
    """Each answer is there before the next line is written; together they are what a file gives, to the byte."""
    with start(world, "--line-buffered", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        answers = []
        for pair in PAIRS:
            process.stdin.write(pair)
            process.stdin.flush()
            answers.append(read_line(process.stdout.fileno()))
        process.stdin.close()
        assert process.stdout.read() == b""
        said = process.stderr.read()
        assert process.wait() == 0
    assert b"".join(answers) == expected
    assert b"warning: 1 lines without the separator" in said
    assert all(line.startswith(b"warning: ") for line in said.splitlines())  # no bar, no hint


def test_two_named_pipes(world, expected, tmp_path):
    for side in ("src", "tgt"):
        os.mkfifo(tmp_path / side)
    flags = ["--src", tmp_path / "src", "--tgt", tmp_path / "tgt", "--line-buffered"]
    with start(world, *flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with open(tmp_path / "src", "r+b", 0) as source, open(tmp_path / "tgt", "r+b", 0) as target:  # r+: whoever comes first
            for n in (0, 1):
                left, right = PAIRS[n].rstrip(b"\n").split(b" ||| ")
                source.write(left + b"\n")
                target.write(right + b"\n")
                assert read_line(process.stdout.fileno()) == expected.splitlines(keepends=True)[n]
        assert process.wait() == 0


def test_a_file_that_is_followed(world, expected, tmp_path):
    """With --out FILE too, each line can be read before the next is asked for."""
    out = tmp_path / "out.partial"
    with start(world, "--line-buffered", "--out", tmp_path / "out", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for n, pair in enumerate(PAIRS[:3]):
            process.stdin.write(pair)
            process.stdin.flush()
            end = time.monotonic() + 60
            while not out.exists() or out.read_bytes().count(b"\n") <= n:
                assert time.monotonic() < end
                time.sleep(0.02)
        process.stdin.close()
        assert process.wait() == 0
    assert (tmp_path / "out").read_bytes() == b"".join(expected.splitlines(keepends=True)[:3])


@pytest.mark.parametrize("flags", [[], ["--tsv", "-"]])
def test_on_a_terminal_it_says_that_it_waits_and_answers(world, expected, flags):
    """The terminal shows what is typed, the hint, and the links; no bar is drawn over them."""
    ours, theirs = pty.openpty()
    separator = b"\t" if flags else b" ||| "
    with start(world, *flags, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        hint = read_line(process.stderr.fileno())
        shape = b"source and target with a tab between" if flags else b"`source ||| target`"
        assert hint == b"waiting for " + shape + b", one pair a line; Ctrl-D ends\n"
        for n in (0, 1):
            os.write(ours, PAIRS[n].replace(b" ||| ", separator))
            read_line(ours)  # the echo
            assert read_line(ours).replace(b"\r\n", b"\n") == expected.splitlines(keepends=True)[n]
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
        said = process.stderr.read()
    assert all(line.startswith(b"warning: ") for line in said.splitlines())
    os.close(ours)


def test_with_gold_it_is_refused(world, capsys):
    place = SHIPPED / "ro-en"
    flags = ["--src", str(place / "test.ro"), "--tgt", str(place / "test.en"), "--gold", str(place / "gold"), "--line-buffered"]
    assert xlm_align(["align", "--model", str(world / "model"), *flags]) == 2
    assert "--line-buffered with --gold: it prints the AER of the words" in capsys.readouterr().err


def test_a_killed_resident_run_is_gone_on_with(world, expected, tmp_path):
    """The lines that were answered stay, all of them: no two of them shared a batch."""
    flags = ["--pairs", tmp_path / "pairs", "--line-buffered", "--out", tmp_path / "out"]
    with start(world, *flags, stderr=subprocess.PIPE) as process:
        partial = tmp_path / "out.partial"
        while process.poll() is None and (not partial.exists() or not partial.stat().st_size):
            time.sleep(0.002)
        process.kill()
    if (tmp_path / "out").exists():
        pytest.skip("it was faster than we are")
    done = run([PROGRAM, "align", "--model", world / "model", "--format", "probabilities", "--quiet", *flags, "--resume"])
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes() == expected
