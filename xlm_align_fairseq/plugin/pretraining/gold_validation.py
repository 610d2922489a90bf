"""Measure AER on gold sets during training, for the trained weights and for the weights that label."""

from __future__ import annotations

import logging
from statistics import fmean

import torch

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold_set import GoldSet, read_gold_sets
from xlm_align_fairseq.links.metrics import Counts
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.system.device import default_batch_tokens

logger = logging.getLogger(__name__)


class GoldValidation:
    """Align gold sets with the current weights and keep the latest AER, in percent.

    Args:
        gold_sets: what is aligned.
        pieces: splits their words.
        config: how links are read.
        autocast: type in which the encoder computes; None = that of its weights.
    """

    def __init__(self, gold_sets: list[GoldSet], pieces: PieceEncoder, config: AlignerConfig, autocast: torch.dtype | None):
        self.gold_sets, self.pieces, self.config, self.autocast = gold_sets, pieces, config, autocast
        self.aer: dict[str, float] = {}
        self.teacher_aer: float | None = None

    @classmethod
    def from_flags(cls, specs: str | None, model: Model | None, config: AlignerConfig, autocast: torch.dtype | None):
        """Read the gold sets that `--valid-gold` names; None where it names none.

        Args:
            specs: the flag.
            model: the model that training starts from; its sentencepiece model splits words.
            config, autocast: of the class.

        Raises:
            InputError: a gold set cannot be read, or there is no sentencepiece model to split words with.
        """
        gold_sets = read_gold_sets(filter(None, (specs or "").split(";")))
        if not gold_sets:
            return None
        for warning in (warning for gold_set in gold_sets for warning in gold_set.warnings):
            logger.warning(warning)
        if model is None:
            raise InputError("--valid-gold needs a sentencepiece model: give --cold-start a directory that has one")
        return cls(gold_sets, PieceEncoder(model.sentencepiece, model.vocabulary), config, autocast)

    def run(self, model: EncoderAndPointer, teacher: EncoderAndPointer | None) -> float:
        """Measure the AER of the model and, if given, of the teacher; return the mean AER of the weights that label."""
        self.aer = self._measure(model)
        if teacher is None:
            return fmean(self.aer.values())
        self.teacher_aer = fmean(self._measure(teacher).values())
        return self.teacher_aer

    def _measure(self, teacher: EncoderAndPointer) -> dict[str, float]:
        batch_tokens = default_batch_tokens(teacher.encoder.device)
        aligner = Aligner(teacher.encoder, self.pieces, self.config, teacher.pointer, batch_tokens, self.autocast)
        return {gold_set.name: 100 * sum(aligner.score(gold_set), Counts()).aer for gold_set in self.gold_sets}

    def scalars(self) -> dict[str, float]:
        """Return what the log shows: `aer` (the mean), `teacher_aer` where other weights label, `aer_NAME` of each gold set."""
        if not self.aer:
            return {}
        shown = {"aer": fmean(self.aer.values())}
        if self.teacher_aer is not None:
            shown["teacher_aer"] = self.teacher_aer
        return shown | {f"aer_{name}": value for name, value in self.aer.items()}
