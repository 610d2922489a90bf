"""Evidence for labels: of one corpus for all language pairs, or of one for each; words are put together from pieces."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.aligner.evidence import Evidence
from xlm_align_fairseq.aligner.evidence_prior import LinkedPieces
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.encoder.vocabulary import MARK, UNK
from xlm_align_fairseq.errors import InputError

logger = logging.getLogger(__name__)

ENOUGH = 10_000  # words, by which evidence of another text is told
EVERY = ""  # the name of evidence for all language pairs
CACHED_WORDS = 1 << 18


@dataclasses.dataclass
class CorpusEvidence:
    """Evidence for the language pairs of a corpus.

    Args:
        by_pair: evidence by the name of the language pair, as `de-en`; `EVERY` for all.
        pieces: of the vocabulary, in the order of their ids.
    """

    by_pair: Mapping[str, Evidence]
    pieces: Sequence[str]

    def __post_init__(self) -> None:
        self._begins = np.array([piece.startswith(MARK) for piece in self.pieces])
        self._told: set[str] = set()
        self._numbers: dict[tuple[str, str], dict[bytes, int]] = {}

    @classmethod
    def read(cls, flag: str, pieces: Sequence[str]) -> CorpusEvidence:
        """Read what `--evidence` names: a directory, or those of language pairs, as `de-en=DIR,fr-en=DIR2`.

        Raises:
            InputError: it is something else, or a directory cannot be used.
        """
        if "=" not in flag or Path(flag).is_dir():
            return cls({EVERY: Evidence.load(flag)}, pieces)
        directories: dict[str, str] = {}
        for part in flag.split(","):
            pair, equals, directory = part.partition("=")
            if not (pair and equals and directory) or pair in directories:
                raise InputError(
                    f"--evidence {flag}: allowed are a directory, or one for each language pair, as de-en=DIR,fr-en=DIR2"
                )
            directories[pair] = directory
        return cls({pair: Evidence.load(directory) for pair, directory in directories.items()}, pieces)

    @property
    def name(self) -> str:
        """What signatures call it."""
        return ",".join(f"{pair}={one.digest[:16]}" if pair else one.digest[:16] for pair, one in sorted(self.by_pair.items()))

    def check(self, corpus: Corpus, say: Callable[[str], Any]) -> None:
        """Say which language pairs of a corpus have no evidence.

        Raises:
            InputError: there is evidence for a language pair that the corpus does not have.
        """
        pairs = [pair.name for pair in corpus.pairs]
        if others := sorted(set(self.by_pair) - {*pairs, EVERY}):
            raise InputError(f"--evidence {others[0]}=…: the corpus has {', '.join(pairs)}; name one of these")
        for pair in pairs:
            if EVERY not in self.by_pair and pair not in self.by_pair:
                say(f"{pair}: no evidence, its labels are the encoder's alone")

    def strangers(self) -> list[str]:
        """Return a line for each evidence that knows few of the words that it was asked for, and was not told of before."""
        lines = {pair: few for pair, one in self.by_pair.items() if pair not in self._told and (few := one.stranger())}
        self._told |= set(lines)
        return [f"{pair}: {few}" if pair else few for pair, few in lines.items()]

    def prior(self, batch: PieceBatch, corpus: Corpus, ids: np.ndarray, weight: float) -> Tensor | None:
        """Return what is added to the similarity of pieces, (B, S, T); `None` for nothing.

        Args:
            batch: of B sentence pairs.
            corpus, ids: (B,) where they are from.
            weight: of each direction in which words are linked.
        """
        directions = self.directions(batch, corpus.names(ids))
        if min((one.asked.total() for one in self.by_pair.values()), default=0) > ENOUGH:
            for line in self.strangers():
                logger.warning(line)
        return None if directions is None else weight * directions

    def directions(self, batch: PieceBatch, pairs: Sequence[str]) -> Tensor | None:
        """Return in how many directions the words of two pieces are linked, (B, S, T) float32 on the device of the batch.

        Args:
            batch: of B sentence pairs.
            pairs: (B,) the language pair of each.

        Returns:
            `None` if there is evidence for none of them.
        """
        total: Tensor | None = None
        for name in sorted(set(pairs)):
            evidence = self.by_pair.get(name) or self.by_pair.get(EVERY)
            if evidence is None:
                continue
            rows = np.array([n for n, pair in enumerate(pairs) if pair == name])
            sides = (
                self._words(evidence, name, side, ids[rows].cpu().numpy(), lengths[rows].cpu().numpy())
                for side, ids, lengths in (
                    ("source", batch.source, batch.src_lengths),
                    ("target", batch.target, batch.tgt_lengths),
                )
            )
            (source, of_source), (target, of_target) = sides
            linked = LinkedPieces.of(
                evidence, list(zip(source, target, strict=True)), list(zip(of_source, of_target, strict=True))
            )
            if total is None:
                total = torch.zeros(len(pairs), batch.source.size(1), batch.target.size(1))
            total[torch.from_numpy(rows)] = linked.counts(np.arange(len(rows)), total.size(1), total.size(2))
        return None if total is None else total.to(batch.source.device)

    def _words(
        self, evidence: Evidence, name: str, side: str, ids: np.ndarray, lengths: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Put words together from (B, S) pieces: their numbers, and the word of each piece, of each sentence."""
        inside = np.arange(ids.shape[1]) < lengths[:, None]
        begins = self._begins[ids]
        begins[:, 0] = True
        flat, begins_flat = ids[inside], begins[inside]
        ends = np.cumsum(lengths)
        starts = np.flatnonzero(begins_flat)
        numbers = self._looked_up(evidence, name, side, np.split(flat, starts[1:]))
        word = np.cumsum(begins_flat) - 1
        first = word[ends - lengths]
        places = np.split(word - np.repeat(first, lengths), ends[:-1])
        return np.split(numbers, first[1:]), places

    def _looked_up(self, evidence: Evidence, name: str, side: str, words: Sequence[np.ndarray]) -> np.ndarray:
        cache = self._numbers.setdefault((name, side), {})
        keys = [word.tobytes() for word in words]
        unseen = {key: word for key, word in zip(keys, words, strict=True) if key not in cache}
        if len(cache) + len(unseen) > CACHED_WORDS:
            cache.clear()
            unseen = dict(zip(keys, words, strict=True))
        texts = [
            "" if UNK in word else "".join(self.pieces[n] for n in word.tolist()).removeprefix(MARK) for word in unseen.values()
        ]
        cache.update(zip(unseen, evidence.numbers(side, texts).tolist(), strict=True))
        return np.fromiter(map(cache.__getitem__, keys), np.int64, len(keys))
