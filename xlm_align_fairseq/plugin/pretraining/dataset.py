"""The training stream: sentence pairs of any number of language pairs, and monolingual blocks beside them."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from typing import Any

import numpy as np
import torch
from fairseq.data import FairseqDataset

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.encoder.sequences import sequence
from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.batching import all_in_batches
from xlm_align_fairseq.plugin.keyed_random import rng
from xlm_align_fairseq.plugin.pretraining.masking import mask_pieces

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class StreamConfig:
    """How the stream is sampled; `exponent` < 1 evens out the language pairs (Conneau & Lample 2019)."""

    seed: int
    mask_id: int
    mask_probability: float = 0.15
    leave_unmasked: float = 0.1
    random_piece: float = 0.1
    exponent: float = 0.7
    both_orders: bool = True
    shuffle: bool = True
    block: int = 256  # pieces of a monolingual block, specials included
    mono_tokens: int = 0  # monolingual pieces beside each batch of pairs


class BitextDataset(FairseqDataset):
    """Pairs as masked joint sequences; an index is a sentence id, counted over all pairs, and never changes.

    The order of the two sides, the masks and the draw of an epoch depend on (seed, epoch, id) alone. Pairs that cannot be used
    are counted by reason and left out. The task adds links to batches by id, for the sides in stored order.
    """

    def __init__(self, corpus: Corpus, config: StreamConfig, mono: Any = None, split: str = "train"):
        self.corpus, self.config, self.mono, self.split = corpus, config, mono, split
        self.epoch = 1
        self._said: set[str] = set()
        self.sizes = corpus.lengths.astype(np.int64)
        self._report()

    def _report(self) -> None:
        corpus = self.corpus
        for pair, counts in zip(corpus.pairs, corpus.left_out(), strict=True):
            self._say(
                f"{pair.name}: {counts['used']} pairs used; left out: {counts['empty']} empty, {counts['too long']} too long"
            )
        if not corpus.usable.any():
            raise InputError(
                f"no usable pair in {', '.join(pair.name for pair in corpus.pairs)}: every one is empty or longer than "
                f"--max-positions {corpus.max_positions}"
            )

    def _tell(self, indices: np.ndarray, batches: int, alone: int, most: int) -> None:
        """Say once what an epoch reads."""
        names = [pair.name for pair in self.corpus.pairs]
        counts = np.bincount(self.corpus.owners(indices), minlength=len(names))
        reads = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        longer = f"; {alone} are longer than --max-tokens {most}: each is a batch of its own" if alone else ""
        self._say(f"{self.split}, epoch {self.epoch}: {len(indices)} pairs in {batches} batches ({reads}){longer}")

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            logger.info(message)

    def __len__(self):
        return len(self.sizes)

    @property
    def can_reuse_epoch_itr_across_epochs(self):
        return False  # each epoch is resampled

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        if index >= len(self):
            return self._block(index - len(self))
        ((pair, _, (line,)),) = self.corpus.parts(np.array([index]))
        sides = [side[line][:-1].astype(np.int64) for side in (pair.source, pair.target)]
        generator = rng(self.config.seed, self.epoch, index)
        swapped = self.config.both_orders and bool(generator.random() < 0.5)
        first, second = reversed(sides) if swapped else sides
        joint = sequence(first, second)
        masked, predict = self._mask(joint, generator)
        return {
            "id": index,
            "joint": joint,
            "masked": masked,
            "predict": predict,
            "lengths": (len(first), len(second)),
            "sides": sides,
            "swapped": swapped,
        }

    def _block(self, number: int) -> dict:
        joint = np.asarray(self.mono[number])
        masked, predict = self._mask(joint, rng(self.config.seed, self.epoch, len(self) + number))
        return {"id": len(self) + number, "joint": joint, "masked": masked, "predict": predict, "lengths": None}

    def _mask(self, tokens: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        config = self.config
        return mask_pieces(tokens, generator, config.mask_id, config.mask_probability, config.leave_unmasked, config.random_piece)

    def size(self, index):
        """Return the pieces of a pair, which fairseq tells of those that it leaves out."""
        return self.sizes[index]

    def ordered_indices(self):
        """Draw the pairs of this epoch: as many as there are, each language pair with its share, the shortest first."""
        starts, usable = self.corpus.starts, self.corpus.usable
        if self.corpus.directory is not None:  # one directory an epoch, in turn
            usable = usable & (self.corpus.directory == (self.epoch - 1) % (int(self.corpus.directory.max()) + 1))
        drawn = [np.flatnonzero(usable[a:b]) + a for a, b in itertools.pairwise(starts)]
        if self.config.shuffle:
            counts = np.array([len(ids) for ids in drawn], dtype=float)
            share = (counts / counts.sum()) ** self.config.exponent
            wanted = np.round(share / share.sum() * counts.sum()).astype(int)
            drawn = [self._draw(k, ids, n) for k, (ids, n) in enumerate(zip(drawn, wanted, strict=True)) if len(ids)]
        indices = np.concatenate(drawn)
        if self.config.shuffle:
            indices = rng(self.config.seed, self.epoch).permutation(indices)
        return indices[np.argsort(self.sizes[indices], kind="stable")]

    def _draw(self, k: int, ids: np.ndarray, n: int) -> np.ndarray:
        rounds = [rng(self.config.seed, self.epoch, k, r).permutation(ids) for r in range(-(-n // len(ids)))]
        return np.concatenate(rounds)[:n] if rounds else ids[:0]

    def filter_indices_by_size(self, indices, max_sizes):
        """Leave out pairs over `max_sizes` pieces, of which there are none where the task gives its own limit; return both."""
        fits = self.sizes[indices] <= max_sizes
        return indices[fits], indices[~fits].tolist()

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Form batches of pairs by tokens, each followed by its monolingual blocks; every pair is in one.

        A pair over `max_tokens` is a batch of its own.
        """
        sizes = self.sizes[indices]
        most = int(max_tokens) if max_tokens is not None else -1
        batches = all_in_batches(indices, sizes, max_tokens, max_sentences, required_batch_size_multiple)
        self._tell(indices, len(batches), int((sizes > most).sum()) if most > 0 else 0, most)
        n_blocks = self.config.mono_tokens // self.config.block if self.mono else 0
        if not n_blocks:
            return batches
        order = self._draw(len(self.corpus.pairs), np.arange(len(self.mono)), n_blocks * len(batches)) + len(self)
        return [list(batch) + list(blocks) for batch, blocks in zip(batches, order.reshape(-1, n_blocks), strict=True)]

    def collater(self, samples):
        """Merge items: both sides and the masked joint sequences of the pairs, and the blocks beside them."""
        pairs = [sample for sample in samples if sample["lengths"] is not None]
        blocks = [sample for sample in samples if sample["lengths"] is None]
        if not pairs:
            return {}
        batch = {
            "split": self.split,
            "id": torch.tensor([sample["id"] for sample in pairs]),
            "nsentences": len(pairs),
            "ntokens": sum(len(sample["joint"]) for sample in samples),
            "pairs": _collate_pairs(pairs),
        }
        if blocks:
            batch["mono"] = _collate_masked(blocks)
        return batch


def _pad(arrays: list[np.ndarray], value: int | bool) -> torch.Tensor:
    tensors = [torch.from_numpy(np.array(array)) for array in arrays]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)


def _collate_masked(samples: list[dict]) -> dict:
    joint = _pad([sample["joint"] for sample in samples], PAD)
    predict = _pad([sample["predict"] for sample in samples], False)
    return {
        "masked": _pad([sample["masked"] for sample in samples], PAD),
        "predict": predict,
        "targets": joint[predict],
    }


def _collate_pairs(samples: list[dict]) -> dict:
    """Merge pairs: `source` and `target` in stored order, everything else with the sides in training order."""
    lengths = torch.tensor([sample["lengths"] for sample in samples])
    source, target = (_pad([sample["sides"][k] for sample in samples], PAD) for k in (0, 1))
    return _collate_masked(samples) | {
        "source": source,
        "target": target,
        "swapped": torch.tensor([sample["swapped"] for sample in samples]),
        "src_lengths": lengths[:, 0].clone(),
        "tgt_lengths": lengths[:, 1].clone(),
    }
