"""Use a fine-tuned model: sentences in, tags out, in input order and with bounded memory."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.convert.hugging_face import Classifier
from xlm_align_fairseq.convert.open import identify
from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.states import States
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.checkpoint import is_ours, load_checkpoint
from xlm_align_fairseq.model.directory import read_model
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.model.tensors import check_finite, check_precision, plain_tensors
from xlm_align_fairseq.system.device import default_batch_tokens, lower_precision, open_device
from xlm_align_fairseq.system.memory import release_freed_memory
from xlm_align_fairseq.transfer.encode import PieceCounts, WordSequence, encode_words, word_sequences
from xlm_align_fairseq.transfer.heads import TagHead
from xlm_align_fairseq.transfer.settings import FILE_NAME, Settings, read_settings

CHUNK_PIECES = 1 << 16  # that are read, sorted by length and encoded together
PREFIX = "head."  # of the head's tensors in a checkpoint


@dataclasses.dataclass
class Transfer:
    """Predict with a fine-tuned model.

    Args:
        encoder: in evaluation mode, on its device.
        head: in evaluation mode, on the same device.
        pieces: encodes words for it.
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
    head: TagHead
    pieces: PieceEncoder
    settings: Settings
    batch_tokens: int = 2048
    autocast: torch.dtype | None = None
    counts: PieceCounts = dataclasses.field(default_factory=PieceCounts)

    def __post_init__(self):
        if self.batch_tokens < 1:
            raise InputError(f"batch_tokens (--batch-tokens) is {self.batch_tokens}: allowed are 1 and more pieces")

    @classmethod
    def load(
        cls,
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
        head = _load_head(weights, content["model"], model.config.width, len(settings.labels))
        pieces = PieceEncoder(model.sentencepiece, model.vocabulary)
        if batch_tokens is None:
            batch_tokens = default_batch_tokens(where)
        return cls(load_encoder(model).to(where), head.to(where), pieces, settings, batch_tokens, autocast)

    @property
    def unknown(self) -> float:
        """Which share of the pieces that were read so far the encoder does not know."""
        return self.counts.share

    def predict(self, sentences: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yield the tags of each sentence, in order: one for every word.

        Sentences are read ahead until a chunk is full; memory does not grow with their number. The tags of a sentence do not
        depend on the others.

        Args:
            sentences: words of each; a word may be empty.

        Raises:
            InputError: a sentence is a text, not words.
        """
        lengths: deque[int] = deque()  # words of the sentences that were read and not yet yielded
        tags: list[str] = []
        for chunk in _chunks(self._sequences(sentences, lengths)):
            tags = [*tags, *self._judge(chunk)]
            begin = 0
            while lengths and begin + lengths[0] <= len(tags):
                end = begin + lengths.popleft()
                yield tags[begin:end]
                begin = end
            tags = tags[begin:]
            release_freed_memory()
        yield from ([] for _ in lengths)  # sentences without words at the end

    def _sequences(self, sentences: Iterable[Sequence[str]], lengths: deque[int]) -> Iterator[WordSequence]:
        for number, words in enumerate(sentences, 1):
            if isinstance(words, str):
                raise InputError(f"sentence {number} is the text {words[:40]!r}; allowed are words: split it")
            lengths.append(len(words))
            yield from word_sequences(encode_words(words, self.pieces, self.counts), self.settings.window)

    def _judge(self, chunk: list[WordSequence]) -> list[str]:
        """Return the tags of the words of sequences, in order."""
        last = self.encoder.config.layers
        states = States(self.encoder, [tokens for tokens, _ in chunk], [last], self.batch_tokens, self.autocast)
        places = np.concatenate([begin + first for begin, (_, first) in zip(states.begins[:-1], chunk, strict=True)])
        with torch.inference_mode(), lower_precision(self.encoder.device, self.autocast):
            logits = self.head(states.layers[last][torch.from_numpy(places).to(self.encoder.device)])
        return [self.settings.labels[n] for n in logits.argmax(-1).tolist()]


def read_classifier(path: Path | str) -> Classifier | None:
    """Return the head of a fine-tuned run, as other programs take it; `None` if the path is none.

    Args:
        path: the directory of a run, or a checkpoint in it.

    Raises:
        InputError: the path cannot be read, or its files do not belong together.
    """
    kind, weights = identify(path)
    if kind != "fairseq" or not (weights.parent / FILE_NAME).is_file():
        return None
    settings, content = read_settings(weights.parent), load_checkpoint(weights)
    width = read_model(weights, content).config.width
    out = _load_head(weights, content["model"], width, len(settings.labels)).out
    return Classifier(settings.labels, out.weight.detach(), out.bias.detach())


def _chunks(sequences: Iterator[WordSequence]) -> Iterator[list[WordSequence]]:
    """Group sequences, so many that they make a chunk of `CHUNK_PIECES`."""
    chunk: list[WordSequence] = []
    n_pieces = 0
    for one in sequences:
        chunk.append(one)
        n_pieces += len(one.tokens)
        if n_pieces >= CHUNK_PIECES:
            yield chunk
            chunk, n_pieces = [], 0
    if chunk:
        yield chunk


def _load_head(weights: Path, state: object, width: int, n_tags: int) -> TagHead:
    """Return the head of a checkpoint, in float32 and evaluation mode.

    Raises:
        InputError: it has none, or one of other sizes.
    """
    found = plain_tensors(state)
    tensors: dict[str, Tensor] = {key.removeprefix(PREFIX): found[key] for key in found if key.startswith(PREFIX)}
    if not tensors:
        raise InputError(f"{weights} has no head: it was not fine-tuned; give the --save-dir of --task token_labeling")
    head = TagHead(width, n_tags)
    wanted = {key: tuple(value.shape) for key, value in head.state_dict().items()}
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    if shapes != wanted:
        said = [", ".join(f"{key} {shape}" for key, shape in sorted(sizes.items())) for sizes in (shapes, wanted)]
        raise InputError(f"{weights}: the head has {said[0]}; {n_tags} tags and a width of {width} are {said[1]}")
    named = {f"{PREFIX}{key}": value for key, value in tensors.items()}
    try:
        for key, value in named.items():
            check_precision(key, value)
        check_finite(named)
    except InputError as error:
        raise InputError(f"{weights}: {error}") from error
    head.load_state_dict({key: value.float() for key, value in tensors.items()})
    return head.eval()
