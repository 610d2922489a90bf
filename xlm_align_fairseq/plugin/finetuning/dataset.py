"""Sequences of pieces with labels at some of them, as items and batches: text is read and encoded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from fairseq.data import FairseqDataset

from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.plugin.batching import all_in_batches
from xlm_align_fairseq.plugin.keyed_random import rng

NO_LABEL = -100  # target of a piece that has none


class Labeled(NamedTuple):
    """A sequence and its labels.

    Args:
        tokens: (L,) int64 pieces, specials included.
        places: (N,) int64, those that have a label.
        labels: (N,) int64.
    """

    tokens: np.ndarray
    places: np.ndarray
    labels: np.ndarray


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


class LabeledDataset(FairseqDataset):
    """Sequences with labels; the order of an epoch depends on (seed, epoch).

    Args:
        items: the sequences, one or more.
        names: of the labels, those that the model knows first.
        seed: of the order.
        shuffle: whether items of one length are in another order in each epoch.
        split: name for messages.
    """

    what = "sequences"

    def __init__(
        self, items: Sequence[Labeled], names: Sequence[str], seed: int = 1, shuffle: bool = False, split: str = "train"
    ):
        self.names, self.split, self.seed, self.shuffle, self.epoch = tuple(names), split, seed, shuffle, 1
        self.tokens, self.places, self.labels = (Flat.of(arrays) for arrays in zip(*items, strict=True))
        self.sizes = np.diff(self.tokens.ends)

    def __len__(self):
        return len(self.sizes)

    @property
    def can_reuse_epoch_itr_across_epochs(self):
        return False  # each epoch has an order of its own

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        return {"id": index, "tokens": self.tokens[index], "places": self.places[index], "labels": self.labels[index]}

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
        """Merge items, padded to the longest: `tokens` (B, L), and `targets` (B, L), `NO_LABEL` where a piece has no label."""
        if not samples:
            return {}
        shape = len(samples), max(len(sample["tokens"]) for sample in samples)
        tokens, targets = np.full(shape, PAD, np.int64), np.full(shape, NO_LABEL, np.int64)
        for row, sample in enumerate(samples):
            tokens[row, : len(sample["tokens"])] = sample["tokens"]
            targets[row, sample["places"]] = sample["labels"]
        return {
            "id": torch.tensor([int(sample["id"]) for sample in samples]),
            "nsentences": len(samples),
            "ntokens": sum(len(sample["tokens"]) for sample in samples),
            "tokens": torch.from_numpy(tokens),
            "targets": torch.from_numpy(targets),
            "names": self.names,
        }
