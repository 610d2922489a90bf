"""Read the input of `xlm-align align`: a shard of the sentence pairs; malformed lines are flagged, never refused."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from xlm_align_fairseq.aligner.result import Alignment, Sentence
from xlm_align_fairseq.cli.support.streams import count_lines
from xlm_align_fairseq.cli.support.texts import Texts
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import LONGEST_SIDE, find_pair, has_more_fields, read_together


@dataclasses.dataclass
class Shard:
    """Sentence pairs, one for each line of the text; malformed lines are counted.

    Args:
        texts: all pairs.
        num_shards, shard_id: which part of the lines is read.

    Attributes:
        counted: number of pairs with each flag that reading sets.
    """

    texts: Texts
    num_shards: int
    shard_id: int
    counted: Counter = dataclasses.field(default_factory=Counter)
    _flags: deque = dataclasses.field(default_factory=deque)
    _range: tuple[int, int | None] = (0, None)

    @classmethod
    def from_flags(cls, args: Any) -> Shard:
        """Open what the flags name.

        Raises:
            InputError: a file, a tokeniser or a shard cannot be used.
        """
        texts = Texts.from_flags(args)
        if args.num_shards < 1:
            raise InputError(f"--num-shards {args.num_shards}: allowed are 1 and more")
        if not 0 <= args.shard_id < args.num_shards:
            raise InputError(f"--shard-id {args.shard_id} of --num-shards {args.num_shards}: allowed are 0 to one less than that")
        return cls(texts, args.num_shards, args.shard_id)

    def count(self) -> int | None:
        """Count the pairs of this shard; `None` if the text can be read only once, such as a pipe.

        Raises:
            InputError: files of different lengths, or shards of a text that can be read only once.
        """
        lines = count_lines(*self.texts.files)
        if lines is None:
            if self.num_shards > 1:
                raise InputError("--num-shards needs files that can be read twice: write the text to a file first")
            return None
        first, last = (lines * k // self.num_shards for k in (self.shard_id, self.shard_id + 1))
        self._range = first, last
        return last - first

    def pairs(self, skip: int = 0) -> Iterator[tuple[Sentence, Sentence]]:
        """Yield the words of both sides of each pair, from pair `skip` of the shard on; too long a text as it is.

        Raises:
            InputError: the text is shorter than it was, or has changed since it was counted.
        """
        first, last = self._range
        number = -1
        for number, lines in enumerate(read_together(*self.texts.files)):  # to the end: the text may have changed meanwhile
            if first + skip <= number and (last is None or number < last):
                pair, flags = self._split(lines)
                self._flags.append(flags)
                yield pair if max(map(len, pair)) > LONGEST_SIDE else self.texts.words(*pair)
        if last is None and number + 1 < skip:
            raise InputError(
                f"{self.texts.files[0].path}: {number + 1} lines, but {skip} are in the unfinished output: it is of other text"
            )

    def flagged(self, alignment: Alignment) -> Alignment:
        """Add the flags of reading to the alignment of the next pair."""
        flags = self._flags.popleft()
        self.counted.update(flags)
        return dataclasses.replace(alignment, flags=(*flags, *alignment.flags)) if flags else alignment

    def _split(self, lines: Sequence[str]) -> tuple[tuple[str, str], tuple[str, ...]]:
        flags = ("invalid",) if any("\ufffd" in line for line in lines) else ()
        if self.texts.separator is None:
            return self.texts.split(lines), flags
        if pair := find_pair(lines[0], self.texts.separator):
            return pair, flags
        return (lines[0], ""), (*flags, "fields" if has_more_fields(lines[0], self.texts.separator) else "separator")
