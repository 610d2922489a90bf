"""Reduce the vocabulary of an encoder to the pieces of some texts, and restore the others exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from tqdm import tqdm

from xlm_align_fairseq.encoder.vocabulary import SPECIALS, Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.text.tokenize import split_words

ROWS = ("encoder.embed_tokens.weight", "lm_head.bias")  # tensors with a row for each piece
BATCH = 10_000


def trim(model: Model, texts: Sequence[Path]) -> Model:
    """Keep the specials and the pieces that occur in the texts; order and sentencepiece model stay.

    Lines are encoded both whole and word by word, so that the pieces of both encodings are kept.

    Raises:
        InputError: a text cannot be read, or none has a piece.
    """
    processor = open_sentencepiece(model.sentencepiece)
    used = np.zeros(processor.get_piece_size(), bool)
    for text in texts:
        for pieces in _encode(processor, text):
            used[pieces] = True
    ids = np.unique(model.vocabulary.lookup(processor)[used])
    ids = ids[(ids >= len(SPECIALS)) & (ids != model.vocabulary.mask)]
    if not len(ids):
        raise InputError(f"{', '.join(map(str, texts))}: no pieces in there; give texts in the languages to keep")
    vocabulary = Vocabulary(model.vocabulary.pieces[i] for i in ids)
    rows = torch.tensor([*range(len(SPECIALS)), *ids.tolist(), model.vocabulary.mask])
    state = {key: value[rows] if key in ROWS else value for key, value in model.state.items()}
    return _resized(model, vocabulary, state)


def expand(model: Model, original: Model) -> Model:
    """Undo `trim`: take the rows of kept pieces from the model and all others from the original.

    If the original has no LM head, its bias for the restored pieces is 0, the value before training.

    Raises:
        InputError: the original lacks a piece of the model, or has another width.
    """
    missing = [piece for piece in model.vocabulary.pieces if piece not in original.vocabulary]
    if missing:
        raise InputError(
            f"--expand-from: the original lacks {len(missing)} pieces of the model, the first is {missing[0]!r}: give"
            " the model that was trimmed"
        )
    if original.config.width != model.config.width:
        raise InputError(
            f"--expand-from: the original has width {original.config.width}, the model {model.config.width}: give"
            " the model that was trimmed"
        )
    rows = torch.tensor([original.vocabulary.index(piece) for piece in model.vocabulary.pieces])
    state = dict(model.state)
    for key in ROWS:
        if key in state:
            table = original.state.get(key, torch.zeros(len(original.vocabulary))).to(state[key].dtype, copy=True)
            table[rows] = state[key]
            state[key] = table
    return dataclasses.replace(_resized(model, original.vocabulary, state), sentencepiece=original.sentencepiece)


def _resized(model: Model, vocabulary: Vocabulary, state: dict[str, Tensor]) -> Model:
    config = dataclasses.replace(model.config, vocabulary=len(vocabulary))
    return dataclasses.replace(model, config=config, vocabulary=vocabulary, state=state)


def _encode(processor: SentencePieceProcessor, text: Path) -> Iterator[list[int]]:
    """Yield the pieces of the lines and of the words, each word once a batch."""
    file = iter(TextFile(text))
    with tqdm(desc=str(text), unit=" lines", delay=3) as progress:
        while lines := list(islice(file, BATCH)):
            words = {word for line in lines for word in split_words(line)}
            yield from processor.encode([*lines, *sorted(words)])
            progress.update(len(lines))
