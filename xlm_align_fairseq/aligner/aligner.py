"""Sentences in, word links out, in input order and with bounded memory."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xlm_align_fairseq.aligner.background import unrelated_similarity
from xlm_align_fairseq.aligner.engine import ChunkAligner
from xlm_align_fairseq.aligner.evidence import Evidence
from xlm_align_fairseq.aligner.piece_links import Encoded
from xlm_align_fairseq.aligner.result import Alignment, Sentence
from xlm_align_fairseq.aligner.windows import WHOLE
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.convert import SHIPPED
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import Encoder, EncoderAndPointer, PointerHead
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import WordMarks
from xlm_align_fairseq.encoder.vocabulary import JOINT_SPECIALS, UNK
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold_set import GoldSet
from xlm_align_fairseq.links.metrics import Counts, count
from xlm_align_fairseq.model.record import load_encoder, load_heads
from xlm_align_fairseq.system.device import check_batch_tokens, default_batch_tokens, open_device
from xlm_align_fairseq.system.memory import release_freed_memory
from xlm_align_fairseq.system.parallel import prefetch
from xlm_align_fairseq.text.lines import LONGEST_SIDE
from xlm_align_fairseq.text.tokenize import split_words

CHUNK_PAIRS = 4096  # pairs that are read, sorted by length and aligned together
CHUNK_BYTES = 1 << 28  # of hidden states that are held at once
LONGEST_PIECES = 1 << 17  # of a side; beyond, hidden states take gigabytes


@dataclasses.dataclass
class Aligner:
    """Align pairs of sentences with an encoder.

    Args:
        encoder: in evaluation mode, on its device.
        pieces: encodes words for it.
        config: how links are made.
        pointer: the pointer head, for the methods that use it.
        batch_tokens: maximum pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.
        evidence: of a corpus in the same languages, that has a part in the links (`evidence_weight` in `config`).

    Attributes:
        flagged: how many pairs were given each flag of `Alignment` so far.

    >>> aligner = Aligner.load("encoder")  # doctest: +SKIP
    >>> aligner.align("Das ist ein Haus .", "This is a house .").links  # doctest: +SKIP
    [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]
    """

    encoder: Encoder
    pieces: PieceEncoder
    config: AlignerConfig
    pointer: PointerHead | None = None
    batch_tokens: int = 2048
    autocast: torch.dtype | None = None
    evidence: Evidence | None = None
    flagged: Counter = dataclasses.field(default_factory=Counter)
    _background: dict = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_batch_tokens(self.batch_tokens)

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        device: str = "auto",
        changes: Mapping[str, Any] | None = None,
        dtype: torch.dtype | None = None,
        batch_tokens: int | None = None,
        autocast: torch.dtype | None = None,
        evidence: Evidence | Path | str | None = None,
    ) -> Aligner:
        """Load a model: the one that ships, a converted encoder, a training run, or a Hugging Face directory.

        Args:
            path: the directory, or one checkpoint file in it; `None` for the model that ships (extra `model` of the package).
            device: where to compute, as `cpu`, `cuda`, `cuda:1`; `auto` takes a GPU if there is one.
            changes: fields of the `AlignerConfig` that differ from the model's own, as `{"method": "softmax"}`.
            dtype: to hold the encoder and compute in, as `torch.bfloat16`; `None` for float32.
            batch_tokens: pieces of a batch, padding included; `None` for 2048 on a CPU and 32768 on a GPU.
            autocast: dtype to compute in with weights in float32, as training does.
            evidence: a directory that `xlm-align bootstrap --save` wrote, or what `Evidence.load` read of it.

        Raises:
            InputError: a directory, the device or a change cannot be used.
        """
        where = open_device(device)
        if evidence is not None and not isinstance(evidence, Evidence):
            evidence = Evidence.load(evidence)
        model = open_model(path)
        encoder = load_encoder(model).to(where)
        config = model.aligner.replace(**(changes or {}))
        config.check_layer(encoder.config.layers)
        _, pointer = load_heads(model, encoder)
        if pointer is not None:
            pointer = pointer.to(where)
        elif config.needs_pointer():
            raise InputError(f"{path or SHIPPED} has no pointer head, which the method pointer asks: training makes it")
        if dtype is not None:
            encoder = encoder.to(dtype)
        if batch_tokens is None:
            batch_tokens = default_batch_tokens(where)
        pieces = PieceEncoder(model.sentencepiece, model.vocabulary)
        return cls(encoder, pieces, config, pointer, batch_tokens, autocast, evidence)

    @property
    def device(self) -> torch.device:
        """Device of the encoder."""
        return self.encoder.device

    @property
    def weights(self) -> EncoderAndPointer:
        """What links are made with: the weights alone."""
        return EncoderAndPointer(self.encoder, self.pointer, WordMarks.of(self.pieces.vocabulary.pieces))

    def signature_items(self) -> dict[str, Any]:
        """Return the signature items of links: how they are made, and the evidence that has a part in them."""
        return self.config.signature_items(self.evidence.digest[:16] if self.evidence else None)

    @property
    def window(self) -> int:
        """Maximum pieces on a side of a pair that is aligned whole, however its words moved."""
        return min(self.config.window, self._longest)

    @property
    def _longest(self) -> int:
        """Maximum pieces on a side of a pair that is encoded at once."""
        positions = self.encoder.config.max_positions
        return (positions - JOINT_SPECIALS) // 2 if self.config.encoding == "joint" else positions - 2

    def align(self, source: Sentence, target: Sentence, details: bool = False) -> Alignment:
        """Align one pair.

        Args:
            source, target: words, or a string of words with single spaces between (a trailing `"\\n"` is ignored).
            details: whether to return pieces and similarities too.
        """
        encoded = self._encode(source, target)
        (alignment,) = self._engine().align([encoded], [self.config], details)[0]
        return alignment

    def align_corpus(self, pairs: Iterable[tuple[Sentence, Sentence]], at_once: bool = False) -> Iterator[Alignment]:
        """Yield the alignment of each pair, in order; what cannot be aligned has no links and says why in its flags.

        Pairs are read ahead, some thousands at a time, by another thread. After every `CHUNK_PAIRS` of them no two share a batch.

        Args:
            pairs: words, or strings of words, of both sides.
            at_once: yield the alignment of a pair before the next one is asked for; slower.
        """
        return (alignment for (alignment,) in self._run(pairs, [self.config], at_once))

    def align_variants(
        self, pairs: Iterable[tuple[Sentence, Sentence]], variants: Sequence[AlignerConfig]
    ) -> Iterator[list[Alignment]]:
        """Yield, for each pair, one alignment per variant; pairs are encoded once, so all variants share its encoding."""
        if {(config.encoding, config.late_layer) for config in variants} - {(self.config.encoding, self.config.late_layer)}:
            raise ValueError("variants of another encoding or late layer than the aligner's need an aligner of their own")
        return self._run(pairs, variants)

    def score(self, gold_set: GoldSet) -> list[Counts]:
        """Align a gold set and return the counts of each pair."""
        return self.score_variants(gold_set, [self.config])[0]

    def score_variants(self, gold_set: GoldSet, variants: Sequence[AlignerConfig]) -> list[list[Counts]]:
        """Align a gold set with variants that share `encoding`; return, for each variant, the counts of each pair."""
        alignments = self.align_variants(gold_set.pairs(), variants)
        counts = [[count(way.links, gold) for way in ways] for ways, gold in zip(alignments, gold_set.gold, strict=True)]
        return [list(way) for way in zip(*counts, strict=True)]

    def layers(self) -> list[AlignerConfig]:
        """Return one variant per layer, 0..n, otherwise equal."""
        return [self.config.replace(align_layer=layer) for layer in range(self.encoder.config.layers + 1)]

    def background(self, encoding: str, layer: int) -> float | None:
        """Return how similar unrelated words are in a layer: their upper quartile, measured once; `None` if it cannot be."""
        if (encoding, layer) not in self._background:
            late_layer = self.config.late_layer
            measured = unrelated_similarity(self.encoder, self.pieces.vocabulary, encoding, layer, self.autocast, late_layer)
            self._background[encoding, layer] = measured
        return self._background[encoding, layer]

    def _engine(self) -> ChunkAligner:
        window = max(1, self.window * 5 // 8)  # distant pieces then do not compete (docs/aligning.md)
        return ChunkAligner(
            self.encoder,
            self.pointer,
            self.pieces.vocabulary,
            window,
            min(WHOLE, self._longest),
            self.batch_tokens,
            self.autocast,
            self.background,
            self.evidence,
        )

    def _run(
        self, pairs: Iterable[tuple[Sentence, Sentence]], variants: Sequence[AlignerConfig], at_once: bool = False
    ) -> Iterator[list[Alignment]]:
        engine = self._engine()
        if at_once:
            chunks: Iterator[list[Encoded]] = ([self._encode(*pair)] for pair in pairs)
        else:
            chunks = prefetch(self._chunks(pairs, len(engine.wanted_layers(variants))))
        for chunk in chunks:
            for alignments in engine.align(chunk, variants):
                self.flagged.update(set().union(*(alignment.flags for alignment in alignments)))
                yield alignments
            release_freed_memory()

    def _chunks(self, pairs: Iterable[tuple[Sentence, Sentence]], n_layers: int) -> Iterator[list[Encoded]]:
        """Encode pairs as pieces and group them into chunks, limited by pairs and by bytes of their hidden states."""
        room = CHUNK_BYTES // (4 * self.encoder.config.width * n_layers)
        chunk: list[Encoded] = []
        n_pieces = 0
        for number, (source, target) in enumerate(pairs, 1):
            chunk.append(self._encode(source, target))
            n_pieces += max(len(chunk[-1].src_ids), len(chunk[-1].source)) + max(len(chunk[-1].tgt_ids), len(chunk[-1].target))
            if number % CHUNK_PAIRS == 0 or n_pieces >= room:
                yield chunk
                chunk, n_pieces = [], 0
        if chunk:
            yield chunk

    def _encode(self, source: Sentence, target: Sentence) -> Encoded:
        if max(map(_characters, (source, target))) > LONGEST_SIDE:
            return _left_out(source, target)
        source, target = map(_words, (source, target))
        (src_ids, src_words), (tgt_ids, tgt_words) = self.pieces.words(source), self.pieces.words(target)
        if max(len(src_ids), len(tgt_ids)) > LONGEST_PIECES:
            return _left_out(source, target)
        flags = {
            "blank": not len(src_ids) or not len(tgt_ids),
            "unknown": bool((src_ids == UNK).any() or (tgt_ids == UNK).any()),
            "windows": max(len(src_ids), len(tgt_ids)) > self.window,
        }
        if flags["blank"]:
            flags["windows"] = False
        lone = self.pieces.vocabulary.lone_marks
        marks = lone(src_ids, src_words), lone(tgt_ids, tgt_words)
        raised = tuple(flag for flag in flags if flags[flag])
        return Encoded(source, target, src_ids, tgt_ids, src_words, tgt_words, *marks, raised)


def _characters(side: Sentence) -> int:
    """Return the length of a side as a string, single spaces between words."""
    return len(side) if isinstance(side, str) else sum(map(len, side)) + len(side) - 1


def _left_out(source: Sentence, target: Sentence) -> Encoded:
    nothing, no_marks = np.zeros(0, np.int64), np.zeros(0, bool)
    words = [[] if isinstance(side, str) else list(side) for side in (source, target)]
    return Encoded(words[0], words[1], nothing, nothing, nothing, nothing, no_marks, no_marks, ("too-long",))


def _words(side: Sentence) -> list[str]:
    return split_words(side.removesuffix("\n")) if isinstance(side, str) else list(side)
