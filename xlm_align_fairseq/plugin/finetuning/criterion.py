"""Criterions of fine-tuning; of labels: cross-entropy of the label of each word, or of each pair."""

from dataclasses import dataclass

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from xlm_align_fairseq.plugin.base_criterion import log_loss, total
from xlm_align_fairseq.plugin.finetuning.dataset import NO_LABEL


@dataclass
class FineTuningCriterionConfig(FairseqDataclass):
    pass


class FineTuningCriterion(FairseqCriterion):
    @staticmethod
    def logging_outputs_can_be_summed():
        return True


class LabelCriterion(FineTuningCriterion):
    """Loss = float32 sum over the labels that the model knows; the sample size is their number."""

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch."""
        wanted = sample["targets"] != NO_LABEL
        with self.task.autocast():
            logits = model(sample["tokens"], wanted)
        targets = sample["targets"][wanted]  # (N,)
        known = targets < logits.size(-1)
        loss = F.cross_entropy(logits.float()[known], targets[known], reduction="sum")
        predicted, sample_size = logits.argmax(-1), int(known.sum())
        log = {
            "loss": loss.detach(),
            "correct": (predicted == targets).sum(),
            "labels": targets.numel(),  # one that the model does not know is never found
            "sample_size": sample_size,
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
        }
        if not model.training:
            log |= self.counts(predicted, wanted, sample)
        return loss, sample_size, log

    def counts(self, predicted, wanted, sample):
        """Return what else validation logs.

        Args:
            predicted: (N,) numbers of labels.
            wanted: (B, L) bool, the N places that have one.
            sample: the batch.
        """
        return {}

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log the loss, in bits a label, and the share of labels that are right, in percent."""
        log_loss(logging_outputs)
        if labels := total(logging_outputs, "labels"):
            metrics.log_scalar("accuracy", total(logging_outputs, "correct") / labels * 100, labels, round=2)
