"""Read binarised bitext of any number of language pairs under one sequence of sentence ids, without fairseq."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from xlm_align_fairseq.bitext.indexed import ENDINGS, IndexedReader
from xlm_align_fairseq.bitext.joined import JoinedReader, readers_of
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.encoder.vocabulary import JOINT_SPECIALS, PAD
from xlm_align_fairseq.errors import InputError


@dataclasses.dataclass
class Pair:
    """The bitext of one language pair; each item of a side ends with `</s>`, as fairseq-preprocess writes it."""

    name: str  # "de-en"
    source: IndexedReader | JoinedReader
    target: IndexedReader | JoinedReader

    @classmethod
    def open(cls, data: Path | Sequence[Path], split: str, name: str) -> Pair:
        """Open `SPLIT.SRC-TGT.{SRC,TGT}` of a data directory, or of several, one behind the other."""
        if isinstance(data, Path):
            return cls(name, *(IndexedReader(data / f"{split}.{name}.{lang}") for lang in name.split("-")))
        source, target = ([IndexedReader(part / f"{split}.{name}.{lang}") for part in data] for lang in name.split("-"))
        for ours, theirs in zip(source, target, strict=True):
            if len(ours) != len(theirs):
                raise InputError(f"{ours.prefix.parent}, {name}: {len(ours)} source but {len(theirs)} target sentences")
        return cls(name, JoinedReader(source), JoinedReader(target))

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the four files, hexadecimal: labels belong to exactly these sentences, in this order."""
        digest = hashlib.sha256()
        for side in (*readers_of(self.source), *readers_of(self.target)):
            for ending in ENDINGS:
                with open(side.prefix.with_name(f"{side.prefix.name}.{ending}"), "rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
        return digest.hexdigest()


class Corpus:
    """All sentence pairs of a split; ids number them from 0, over the language pairs in the order given.

    Args:
        pairs: one or more.
        max_positions: longest joint sequence that is usable, in pieces with specials.

    Attributes:
        starts: (pairs + 1,) the first id of each language pair, and the number of ids.
        src_lengths, tgt_lengths: (ids,) int32 pieces of each side.
        usable: (ids,) bool; a pair with an empty side or over `max_positions` is not.
        directory: (ids,) which of several directories each pair is in, from 0; None where there is but one.
    """

    def __init__(self, pairs: list[Pair], max_positions: int):
        self.pairs, self.max_positions = pairs, max_positions
        self.directory: np.ndarray | None = None
        for pair in pairs:
            if len(pair.source) != len(pair.target):
                raise InputError(f"{pair.name}: {len(pair.source)} source but {len(pair.target)} target sentences")
        self.starts = np.concatenate([[0], np.cumsum([len(pair.source) for pair in pairs])])
        self.src_lengths = np.concatenate([pair.source.sizes for pair in pairs]) - 1
        self.tgt_lengths = np.concatenate([pair.target.sizes for pair in pairs]) - 1
        shortest = np.minimum(self.src_lengths, self.tgt_lengths)
        self.usable = (shortest > 0) & (self.lengths <= max_positions)

    @classmethod
    def open(cls, data: Path | Sequence[Path], split: str, lang_pairs: str | None, max_positions: int) -> Corpus:
        """Open every `SPLIT.SRC-TGT` of a data directory, or those that are named, as in `de-en,fr-en`.

        Several directories are read as one: of each language pair the sentences of the first, then those of the next.

        Raises:
            InputError: there is no language pair, or a named one is missing or named twice.
        """
        directories = [data] if isinstance(data, Path) else list(data)
        there = [{file.name.split(".")[1] for file in directory.glob(f"{split}.*-*.*.idx")} for directory in directories]
        present = sorted(set().union(*there))
        names = [name.strip() for name in lang_pairs.split(",")] if lang_pairs else present
        missing = sorted(set(names) - set(present))
        if missing or not names:
            wanted, shown = ", ".join(missing) or "any pair", ", ".join(map(str, directories))
            raise InputError(f"{shown} has no {split} bitext for {wanted}: it has {', '.join(present) or 'none'}")
        if len(set(names)) < len(names):
            raise InputError(f"--lang-pairs {lang_pairs}: name each language pair once")
        if isinstance(data, Path):
            return cls([Pair.open(data, split, name) for name in names], max_positions)
        holders = [[k for k, found in enumerate(there) if name in found] for name in names]
        pairs = [Pair.open([data[k] for k in part], split, name) for part, name in zip(holders, names, strict=True)]
        corpus = cls(pairs, max_positions)
        sizes = [[len(reader) for reader in readers_of(pair.source)] for pair in pairs]
        corpus.directory = np.concatenate([np.repeat(*both) for both in zip(holders, sizes, strict=True)]).astype(np.int16)
        return corpus

    def __len__(self) -> int:
        return len(self.src_lengths)

    @property
    def lengths(self) -> np.ndarray:
        """(ids,) pieces of each joint sequence, specials included."""
        return self.src_lengths + self.tgt_lengths + JOINT_SPECIALS

    def left_out(self) -> list[dict[str, int]]:
        """Count the sentence pairs of each language pair: `used`, and left out by reason, `empty` or `too long`."""
        empty = np.minimum(self.src_lengths, self.tgt_lengths) <= 0
        kinds = {"used": self.usable, "empty": empty, "too long": ~self.usable & ~empty}
        return [
            {kind: int(which[begin:end].sum()) for kind, which in kinds.items()} for begin, end in itertools.pairwise(self.starts)
        ]

    def owners(self, ids: np.ndarray) -> np.ndarray:
        """Return the number of the language pair of each id."""
        return np.searchsorted(self.starts, ids, side="right") - 1

    def names(self, ids: np.ndarray) -> list[str]:
        """Return the name of the language pair of each id."""
        return [self.pairs[k].name for k in self.owners(ids)]

    def parts(self, ids: np.ndarray) -> list[tuple[Pair, np.ndarray, np.ndarray]]:
        """Split ids by language pair: the pair, the positions of its ids in `ids`, and their lines (0-based)."""
        owner = self.owners(ids)
        there = [(k, np.flatnonzero(owner == k)) for k in np.unique(owner)]
        return [(self.pairs[k], where, ids[where] - self.starts[k]) for k, where in there]

    def pieces(self, ids: np.ndarray) -> PieceBatch:
        """Return the pieces of some pairs, without `</s>`, padded."""
        return PieceBatch(
            self._side(ids, "source", self.src_lengths),
            self._side(ids, "target", self.tgt_lengths),
            torch.from_numpy(self.src_lengths[ids].astype(np.int64)),
            torch.from_numpy(self.tgt_lengths[ids].astype(np.int64)),
        )

    def _side(self, ids: np.ndarray, side: str, lengths: np.ndarray) -> torch.Tensor:
        widths = lengths[ids]
        padded = np.full((len(ids), int(widths.max()) + 1), PAD, np.int64)
        for pair, where, lines in self.parts(ids):
            flat, sizes = getattr(pair, side).gather(lines)
            rows = np.repeat(where, sizes)
            columns = np.arange(len(flat)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            padded[rows, columns] = flat
        padded[np.arange(len(ids)), widths] = PAD  # the </s> of each item
        return torch.from_numpy(padded[:, :-1])


def batch_by_tokens(lengths: np.ndarray, batch_tokens: int) -> list[slice]:
    """Cut sequences that are sorted by length into batches.

    Args:
        lengths: (n,) ascending.
        batch_tokens: largest number of sequences × longest sequence; one sequence alone may exceed it.

    Returns:
        Slices of the sequences, one after another.
    """
    batches, begin = [], 0
    while begin < len(lengths):
        most = max(1, batch_tokens // max(1, int(lengths[begin])))
        padded = lengths[begin : begin + most] * np.arange(1, len(lengths[begin : begin + most]) + 1)
        end = begin + max(1, int(np.searchsorted(padded, batch_tokens, side="right")))
        batches.append(slice(begin, end))
        begin = end
    return batches
