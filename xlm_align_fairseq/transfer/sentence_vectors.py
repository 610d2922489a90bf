"""Encode sentences as vectors: the mean over the pieces of a sentence of the hidden states of a layer, or of several at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from tqdm import tqdm

from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import sequence
from xlm_align_fairseq.encoder.states import States
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.system.device import check_batch_tokens, default_batch_tokens, open_device
from xlm_align_fairseq.system.memory import release_freed_memory
from xlm_align_fairseq.text.lines import LONGEST_SIDE
from xlm_align_fairseq.transfer.encode import SPECIALS, PieceCounts
from xlm_align_fairseq.transfer.windows import Window, judging_windows

CHUNK_BYTES = 1 << 28  # of the hidden states that are held, of all layers
Layers = dict[int, npt.NDArray[np.float32]]  # vectors (N, C) by layer


class Part(NamedTuple):
    """Hold one sequence of a sentence, and which of its states go into the mean.

    Args:
        owner: index of the sentence.
        tokens: (L,) int64, `<s> … </s>`.
        begin, end: places in the sequence, the end exclusive.
    """

    owner: int
    tokens: np.ndarray
    begin: int
    end: int


@dataclasses.dataclass
class SentenceCounts(PieceCounts):
    """Count what was read.

    Args:
        sentences: all of them.
        empty: those without pieces; their vector is the mean of `<s>` and `</s>`, or zeros without these.
        long: those that are longer than the encoder reads, and were read in windows.
        cut: those of which only the first `LONGEST_SIDE` characters were read.
    """

    sentences: int = 0
    empty: int = 0
    long: int = 0
    cut: int = 0

    def notes(self, path: str) -> list[str]:
        """Return lines for the user about what was odd in a file."""
        said = [str(self)] if self.many else []
        if self.empty:
            said.append(f"{self.empty} of {self.sentences} lines are empty; each has a vector all the same")
        if self.long:
            said.append(f"{self.long} of {self.sentences} lines are longer than the encoder reads, and were read in windows")
        if self.cut:
            said.append(f"{self.cut} of {self.sentences} lines were cut after {LONGEST_SIDE} characters")
        return [f"{path}: {one}" for one in said]


@dataclasses.dataclass
class SentenceEncoder:
    """Encode sentences as vectors.

    A sentence that is longer than the encoder reads is read in half-overlapping windows; the state of each piece is that of the
    window in which it has most context, that of `<s>` the first window's, that of `</s>` the last one's.

    Args:
        encoder: in evaluation mode, on its device.
        pieces: encodes text for it.
        batch_tokens: maximum pieces of a batch, padding included.
        specials: whether `<s>` and `</s>` go into the mean, as XTREME has it.

    Attributes:
        counts: what was read so far.

    >>> encoder = SentenceEncoder.load("shipped")  # doctest: +SKIP
    >>> encoder.encode(["Ja.", "Yes."], [8])[8].shape  # doctest: +SKIP
    (2, 384)
    """

    encoder: Encoder
    pieces: PieceEncoder
    batch_tokens: int = 2048
    specials: bool = True
    counts: SentenceCounts = dataclasses.field(default_factory=SentenceCounts)

    def __post_init__(self):
        check_batch_tokens(self.batch_tokens)

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        device: str = "auto",
        batch_tokens: int | None = None,
        dtype: torch.dtype | None = None,
        specials: bool = True,
    ) -> SentenceEncoder:
        """Load any model that this package reads.

        Args:
            path: as for `Aligner.load`: a directory, or a word for an installed model; `None` is the model that ships.
            device: where to compute, as `cpu`, `cuda`, `cuda:1`; `auto` takes a GPU if there is one.
            batch_tokens: pieces of a batch, padding included; `None` for 2048 on a CPU and 32768 on a GPU.
            dtype: of the weights; `None` for float32.
            specials: whether `<s>` and `</s>` go into the mean.

        Raises:
            InputError: the path is no model, or there is no such device.
        """
        where = open_device(device)
        model = open_model(path)
        encoder = load_encoder(model).to(device=where, dtype=dtype)
        size = default_batch_tokens(where) if batch_tokens is None else batch_tokens
        return cls(encoder, PieceEncoder(model.sentencepiece, model.vocabulary), size, specials)

    @property
    def default_layer(self) -> int:
        """The layer at two thirds of the depth: 8 of 12, XTREME's choice for XLM-R (its "layer 7" counts from 0)."""
        return max(1, round(self.encoder.config.layers * 2 / 3))

    @property
    def all_layers(self) -> list[int]:
        """Every layer, 0 (the embeddings) first."""
        return list(range(self.encoder.config.layers + 1))

    def encode(self, sentences: Sequence[str], layers: Sequence[int], quiet: bool = True, name: str = "encode") -> Layers:
        """Return the vectors of sentences at some layers, from one pass.

        Args:
            sentences: N lines of running text; an empty one has a vector, too.
            layers: 1..n; 0 = the embeddings.
            quiet: show no progress bar.
            name: of the sentences, for the progress bar and errors.

        Returns:
            (N, C) float32 by layer.

        Raises:
            InputError: the encoder has no such layer, or a vector is not finite.
        """
        config = self.encoder.config
        for layer in layers:
            if not 0 <= layer <= config.layers:
                raise InputError(f"layer {layer}: allowed are 0 (the embeddings) to {config.layers}, the last of this model")
        vectors = {layer: np.zeros((len(sentences), config.width), np.float32) for layer in layers}
        n_states = np.zeros(len(sentences), np.int64)
        with tqdm(total=len(sentences), desc=name, unit=" sentences", disable=True if quiet else None) as bar:
            for chunk in self._chunks(sentences, CHUNK_BYTES // (4 * config.width * max(1, len(vectors)))):
                self._add(chunk, vectors, n_states)
                bar.update(chunk[-1].owner + 1 - bar.n)
                release_freed_memory()
        for layer, array in vectors.items():
            array /= np.maximum(n_states, 1)[:, None]
            if len(spoiled := np.flatnonzero(~np.isfinite(array.sum(1)))):
                raise InputError(
                    f"{name}: the vector of sentence {spoiled[0] + 1} is not finite at layer {layer}: the weights are damaged, or"
                    " --half is too coarse: leave it out, or convert the model again"
                )
        return vectors

    def _add(self, chunk: list[Part], vectors: Layers, n_states: npt.NDArray[np.int64]) -> None:
        """Add the sums of states of a chunk to the vectors of their sentences, and their numbers to `n_states`."""
        states = States(self.encoder, [part.tokens for part in chunk], list(vectors), self.batch_tokens)
        owners = np.array([part.owner for part in chunk])
        begins, ends = (np.array(places) for places in zip(*(part[2:] for part in chunk), strict=True))
        lengths = ends - begins
        np.add.at(n_states, owners, lengths)
        bags = np.cumsum(lengths) - lengths
        places = torch.from_numpy(np.repeat(states.begins[:-1] + begins - bags, lengths) + np.arange(lengths.sum()))
        if not len(places):
            return
        device = self.encoder.device
        with torch.inference_mode():
            for layer, array in vectors.items():
                found = states.layers[layer].float()
                sums = F.embedding_bag(places.to(device), found, torch.from_numpy(bags).to(device), mode="sum")  # (parts, C)
                torch.from_numpy(array).index_add_(0, torch.from_numpy(owners), sums.cpu())

    def _chunks(self, sentences: Sequence[str], room: int) -> Iterator[list[Part]]:
        """Group the sequences of sentences, in order, so many that they have `room` pieces or a few more."""
        chunk: list[Part] = []
        n_pieces = 0
        for owner, text in enumerate(sentences):
            for part in self._parts(owner, text):
                chunk.append(part)
                n_pieces += len(part.tokens)
                if n_pieces >= room:
                    yield chunk
                    chunk, n_pieces = [], 0
        if chunk:
            yield chunk

    def _parts(self, owner: int, text: str) -> Iterator[Part]:
        ids = self.pieces.text(text[:LONGEST_SIDE])
        windows = judging_windows(len(ids), self.encoder.config.max_positions - SPECIALS) or [Window(0, 0, 0, 0)]
        counts = self.counts
        counts.sentences += 1
        counts.pieces += len(ids)
        counts.unknown += int((ids == UNK).sum())
        counts.empty += not len(ids)
        counts.long += len(windows) > 1
        counts.cut += len(text) > LONGEST_SIDE
        for begin, end, core_begin, core_end in windows:
            first, last = self.specials and begin == 0, self.specials and end == len(ids)
            tokens = sequence(ids[begin:end])
            yield Part(owner, tokens, core_begin - begin + 1 - first, core_end - begin + 1 + last)
