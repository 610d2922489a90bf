"""The criterion `token_labeling`: cross-entropy of the tag of each word, at its first piece."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from xlm_align_fairseq.plugin.finetuning.dataset import NO_PIECE

BITS_PER_NAT = 1 / math.log(2)  # fairseq logs losses in bits


@dataclass
class TokenLabelingCriterionConfig(FairseqDataclass):
    pass


@register_criterion("token_labeling", dataclass=TokenLabelingCriterionConfig)
class TokenLabelingCriterion(FairseqCriterion):
    """Loss = float32 sum over words; the sample size is the number of words whose tag the model knows."""

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch."""
        wanted = sample["targets"] != NO_PIECE
        with self.task.autocast():
            logits = model(sample["tokens"], wanted)
        targets = sample["targets"][wanted]  # (N,)
        known = targets >= 0
        loss = F.cross_entropy(logits.float()[known], targets[known], reduction="sum")
        sample_size = int(known.sum())
        log = {
            "loss": loss.detach(),
            "correct": (logits.argmax(-1) == targets).sum(),
            "words": targets.numel(),  # a tag that the model does not know is never found
            "sample_size": sample_size,
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
        }
        return loss, sample_size, log

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log the loss, in bits a word, and the share of words whose tag is right, in percent."""

        def total(key):
            return float(sum(float(log.get(key, 0)) for log in logging_outputs))

        if total("sample_size"):
            metrics.log_scalar("loss", total("loss") / total("sample_size") * BITS_PER_NAT, total("sample_size"), round=3)
        else:
            metrics.log_scalar("loss", None, 0)  # nothing was measured; without it fairseq counts a loss of -1
        if total("words"):
            metrics.log_scalar("accuracy", total("correct") / total("words") * 100, total("words"), round=2)

    @staticmethod
    def logging_outputs_can_be_summed():
        return True
