"""The criterion `pointer_alignment`: weighted sums of masked-language, translation-language and pointer losses."""

import math
from dataclasses import dataclass, field

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from xlm_align_fairseq.alignment.pointer import pointer_loss
from xlm_align_fairseq.encoder.sequences import length_mask, split_sides
from xlm_align_fairseq.errors import InputError

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
        if min(self.weights.values()) < 0 or dwa_weight == tlm_weight == 0:
            raise InputError(f"loss weights {self.weights}: allowed are 0 and more, and DWA or translation LM above 0")

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch that carries its labels."""
        pairs, mono = sample["pairs"], sample.get("mono")
        parts = {"point": self.trains("dwa")}
        if self.trains("tlm"):
            parts |= {"predict": pairs["predict"]}
        if self.trains("mlm") and mono is not None:
            parts |= {"mono": mono["masked"], "mono_predict": mono["predict"]}
        with self.task.autocast():
            output = model(pairs["masked"], pairs["src_lengths"], pairs["tgt_lengths"], **parts)
        losses, log = {}, {}
        if output.forward_logits is not None:
            losses["dwa"], log = self._pointer(output, pairs)
            log["dwa_count"] = log["queries"]
        for name, logits, part in (("tlm", output.tlm_logits, pairs), ("mlm", output.mlm_logits, mono)):
            if logits is not None:
                losses[name] = _language_loss(logits, part["targets"])
                log[f"{name}_count"] = part["targets"].numel()
        loss = sum(self.weights[name] * value for name, value in losses.items())
        sample_size = pairs["targets"].numel() + log.get("mlm_count", 0)
        log |= {f"{name}_loss": value.detach() for name, value in losses.items()}
        log |= {"loss": loss.detach(), "sample_size": sample_size}
        log |= {"ntokens": sample["ntokens"], "nsentences": sample["nsentences"]}
        log |= sample.get("label_statistics", {})
        return loss, sample_size, log

    def trains(self, name):
        """Return whether a loss, `dwa`, `tlm` or `mlm`, has a weight; a loss without weight is not computed."""
        return self.weights[name] > 0

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
        if not total.get("sample_size"):
            metrics.log_scalar("loss", None, 0)  # nothing was measured; without it fairseq counts a loss of -1
        for name in ("dwa", "tlm", "mlm"):
            mean(f"{name}_loss", total.get(f"{name}_loss", 0.0) * BITS_PER_NAT, f"{name}_count")
        mean("pointer_accuracy", total.get("correct", 0.0) * 100, "queries", 2)
        for pair in ("", *sorted(key.removeprefix("pairs") for key in total if key.startswith("pairs_"))):
            mean(f"links_per_pair{pair}", total.get(f"links{pair}", 0.0), f"pairs{pair}", 2)
            mean(f"linked{pair}", total.get(f"linked{pair}", 0.0) * 100, f"pieces{pair}", 1)
            if f"agreement{pair}" in total:  # labels from disk have none
                mean(f"agreement{pair}", total[f"agreement{pair}"] * 100, f"pairs{pair}", 1)

    @staticmethod
    def logging_outputs_can_be_summed():
        return True


def _keys(logging_outputs):
    return {key for log in logging_outputs for key in log}


def _language_loss(logits, targets):
    return F.cross_entropy(logits.float(), targets, reduction="sum")
