"""What `xlm-align align` reads: sentence pairs in four forms, and what must be the same for a run to go on."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from xlm_align_fairseq.aligner.result import Alignment
from xlm_align_fairseq.cli.support.streams import StandardInput
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.text.lines import TextFile, read_together
from xlm_align_fairseq.text.tokenize import describe, split_words, tokenizer
from xlm_align_fairseq.version import __version__

SEPARATOR = " ||| "
FORMAT = "xlm-align-output.2"


@dataclasses.dataclass
class Texts:
    """Sentence pairs from files or standard input.

    Args:
        files: two files of a side each, or one with both.
        separator: between source and target in one file; None for two files.
        tokenizers: of source and target.
        num_shards, shard_id: which part of the lines is read.

    Attributes:
        counted: how many pairs were given the flags that come from reading.
    """

    files: list[TextFile]
    separator: str | None
    tokenizers: tuple[str, str]
    num_shards: int
    shard_id: int
    counted: Counter = dataclasses.field(default_factory=Counter)
    _flags: deque = dataclasses.field(default_factory=deque)
    _range: tuple[int, int | None] = (0, None)

    @classmethod
    def from_flags(cls, args: Any) -> Texts:
        """Open what the flags name.

        Raises:
            InputError: a file, a tokeniser or a shard cannot be used.
        """
        if args.src:
            files, separator = [TextFile(path, replace_invalid=True) for path in (args.src, args.tgt)], None
        elif args.tsv:
            files, separator = [_open(args.tsv)], "\t"
        else:
            files, separator = [_open(args.pairs or "-")], SEPARATOR
        names = args.tokenizer.split(",")
        if len(names) > 2:
            raise InputError(f"--tokenizer {args.tokenizer}: allowed are one name for both sides, or two with a comma between")
        if args.num_shards < 1:
            raise InputError(f"--num-shards {args.num_shards}: allowed are 1 and more")
        if not 0 <= args.shard_id < args.num_shards:
            raise InputError(f"--shard-id {args.shard_id} of --num-shards {args.num_shards}: allowed are 0 to one less than that")
        for name in names:
            tokenizer(name)
        return cls(files, separator, (names[0], names[-1]), args.num_shards, args.shard_id)

    def count(self) -> int | None:
        """Count the pairs of this shard; `None` where the text is no regular file, which can be read but once.

        Raises:
            InputError: files of different lengths, or shards of what can be read but once.
        """
        if None in [file.size() for file in self.files]:
            if self.num_shards > 1:
                raise InputError("--num-shards needs files that can be read twice: write the text to a file first")
            return None
        lines = sum(1 for _ in read_together(*self.files))
        first, last = (lines * k // self.num_shards for k in (self.shard_id, self.shard_id + 1))
        self._range = first, last
        return last - first

    def pairs(self, skip: int = 0) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the words of both sides of each pair, from pair `skip` of the shard on."""
        make = [tokenizer(name) for name in self.tokenizers]
        first, last = self._range
        for row in itertools.islice(self._rows(), first + skip, last):
            sides, flags = self._split(row)
            self._flags.append(flags)
            source, target = (split_words(words(side)) for words, side in zip(make, sides, strict=True))
            yield source, target

    def flagged(self, alignment: Alignment) -> Alignment:
        """Add the flags of reading to the alignment of the next pair."""
        flags = self._flags.popleft()
        self.counted.update(flags)
        return dataclasses.replace(alignment, flags=(*flags, *alignment.flags)) if flags else alignment

    def _rows(self) -> Iterator[tuple[str, ...]]:
        return read_together(*self.files) if self.separator is None else ((line,) for line in self.files[0])

    def _split(self, row: tuple[str, ...]) -> tuple[tuple[str, str], tuple[str, ...]]:
        flags = ("invalid",) if any("\ufffd" in text for text in row) else ()
        if self.separator is None:
            return (row[0], row[1]), flags
        source, separator, target = row[0].partition(self.separator)
        if self.separator == "\t":
            target = target.partition("\t")[0]
        return (source, target), flags if separator else (*flags, "separator")


def identity(args: Any, texts: Texts, aligner: Any) -> dict[str, Any]:
    """Return what must be the same for a run to go on where another stopped; to be asked when `texts` has been counted."""
    from xlm_align_fairseq.alignment.linking import fingerprint

    how = {
        "weights": fingerprint(aligner.weights, aligner.config),
        **aligner.config.signature_items(),
        "device": aligner.device.type,
        "tokenizers": "+".join(describe(name) for name in texts.tokenizers),
        "output": args.format,
        "tokenized": bool(args.write_tokenized),
        "shard": f"{texts.shard_id}-of-{texts.num_shards}",
        "version": __version__,
    }
    read = None not in [file.size() for file in texts.files]
    inputs = [{"name": file.path.name, "sha256": file.sha256 if read else None} for file in texts.files]
    return {"format": FORMAT, "signature": signature(how), "inputs": inputs}


def _open(path: str) -> TextFile:
    return StandardInput(replace_invalid=True) if path == "-" else TextFile(path, replace_invalid=True)
