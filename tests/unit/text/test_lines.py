"""Tests of reading text: line ends, unpacking, error messages."""

import bz2
import gzip
import hashlib
import lzma
import os
import threading
from collections import deque

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import BARS, TAB, TextFile, as_text, read_bitext, read_together

ODD = "a\u2028b\u00a0c\x0bd\x0ce\x1cf\x85g\rh"  # str.splitlines would cut it at each of these but one


def file(tmp_path, data, name="x.txt"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\n\n", ["a", ""]),
        ("a\n\nb", ["a", "", "b"]),
        (ODD, [ODD]),
    ],
)
def test_only_newline_ends_a_line(tmp_path, text, lines):
    read = TextFile(file(tmp_path, text))
    assert list(read) == lines
    assert read.lines == len(lines)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_lines_come_back(tmp_path, lines):
    path = file(tmp_path, "".join(f"{line}\n" for line in lines))
    assert list(TextFile(path)) == lines


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd.compress)]
)
def test_packed_files_are_unpacked_and_hashed_as_they_are_stored(tmp_path, ending, pack):
    data = pack(f"{ODD}\nzwei\n".encode()) + pack(b"drei\n")
    read = TextFile(file(tmp_path, data, f"x{ending}"))
    assert list(read) == [ODD, "zwei", "drei"]
    assert read.sha256 == hashlib.sha256(data).hexdigest()
    assert read.bytes_read == read.size() == len(data)


def test_the_hash_is_that_of_the_whole_file(tmp_path):
    data = b"line\n" * 100_000
    read = TextFile(file(tmp_path, data))
    assert sum(1 for _ in read) == 100_000
    assert read.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"eins\nzwei\n",))
    writer.start()
    read = TextFile(pipe)
    assert read.size() is None
    assert list(read) == ["eins", "zwei"]
    writer.join()


def test_bytes_that_are_not_utf8(tmp_path):
    path = file(tmp_path, b"gut\nf\xfcr\nende\n")
    message = rf"^{path}:2: byte 0xfc \(byte 2 of the line\) is not UTF-8; convert the file to UTF-8$"
    with pytest.raises(InputError, match=message):
        list(TextFile(path))
    assert list(TextFile(path, replace_invalid=True)) == ["gut", "f\ufffdr", "ende"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: cannot read the file \(No such file or directory\); check the path"):
        list(TextFile(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"cannot read the file \(No such file"):
        TextFile(tmp_path / "nowhere").size()
    with pytest.raises(InputError, match=r"cannot read the file \(Is a directory\)"):
        list(TextFile(tmp_path))


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd.compress)]
)
@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: b"plain text"])
def test_spoilt_packed_files(tmp_path, ending, pack, spoil):
    path = file(tmp_path, spoil(pack(os.urandom(3000).hex().encode())), f"x{ending}")
    with pytest.raises(InputError, match=rf"x{ending}: not a complete {ending} file \(.+\); copy it again, or rename it"):
        list(TextFile(path))


def test_pairs(tmp_path):
    src, tgt = file(tmp_path, f"{ODD}\n\nc\n", "a"), file(tmp_path, "x\ny\nz", "b")
    assert list(read_bitext([TextFile(src), TextFile(tgt)])) == [(ODD, "x"), ("", "y"), ("c", "z")]
    assert list(read_together(TextFile(src))) == [(ODD,), ("",), ("c",)]


@pytest.mark.parametrize(("n_source", "n_target"), [(3, 5), (5, 3), (0, 1), (2, 0)])
def test_unequal_files_are_counted_to_their_ends(tmp_path, n_source, n_target):
    src, tgt = file(tmp_path, "s\n" * n_source, "a"), file(tmp_path, "t\n" * n_target, "b")
    yielded = []
    with pytest.raises(InputError, match=rf"^{tgt}: {n_target} lines, but {n_source} lines in {src}; line n of every"):
        deque(map(yielded.append, read_bitext([TextFile(src), TextFile(tgt)])), maxlen=0)
    assert yielded[: min(n_source, n_target)] == [("s", "t")] * min(n_source, n_target)


def test_tsv(tmp_path):
    text = TextFile(file(tmp_path, f"{ODD}\tb\n\t\n"))
    assert list(read_bitext([text], TAB)) == [(ODD, "b"), ("", "")]
    assert list(read_bitext([TextFile(file(tmp_path, "a\tb\tc\td\n"))], TAB)) == [("a", "b")]
    for line in ("a", ""):
        path = file(tmp_path, f"a\tb\n{line}\n")
        with pytest.raises(InputError, match=rf"^{path}:2: no tab; allowed are source and target with a tab between"):
            list(read_bitext([TextFile(path)], TAB))


def test_bars(tmp_path):
    text = TextFile(file(tmp_path, f"{ODD} ||| b\tc\n ||| \na ||| b ||| c\na |||b ||| c\n"))
    assert list(read_bitext([text], BARS)) == [(ODD, "b\tc"), ("", ""), ("a", "b ||| c"), ("a |||b", "c")]
    for line in ("a|||b", "||| b", "a |||", ""):
        path = file(tmp_path, f"a ||| b\n{line}\n")
        with pytest.raises(InputError) as error:
            list(read_bitext([TextFile(path)], BARS))
        assert str(error.value) == (
            f"{path}:2: no ||| between source and target; allowed is `source ||| target`, a space on either side"
        )


def test_other_files_beside_the_pairs(tmp_path):
    text, links = TextFile(file(tmp_path, "a\tb\nc\td\n")), TextFile(file(tmp_path, "0-0\n\n", "links"))
    assert list(read_bitext([text], TAB, links)) == [("a", "b", "0-0"), ("c", "d", "")]
    short = TextFile(file(tmp_path, "0-0\n", "short"))
    with pytest.raises(InputError, match=r"short: 1 lines, but 2 lines in "):
        list(read_bitext([text], TAB, short))


def test_what_reads_a_file_already_stays(tmp_path):
    text = TextFile("x", replace_invalid=True)
    assert as_text(text) is text
    assert as_text("x", replace_invalid=True).replace_invalid
