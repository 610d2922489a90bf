"""Write files atomically, and refuse unsafe outputs."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from xlm_align_fairseq.errors import InputError

PACKED = (".gz", ".bz2", ".xz", ".zst")  # endings of files that are unpacked when they are read
_together: contextvars.ContextVar[NewFiles | None] = contextvars.ContextVar("together", default=None)


class _Raw(io.FileIO):
    """A file that remembers why a write failed: libraries that write to it say so in words of their own, or not at all."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


class _New(NamedTuple):
    """A file under its temporary name."""

    path: Path | None  # that it gets; None: it has served when the others are complete
    temporary: Path
    name: str  # for the text of an error
    thing: str  # what the name is of
    raw: _Raw
    file: BinaryIO


class NewFiles:
    """New files that take the places of old ones once all of them are complete and on the disk; a context manager.

    If the block fails, or a write does, none of them is there, nor is what was written of it. A symbolic link in the place of
    a file is replaced; what it leads to is left as it is. Inside `together`, the end is that of its block.
    """

    def __init__(self) -> None:
        self._files: list[_New] = []
        self._stale: list[Path] = []

    def open(self, path: Path, *, temporary: Path | None = None, name: str | None = None, thing: str = "file") -> BinaryIO:
        """Return a new file to write, which takes the place of `path` in its turn.

        Args:
            path: its name when it is complete.
            temporary: its name until then.
            name: what an error calls it, if not by its path.
            thing: what an error says that it is.

        Raises:
            InputError: it cannot be made.
        """
        return self._open(path, temporary or self._beside(path), name or str(path), thing, "wb")

    def scratch(self, path: Path) -> BinaryIO:
        """Return a file to write and read again, which is gone at the end of the block."""
        return self._open(None, self._beside(path), str(path), "file", "w+b")

    def remove(self, *paths: Path) -> None:
        """Remove what the new files make invalid: once they are complete, before they take their places."""
        self._stale += paths

    @staticmethod
    def _beside(path: Path) -> Path:
        return path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def _open(self, path: Path | None, temporary: Path, name: str, thing: str, mode: str) -> BinaryIO:
        with reporting(name, thing):
            raw = _Raw(temporary, mode)
        file = io.BufferedRandom(raw) if raw.readable() else io.BufferedWriter(raw)
        self._files.append(_New(path, temporary, name, thing, raw, file))  # type: ignore[arg-type]
        return self._files[-1].file

    def complete(self) -> None:
        """See to it that all that was written is on the disk, still under temporary names.

        Raises:
            InputError: it is not: the disk is full, say.
        """
        for new in self._files:
            if not new.file.closed:
                with reporting(new.name, new.thing):
                    new.file.flush()
                    os.fsync(new.file.fileno())

    def __enter__(self) -> NewFiles:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        outer = _together.get()
        try:
            if error is None:
                self.complete()
                if outer is not None and outer is not self:
                    outer._files += self._files
                    outer._stale += self._stale
                    self._files = []
                    return
                for old in self._stale:
                    with reporting(str(old)):
                        old.unlink(missing_ok=True)
                for new in self._files:
                    if new.path is not None:
                        with reporting(new.name, new.thing):
                            new.file.close()
                            os.replace(new.temporary, new.path)
        finally:
            for new in self._files:
                with contextlib.suppress(OSError):
                    new.file.close()
                with contextlib.suppress(OSError):
                    new.temporary.unlink(missing_ok=True)
        if isinstance(error, Exception):
            for new in self._files:
                if new.raw.failure is not None:
                    raise _cannot_write(new.name, new.raw.failure, new.thing) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], Any], name: str | None = None, thing: str = "file") -> None:
    """Call `write` on a new file that takes the place of `path` once it is complete and on the disk.

    Args:
        path: the file.
        write: what it raises comes through, but for the failing of a write.
        name: what an error calls it, if not by its path.
        thing: what an error says that it is.

    Raises:
        InputError: the file cannot be written: its directory is not there, the disk is full, say.
    """
    with NewFiles() as new:
        write(new.open(path, name=name, thing=thing))


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text as UTF-8, as `write_atomically` does.

    Raises:
        InputError: the file cannot be written.
    """
    write_atomically(path, lambda file: file.write(text.encode()))


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def together(directory: Path, *stale: Path) -> Iterator[None]:
    """Let all files that the block writes atomically take their places at its end, in the order written, or none of them.

    Args:
        directory: it is made, and is gone again if the block fails and leaves it empty.
        stale: files that those of the block make invalid, removed right before.

    Raises:
        InputError: the directory cannot be made, or a file cannot be written.
    """
    made = [place for place in (directory, *directory.parents) if not place.exists()]
    make_directory(directory)
    try:
        with NewFiles() as new:
            new.remove(*stale)
            outer = _together.get()
            _together.set(new)
            try:
                yield
            finally:
                _together.set(outer)
    except BaseException:
        with contextlib.suppress(OSError):
            for place in made:
                place.rmdir()
        raise


def make_directory(directory: Path) -> None:
    """Make a directory, and those above it, where there is none.

    Raises:
        InputError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory}: cannot make the directory ({error.strerror}); give another one") from error


@contextlib.contextmanager
def reporting(name: str, thing: str = "file") -> Iterator[None]:
    """Turn what goes wrong in writing into `InputError`, but for a reader that went away.

    Args:
        name: the path, or the flag and what it says.
        thing: what cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(name, error, thing) from error


def _cannot_write(name: str, error: OSError, thing: str = "file") -> InputError:
    return InputError(f"{name}: cannot write the {thing} ({error.strerror or error}); check the path, rights and free space")


def encoded(text: str) -> bytes:
    r"""Encode text that names files as UTF-8; a byte of a name that is not UTF-8 becomes `\udcXX`.

    That is how JSON writes it, too: who reads the JSON has the very name.

    >>> encoded("\udcff.de")
    b'\\udcff.de'
    """
    return text.encode("utf-8", "backslashreplace")


def real_path(path: str) -> str:
    """Resolve a symbolic link to a regular file, so that writing keeps the link; return other paths unchanged."""
    if not os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        return path
    return os.path.realpath(path)


def check_output(flag: str, path: str, inputs: Iterable[str | int]) -> None:
    """Refuse an output that is one of the inputs, under any name, or that has the name of a packed file.

    Outputs that are not regular files, such as pipes, are accepted.

    Args:
        flag: the flag that gave the output, for the text of the error.
        path: the output; it need not exist.
        inputs: paths of the inputs, missing ones ignored; a number is a file descriptor, such as 0 for standard input.

    Raises:
        InputError: the output is the same file as an input, or has a name that a reader would unpack.
    """
    if path.endswith(PACKED):
        raise InputError(f"{flag} {path}: output is plain text; give a name without {Path(path).suffix} and pack it after")
    if not os.path.isfile(path):
        return
    output = os.stat(path)
    for file in inputs:
        try:
            same = os.path.samestat(output, os.stat(file))
        except OSError:
            continue
        if same:
            raise InputError(f"{flag} {path} is one of the inputs, which it would overwrite; give another file")
