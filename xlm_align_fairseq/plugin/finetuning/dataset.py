"""Sentences with tags as batches: read and encoded once, in windows where they are long."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.batching import all_in_batches
from xlm_align_fairseq.plugin.pretraining.masking import rng
from xlm_align_fairseq.transfer.encode import PieceCounts, encode_words, word_sequences
from xlm_align_fairseq.transfer.tag_checks import check_tags, unknown_tags
from xlm_align_fairseq.transfer.tags import TaggedFile

logger = logging.getLogger(__name__)

UNKNOWN_TAG = -1  # target of a word whose tag training lacks
NO_PIECE = -100  # target of a piece that begins no word, or is judged in another window


@dataclasses.dataclass(frozen=True)
class Flat:
    """Arrays of different lengths in one: that of item n is `values[ends[n]:ends[n + 1]]`."""

    values: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray]) -> Flat:
        """Join arrays of int64."""
        lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
        values = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, n: int) -> np.ndarray:
        return self.values[self.ends[n] : self.ends[n + 1]]


def tags_of(file: TaggedFile) -> tuple[str, ...]:
    """Return the tags of a file of training, sorted.

    Raises:
        InputError: it has no words, no tags, or tags of two kinds.
    """
    if not file.n_words:
        raise InputError(f"{file.path}:1: no words, there is nothing to train on; give a file of words with their tags")
    check_tags(file)
    return tuple(sorted({tag for tags in file.gold() for tag in tags}))


class TagDataset(FairseqDataset):
    """Sequences of pieces with the tags of the words that are judged in each; the order of an epoch depends on (seed, epoch).

    Args:
        file: words and tags.
        pieces: encodes words.
        tags: that the model knows.
        window: longest sequence in pieces, specials included.
        seed: of the order.
        shuffle: whether items of one length are in another order in each epoch.
        split: name for messages.
    """

    what = "sequences"

    def __init__(
        self,
        file: TaggedFile,
        pieces: PieceEncoder,
        tags: Sequence[str],
        window: int,
        seed: int = 1,
        shuffle: bool = False,
        split: str = "train",
    ):
        self.split, self.seed, self.shuffle, self.epoch = split, seed, shuffle, 1
        number = {tag: n for n, tag in enumerate(tags)}
        counts = PieceCounts()
        tokens, first, targets = [], [], []
        n_windowed = 0
        for (words, _), gold in zip(file.sentences, file.gold(), strict=True):
            items = word_sequences(encode_words(words, pieces, counts), window)
            if not items:
                continue
            ids = np.fromiter((number.get(tag, UNKNOWN_TAG) for tag in gold), np.int64, len(gold))
            ends = np.cumsum([len(item.first) for item in items])
            tokens += [item.tokens for item in items]
            first += [item.first for item in items]
            targets += np.split(ids, ends[:-1])
            n_windowed += len(items) > 1
        if not tokens:
            raise InputError(f"{file.path}:1: no words; give a file of words with their tags, or --disable-validation")
        self.tokens, self.first, self.targets = Flat.of(tokens), Flat.of(first), Flat.of(targets)
        self.sizes = np.diff(self.tokens.ends)
        logger.info(
            f"{file.path}: {len(file.sentences)} sentences, {len(self.targets.values)} words; {n_windowed} sentences are longer"
            f" than {window} pieces, with windows there are {len(self)} sequences; {counts}"
        )
        if counts.many:
            logger.warning(f"{file.path}: {counts}")
        for message in unknown_tags(file, tags):
            logger.warning(message)

    def __len__(self):
        return len(self.sizes)

    @property
    def can_reuse_epoch_itr_across_epochs(self):
        return False  # each epoch has an order of its own

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        return {"id": index, "tokens": self.tokens[index], "first": self.first[index], "targets": self.targets[index]}

    def size(self, index):
        """Return the pieces of an item, specials included."""
        return self.sizes[index]

    def ordered_indices(self):
        """Return all items, the shortest first; those of one length in the order of this epoch."""
        indices = np.arange(len(self))
        if self.shuffle:
            indices = rng(self.seed, self.epoch).permutation(indices)
        return indices[np.argsort(self.sizes[indices], kind="stable")]

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Form batches of items of about one length; every item is in one."""
        return all_in_batches(indices, self.sizes[indices], max_tokens, max_sentences, required_batch_size_multiple)

    def collater(self, samples):
        """Merge items, padded to the longest: `tokens` (B, L), and `targets` (B, L), `NO_PIECE` where no word is judged."""
        if not samples:
            return {}
        shape = len(samples), max(len(sample["tokens"]) for sample in samples)
        tokens, targets = np.full(shape, PAD, np.int64), np.full(shape, NO_PIECE, np.int64)
        for row, sample in enumerate(samples):
            tokens[row, : len(sample["tokens"])] = sample["tokens"]
            targets[row, sample["first"]] = sample["targets"]
        return {
            "id": torch.tensor([int(sample["id"]) for sample in samples]),
            "nsentences": len(samples),
            "ntokens": sum(len(sample["tokens"]) for sample in samples),
            "tokens": torch.from_numpy(tokens),
            "targets": torch.from_numpy(targets),
        }
