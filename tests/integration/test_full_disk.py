"""Every command that writes, on a disk that is full sooner or later: all that it writes is there, or nothing and a line why."""

import shutil
import sys

import pytest
from disk import full_disk
from world import SHIPPED, tree

from xlm_align_fairseq.cli.main import main as xlm_align

PLACE = SHIPPED / "de-en"
LIMITS = (0, 100, 3000, 1 << 14, 1 << 17)  # bytes that a file can have


@pytest.fixture(scope="module")
def given(world, tmp_path_factory):
    """Text, links with probabilities, and gold."""
    given = tmp_path_factory.mktemp("given")
    for side in ("de", "en"):
        lines = (PLACE / f"test.{side}").read_text("utf-8").splitlines(keepends=True)[:30]
        (given / f"text.{side}").write_text("".join(lines), "utf-8")
    text = ["--src", str(given / "text.de"), "--tgt", str(given / "text.en")]
    flags = ["--model", str(world / "model"), "--format", "probabilities", "--quiet", "--out", str(given / "links")]
    assert xlm_align(["align", *text, *flags]) == 0
    (given / "gold").write_text("".join(line.replace("-", "p", 1) for line in ["0-0\n"] * 30))
    return given


def commands(world, given, out):
    """Return, by name, command lines that write below `out`."""
    model, data = str(world / "model"), str(world / "data")
    text = ["--src", str(given / "text.de"), "--tgt", str(given / "text.en")]
    links, gold = ["--alignments", str(given / "links")], ["--gold", str(given / "gold"), str(given / "links")]
    file, place = str(out / "file"), str(out / "place")
    return {
        "lexicon": ["lexicon", *text, *links, "--quiet", "--out", file],
        "project": ["project", "--markup", str(given / "text.de"), "--tgt", text[-1], *links, "--quiet", "--out", file],
        "show": ["show", *text, *links, "--html", file],
        "sentences": ["score", *gold, "--per-sentence", file],
        "plot": ["score", *gold, "--curve-plot", f"{file}.svg"],
        "bootstrap": ["bootstrap", *text, "--quiet", "--out", file],
        "binarize": ["binarize", "--model", model, "--lang-pair", "de-en", *text, "--out", place],
        "mono": ["binarize", "--model", model, "--mono", str(given / "text.de"), "--out", place],
        "label": ["label", "--model", model, "--data", data, "--quiet", "--out", place],
        "new": ["new", str(world / "spm.model"), place, "--arch", "xlm_align_tiny"],
        "fairseq": ["convert", model, place],
        "hf": ["convert", model, place, "--to", "hf"],
    }


NAMES = list(commands(SHIPPED, SHIPPED, SHIPPED))


@pytest.mark.parametrize("name", NAMES)
def test_all_or_nothing(world, given, tmp_path, capsys, name):
    """First where nothing was, then where an earlier output is, which stays."""
    (tmp_path / "whole").mkdir()
    assert xlm_align(commands(world, given, tmp_path / "whole")[name]) == 0
    whole = tree(tmp_path / "whole")
    assert whole
    failed = 0
    for limit in LIMITS:
        out = tmp_path / str(limit)
        out.mkdir()
        for before in ({}, whole):
            force = ["--force"] if name in ("fairseq", "hf") else []
            if before:
                if name == "new":
                    continue  # it writes into no directory that is there
                shutil.rmtree(out)
                shutil.copytree(tmp_path / "whole", out)
            capsys.readouterr()
            with full_disk(limit):
                code = xlm_align([*commands(world, given, out)[name], *force])
            said = capsys.readouterr().err
            if code == 0:
                assert tree(out) == whole
                continue
            failed += 1
            assert code == 2
            assert said.startswith(f"xlm-align {commands(world, given, out)[name][0]}: error: ")
            assert said.count("\n") == 1
            assert "File too large); " in said
            assert tree(out) == before
            if not before:
                assert not list(out.iterdir())
    assert failed  # the limits are low enough


def test_links_inside_a_directory_are_not_written_through(world, tmp_path):
    """With --force, into a directory as Hugging Face's cache is: links to files that others read, too."""
    for kind in ("fairseq", "hf"):
        assert xlm_align(["convert", str(world / "model"), str(tmp_path / kind), "--to", kind]) == 0
        cache, out = tmp_path / f"cache.{kind}", tmp_path / f"out.{kind}"
        cache.mkdir()
        out.mkdir()
        for file in (tmp_path / kind).iterdir():
            (cache / file.name).write_bytes(b"of others")
            (out / file.name).symlink_to(cache / file.name)
        assert xlm_align(["convert", str(world / "model"), str(out), "--to", kind, "--force"]) == 0
        assert set(tree(cache).values()) == {b"of others"}
        assert tree(out) == tree(tmp_path / kind)
        assert not any(file.is_symlink() for file in out.iterdir())


@pytest.mark.parametrize("name", ["show", "sentences", "plot"])
def test_a_named_file_that_is_a_link_stays_one(world, given, tmp_path, capsys, name):
    (tmp_path / "real").write_text("old")
    (tmp_path / "file").symlink_to("real")
    (tmp_path / "file.svg").symlink_to("real")
    with full_disk(100):
        assert xlm_align(commands(world, given, tmp_path)[name]) == 2
    assert (tmp_path / "real").read_text() == "old"
    assert xlm_align(commands(world, given, tmp_path)[name]) == 0
    assert (tmp_path / "file").is_symlink()
    assert (tmp_path / "real").stat().st_size > 500
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "file.svg", "real"]


def test_align_goes_on_when_there_is_room(world, given, tmp_path, capsys):
    text = ["--src", str(given / "text.de"), "--tgt", str(given / "text.en")]
    command = ["align", "--model", str(world / "model"), "--quiet", *text, "--out"]
    assert xlm_align([*command, str(tmp_path / "whole")]) == 0
    for limit in (0, 50, (tmp_path / "whole").stat().st_size - 10):
        capsys.readouterr()
        out = tmp_path / str(limit)
        with full_disk(limit):
            assert xlm_align([*command, str(out)]) == 2
        why = "cannot write the file (File too large); check the path, rights and free space"
        assert capsys.readouterr().err == f"xlm-align align: error: --out {out}: {why}\n"
        assert not out.exists()
        assert xlm_align([*command, str(out), "--resume"]) == 0
        assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert not list(tmp_path.glob("*partial*"))


@pytest.mark.parametrize("name", ["align", "label", "new", "fairseq", "binarize", "sentences", "usage"])
def test_a_full_standard_output_is_one_line(world, given, tmp_path, capsys, monkeypatch, name):
    listed = commands(world, given, tmp_path) | {"usage": ["--help"]}
    text = ["--src", str(given / "text.de"), "--tgt", str(given / "text.en")]
    listed["align"] = ["align", "--model", str(world / "model"), "--quiet", *text]
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = xlm_align(listed[name])
    assert code == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("xlm-align")
    assert "standard output" in said[-1]
    assert "No space left on device" in said[-1]
    assert not any("Traceback" in line for line in said)
