"""EM iterations: select the labels of each update, and run the labelling pass that makes the next ones.

An EM iteration is one labelling pass (E-step) and the stretch of updates that train on its labels. Iteration 0 has labels from
elsewhere; the first self-labelled one is 1. Each iteration keeps its labels in `LABELS/em_iter_NNNN`, for inspection, for other
tools, and for resuming.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.label_statistics import summary
from xlm_align_fairseq.bitext.labels import LabelStore, LabelWriter, ids_hash, read_manifest
from xlm_align_fairseq.em.evidence import CorpusEvidence
from xlm_align_fairseq.em.label_pass import label_corpus, labeler, origin
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.ranks import all_agree, rank_and_size

logger = logging.getLogger(__name__)

SPLIT = "train"


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When labels are recomputed: `online` for every batch, `fixed` never, else every `every` updates or epochs (a stretch)."""

    unit: str
    every: int = 0

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read `online`, `fixed`, `updates:N` or `epochs:N`.

        Raises:
            InputError: it is something else.
        """
        if text in ("online", "fixed"):
            return cls(text)
        match = re.fullmatch(r"(updates|epochs):([1-9][0-9]*)", text)
        if not match:
            raise InputError(f"--label-schedule {text}: allowed are online, fixed, updates:N and epochs:N, N from 1")
        return cls(match[1], int(match[2]))

    @property
    def periodic(self) -> bool:
        """Whether labelling passes are repeated during training."""
        return self.every > 0

    def stretch(self, epoch: int, update: int) -> int:
        """Return the number of the stretch of an update, from 0; labels are recomputed when it changes."""
        if not self.periodic:
            return 0
        return update // self.every if self.unit == "updates" else (epoch - 1) // self.every


@dataclasses.dataclass
class EM:
    """The labels of a training run, kept on disk.

    Args:
        schedule: periodic or fixed.
        corpus: what is trained on.
        labels: directory of the iterations.
        config: how links are made.
        initial: directory of the labels of iteration 0, if there are any.
        takeover_aer: iteration 0 is used until the AER on validation, in percent, is below this; None: for one stretch.
        whole_corpus: label the whole corpus in each pass, not only what the next stretch reads.
        batch_tokens: pieces of a label batch.
        autocast: dtype to label in.
        evidence: that has a part in the labels.
    """

    schedule: Schedule
    corpus: Corpus
    labels: Path
    config: AlignerConfig
    initial: Path | None = None
    takeover_aer: float | None = None
    whole_corpus: bool = False
    batch_tokens: int = 8192
    autocast: torch.dtype | None = None
    evidence: CorpusEvidence | None = None

    def __post_init__(self) -> None:
        if self.schedule.periodic and self.initial is not None and self.initial.resolve().parent == self.labels.resolve():
            raise InputError(
                f"--initial-labels {self.initial}: allowed are labels outside {self.labels}, where those of this training replace"
                " them; copy the directory to another place, or give another --save-dir"
            )
        self.em_iter = 0
        self.stretch = -1
        self.taken_over = False
        self.store: LabelStore | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint: plain numbers and text."""
        digest = self.store.digest if self.store else ""
        return {"em_iter": self.em_iter, "stretch": self.stretch, "taken_over": self.taken_over, "digest": digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the EM iteration of a checkpoint.

        Raises:
            InputError: its labels are missing or have changed.
        """
        self.em_iter, self.stretch, self.taken_over = state["em_iter"], state["stretch"], state["taken_over"]
        if not state["digest"]:
            return
        directory = self._directory(self.em_iter)
        if directory is None:
            raise InputError(
                "the checkpoint trains on given labels of iteration 0: give its --initial-labels again, or begin anew with"
                " --reset-dataloader"
            )
        try:
            self.store = LabelStore(directory, SPLIT, self.corpus)
        except InputError as error:
            raise InputError(f"the checkpoint needs the labels of iteration {self.em_iter}: {error}") from error
        if self.store.digest != state["digest"]:
            raise InputError(
                f"{directory}: not the labels that the checkpoint was trained on (SHA-256 {self.store.digest[:16]}…, it wants"
                f" {state['digest'][:16]}…): resume from an earlier checkpoint, or give --reset-dataloader to begin anew"
            )

    def _directory(self, em_iter: int) -> Path | None:
        return self.labels / f"em_iter_{em_iter:04d}" if em_iter else self.initial

    @property
    def waiting(self) -> bool:
        """Whether the labels of iteration 0 are still used."""
        if self.initial is None or self.em_iter > 0:
            return False
        if self.takeover_aer is not None:
            return not self.taken_over
        return not self.schedule.periodic or self.store is None

    def judge(self, aer: float) -> None:
        """Process the mean AER of a validation, in percent: below `takeover_aer`, self-labels start at the next stretch."""
        if self.takeover_aer is not None and not self.taken_over and aer < self.takeover_aer:
            self.taken_over = True
            logger.info(f"AER {aer:.2f} is below {self.takeover_aer}: self-labels take over at the next stretch")

    def advance(self, epoch: int, update: int, coming: Callable[[], np.ndarray], teacher: EncoderAndPointer) -> None:
        """Make the labels of this stretch if it has none yet; every rank calls it before every update.

        Args:
            epoch, update: current position of training.
            coming: returns the ids that the stretch reads.
            teacher: the weights that label.
        """
        stretch = self.schedule.stretch(epoch, update)
        if self.store is not None and stretch == self.stretch:
            return
        self.stretch = stretch
        if self.waiting:
            if self.store is None:
                assert self.initial is not None
                self.store = LabelStore(self.initial, SPLIT, self.corpus)
            return
        usable = self.corpus.usable
        ids = np.flatnonzero(usable) if self.whole_corpus else coming()
        training = teacher.encoder.training
        self._make(self.em_iter + 1, update, ids, teacher)
        teacher.encoder.train(training)

    def _make(self, em_iter: int, update: int, ids: np.ndarray, teacher: EncoderAndPointer) -> None:
        directory = self._directory(em_iter)
        assert directory is not None
        provenance = {
            "em_iter": em_iter,
            "update": update,
            **origin(teacher, self.config, self.autocast, self.batch_tokens, self.evidence),
            "ids": ids_hash(ids),
        }
        previous = self.store
        if not all_agree(self._is_there(directory, provenance)):
            writes = rank_and_size()[0] == 0
            if writes:
                shutil.rmtree(directory, ignore_errors=True)
            passing = label_corpus(
                labeler(teacher, self.config, self.autocast),
                self.corpus,
                ids,
                self.batch_tokens,
                f"labels of EM iteration {em_iter}",
                self.evidence,
            )
            if writes:
                with LabelWriter(directory, SPLIT, self.corpus, provenance, previous) as writer:
                    for slab, links in passing:
                        writer.add(slab, links)
            else:
                for _ in passing:
                    pass
            all_agree(True)  # a barrier: rank 0 gets here when the files are complete
        try:
            self.store = LabelStore(directory, SPLIT, self.corpus)
        except InputError as error:
            if rank_and_size()[0]:
                error.args = (f"{error} (is --save-dir on a disk that all machines share? rank 0 writes the labels there)",)
            raise
        self.em_iter = em_iter
        for line in self.evidence.strangers() if self.evidence else ():
            logger.warning(line)
        for line in summary(self.store.manifest):
            logger.info(line)

    @staticmethod
    def _is_there(directory: Path, provenance: dict[str, Any]) -> bool:
        """Return whether labels with this provenance exist, from before the run was stopped."""
        try:
            manifest = read_manifest(directory, SPLIT)
        except InputError:
            return False
        return bool(manifest) and all(manifest.get(key) == value for key, value in json.loads(json.dumps(provenance)).items())
