"""The texts of `lexicon`, `show`, `project`, `bootstrap`: every form gives the same output; two forms together are refused."""

import bz2
import gzip
import hashlib
import importlib
import io
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest
from backports import zstd

from xlm_align_fairseq.cli import main
from xlm_align_fairseq.cli.support.streams import StandardInput
from xlm_align_fairseq.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ["das Haus ist alt .", "", "ein  Hund", "ja\u00a0!", "Ä ||| b"]
TARGET = ["the house is old .", "nothing", "a dog", "yes\u00a0! now", "A c"]
LINKS = ["0-0:0.9 1-1:0.8 2-2:0.7 3-3:0.6 4-4:0.5", "", "0-0:0.9 2-1:0.5", "0-0:0.4 0-1:0.3", "0-0:0.25"]
LABELS = "das\tO\nHaus\tB-X\nist\tO\nalt\tB-Y\n.\tO\n\n\nein\tO\n\tO\nHund\tB-X\n\nja\u00a0!\tB-Y\n\n"
MARKUP = "das <b>Haus</b> ist <i>alt .</i>\n\nein  <b>Hund</b>\nja\u00a0!<br/>\n"
COMMANDS = {
    "lexicon": ["--alignments", "links", "--quiet"],
    "show": ["--alignments", "links", "--pair", "x"],
    "project": ["--alignments", "links", "--labels", "labels", "--quiet"],
    "project markup": ["--alignments", "links", "--markup", "markup", "--quiet"],
    "bootstrap": ["--quiet"],
}
PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd.compress}
ONLY_PLAIN = len(SOURCE) - 1  # the last source contains the separator ` ||| `, so it needs two files or TSV


def lines(rows):
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    source, target = SOURCE[:ONLY_PLAIN], TARGET[:ONLY_PLAIN]
    pairs = list(zip(source, target, strict=True))
    contents = {
        "src": lines(source),
        "tgt": lines(target),
        "tsv": lines(f"{s}\t{t}\tmore\tand more" for s, t in pairs),
        "bars": lines(f"{s} ||| {t}" for s, t in pairs),
        "links": lines(LINKS[:ONLY_PLAIN]),
        "labels": LABELS.encode(),
        "markup": MARKUP.encode(),
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)
        for ending, pack in PACK.items():
            Path(name + ending).write_bytes(pack(content))
    return contents


def run(capfd, command, *flags):
    """Run a command and return what it writes to standard output."""
    if command == "bootstrap":
        pytest.importorskip("thot.alignment")
    assert main.main([command.split()[0], *COMMANDS[command], *flags]) == 0, capfd.readouterr().err
    return capfd.readouterr().out


def stdin(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


FORMS = {
    **{f"files{ending}": ["--src", f"src{ending}", "--tgt", f"tgt{ending}"] for ending in PACK},
    **{f"tsv{ending}": ["--tsv", f"tsv{ending}"] for ending in ("", *PACK)},
    **{f"bars{ending}": ["--pairs", f"bars{ending}"] for ending in ("", *PACK)},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_form_gives_the_same_output(files, command, capfd, monkeypatch):
    expected = run(capfd, command, "--src", "src", "--tgt", "tgt")
    assert "house" in expected or command == "bootstrap"
    for name, flags in FORMS.items():
        assert run(capfd, command, *flags) == expected, name
    for flags, content in {
        ("--pairs", "-"): "bars",
        ("--tsv", "-"): "tsv",
        ("--src", "-", "--tgt", "tgt"): "src",
        ("--src", "src", "--tgt", "-"): "tgt",
    }.items():
        stdin(monkeypatch, files[content])
        assert run(capfd, command, *flags) == expected, flags


@pytest.mark.parametrize("command", ["lexicon", "show", "project"])
def test_words_are_those_of_the_tokeniser(files, command, capfd):
    """Raw text with a tokeniser gives the same output as tokenised text without one."""
    Path("src").write_text("das Haus ist alt.\nein Hund\n", "utf-8")
    Path("tgt").write_text("the house is old.\na dog, two\n", "utf-8")
    Path("src.words").write_text("das Haus ist alt .\nein Hund\n", "utf-8")
    Path("tgt.words").write_text("the house is old .\na dog , two\n", "utf-8")
    Path("links").write_text("0-0 1-1 2-2 3-3 4-4\n0-0 1-1 0-3\n")
    Path("labels").write_text(LABELS.split("\n\n\n")[0] + "\n\nein\tO\nHund\tB-X\n\n", "utf-8")
    expected = run(capfd, command, "--src", "src.words", "--tgt", "tgt.words")
    assert "house" in expected
    for flags in (["--src", "src", "--tgt", "tgt"], ["--src", "src.words", "--tgt", "tgt"]):
        assert run(capfd, command, *flags, "--tokenizer", "13a") == expected
    assert run(capfd, command, "--src", "src.words", "--tgt", "tgt", "--tokenizer", "none,13a") == expected
    assert run(capfd, command, "--src", "src", "--tgt", "tgt.words", "--tokenizer", "13a,none") == expected


@pytest.mark.parametrize("command", ["align", *COMMANDS])
@pytest.mark.parametrize(
    ("flags", "given"),
    [
        (["--src", "src"], "--src"),
        (["--tsv", "tsv", "--pairs", "bars"], "--tsv --pairs"),
        (["--src", "src", "--tgt", "tgt", "--tsv", "tsv"], "--src --tgt --tsv"),
        ([], "no text"),
    ],
)
def test_texts_that_do_not_go_together(command, flags, given, capfd):
    name = command.split()[0]
    if not flags and name in ("align", "project"):
        pytest.skip("reads standard input, or is told what else it needs")
    assert main.main([name, *COMMANDS.get(command, ["--model", "gone"]), *flags]) == 2
    alone = ", --pairs, or --tgt alone" if name == "project" else ", or --pairs"
    (line,) = capfd.readouterr().err.splitlines()
    assert line == f"xlm-align {name}: error: {given}: allowed are --src and --tgt together, --tsv{alone}"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--tsv", "bars"], "bars:1: no tab; allowed are source and target with a tab between, more columns are not read"),
        (["--pairs", "tsv"], "tsv:1: no ||| between source and target; allowed is `source ||| target`, a space on either side"),
        (["--src", "src", "--tgt", "gone"], "gone: cannot read the file (No such file or directory); check the path"),
        (["--tsv", "tsv", "--tokenizer", "moses"], "no tokeniser 'moses'; allowed are none, 13a"),
        (["--tsv", "tsv", "--tokenizer", "a,b,c"], "--tokenizer a,b,c: allowed are one name for both sides, or two with"),
        (["--src", "-", "--tgt", "-"], "- (standard input) is given 2 times, but is there once; write the others to files"),
        (["--pairs", "invalid"], "invalid:1: byte 0xff (byte 1 of the line) is not UTF-8"),
    ],
)
def test_refusals(command, flags, text, capfd):
    if command == "bootstrap":
        pytest.importorskip("thot.alignment")
    Path("invalid").write_bytes(b"\xff ||| b\n" + b"a ||| b\n" * 3)
    assert main.main([command.split()[0], *COMMANDS[command], *flags]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"xlm-align {command.split()[0]}: error: {text}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "bootstrap"])
def test_standard_input_is_there_once(command, capfd):
    flags = [command.split()[0], *COMMANDS[command], "--pairs", "-", "--alignments", "-"]
    assert main.main(flags) == 2
    assert "- (standard input) is given 2 times" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["lexicon", "show"])
def test_bytes_that_are_not_utf8_on_request(command, capfd):
    Path("invalid").write_bytes(b"\xff ||| b\n" + b"a ||| b\n" * 3)
    Path("links").write_text("0-0\n" * 4)
    assert "\ufffd" in run(capfd, command, "--pairs", "invalid", "--replace-invalid")


@pytest.mark.parametrize(("flag", "name"), [("--src", "src"), ("--tgt", "tgt"), ("--tsv", "tsv"), ("--pairs", "bars")])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_is_overwritten(files, command, flag, name, capfd):
    out = "--html" if command == "show" else "--out"
    flags = ["--src", "src", "--tgt", "tgt"] if name in ("src", "tgt") else [flag, name]
    Path("link").symlink_to(name)
    assert main.main([command.split()[0], *COMMANDS[command], *flags, out, "link"]) == 2
    assert f"{out} link is one of the inputs, which it would overwrite" in capfd.readouterr().err
    assert Path(name).read_bytes() == files[name]


def test_bars_within_a_source_come_through_in_tsv(capfd):
    Path("tsv").write_bytes(lines(f"{s}\t{t}" for s, t in zip(SOURCE, TARGET, strict=True)))
    Path("links").write_bytes(lines(LINKS))
    assert "Ä\tA\t1" in run(capfd, "lexicon", "--tsv", "tsv")


@pytest.mark.parametrize("command", ["lexicon", "show", "project", "project markup"])
def test_nothing_heavy_is_imported(command):
    """Sacrebleu, which is slow to import, is loaded neither without a tokeniser nor for `--help`."""
    code = "import sys; from xlm_align_fairseq.cli.main import main\n"
    code += "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'numpy', 'fairseq', 'sacrebleu') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for flags in (["--help"], [*COMMANDS[command], "--pairs", "bars"]):
        argv = [sys.executable, "-c", code, command.split()[0], *flags]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.endswith("[]\n")


def test_standard_input_is_hashed_as_files_are(monkeypatch):
    stdin(monkeypatch, b"a\nb\xff\nc")
    read = StandardInput(replace_invalid=True)
    assert (read.sha256, read.bytes_read) == (hashlib.sha256().hexdigest(), 0)
    assert list(read) == ["a", "b\ufffd", "c"]
    assert (read.sha256, read.bytes_read) == (hashlib.sha256(b"a\nb\xff\nc").hexdigest(), 6)


# the source of `project`


def projected(capfd, *flags):
    return run(capfd, "project", *flags)


def test_project_takes_the_target_alone(files, capfd, monkeypatch):
    expected = projected(capfd, "--tsv", "tsv")
    assert projected(capfd, "--tgt", "tgt") == expected
    stdin(monkeypatch, files["tgt"])
    assert projected(capfd, "--tgt", "-") == expected
    stdin(monkeypatch, files["labels"])
    assert projected(capfd, "--tgt", "tgt", "--labels", "-") == expected
    marked = run(capfd, "project markup", "--tgt", "tgt")
    stdin(monkeypatch, files["markup"])
    assert run(capfd, "project markup", "--tgt", "tgt", "--markup", "-") == marked


@pytest.mark.parametrize("command", ["project", "project markup"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ((2, "ein Hund"), "other:3: source word 2 is 'Hund', but '' in {what}:{line3}; links count the words of the text"),
        ((0, "das Haus ist alt ."), None),
        ((0, "das Haus ist alt . ."), "other:1: source word 6 is '.', but missing in {what}:1; links count"),
        ((0, "das Haus ist alt"), "other:1: source word 5 is missing, but '.' in {what}:1; links count"),
        ((1, "x"), "other:2: source word 1 is 'x', but missing in {what}:{line2}; links count"),
    ],
)
def test_another_source_is_refused(command, change, text, capfd):
    source = [*SOURCE[:ONLY_PLAIN]]
    source[change[0]] = change[1]
    Path("other").write_bytes(lines(f"{s}\t{t}" for s, t in zip(source, TARGET, strict=False)))
    flags = ["project", *COMMANDS[command], "--tsv", "other"]
    if text is None:
        assert main.main(flags) == 0
        return
    assert main.main(flags) == 2
    numbers = {"what": "labels", "line2": 7, "line3": 8} if command == "project" else {"what": "markup", "line2": 2, "line3": 3}
    assert text.format(**numbers) in capfd.readouterr().err


def test_a_tokeniser_must_leave_labelled_words_as_they_are():
    Path("labels").write_text("das\tO\nHaus.\tB-X\n\n", "utf-8")
    Path("tgt").write_text("the house.\n")
    Path("links").write_text("0-0 1-1\n")
    flags = [*COMMANDS["project"], "--tgt", "tgt"]
    project = importlib.import_module("xlm_align_fairseq.cli.project")
    with pytest.raises(InputError) as error:
        project.main([*flags, "--tokenizer", "13a"])
    assert str(error.value) == (
        "--tokenizer 13a: source word 2 is 'Haus', but 'Haus.' in labels:1; links count the words of the text, which must be"
        " those that --plain-source writes: align that text, with the tokeniser none on its side"
    )
    assert project.main([*flags, "--tokenizer", "none,13a"]) == 0


def test_a_word_with_a_tab_within_has_no_place_in_labels(capfd):
    Path("bars").write_text("das ||| th\te\n")
    Path("labels").write_text("das\tO\n\n")
    Path("links").write_text("0-0\n")
    assert main.main(["project", *COMMANDS["project"], "--pairs", "bars"]) == 2
    assert "bars:1: a word has a tab within, which ends it in the output; remove it" in capfd.readouterr().err
