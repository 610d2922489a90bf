"""Sentences in, word links out, in input order and with bounded memory."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.links import Link
from xlm_align_fairseq.alignment.metrics import Counts, count
from xlm_align_fairseq.alignment.spans import SPECIALS
from xlm_align_fairseq.alignment.words import word_links
from xlm_align_fairseq.data.gold_set import GoldSet
from xlm_align_fairseq.data.pieces import PieceEncoder, batch_pieces
from xlm_align_fairseq.encoder import Encoder
from xlm_align_fairseq.labeling import Labels, label, label_all_layers

BUFFERED_PAIRS = 4096  # sorted by length before they are cut into batches
Encoded = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass
class Aligner:
    """Align pairs of sentences with an encoder.

    Args:
        encoder: in evaluation mode, on its device.
        pieces: encodes words for it.
        config: how links are made.
        batch_tokens: pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.
    """

    encoder: Encoder
    pieces: PieceEncoder
    config: AlignerConfig
    batch_tokens: int = 8192
    autocast: torch.dtype | None = None
    warnings: Counter = dataclasses.field(default_factory=Counter)

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return self.encoder.embed_tokens.weight.device

    def align_corpus(self, pairs: Iterable[tuple[str, str]]) -> Iterator[list[Link]]:
        """Yield the word links of each pair, in order; a word is what stands between single spaces.

        A pair that cannot be aligned gives an empty list, and `warnings` counts it by reason; so it does pairs of which only the
        first `max_pieces` pieces a side were read.
        """
        return (links for (links,) in self._run(pairs, lambda batch: [label(self.encoder, batch, self.config)]))

    def align_all_layers(self, pairs: Iterable[tuple[str, str]]) -> Iterator[list[list[Link]]]:
        """Yield, for each pair, its links from every layer 0..n of one encoding pass."""
        return self._run(pairs, lambda batch: label_all_layers(self.encoder, batch, self.config))

    def score(self, gold_set: GoldSet) -> list[Counts]:
        """Align a gold set and return the counts of each pair."""
        found = self.align_corpus(gold_set.pairs())
        return [count(links, gold) for links, gold in zip(found, gold_set.gold, strict=True)]

    def score_all_layers(self, gold_set: GoldSet) -> list[list[Counts]]:
        """Align a gold set from every layer; return, for each layer 0..n, the counts of each pair."""
        found = self.align_all_layers(gold_set.pairs())
        counts = [[count(links, gold) for links in layers] for layers, gold in zip(found, gold_set.gold, strict=True)]
        return [list(layer) for layer in zip(*counts, strict=True)]

    def _run(self, pairs: Iterable[tuple[str, str]], labeler: Callable[..., list[Labels]]) -> Iterator[list[list[Link]]]:
        stream = iter(pairs)
        while chunk := list(itertools.islice(stream, BUFFERED_PAIRS)):
            encoded = [self._encode(source, target) for source, target in chunk]
            n_results = 1
            results: dict[int, list[list[Link]]] = {}
            for numbers in self._batches(encoded):
                found = self._align([encoded[n] for n in numbers], labeler)
                n_results = len(found)
                results |= zip(numbers, map(list, zip(*found, strict=True)), strict=True)
            yield from (results.get(n, [[] for _ in range(n_results)]) for n in range(len(chunk)))

    def _encode(self, source: str, target: str) -> Encoded:
        limit = min(self.config.max_pieces, (self.encoder.config.max_positions - SPECIALS) // 2)
        (src_ids, src_words), (tgt_ids, tgt_words) = (self.pieces.words(side.split(" ")) for side in (source, target))
        if not len(src_ids) or not len(tgt_ids):
            self.warnings["pairs with a blank side: left without links"] += 1
        elif max(len(src_ids), len(tgt_ids)) > limit:
            self.warnings[f"pairs longer than {limit} pieces a side: links only up to there"] += 1
        return (src_ids[:limit], src_words[:limit]), (tgt_ids[:limit], tgt_words[:limit])

    def _batches(self, encoded: Sequence[Encoded]) -> Iterator[list[int]]:
        lengths = np.array([(len(src[0]), len(tgt[0])) for src, tgt in encoded])
        usable = np.flatnonzero(lengths.min(1) > 0)
        order = usable[np.lexsort((lengths[usable, 0], lengths[usable].sum(1)))]
        batch: list[int] = []
        longest = 0
        for number in order.tolist():
            longest = max(longest, int(lengths[number].sum()) + SPECIALS)
            if batch and longest * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch, longest = [], int(lengths[number].sum()) + SPECIALS
            batch.append(number)
        if batch:
            yield batch

    def _align(self, encoded: Sequence[Encoded], labeler: Callable[..., list[Labels]]) -> list[list[list[Link]]]:
        batch, src_words, tgt_words = batch_pieces(encoded)
        casting = torch.autocast(self.device.type, self.autocast) if self.autocast else contextlib.nullcontext()
        with torch.inference_mode(), casting:
            return [word_links(labels.links, src_words, tgt_words) for labels in labeler(batch.to(self.device))]
