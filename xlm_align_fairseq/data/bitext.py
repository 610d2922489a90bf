"""The training stream: sentence pairs of any number of language pairs, and monolingual blocks beside them."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import torch
from fairseq.data import FairseqDataset, data_utils

from xlm_align_fairseq.alignment.spans import BOS, EOS, PAD, SPECIALS
from xlm_align_fairseq.data.masking import mask_pieces, rng
from xlm_align_fairseq.errors import InputError

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Pair:
    """The binarised bitext of one language pair; each item of a side ends with `</s>`, as fairseq-preprocess writes it."""

    name: str  # "de-en"
    source: Any  # indexed dataset of (length + 1,) int tensors, with .sizes
    target: Any
    alignments: Any = None  # of flat (2 × links,) int tensors, source and target piece in turn


@dataclasses.dataclass(frozen=True)
class StreamConfig:
    """How the stream is drawn; `exponent` < 1 evens out the language pairs (Conneau & Lample 2019)."""

    seed: int
    mask_id: int
    mask_probability: float = 0.15
    leave_unmasked: float = 0.1
    random_piece: float = 0.1
    exponent: float = 0.7
    max_positions: int = 512
    both_orders: bool = True
    shuffle: bool = True
    block: int = 256  # pieces of a monolingual block, specials included
    mono_tokens: int = 0  # monolingual pieces beside each batch of pairs


class BitextDataset(FairseqDataset):
    """Pairs as masked joint sequences; an index is a sentence id, counted over all pairs, and never changes.

    The order of the two sides, the masks and the draw of an epoch depend on (seed, epoch, id) alone. Pairs that cannot be used
    are counted by reason and left out.
    """

    def __init__(self, pairs: list[Pair], config: StreamConfig, mono: Any = None):
        self.pairs, self.config, self.mono = pairs, config, mono
        self.epoch = 1
        counts = []
        for pair in pairs:
            if len(pair.source) != len(pair.target):
                raise InputError(f"{pair.name}: {len(pair.source)} source but {len(pair.target)} target sentences")
            if pair.alignments is not None and len(pair.alignments) != len(pair.source):
                raise InputError(f"{pair.name}: {len(pair.alignments)} alignments but {len(pair.source)} sentence pairs")
            counts.append(len(pair.source))
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        src_sizes = np.concatenate([np.asarray(pair.source.sizes) for pair in pairs]) - 1
        tgt_sizes = np.concatenate([np.asarray(pair.target.sizes) for pair in pairs]) - 1
        self.sizes = (src_sizes + tgt_sizes + SPECIALS).astype(np.int64)
        self.usable = (src_sizes > 0) & (tgt_sizes > 0) & (self.sizes <= config.max_positions)
        self._report(src_sizes, tgt_sizes)

    def _report(self, src_sizes: np.ndarray, tgt_sizes: np.ndarray) -> None:
        for pair, start, end in zip(self.pairs, self.starts[:-1], self.starts[1:], strict=True):
            part = slice(start, end)
            empty = int(((src_sizes[part] <= 0) | (tgt_sizes[part] <= 0)).sum())
            used = int(self.usable[part].sum())
            logger.info(f"{pair.name}: {used} pairs used; left out: {empty} empty, {end - start - used - empty} too long")
        if not self.usable.any():
            raise InputError(
                f"no usable pair in {', '.join(pair.name for pair in self.pairs)}: every one is empty or longer than "
                f"--max-positions {self.config.max_positions}"
            )

    def __len__(self):
        return len(self.sizes)

    @property
    def can_reuse_epoch_itr_across_epochs(self):
        return False  # each epoch is drawn anew

    def set_epoch(self, epoch):
        self.epoch = epoch

    def locate(self, index: int) -> tuple[Pair, int]:
        """Return the language pair that a sentence id belongs to, and its line there (0-based)."""
        k = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.pairs[k], int(index - self.starts[k])

    def __getitem__(self, index):
        if index >= len(self):
            return self._block(index - len(self))
        pair, line = self.locate(index)
        sides = [np.asarray(side[line])[:-1] for side in (pair.source, pair.target)]
        links = None if pair.alignments is None else np.asarray(pair.alignments[line]).reshape(-1, 2)
        if links is not None and len(links) and (links.min() < 0 or (links.max(0) >= [len(side) for side in sides]).any()):
            raise InputError(
                f"{pair.name}, pair {line + 1}: a link reaches {links.max(0).tolist()}, the sides have "
                f"{[len(side) for side in sides]} pieces: alignments are 0-based pairs of pieces, not of words"
            )
        generator = rng(self.config.seed, self.epoch, index)
        swapped = self.config.both_orders and bool(generator.random() < 0.5)
        if swapped:
            sides.reverse()
            links = None if links is None else links[:, ::-1]
        joint = np.concatenate([[BOS], sides[0], [EOS], sides[1], [EOS]])
        masked, predict = self._mask(joint, generator)
        return {
            "id": index,
            "joint": joint,
            "masked": masked,
            "predict": predict,
            "lengths": (len(sides[0]), len(sides[1])),
            "links": links,
            "swapped": swapped,
        }

    def _block(self, number: int) -> dict:
        joint = np.asarray(self.mono[number])
        masked, predict = self._mask(joint, rng(self.config.seed, self.epoch, len(self) + number))
        return {"id": len(self) + number, "joint": joint, "masked": masked, "predict": predict, "lengths": None}

    def _mask(self, tokens: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        config = self.config
        return mask_pieces(tokens, generator, config.mask_id, config.mask_probability, config.leave_unmasked, config.random_piece)

    def num_tokens(self, index):
        return self.sizes[index] if index < len(self) else self.config.block

    def num_tokens_vec(self, indices):
        return self.sizes[indices]

    def size(self, index):
        return self.num_tokens(index)

    def ordered_indices(self):
        """Draw the pairs of this epoch: as many as there are, each language pair with its share, the shortest first."""
        drawn = [np.flatnonzero(self.usable[a:b]) + a for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
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
        """Leave out pairs over `max_sizes` pieces (fairseq gives --max-tokens, too); return the ids kept and left out."""
        fits = self.sizes[indices] <= max_sizes
        return indices[fits], indices[~fits].tolist()

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Form batches of pairs by tokens, each followed by its monolingual blocks."""
        batches = data_utils.batch_by_size(
            indices,
            num_tokens_fn=self.num_tokens,
            num_tokens_vec=self.num_tokens_vec(indices),
            max_tokens=max_tokens,
            max_sentences=max_sentences,
            required_batch_size_multiple=required_batch_size_multiple,
        )
        n_blocks = self.config.mono_tokens // self.config.block if self.mono else 0
        if not n_blocks:
            return batches
        order = self._draw(len(self.pairs), np.arange(len(self.mono)), n_blocks * len(batches)) + len(self)
        return [list(batch) + list(blocks) for batch, blocks in zip(batches, order.reshape(-1, n_blocks), strict=True)]

    def collater(self, samples):
        """Merge items: pieces of both sides and the masked joint sequences of the pairs, and the blocks beside them."""
        pairs = [sample for sample in samples if sample["lengths"] is not None]
        blocks = [sample for sample in samples if sample["lengths"] is None]
        if not pairs:
            return {}
        batch = {
            "id": torch.tensor([sample["id"] for sample in pairs]),
            "nsentences": len(pairs),
            "ntokens": sum(len(sample["joint"]) for sample in samples),
            "pairs": _collate_pairs(pairs),
        }
        if blocks:
            batch["mono"] = _collate_masked(blocks)
        return batch


def _pad(arrays: list[np.ndarray], value: int | bool) -> torch.Tensor:
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
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
    lengths = np.array([sample["lengths"] for sample in samples])
    batch = _collate_masked(samples) | {
        "source": _pad([sample["joint"][1 : n + 1] for sample, (n, _) in zip(samples, lengths, strict=True)], PAD),
        "target": _pad([sample["joint"][n + 2 : -1] for sample, (n, _) in zip(samples, lengths, strict=True)], PAD),
        "src_lengths": torch.from_numpy(lengths[:, 0].copy()),
        "tgt_lengths": torch.from_numpy(lengths[:, 1].copy()),
    }
    if all(sample["links"] is not None for sample in samples):
        links = torch.zeros(len(samples), *lengths.max(0), dtype=torch.bool)
        rows = np.repeat(np.arange(len(samples)), [len(sample["links"]) for sample in samples])
        cells = np.concatenate([sample["links"] for sample in samples])
        links[rows, cells[:, 0], cells[:, 1]] = True
        batch["links"] = links
    return batch
