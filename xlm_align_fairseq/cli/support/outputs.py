"""Write the output of `xlm-align align` to files from which a killed run can resume."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from xlm_align_fairseq.aligner.result import Alignment
from xlm_align_fairseq.cli.support.identity import FORMAT, first_difference
from xlm_align_fairseq.cli.support.writing import check_files, reporting
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import real_path

ENDED = b"all lines are written\n"


@dataclasses.dataclass
class Output:
    """Files with one line per pair, under temporary names until they are complete.

    `PATH.partial.json`, beside `PATH.partial`, is locked while a run writes. It has a line of JSON with the `identity` of the
    run, and a second line once all lines are written.

    Args:
        paths: of the links and, on request, of the words of source and target; "-" is standard output.
        line: makes the line of an alignment.
        resume: whether to go on with what a killed run left.
        flush: whether each line is there for others to read before the next one is made.
    """

    paths: list[str]
    line: Callable[[Alignment], str]
    resume: bool
    flush: bool = False
    _files: list[Any] = dataclasses.field(default_factory=list)

    @classmethod
    def from_flags(cls, args: Any, inputs: Sequence[str]) -> Output:
        """Check the flags of the output.

        Args:
            args: parsed flags.
            inputs: the paths of the text, ``-`` for standard input.

        Raises:
            InputError: it would overwrite an input, has the name of a packed file, or cannot be resumed.
        """
        paths = [args.out, *(args.write_tokenized or [])]
        check_files(inputs, ("--out", args.out), *(("--write-tokenized", path) for path in paths[1:]))
        if args.resume and args.out == "-":
            raise InputError("--resume needs --out FILE: nothing is known of what went to standard output")
        return cls(list(map(real_path, paths)), lambda alignment: alignment.format(args.format), args.resume, args.line_buffered)

    @property
    def _state(self) -> Path:
        return Path(f"{self.paths[0]}.partial.json")

    @property
    def _flag(self) -> str:
        return "standard output" if self.paths == ["-"] else f"--out {' '.join(self.paths)}"

    def is_complete(self, lines: int | None) -> bool:
        """Return whether nothing is left to resume: the output is finished, and no unfinished one exists.

        Args:
            lines: number of lines of a finished output, if known.
        """
        if not self.resume or self._state.exists() or not all(map(os.path.isfile, self.paths)):
            return False
        for path in self.paths:
            if lines is not None and (written := _complete_lines(path)) != lines:
                raise InputError(
                    f"{path} has {written} lines, the text has {lines}: it is of other text; delete it or give another --out"
                )
        return True

    @contextlib.contextmanager
    def open(self, identify: Callable[[], dict[str, Any]], lines: int | None, step: int) -> Iterator[int]:
        """Open the files; give the number of lines that are there already; on success the files take their names.

        Args:
            identify: returns what `identity` does; asked where a run can be gone on with.
            lines: that the finished output will have, if known.
            step: a run is gone on with from a multiple of so many lines.

        Raises:
            InputError: a file cannot be written, or an unfinished run exists without --resume, or with other text or flags.
        """
        if not all(map(_is_resumable, self.paths)):
            if self.resume:
                raise InputError(
                    f"--resume: {' or '.join(self.paths)} is no regular file, so that nothing is known of what went there"
                )
            with reporting(self._flag), contextlib.ExitStack() as stack:
                for path in self.paths:
                    self._files.append(sys.stdout.buffer if path == "-" else stack.enter_context(open(path, "wb")))
                yield 0
                for file in self._files:
                    file.flush()
            return
        same = identify()
        with reporting(self._flag), contextlib.ExitStack() as stack:
            state = stack.enter_context(_locked(self._state))
            done = self._prepare(state, same, lines, step)
            self._files += [stack.enter_context(open(f"{path}.partial", "ab")) for path in self.paths]
            yield done
            for file in self._files:
                file.flush()
                os.fsync(file.fileno())
            if not self._ended(state):
                _append(state, ENDED)
            for path in self.paths:
                os.replace(f"{path}.partial", path)
            self._state.unlink()

    def write(self, alignment: Alignment) -> None:
        """Write one line to each file."""
        lines = [self.line(alignment), " ".join(alignment.source), " ".join(alignment.target)]
        for file, line in zip(self._files, lines, strict=False):
            file.write(line.encode("utf-8", "replace") + b"\n")
            if self.flush:
                file.flush()

    def _prepare(self, state: IO[bytes], same: dict[str, Any], lines: int | None, step: int) -> int:
        """Leave the unfinished files with one number of lines, and return it."""
        partial = [Path(f"{path}.partial") for path in self.paths]
        state.seek(0)
        first = state.readline()
        if not first:  # new, or the run was killed before it wrote
            for path in partial:
                path.write_bytes(b"")
            _append(state, json.dumps(same).encode() + b"\n")
            return 0
        anew = f"delete {self._state} to begin anew"
        if not self.resume:
            raise InputError(f"{partial[0]} is of an unfinished run: --resume goes on with it; {anew}")
        try:
            before = dict(json.loads(first))
            if not first.endswith(b"\n"):
                raise ValueError("it was cut short")
        except (ValueError, TypeError) as error:
            raise InputError(f"{self._state} is damaged; {anew}") from error
        if before.get("format") != FORMAT:
            raise InputError(
                f"{self._state} is of format {before.get('format')!r}, of another version, which does not say all that can change"
                f" the output as {FORMAT} does; {anew}, or go on with that version"
            )
        if difference := first_difference(before, same):
            raise InputError(
                f"{self._state}: {difference}, and the output would be of both; give the same text, model and flags on the same"
                f" kind of machine, or {anew}"
            )
        if self._ended(state):  # killed between two renamings
            for finished, unfinished in zip(self.paths, partial, strict=True):
                if not unfinished.exists():
                    os.replace(finished, unfinished)
        if missing := [path for path in partial if not path.exists()]:
            raise InputError(f"{missing[0]} is missing, but {self._state} is there; {anew}")
        written = list(map(_complete_lines, partial))
        for path, there in zip(partial, written, strict=True):
            if lines is not None and there > lines:
                raise InputError(f"{path} has {there} lines, the text has {lines}: it is of other text; {anew}")
        done = min(written)
        if done != lines:
            done -= done % step
        for path in partial:
            _truncate(path, done)
        return done

    @staticmethod
    def _ended(state: IO[bytes]) -> bool:
        """Return whether a run has written all of its lines."""
        state.seek(0)
        return state.read().endswith(b"\n" + ENDED)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading and appending under an exclusive lock; delete it if it stays empty."""
    with open(path, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path} is in use: another run is writing this output; wait for it, or give another --out"
            ) from None
        except OSError:  # a file system without locks
            pass
        if not path.exists() or not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
            raise InputError(f"{path}: another run has just written this output; start again to see what is left to do")
        try:
            yield file
        finally:
            if path.exists() and not os.fstat(file.fileno()).st_size:
                path.unlink()


def _append(file: IO[bytes], text: bytes) -> None:
    """Write at the end of a file and see it to the disk, or nothing if that fails: half a line would be in the next run's way."""
    number = file.fileno()
    size = os.fstat(number).st_size
    try:
        while text:
            text = text[os.write(number, text) :]
        os.fsync(number)
    except OSError:
        os.ftruncate(number, size)
        raise


def _is_resumable(path: str) -> bool:
    """Return whether a path is, or will be, a regular file."""
    return path != "-" and (os.path.isfile(path) or not os.path.exists(path))


def _complete_lines(path: Path | str) -> int:
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _truncate(path: Path, lines: int) -> None:
    """Truncate a file after a number of lines."""
    with open(path, "rb+") as file:
        for _ in range(lines):
            file.readline()
        file.truncate(file.tell())
