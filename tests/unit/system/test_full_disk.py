"""Disks that are full, and other writes that fail: one line that names the file, and nothing that is half there."""

import errno
import os

import pytest
import torch
from disk import full_disk

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import make_directory, together, write_atomically


@pytest.fixture
def small_disk():
    """No file of this process can have more than 64 KiB, as if the disk were full."""
    with full_disk(1 << 16):
        yield


WRITERS = {
    "at once": lambda file: file.write(bytes(1 << 20)),
    "in pieces": lambda file: [file.write(bytes(100)) for _ in range(10_000)],
    "in the last flush": lambda file: [file.write(bytes(100)) for _ in range(700)],
    "torch": lambda file: torch.save({"weights": torch.zeros(1 << 18)}, file),
    "who says it otherwise": lambda file: otherwise(file),
}


def otherwise(file):
    try:
        file.write(bytes(1 << 20))
    except OSError:
        raise RuntimeError("unexpected pos 704 vs 598") from None


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("there", [False, True])
def test_a_write_that_fails(tmp_path, small_disk, writer, there):
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"old")
    with pytest.raises(
        InputError, match=rf"^{path}: cannot write the file \(File too large\); check the path, rights and free space"
    ):
        write_atomically(path, WRITERS[writer])
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([("file", b"old")] if there else [])


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_disk_that_says_so_late(tmp_path, monkeypatch, failing):
    def fail(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(InputError, match=rf"^{tmp_path}/file: cannot write the file \(Disk quota exceeded\)"):
        write_atomically(tmp_path / "file", lambda file: file.write(b"new"))
    assert not list(tmp_path.iterdir())


def test_what_a_writer_raises_comes_through(tmp_path):
    def fail(file):
        file.write(b"half")
        raise KeyError

    with pytest.raises(KeyError):
        write_atomically(tmp_path / "file", fail)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_files_together_are_all_there_or_none(tmp_path, small_disk, there):
    place = tmp_path / "a" / "b"
    if there:
        place.mkdir(parents=True)
        for name in ("one", "two", "stale"):
            (place / name).write_bytes(b"old")

    def write_two():
        with together(place, place / "stale"):
            write_atomically(place / "one", lambda file: file.write(b"new"))
            write_atomically(place / "two", lambda file: file.write(bytes(1 << 20)))

    with pytest.raises(InputError, match=rf"{place}/two: cannot write the file"):
        write_two()
    if there:
        assert {file.name: file.read_bytes() for file in place.iterdir()} == dict.fromkeys(("one", "two", "stale"), b"old")
    else:
        assert not list(tmp_path.iterdir())  # the directories are gone, too
    with together(place, place / "stale"):
        write_atomically(place / "one", lambda file: file.write(b"new"))
        assert not there or (place / "one").read_bytes() == b"old"
    assert (place / "one").read_bytes() == b"new"
    assert not (place / "stale").exists()


def test_a_symbolic_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    """A directory that somebody else made, say with links into a cache, is not written through."""
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("elsewhere")
    write_atomically(tmp_path / "link", lambda file: file.write(b"new"))
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/a: cannot make the directory \(Not a directory\); give another one"):
        make_directory(tmp_path / "file" / "a")
    if os.getuid():
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match=r"cannot write the file \(Permission denied\)"):
            write_atomically(tmp_path / "new", lambda file: file.write(b""))
        tmp_path.chmod(0o700)
