"""The training iterator: fairseq's own, with the EM state in checkpoints and a list of the sentence ids to come."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from fairseq.data.iterators import EpochBatchIterator

from xlm_align_fairseq.em.em import EM
from xlm_align_fairseq.errors import InputError

logger = logging.getLogger(__name__)


class TrainingIterator(EpochBatchIterator):
    """An `EpochBatchIterator` whose state is exact: EM iteration, early stopping, dictionary, number of ranks it counted with.

    Args:
        plain: the iterator that fairseq made; its settings are copied.
        update_freq: batches of a rank per update, by epoch; the last value holds for all later epochs.
        em: the labels, if they are kept on disk.
        pieces: of the dictionary; their ids mean nothing without it.
    """

    def __init__(self, plain: EpochBatchIterator, update_freq: list[int], em: EM | None, pieces: Sequence[str] = ()):
        super().__init__(
            dataset=plain.dataset,
            collate_fn=plain.collate_fn,
            batch_sampler=plain.batch_sampler,
            seed=plain.seed,
            num_shards=plain.num_shards,
            shard_id=plain.shard_id,
            num_workers=plain.num_workers,
            epoch=plain.epoch,
            buffer_size=plain.buffer_size,
            timeout=plain.timeout,
            disable_shuffling=plain.disable_shuffling,
            skip_remainder_batch=plain.skip_remainder_batch,
            grouped_shuffling=plain.grouped_shuffling,
            reuse_dataloader=plain.reuse_dataloader,
            persistent_workers=plain.persistent_workers,
        )
        self.epoch: int = plain.epoch
        self.shard_id: int = plain.shard_id
        self._frozen_batches: Any = None
        self._dealt: dict[tuple[int, bool], list[list[list[int]]]] = {}
        self.update_freq, self.em = list(update_freq), em
        self.dictionary = hashlib.sha256("\n".join(pieces).encode()).hexdigest()

    def coming(self, updates: int | None = None, epochs: int | None = None) -> np.ndarray:
        """Return the sentences that all ranks read from the current update on.

        Args:
            updates: number of updates to read; or
            epochs: number of epochs to read to the end, this one included.

        Returns:
            Sentence ids, ascending, each once.
        """
        epoch, size = self.epoch, self._update_freq(self.epoch)
        first = max(0, self.iterations_in_epoch - 1) // size * size
        batches: list[list[int]] = []
        while True:
            ranks = self._ranks(epoch)
            size = self._update_freq(epoch)
            n = self._read(len(ranks[0]), size)
            last = n if updates is None else min(n, first + updates * size)
            batches += [batch for rank in ranks for batch in rank[first:last]]
            if updates is not None:
                updates -= math.ceil((last - first) / size)
            if epochs is not None:
                epochs -= 1
            if not (updates or epochs):
                ids = np.unique(np.concatenate([np.asarray(batch, np.int64) for batch in batches]))
                return ids[ids < len(self.dataset)]  # higher ids are monolingual blocks
            epoch, first = epoch + 1, 0

    def _read(self, batches: int, update_freq: int) -> int:
        """Return how many of so many batches fairseq reads: --skip-remainder-batch takes one away, then what makes no update."""
        return (batches - 1) // update_freq * update_freq if self.skip_remainder_batch else batches

    def _update_freq(self, epoch: int) -> int:
        return self.update_freq[min(epoch, len(self.update_freq)) - 1]

    def _ranks(self, epoch: int) -> list[list[list[int]]]:
        """Return the batches of an epoch by rank; cached for this epoch and later ones."""
        key = (epoch, self.shuffle)
        if key not in self._dealt:
            kept = {known: ranks for known, ranks in self._dealt.items() if known[0] >= self.epoch}
            self._dealt = kept | {key: self._deal(epoch)}
        return self._dealt[key]

    def _deal(self, epoch: int) -> list[list[list[int]]]:
        ours = self.epoch, self._frozen_batches, self.shard_id
        try:
            if epoch != self.epoch:
                self.epoch, self._frozen_batches = epoch, None
                self.dataset.set_epoch(epoch)
            return [self._batches_of_rank(rank, epoch) for rank in range(self.num_shards)]
        finally:
            self.epoch, self._frozen_batches, self.shard_id = ours
            self.dataset.set_epoch(self.epoch)

    def next_epoch_itr(self, *args, **kwargs):
        """Begin an epoch; say what --skip-remainder-batch leaves out of it."""
        iterator = super().next_epoch_itr(*args, **kwargs)
        if self.skip_remainder_batch:
            ranks = self._ranks(self.epoch)
            end = self._read(len(ranks[0]), self._update_freq(self.epoch))
            left = sum(index < len(self.dataset) for rank in ranks for batch in rank[end:] for index in batch)
            what = getattr(self.dataset, "what", "pairs")
            logger.info(f"epoch {self.epoch}: {left} {what} of the last batches are left out, as --skip-remainder-batch says")
        return iterator

    def ordered_batches(self, epoch, fix_batches_to_gpus, shuffle):
        """Return the batches of this rank; those that make no whole group, which --grouped-shuffling loses, come last."""
        batches = super().ordered_batches(epoch, fix_batches_to_gpus, shuffle)
        if shuffle and self.grouped_shuffling:
            rest = self.frozen_batches[len(self.frozen_batches) // self.num_shards * self.num_shards :]
            if rest:
                batches.append(rest[self.shard_id] if self.shard_id < len(rest) else [])
        return batches

    def _batches_of_rank(self, rank: int, epoch: int) -> list[list[int]]:
        self.shard_id = rank
        return self.ordered_batches(epoch, False, self.shuffle)

    def state_dict(self):
        """Return the position, the number of ranks that it refers to, early stopping and the EM iteration."""
        from fairseq_cli.train import should_stop_early

        return super().state_dict() | {
            "ranks": self.num_shards,
            "dictionary": self.dictionary,
            "patience": {name: vars(should_stop_early)[name] for name in ("best", "num_runs") if name in vars(should_stop_early)},
            "em": self.em.state_dict() if self.em else None,
        }

    def load_state_dict(self, state_dict):
        """Resume from the position of a checkpoint, also with another number of ranks.

        Raises:
            InputError: the position does not divide by the new number of ranks, labels are missing, or the dictionary is another.
        """
        from fairseq_cli.train import should_stop_early

        state = dict(state_dict)
        theirs = state.get("dictionary", self.dictionary)  # checkpoints before version 0.2 do not say
        if theirs != self.dictionary:
            raise InputError(
                f"the checkpoint was trained with another dictionary (SHA-256 {theirs[:16]}…, that of the data has"
                f" {self.dictionary[:16]}…), its ids mean other pieces: give the data that it was trained on, or a new --save-dir"
            )
        read = state.get("iterations_in_epoch", 0) * state.get("ranks", self.num_shards)
        if read % self.num_shards:
            raise InputError(
                f"the checkpoint stands {read} batches into epoch {state['epoch']}, which {self.num_shards} ranks cannot share"
                f" out: resume with {state['ranks']} ranks, from the end of an epoch, or with --reset-dataloader"
            )
        state["iterations_in_epoch"] = read // self.num_shards
        self._frozen_batches, self._dealt = None, {}
        self.dataset.set_epoch(state["epoch"])
        self.epoch = state["epoch"]
        super().load_state_dict(state)
        vars(should_stop_early).update(state.get("patience", {}))
        if self.em and state.get("em"):
            self.em.load_state_dict(state["em"])
