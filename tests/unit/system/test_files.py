"""Tests of atomic writing, and of outputs that must not be an input."""

import os
import re

import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import check_output, write_atomically


def test_a_file_is_complete_or_not_there(tmp_path):
    path = tmp_path / "out"
    write_atomically(path, lambda file: file.write(b"first"))

    def fail(file):
        file.write(b"half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Make an input with other names, all of them the same file, and another file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_text("words\n")
    (tmp_path / "other").write_text("words\n")
    (tmp_path / "symbolic").symlink_to("in")
    (tmp_path / "hard").hardlink_to("in")
    return tmp_path


@pytest.mark.parametrize("spelling", ["in", "./in", "symbolic", "hard", "{}/in"])
def test_an_output_that_is_an_input_is_refused(inputs, spelling):
    path = spelling.format(inputs)
    message = f"--out {path} is one of the inputs, which it would overwrite; give another file"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_output("--out", path, ["missing", "other", "in"])
    assert (inputs / "in").read_text() == "words\n"


def test_an_output_that_is_no_input_is_let_through(inputs):
    for path in ("other", "new", "no/where"):
        check_output("--out", path, ["in", "missing"])
    check_output("--out", "in", [])


def test_a_descriptor_is_an_input_too(inputs):
    with open("in") as file:
        with pytest.raises(InputError, match=r"^--out hard is one of the inputs"):
            check_output("--out", "hard", [file.fileno()])
        check_output("--out", "other", [file.fileno()])
        closed = os.dup(file.fileno())
        os.close(closed)
        check_output("--out", "in", [closed])


def test_an_output_with_the_name_of_a_packed_file_is_refused(inputs):
    with pytest.raises(InputError, match=r"^--out links\.gz: output is plain text; give a name without \.gz and pack it after$"):
        check_output("--out", "links.gz", [])


def test_what_is_no_regular_file_is_let_through(inputs):
    check_output("--out", "/dev/null", ["/dev/null"])
