"""Use a fine-tuned model: sentences in and tags out, pairs and classes, questions and answers; in order, in bounded memory."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xlm_align_fairseq.convert.open import identify
from xlm_align_fairseq.encoder.fingerprint import weights_fingerprint
from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.states import States
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.checkpoint import is_ours, load_checkpoint
from xlm_align_fairseq.model.directory import read_model
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.system.device import check_batch_tokens, default_batch_tokens, lower_precision, open_device
from xlm_align_fairseq.system.memory import release_freed_memory
from xlm_align_fairseq.transfer.answer_search import find_answers
from xlm_align_fairseq.transfer.encode import PieceCounts, encode_words, pair_sequence, word_sequences
from xlm_align_fairseq.transfer.head_files import load_head
from xlm_align_fairseq.transfer.question_sequences import EncodedQuestion, QuestionCounts, encode_questions
from xlm_align_fairseq.transfer.questions import Question
from xlm_align_fairseq.transfer.settings import AnswerSettings, ClassSettings, Settings, TagSettings, read_settings

CHUNK_PIECES = 1 << 16  # that are read, sorted by length and encoded together


@dataclasses.dataclass(frozen=True)
class Read:
    """Hold a sequence that the encoder reads, and the places in it that the head reads.

    Args:
        tokens: (L,) int64 pieces, specials included.
        places: (N,) int64.
    """

    tokens: np.ndarray
    places: np.ndarray


@dataclasses.dataclass
class Transfer(ABC):
    """Predict with a fine-tuned model.

    Args:
        encoder: in evaluation mode, on its device.
        head: in evaluation mode, on the same device.
        pieces: encodes text for it.
        settings: of the run.
        batch_tokens: maximum pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.

    Attributes:
        counts: pieces that were read so far, and how many of them the encoder does not know.

    >>> transfer = Transfer.load("run")  # doctest: +SKIP
    >>> list(transfer.predict([["A", "house", "."]]))  # doctest: +SKIP
    [['DET', 'NOUN', 'PUNCT']]
    """

    encoder: Encoder
    head: nn.Module
    pieces: PieceEncoder
    settings: Settings
    batch_tokens: int = 2048
    autocast: torch.dtype | None = None
    counts: PieceCounts = dataclasses.field(default_factory=PieceCounts)

    def __post_init__(self):
        check_batch_tokens(self.batch_tokens)

    @staticmethod
    def load(
        path: Path | str,
        device: str = "auto",
        batch_tokens: int | None = None,
        autocast: torch.dtype | None = None,
    ) -> Transfer:
        """Load a fine-tuned run.

        Args:
            path: its directory, of which the best checkpoint is taken if there is one, or one checkpoint file in it.
            device: where to compute, as `cpu`, `cuda`, `cuda:1`; `auto` takes a GPU if there is one.
            batch_tokens: pieces of a batch, padding included; `None` for 2048 on a CPU and 32768 on a GPU.
            autocast: dtype to compute in with weights in float32, as training does.

        Returns:
            A `TagTransfer`, `ClassTransfer` or `AnswerTransfer`, as the run was trained for.

        Raises:
            InputError: the path is no fine-tuned run, its files do not belong together, or there is no such device.
        """
        where = open_device(device)
        kind, weights = identify(path)
        if kind != "fairseq":
            raise InputError(f"{path} is no fine-tuned run; give the --save-dir of one, or a checkpoint in it")
        settings = read_settings(weights.parent)
        content = load_checkpoint(weights)
        if not is_ours(content):
            raise InputError(f"{weights} is not of the model xlm_align; give the --save-dir of a fine-tuned run")
        model = read_model(weights, content)
        if settings.window > model.config.max_positions:
            raise InputError(
                f"{weights.parent} says a window of {settings.window} pieces, its encoder reads {model.config.max_positions}: the"
                " files are not of one run"
            )
        head = load_head(weights, content["model"], settings, model.config.width)
        pieces = PieceEncoder(model.sentencepiece, model.vocabulary)
        if batch_tokens is None:
            batch_tokens = default_batch_tokens(where)
        use = TRANSFERS[type(settings)]
        return use(load_encoder(model).to(where), head.to(where), pieces, settings, batch_tokens, autocast)

    @property
    def unknown(self) -> float:
        """Which share of the pieces that were read so far the encoder does not know."""
        return self.counts.share

    def fingerprint(self) -> str:
        """Return what identifies the weights of encoder and head: the first 12 digits of their SHA-256, hexadecimal."""
        return weights_fingerprint(self.encoder, self.encoder.config.layers, self.head)[:12]

    def predict(self, examples: Iterable[Any]) -> Iterator[Any]:
        """Yield what is predicted for each example, in order.

        Examples are read ahead until a chunk is full; memory does not grow with their number. What is predicted for one does not
        depend on the others.

        Args:
            examples: sentences, as words of each (a word may be empty), for tags; for classes `Pair`s, or first and second text,
                `None` for the second of one text; for answers `Question`s.

        Raises:
            InputError: an example is of another form.
        """
        waiting: deque[tuple[Any, int]] = deque()  # what was read and not yet yielded, and its number of sequences
        found: list[Any] = []
        for chunk in _chunks(self._sequences(examples, waiting)):
            found = [*found, *self._judge(chunk)]
            begin = 0
            while waiting and begin + waiting[0][1] <= len(found):
                example, n = waiting.popleft()
                yield self._join(example, found[begin : begin + n])
                begin += n
            found = found[begin:]
            release_freed_memory()
        yield from (self._join(example, []) for example, _ in waiting)  # those without sequences at the end

    def _sequences(self, examples: Iterable[Any], waiting: deque[tuple[Any, int]]) -> Iterator[Read]:
        for number, given in enumerate(examples, 1):
            example, sequences = self._read(given, number)
            waiting.append((example, len(sequences)))
            yield from sequences

    def _judge(self, chunk: list[Read]) -> list[Any]:
        """Return what the head makes of each sequence, in order."""
        last = self.encoder.config.layers
        states = States(self.encoder, [one.tokens for one in chunk], [last], self.batch_tokens, self.autocast)
        places = np.concatenate([begin + one.places for begin, one in zip(states.begins[:-1], chunk, strict=True)])
        with torch.inference_mode(), lower_precision(self.encoder.device, self.autocast):
            logits = self.head(states.layers[last][torch.from_numpy(places).to(self.encoder.device)])
        return self._decode(logits, [len(one.places) for one in chunk])

    @abstractmethod
    def _read(self, example: Any, number: int) -> tuple[Any, list[Read]]:
        """Return what joining needs to know of the example with this number, and its sequences."""

    @abstractmethod
    def _decode(self, logits: Tensor, lengths: Sequence[int]) -> list[Any]:
        """Return what is predicted in each of several sequences, from the logits of all places and how many each has."""

    @abstractmethod
    def _join(self, example: Any, found: list[Any]) -> Any:
        """Return what is predicted for an example, from its sequences."""


class TagTransfer(Transfer):
    """Predict the tags of words."""

    settings: TagSettings

    def _read(self, example: Any, number: int) -> tuple[Any, list[Read]]:
        if isinstance(example, str):
            raise InputError(f"sentence {number} is the text {example[:40]!r}; allowed are words: split it")
        sequences = word_sequences(encode_words(example, self.pieces, self.counts), self.settings.window)
        return None, [Read(tokens, first) for tokens, first in sequences]

    def _decode(self, logits: Tensor, lengths: Sequence[int]) -> list[list[str]]:
        tags = [self.settings.labels[n] for n in logits.argmax(-1).tolist()]
        ends = np.cumsum(lengths)
        return [tags[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def _join(self, example: Any, found: list[list[str]]) -> list[str]:
        return [tag for tags in found for tag in tags]


class ClassTransfer(Transfer):
    """Predict the class of each pair of texts, or of each text."""

    settings: ClassSettings

    def _read(self, example: Any, number: int) -> tuple[Any, list[Read]]:
        if isinstance(example, str) or len(example) not in (2, 3):
            raise InputError(f"pair {number} is {example!r:.60}; allowed are two texts, or a text and None")
        tokens = pair_sequence(example[0], example[1], self.pieces, self.settings.window, self.counts)
        return None, [Read(tokens, np.zeros(1, np.int64))]

    def _decode(self, logits: Tensor, lengths: Sequence[int]) -> list[str]:
        return [self.settings.labels[n] for n in logits.argmax(-1).tolist()]

    def _join(self, example: Any, found: list[str]) -> str:
        return found[0]


@dataclasses.dataclass
class AnswerTransfer(Transfer):
    """Predict the answer to each question, a text of its document."""

    settings: AnswerSettings
    counts: QuestionCounts = dataclasses.field(default_factory=QuestionCounts)

    def _sequences(self, examples: Iterable[Question], waiting: deque[tuple[Any, int]]) -> Iterator[Read]:
        for encoded in encode_questions(examples, self.pieces, self.settings.limits(), self.counts):
            waiting.append((encoded, len(encoded.sequences)))
            yield from (Read(one.tokens, np.arange(len(one.tokens))) for one in encoded.sequences)

    def _read(self, example: Any, number: int) -> tuple[Any, list[Read]]:
        raise NotImplementedError  # documents are encoded once for several questions

    def _decode(self, logits: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        return np.split(logits.float().cpu().numpy(), np.cumsum(lengths)[:-1])

    def _join(self, example: EncodedQuestion, found: list[np.ndarray]) -> str:
        start, end = np.concatenate(found).T if found else np.zeros((2, 0), np.float32)
        return find_answers(example, start, end, 1, self.settings.answer)[0].text


def settings_of(path: Path | str) -> Settings:
    """Return the settings of a fine-tuned run.

    Args:
        path: its directory, or a checkpoint in it.

    Raises:
        InputError: it is none.
    """
    kind, weights = identify(path)
    if kind != "fairseq":
        raise InputError(f"{path} is no fine-tuned run; give the --save-dir of one, or a checkpoint in it")
    return read_settings(weights.parent)


TRANSFERS: dict[type[Settings], type[Transfer]] = {
    TagSettings: TagTransfer,
    ClassSettings: ClassTransfer,
    AnswerSettings: AnswerTransfer,
}


def _chunks(sequences: Iterator[Read]) -> Iterator[list[Read]]:
    """Group sequences, so many that they make a chunk of `CHUNK_PIECES`."""
    chunk: list[Read] = []
    n_pieces = 0
    for one in sequences:
        chunk.append(one)
        n_pieces += len(one.tokens)
        if n_pieces >= CHUNK_PIECES:
            yield chunk
            chunk, n_pieces = [], 0
    if chunk:
        yield chunk
