"""Sentences in, word links out, in input order and with bounded memory."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.links import Link
from xlm_align_fairseq.alignment.metrics import Counts, count
from xlm_align_fairseq.alignment.spans import SPECIALS
from xlm_align_fairseq.alignment.words import word_links
from xlm_align_fairseq.convert.directory import open_model
from xlm_align_fairseq.convert.model import load_encoder
from xlm_align_fairseq.data.gold_set import GoldSet
from xlm_align_fairseq.data.pieces import PieceEncoder, batch_pieces
from xlm_align_fairseq.data.vocabulary import UNK
from xlm_align_fairseq.encoder import Encoder
from xlm_align_fairseq.labeling import Labels, label, label_variants

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

    @classmethod
    def load(cls, path: Path | str, device: str = "cpu", changes: Mapping[str, Any] | None = None, **options: Any) -> Aligner:
        """Load a model directory, of a converted encoder or of a training run.

        Args:
            path: the directory, or one checkpoint file in it.
            device: where to compute.
            changes: fields of the `AlignerConfig` that differ from the model's own.
            options: `batch_tokens`, `autocast`.

        Raises:
            InputError: the directory or a change cannot be used.
        """
        model = open_model(path)
        encoder = load_encoder(model).to(device)
        config = model.aligner.replace(**(changes or {}))
        config.check_layer(encoder.config.layers)
        return cls(encoder, PieceEncoder(model.sentencepiece, model.vocabulary), config, **options)

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return self.encoder.embed_tokens.weight.device

    def align_corpus(self, pairs: Iterable[Sequence[str]]) -> Iterator[list[Link]]:
        """Yield the word links of each pair, in order; a word is what stands between single spaces.

        A pair that cannot be aligned gives an empty list, and `warnings` counts it by reason; so it does pairs of which only the
        first `max_pieces` pieces a side were read.
        """
        return (links for (links,) in self._run(pairs, lambda batch: [label(self.encoder, batch, self.config)]))

    def align_variants(self, pairs: Iterable[Sequence[str]], variants: Sequence[AlignerConfig]) -> Iterator[list[list[Link]]]:
        """Yield, for each pair, its links in several ways of one encoding; see `label_variants`."""
        return self._run(pairs, lambda batch: label_variants(self.encoder, batch, variants), len(variants))

    def score(self, gold_set: GoldSet) -> list[Counts]:
        """Align a gold set and return the counts of each pair."""
        found = self.align_corpus(gold_set.pairs())
        return [count(links, gold) for links, gold in zip(found, gold_set.gold, strict=True)]

    def score_variants(self, gold_set: GoldSet, variants: Sequence[AlignerConfig]) -> list[list[Counts]]:
        """Align a gold set in several ways of one encoding; return, for each of them, the counts of each pair."""
        found = self.align_variants(gold_set.pairs(), variants)
        counts = [[count(links, gold) for links in ways] for ways, gold in zip(found, gold_set.gold, strict=True)]
        return [list(way) for way in zip(*counts, strict=True)]

    def layers(self) -> list[AlignerConfig]:
        """Return the variants that differ in the layer alone, 0..n."""
        return [self.config.replace(align_layer=layer) for layer in range(self.encoder.config.layers + 1)]

    def _run(
        self, pairs: Iterable[Sequence[str]], labeler: Callable[..., list[Labels]], ways: int = 1
    ) -> Iterator[list[list[Link]]]:
        stream = iter(pairs)
        while chunk := list(itertools.islice(stream, BUFFERED_PAIRS)):
            encoded = [self._encode(source, target) for source, target in chunk]
            results: dict[int, list[list[Link]]] = {}
            for numbers in self._batches(encoded):
                found = self._align([encoded[n] for n in numbers], labeler)
                results |= zip(numbers, map(list, zip(*found, strict=True)), strict=True)
            yield from (results.get(n, [[] for _ in range(ways)]) for n in range(len(chunk)))

    def _encode(self, source: str, target: str) -> Encoded:
        limit = min(self.config.max_pieces, (self.encoder.config.max_positions - SPECIALS) // 2)
        (src_ids, src_words), (tgt_ids, tgt_words) = (self.pieces.words(side.split(" ")) for side in (source, target))
        if not len(src_ids) or not len(tgt_ids):
            self.warnings["pairs with a blank side: left without links"] += 1
        elif max(len(src_ids), len(tgt_ids)) > limit:
            self.warnings[f"pairs longer than {limit} pieces a side: links only up to there"] += 1
        if UNK in src_ids or UNK in tgt_ids:
            self.warnings["pairs with pieces that the vocabulary lacks, read as <unk> (many: is the model trimmed?)"] += 1
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
