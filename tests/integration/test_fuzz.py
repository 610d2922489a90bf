"""Any bytes as input give as many output lines, and every index is valid. FUZZ_LINES=100000 makes the corpus longer."""

import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import ENVIRONMENT, SHIPPED

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.links.pharaoh import parse_pharaoh

PROGRAM = Path(sys.executable).with_name("xlm-align")
N_LINES = int(os.environ.get("FUZZ_LINES", "1500"))
ORDINARY = [
    tuple(side.encode() for side in line.split("\t"))
    for pair in ("de-en", "fr-en", "ro-en")
    for line in (SHIPPED / pair / "train.tsv").read_text("utf-8").splitlines()
]
ORDINARY_SET = set(ORDINARY)
NASTY = [
    b"",
    b" ",
    b"    ",
    b"\t",
    b"\r",
    b"\xef\xbb\xbf",  # byte order mark
    b"\xef\xbb\xbfword",
    b"...!?;:,-()[]{}",
    b". . . ! ?",
    "e\u0301 a\u0308\u0323 \u0300\u0301\u0302".encode(),  # combining marks, also without a base character
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd".encode(),  # right-to-left
    "\u202eabc\u202c \u200f\u200e \u2066x\u2069".encode(),  # and its controls
    "a\u00a0b c\u2028d\u2029e\x85f".encode(),
    b"nul \x00 nul\x00",
    b"carriage return\r",
    b"\x0b\x0c\x1c\x1d\x1e",
    b"\xed\xa0\x80 lone \xed\xbf\xbf surrogates",
    b"\xff\xfe\xfd invalid \xc3",
    b"\xf4\x90\x80\x80",
    "\U0010ffff\ufffe \U0001f468\u200d\U0001f469\u200d\U0001f467".encode(),
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002".encode(),
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35".encode(),
    b"|||",
    b" ||| ",
    b"a ||| b ||| c",
    b"<b>x</b> <sep> 0-0",
    b"x" * 5000,
    b"a" + "\u0301".encode() * 3000,
]
LONG = [b" ".join([b"word"] * 10_000), b" ".join(b"%d" % n for n in range(2500))]


def corpus(n_lines, seed):
    """At least half of the lines are ordinary pairs, a quarter has one odd side, and a few are very long."""
    chooser = random.Random(seed)
    for n in range(n_lines):
        source, target = chooser.choice(ORDINARY)
        kind = chooser.random()
        if kind > 0.55:
            odd = chooser.choice(NASTY)
            source, target = chooser.choice([(odd, target), (source, odd), (odd, chooser.choice(NASTY))])
        if n in (7, n_lines // 2):
            source, target = chooser.choice([(LONG[0], LONG[0]), (LONG[1], target), (source, LONG[1])])
        yield source, target


def check(out, pairs):
    """Check a line for each pair and every index; return how many ordinary pairs have links."""
    assert out == b"" or out.endswith(b"\n")
    lines = out.removesuffix(b"\n").split(b"\n") if out else []
    linked = 0
    for line, (source, target) in zip(lines, pairs, strict=True):
        words = [side.decode("utf-8", "replace").split(" ") for side in (source, target)]
        for i, j in parse_pharaoh(line.decode("ascii")):
            assert words[0][i]
            assert words[1][j]
        linked += bool(line) and (source, target) in ORDINARY_SET
    return linked


def run(world, text, *flags):
    command = [PROGRAM, "align", "--model", world / "model", "--quiet", *flags]
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, env=ENVIRONMENT, timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_corpus_on_standard_input(world):
    # an odd source may contain the separator, and none has a line break: split as the program does
    lines = [b" ||| ".join(pair) for pair in corpus(N_LINES, seed=1)]
    pairs = [line.partition(b" ||| ")[::2] for line in lines]
    out = run(world, b"\n".join(lines) + b"\n")
    report(pairs, check(out, pairs))


def test_a_corpus_in_two_files(world, tmp_path):
    pairs = list(corpus(N_LINES, seed=2))
    for k, name in enumerate(("source", "target")):
        (tmp_path / name).write_bytes(b"".join(pair[k] + b"\n" for pair in pairs))
    out = run(world, b"", "--src", tmp_path / "source", "--tgt", tmp_path / "target")
    report(pairs, check(out, pairs))


def report(pairs, linked):
    print(f"{len(pairs):,} lines in and out, every index valid; {linked:,} of them ordinary sentence pairs with links")
    assert linked >= N_LINES // 2


sides = st.one_of(
    st.sampled_from(NASTY),
    st.sampled_from([side for pair in ORDINARY[:50] for side in pair]),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30).map(str.encode),
)


@given(st.lists(st.tuples(sides, sides), max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lines_in_two_files(world, tmp_path, pairs):
    for k, name in enumerate(("source", "target")):
        (tmp_path / name).write_bytes(b"".join(pair[k] + b"\n" for pair in pairs))
    command = ["align", "--model", world / "model", "--src", tmp_path / "source", "--tgt", tmp_path / "target", "--quiet"]
    assert xlm_align(list(map(str, [*command, "--out", tmp_path / "out"]))) == 0
    check((tmp_path / "out").read_bytes(), pairs)
