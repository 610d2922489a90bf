"""Tests of reading text: line ends, unpacking, error messages."""

import bz2
import codecs
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
from xlm_align_fairseq.text import lines
from xlm_align_fairseq.text.lines import (
    BARS,
    TAB,
    TextFile,
    as_text,
    ending,
    find_pair,
    has_more_fields,
    read_bitext,
    read_together,
)

ODD = "a\u2028b\u00a0c\x0bd\x0ce\x1cf\x85g\rh"  # str.splitlines would cut it at each of these but one


def file(tmp_path, data, name="x.txt"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("text", "read"),
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
def test_only_newline_ends_a_line(tmp_path, text, read):
    found = TextFile(file(tmp_path, text))
    assert list(found) == read
    assert found.lines == len(read)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_lines_come_back(tmp_path, written):
    path = file(tmp_path, "".join(f"{line}\n" for line in ["", *written]))  # at the beginning U+FEFF would be a mark
    assert list(TextFile(path)) == ["", *written]


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
    text = TextFile(file(tmp_path, f"{ODD} ||| b\tc\n ||| \na |||b ||| c||| d\n"))
    assert list(read_bitext([text], BARS)) == [(ODD, "b\tc"), ("", ""), ("a |||b", "c||| d")]
    for line in ("a|||b", "||| b", "a |||", ""):
        path = file(tmp_path, f"a ||| b\n{line}\n")
        with pytest.raises(InputError) as error:
            list(read_bitext([TextFile(path)], BARS))
        assert str(error.value) == (
            f"{path}:2: no ||| between source and target; allowed is `source ||| target`, a space on either side"
        )


@pytest.mark.parametrize(
    ("line", "bars"),
    [
        ("a ||| b ||| 0-0", 2),
        ("a ||| b ||| ", 2),
        ("a ||| b |||", 2),
        ("||| a ||| b", 2),
        ("a ||| ||| b", 2),
        (" ||| a ||| b ||| c", 3),
    ],
)
def test_more_fields_than_two_are_refused(tmp_path, line, bars):
    """Whatever is in the third: what is source and what is target cannot be told from `|||` that stands there twice."""
    path = file(tmp_path, f"a ||| b\n{line}\n")
    with pytest.raises(InputError) as error:
        list(read_bitext([TextFile(path)], BARS))
    assert str(error.value) == (
        f"{path}:2: {bars} times |||, which is more than two fields; allowed is `source ||| target`: leave out the other fields,"
        " and give links in a file of their own"
    )


@given(st.lists(st.sampled_from(["|||", "a", "", "||", "||||", "\t"])))
def test_a_pair_of_bars_is_cut_where_it_stands_once_and_nowhere_else(words):
    line = " ".join(words)
    pair = find_pair(line, BARS)
    if pair is not None:
        assert " ||| ".join(pair) == line
        assert words.count("|||") == 1
    elif words.count("|||") == 1:
        assert BARS not in line  # it begins or ends the line
    assert has_more_fields(line, BARS) == (words.count("|||") > 1 and BARS in line)
    assert not has_more_fields(line, TAB)


# a byte order mark


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("replace_invalid", [False, True])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path, ending, replace_invalid):
    data = codecs.BOM_UTF8 + "\ufeffa\n\ufeffb\n".encode()  # a second one is text
    path = file(tmp_path, gzip.compress(data) if ending else data, f"x{ending}")
    text = TextFile(path, replace_invalid=replace_invalid)
    assert list(text) == list(text) == ["\ufeffa", "\ufeffb"]
    assert text.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(TextFile(file(tmp_path, codecs.BOM_UTF8))) == [""]


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be"])
def test_utf16_is_named(tmp_path, code):
    path = file(tmp_path, "\ufeffein Haus\nzwei\n".encode(code))
    with pytest.raises(InputError) as error:
        list(TextFile(path))
    assert str(error.value) == f"{path}: the file begins as UTF-16 does; convert it to UTF-8: iconv -f UTF-16 -t UTF-8"


# lines without end


@pytest.mark.parametrize("end", [b"", b"\n", b"\nnext\n", b"\nnext"])
def test_of_a_line_without_end_the_beginning_is_read(tmp_path, monkeypatch, end):
    monkeypatch.setattr(lines, "LONGEST_LINE", 10)
    for length, cut in ((9, False), (10, False), (11, True), (12, True), (25, True)):
        data = b"ok\n" + b"x" * length + end
        path = file(tmp_path, data)
        text = TextFile(path, replace_invalid=True)
        assert list(text) == ["ok", "x" * min(length, 11), *(["next"] if b"next" in end else [])]
        assert text.sha256 == hashlib.sha256(data).hexdigest()
        if cut:
            with pytest.raises(InputError) as error:
                list(TextFile(path))
            assert str(error.value) == (
                f"{path}:2: a line of more than 10 bytes; lines end in '\\n' alone, check what ends those of this file"
            )
        else:
            assert list(TextFile(path)) == list(text)


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


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_file_that_is_another_one_the_second_time(tmp_path, ending):
    """Whoever counts first and reads after would give other lines than were counted; reading part of it says nothing."""
    pack = (lambda data: gzip.compress(data, mtime=0)) if ending else bytes
    path = tmp_path / f"text{ending}"
    path.write_bytes(pack(b"a\nb\nc\n"))
    text = TextFile(path)
    next(iter(text))
    assert list(text) == list(text) == ["a", "b", "c"]
    path.write_bytes(pack(b"a\nb\n"))
    with pytest.raises(InputError, match=rf"^{path}: the text changed while it was read: 3 lines \(SHA-256 .{{16}}…\) when they"):
        list(text)
    path.write_bytes(pack(b"a\nb\nc\n"))
    assert list(text) == ["a", "b", "c"]


def test_a_file_that_shrinks_under_its_reader(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a b c d\n" * 100_000)
    text = TextFile(path)
    assert sum(1 for _ in text) == 100_000
    lines = iter(text)
    next(lines)
    os.truncate(path, 400_000)
    with pytest.raises(InputError, match=r"the text changed while it was read: 100000 lines \(.*, now 50000 \("):
        list(lines)


@pytest.mark.parametrize(
    ("path", "expected"), [("test.de", "de"), ("x/test.de.gz", "de"), ("a.b/test", ""), ("test.zst", ""), ("t.en.xz", "en")]
)
def test_ending(path, expected):
    assert ending(path) == expected
