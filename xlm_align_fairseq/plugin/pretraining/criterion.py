"""The criterion `pointer_alignment`: weighted sums of language-model, pointer, similarity, contrast and consistency losses."""

import math
from dataclasses import dataclass, field
from typing import Any, Optional

import torch.nn.functional as F
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics

from xlm_align_fairseq.alignment.objectives import consistency_loss, contrast_loss, sentence_similarities, similarity_loss
from xlm_align_fairseq.alignment.pointer import linked_and_null
from xlm_align_fairseq.em.labeling import pair_batch, swap_sides
from xlm_align_fairseq.encoder.sequences import length_mask, split_sides
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.base_criterion import BITS_PER_NAT, log_loss

LOSSES = ("dwa", "null", "tlm", "mlm", "similarity", "contrast", "consistency")
OF_STATES = ("similarity", "contrast", "consistency")
SIMILARITY_TEMPERATURE, CONTRAST_TEMPERATURE = 0.1, 0.03


@dataclass
class PointerAlignmentConfig(FairseqDataclass):
    dwa_weight: float = field(default=1.0, metadata={"help": "weight of denoising word alignment, per query (0 = off)"})
    dwa_queries: ChoiceEnum(["masked", "linked"]) = field(  # type: ignore[valid-type]
        default="masked",
        metadata={
            "help": "which pieces point to what they are linked to: those that are masked, as published, or all with links"
        },
    )
    null_weight: float = field(
        default=0.0,
        metadata={"help": "weight of pieces without links, per piece: they point to the special before the other side (0 = off)"},
    )
    tlm_weight: float = field(default=1.0, metadata={"help": "weight of translation LM, per masked piece (0 = off)"})
    mlm_weight: float = field(default=1.0, metadata={"help": "weight of monolingual LM, per masked piece (0 = off)"})
    similarity_weight: float = field(
        default=0.0, metadata={"help": "weight of the softmax over cosines of hidden states, per linked piece (0 = off)"}
    )
    similarity_layer: Optional[int] = field(
        default=None,
        metadata={"help": "layer of the similarity, contrast and consistency losses, 1..n (default: --align-layer)"},
    )
    similarity_temperature: Optional[float] = field(
        default=None,
        metadata={"help": f"divides the cosine in the similarity and consistency losses (default: {SIMILARITY_TEMPERATURE})"},
    )
    contrast_weight: float = field(
        default=0.0,
        metadata={
            "help": "weight of telling each sentence's translation from the others of the batch, that of one rank and one step of"
            " --update-freq; a pair counts once for each of its pieces (0 = off)"
        },
    )
    contrast_temperature: Optional[float] = field(
        default=None, metadata={"help": f"divides the similarity of sentences in the contrast (default: {CONTRAST_TEMPERATURE})"}
    )
    consistency_weight: float = field(
        default=0.0,
        metadata={"help": "weight of both directions' agreement; a pair counts once for each of its pieces (0 = off)"},
    )


@register_criterion("pointer_alignment", dataclass=PointerAlignmentConfig)
class PointerAlignmentCriterion(FairseqCriterion):
    """Loss = Σ weight × float32 sum; the sample size is the number of pieces that ask, known from the data alone.

    Those are the masked pieces, or, with `--dwa-queries linked` and without a loss of masked pieces, all pieces of the pairs.
    """

    def __init__(
        self,
        task,
        dwa_weight,
        dwa_queries,
        null_weight,
        tlm_weight,
        mlm_weight,
        similarity_weight,
        similarity_layer,
        similarity_temperature,
        contrast_weight,
        contrast_temperature,
        consistency_weight,
    ):
        super().__init__(task)
        weights = (dwa_weight, null_weight, tlm_weight, mlm_weight, similarity_weight, contrast_weight, consistency_weight)
        self.weights = dict(zip(LOSSES, weights, strict=True))
        if min(weights) < 0 or not any(self.trains(name) for name in ("dwa", "tlm", *OF_STATES)):
            raise InputError(f"loss weights {self.weights}: allowed are 0 and more, and one of pairs (not null, not mlm) above 0")
        if null_weight and not dwa_weight:
            raise InputError(f"--null-weight {null_weight}: changes nothing with --dwa-weight 0; leave it out, or weigh DWA")
        self.all_query = getattr(dwa_queries, "value", dwa_queries) == "linked"
        if self.all_query and not dwa_weight:
            raise InputError("--dwa-queries linked: changes nothing with --dwa-weight 0; leave it out, or weigh DWA")
        self.similarity_temperature = self._temperature(
            "similarity", similarity_temperature, SIMILARITY_TEMPERATURE, ("similarity", "consistency")
        )
        self.contrast_temperature = self._temperature("contrast", contrast_temperature, CONTRAST_TEMPERATURE, ("contrast",))
        self.states_layer = None
        if any(self.trains(name) for name in OF_STATES):
            self.states_layer = task.aligner_config.align_layer if similarity_layer is None else similarity_layer
        elif similarity_layer is not None:
            raise InputError(
                f"--similarity-layer {similarity_layer}: changes nothing without --similarity-weight, --contrast-weight or"
                " --consistency-weight; leave it out"
            )

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch that carries its labels."""
        pairs, mono = sample["pairs"], sample.get("mono")
        parts = {"point": self.trains("dwa"), "null": self.trains("null")}
        if self.trains("tlm"):
            parts |= {"predict": pairs["predict"]}
        if self.trains("mlm") and mono is not None:
            parts |= {"mono": mono["masked"], "mono_predict": mono["predict"]}
        parts |= {"states_layer": self.states_layer, "late_layer": self.task.late_layer}
        with self.task.autocast():
            output = model(pairs["masked"], pairs["src_lengths"], pairs["tgt_lengths"], **parts)
        losses, log = {}, {}
        if output.forward_logits is not None:
            losses, log = self._pointer(output, pairs)
        for name, logits, part in (("tlm", output.tlm_logits, pairs), ("mlm", output.mlm_logits, mono)):
            if logits is not None:
                losses[name] = _language_loss(logits, part["targets"])
                log[f"{name}_count"] = part["targets"].numel()
        if output.states is not None:
            more, counts = self._of_states(output.states, pairs)
            losses |= more
            log |= counts
        loss = sum(self.weights[name] * value for name, value in losses.items())
        sample_size = self._pieces(pairs) if self.asks_all else pairs["targets"].numel()
        sample_size += log.get("mlm_count", 0)
        log |= {f"{name}_loss": value.detach() for name, value in losses.items()}
        log |= {"loss": loss.detach(), "sample_size": sample_size}
        log |= {"ntokens": sample["ntokens"], "nsentences": sample["nsentences"]}
        log |= sample.get("label_statistics", {})
        return loss, sample_size, log

    def _temperature(self, name, value, default, losses):
        """Return the temperature that was given, or the default; refuse one that cannot be, or that no loss reads."""
        if value is None:
            return default
        if not 0 < value < math.inf:
            raise InputError(f"--{name}-temperature {value}: allowed is a number above 0")
        if not any(self.trains(loss) for loss in losses):
            flags = " or ".join(f"--{loss}-weight" for loss in losses)
            raise InputError(f"--{name}-temperature {value}: changes nothing without {flags}; leave it out")
        return value

    def trains(self, name):
        """Return whether a loss, one of `LOSSES`, has a weight; a loss without weight is not computed."""
        return self.weights[name] > 0

    def freeze(self, model, mono, embeddings):
        """Freeze the heads and the layers that no loss reads, and, if it is asked for, the embeddings.

        Args:
            model: that is trained.
            mono: whether there is monolingual text.
            embeddings: whether they stay as they are.
        """
        layers, languages = len(model.encoder.layers), self.trains("tlm") or (self.trains("mlm") and mono)
        if self.states_layer is not None and not 1 <= self.states_layer <= layers:
            raise InputError(f"--similarity-layer {self.states_layer}: this encoder has layers 1..{layers}")
        model.freeze_heads(lm_head=not languages, pointer=not self.trains("dwa"))
        if not languages and not self.trains("dwa"):
            model.freeze_above(self.states_layer)
        if embeddings:  # last: the LM head has its table, too
            model.freeze_embeddings()

    @property
    def needs_labels(self):
        """Whether a loss is of the links."""
        return self.trains("dwa") or self.trains("similarity")

    @property
    def asks_all(self):
        """Whether every piece asks, not the masked ones alone."""
        return not self.trains("tlm") and (self.all_query or not self.trains("dwa"))

    @staticmethod
    def _pieces(pairs):
        return int((pairs["src_lengths"] + pairs["tgt_lengths"]).sum())

    def _pointer(self, output, pairs):
        """Both directions: source pieces point into the target, target pieces into the source."""
        predict = split_sides(pairs["predict"], pairs["src_lengths"], pairs["tgt_lengths"])
        exist = [length_mask(pairs[key], side.size(1)) for key, side in zip(("src_lengths", "tgt_lengths"), predict, strict=True)]
        queries = exist if self.all_query else [side & there for side, there in zip(predict, exist, strict=True)]
        directions = (
            (output.forward_logits, pairs["links"], queries[0], exist[1]),
            (output.backward_logits, pairs["links"].transpose(1, 2), queries[1], exist[0]),
        )
        found = [linked_and_null(*direction, null=self.trains("null")) for direction in directions]
        total, of_null = (one + another for one, another in zip(*found, strict=True))
        log = {"queries": total.queries, "correct": total.correct, "dwa_count": total.queries}
        if not self.trains("null"):
            return {"dwa": total.loss}, log
        log |= {"null_count": of_null.queries, "null_correct": of_null.correct}
        return {"dwa": total.loss, "null": of_null.loss}, log

    def _of_states(self, states, pairs):
        """Losses of the states that links are read from; what is compared is not a lone mark, of which no link is made."""
        sides = pair_batch(pairs)
        states = swap_sides(states, pairs["swapped"])  # every source of one language pair in one language
        exist = sides.side_masks(without=self.task.marks)
        states = [side[:, : there.size(1)] for side, there in zip(states, exist, strict=True)]
        mask = sides.cell_mask(without=self.task.marks)
        lengths = sides.src_lengths + sides.tgt_lengths
        losses: dict[str, Any] = {}
        log: dict[str, Any] = {}
        if self.trains("similarity"):
            found = similarity_loss(states, pairs["stored_links"], mask, self.similarity_temperature)
            losses["similarity"], log["similarity_count"], log["similarity_correct"] = found
        if self.trains("contrast"):
            loss, correct = contrast_loss(sentence_similarities(states[0], states[1], *exist), self.contrast_temperature)
            losses["contrast"], log["contrast_count"] = (loss * lengths).sum(), lengths.sum()
            log["contrast_pairs"], log["contrast_correct"] = len(correct), correct.sum()
        if self.trains("consistency"):
            losses["consistency"] = (consistency_loss(states, mask, self.similarity_temperature) * lengths).sum()
            log["consistency_count"] = lengths.sum()
        return losses, log

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log means: each loss by its own count, in bits (consistency is none); label statistics per pair or piece."""
        total = {key: float(sum(float(log.get(key, 0)) for log in logging_outputs)) for key in _keys(logging_outputs)}

        def mean(name, value, count, digits=3):
            if total.get(count):
                metrics.log_scalar(name, value / total[count], total[count], round=digits)

        log_loss(logging_outputs)
        for name in LOSSES:
            unit = 1 if name == "consistency" else BITS_PER_NAT
            mean(f"{name}_loss", total.get(f"{name}_loss", 0.0) * unit, f"{name}_count")
        for name, correct, count in (
            ("pointer", "correct", "queries"),
            ("null", "null_correct", "null_count"),
            ("similarity", "similarity_correct", "similarity_count"),
            ("contrast", "contrast_correct", "contrast_pairs"),
        ):
            mean(f"{name}_accuracy", total.get(correct, 0.0) * 100, count, 2)
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
