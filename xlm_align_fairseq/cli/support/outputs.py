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
from xlm_align_fairseq.cli.support.shards import Shard
from xlm_align_fairseq.cli.support.writing import check_files, reporting
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.files import real_path
from xlm_align_fairseq.text.tokenize import describe
from xlm_align_fairseq.version import __version__

FORMAT = "xlm-align-output.2"
ENDED = b"all lines are written\n"


@dataclasses.dataclass
class Output:
    """Files with one line per pair, under temporary names until they are complete.

    `PATH.partial.json`, beside `PATH.partial`, is locked while a run writes. It has a line of JSON with the `identity` of the
    run, and a second line once all lines are written.

    Args:
        paths: of the links and, on request, of the words of source and target; "-" is standard output.
        line: makes the line of an alignment.
        resume: whether to resume a killed run.
    """

    paths: list[str]
    line: Callable[[Alignment], str]
    resume: bool
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
        if len({os.path.realpath(path) for path in paths}) < len(paths):
            raise InputError(f"--out and --write-tokenized name one file twice: {', '.join(paths)}")
        if args.resume and args.out == "-":
            raise InputError("--resume needs --out FILE: nothing is known of what went to standard output")
        return cls(list(map(real_path, paths)), lambda alignment: alignment.format(args.format), args.resume)

    @property
    def _state(self) -> Path:
        return Path(f"{self.paths[0]}.partial.json")

    @property
    def _flag(self) -> str:
        return f"--out {' '.join(self.paths)}"

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
    def open(self, identify: Callable[[], dict[str, Any]]) -> Iterator[int]:
        """Open the files and yield the number of lines written before; on success, rename the files to their final names.

        Args:
            identify: returns the `identity` of the run; called if the output can be resumed.

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
            done = self._prepare(state, same)
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

    def _prepare(self, state: IO[bytes], same: dict[str, Any]) -> int:
        """Truncate the unfinished files to the same number of lines, and return it."""
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
        for key, value in same.items():
            if before.get(key) != value:
                raise InputError(
                    f"{self._state}: {key} was {before.get(key)!r}, now it is {value!r}; give the same text and flags, or {anew}"
                )
        if self._ended(state):  # killed between two renames
            for finished, unfinished in zip(self.paths, partial, strict=True):
                if not unfinished.exists():
                    os.replace(finished, unfinished)
        if missing := [path for path in partial if not path.exists()]:
            raise InputError(f"{missing[0]} is missing, but {self._state} is there; {anew}")
        done = min(map(_complete_lines, partial))
        for path in partial:
            _truncate(path, done)
        return done

    @staticmethod
    def _ended(state: IO[bytes]) -> bool:
        """Return whether a run has written all of its lines."""
        state.seek(0)
        return state.read().endswith(b"\n" + ENDED)


def identity(args: Any, shard: Shard, aligner: Any) -> dict[str, Any]:
    """Return all that must be equal for a run to resume another; to be called after `shard.count`."""
    from xlm_align_fairseq.alignment.linking import fingerprint

    texts = shard.texts
    how = {
        "weights": fingerprint(aligner.weights, aligner.config),
        **aligner.config.signature_items(),
        "device": aligner.device.type,
        "tokenizers": "+".join(describe(name) for name in texts.tokenizers),
        "output": args.format,
        "tokenized": bool(args.write_tokenized),
        "shard": f"{shard.shard_id}-of-{shard.num_shards}",
        "version": __version__,
    }
    read = None not in [file.size() for file in texts.files]
    inputs = [{"name": file.path.name, "sha256": file.sha256 if read else None} for file in texts.files]
    return {"format": FORMAT, "signature": signature(how), "inputs": inputs}


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
    """Append to a file and sync it to the disk."""
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


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
