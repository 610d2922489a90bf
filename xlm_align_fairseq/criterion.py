"""The criterion `pointer_alignment`: weighted sums of masked-language, translation-language and pointer losses."""

import math
from dataclasses import dataclass, field

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from xlm_align_fairseq.alignment.pointer import pointer_loss
from xlm_align_fairseq.alignment.spans import length_mask, split_sides

BITS_PER_NAT = 1 / math.log(2)  # fairseq logs losses in bits


@dataclass
class PointerAlignmentConfig(FairseqDataclass):
    dwa_weight: float = field(default=1.0, metadata={"help": "weight of denoising word alignment, per query (0 = off)"})
    tlm_weight: float = field(default=1.0, metadata={"help": "weight of translation LM, per masked piece (0 = off)"})
    mlm_weight: float = field(default=1.0, metadata={"help": "weight of monolingual LM, per masked piece (0 = off)"})


@register_criterion("pointer_alignment", dataclass=PointerAlignmentConfig)
class PointerAlignmentCriterion(FairseqCriterion):
    """Loss = Σ weight × float32 sum; the sample size is the number of masked pieces, known from the data alone."""

    def __init__(self, task, dwa_weight, tlm_weight, mlm_weight):
        super().__init__(task)
        self.weights = {"dwa": dwa_weight, "tlm": tlm_weight, "mlm": mlm_weight}

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch that carries its labels."""
        pairs, mono = sample["pairs"], sample.get("mono")
        with self.task.autocast():
            output = model(
                pairs["masked"],
                pairs["predict"],
                pairs["src_lengths"],
                pairs["tgt_lengths"],
                **({} if mono is None else {"mono": mono["masked"], "mono_predict": mono["predict"]}),
            )
        pointer, log = self._pointer(output, pairs)
        losses = {"dwa": pointer, "tlm": _language_loss(output.tlm_logits, pairs["targets"])}
        counts = {"dwa": log["queries"], "tlm": pairs["targets"].numel()}
        if mono is not None:
            losses["mlm"] = _language_loss(output.mlm_logits, mono["targets"])
            counts["mlm"] = mono["targets"].numel()
        loss = sum(self.weights[name] * value for name, value in losses.items())
        sample_size = counts["tlm"] + counts.get("mlm", 0)
        log |= {f"{name}_loss": value.detach() for name, value in losses.items()}
        log |= {f"{name}_count": count for name, count in counts.items()}
        log |= {"loss": loss.detach(), "sample_size": sample_size}
        log |= {"ntokens": sample["ntokens"], "nsentences": sample["nsentences"]}
        log |= sample.get("label_statistics", {})
        return loss, sample_size, log

    @staticmethod
    def _pointer(output, pairs):
        """Both directions: masked source pieces point into the target, masked target pieces into the source."""
        src_queries, tgt_queries = split_sides(pairs["predict"], pairs["src_lengths"], pairs["tgt_lengths"])
        src_mask = length_mask(pairs["src_lengths"], src_queries.size(1))
        tgt_mask = length_mask(pairs["tgt_lengths"], tgt_queries.size(1))
        links = pairs["links"]
        forward = pointer_loss(output.forward_logits, links, src_queries & src_mask, tgt_mask)
        backward = pointer_loss(output.backward_logits, links.transpose(1, 2), tgt_queries & tgt_mask, src_mask)
        log = {"queries": forward.queries + backward.queries, "correct": forward.correct + backward.correct}
        return forward.loss + backward.loss, log

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log means: each loss by its own count, in bits; label statistics per pair or piece."""
        total = {key: float(sum(float(log.get(key, 0)) for log in logging_outputs)) for key in _keys(logging_outputs)}

        def mean(name, value, count, digits=3):
            if total.get(count):
                metrics.log_scalar(name, value / total[count], total[count], round=digits)

        mean("loss", total.get("loss", 0.0) * BITS_PER_NAT, "sample_size")
        for name in ("dwa", "tlm", "mlm"):
            mean(f"{name}_loss", total.get(f"{name}_loss", 0.0) * BITS_PER_NAT, f"{name}_count")
        mean("pointer_accuracy", total.get("correct", 0.0) * 100, "queries", 2)
        mean("links_per_pair", total.get("links", 0.0), "pairs", 2)
        mean("linked", total.get("linked", 0.0) * 100, "pieces", 1)
        if "agreement" in total:  # given labels have none
            mean("agreement", total["agreement"] * 100, "pairs", 1)

    @staticmethod
    def logging_outputs_can_be_summed():
        return True


def _keys(logging_outputs):
    return {key for log in logging_outputs for key in log}


def _language_loss(logits, targets):
    return F.cross_entropy(logits.float(), targets, reduction="sum")
