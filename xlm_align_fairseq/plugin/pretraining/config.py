"""Configuration of the task `denoising_word_alignment`: its flags, and checks of their combinations."""

from dataclasses import dataclass, field, make_dataclass
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum
from omegaconf import II, MISSING

from xlm_align_fairseq.alignment.config import METHOD_HELP, OPTIONS, given
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.em.em import Schedule
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.base_config import BaseConfig, plain


def _aligner_flags():
    """Yield name, type and field of every flag of the E-step's aligner."""
    yield "label_method", Optional[ChoiceEnum(list(METHODS))], field(default=None, metadata={"help": METHOD_HELP})
    for option in OPTIONS.values():
        if option.flag and option.trains:
            kind = ChoiceEnum(list(option.choices)) if option.choices else option.kind
            metadata = {"help": f"{option.help} (default: that of the cold start)"}
            yield option.flag, Optional[kind], field(default=None, metadata=metadata)


AlignerFlags: Any = make_dataclass("AlignerFlags", _aligner_flags(), bases=(BaseConfig,), namespace={"__module__": __name__})


@dataclass
class DenoisingWordAlignmentConfig(AlignerFlags):
    data: str = field(default=MISSING, metadata={"help": "directory of binarised bitext"})
    lang_pairs: Optional[str] = field(
        default=None, metadata={"help": "language pairs, such as de-en,fr-en (default: all that the directory holds)"}
    )
    cold_start: Optional[str] = field(
        default=None, metadata={"help": "directory of a converted encoder: weights, dictionary, aligner configuration"}
    )
    # EM
    label_schedule: str = field(
        default="online",
        metadata={
            "help": "when the E-step labels: online = every batch with the weights of that moment; updates:N or epochs:N = the"
            " coming N updates or epochs with frozen weights; fixed = never, --initial-labels are all there is"
        },
    )
    label_scope: ChoiceEnum(["stretch", "corpus"]) = field(  # type: ignore[valid-type]
        default="stretch", metadata={"help": "what a periodic pass labels: what is read until the next one, or everything"}
    )
    label_teacher: ChoiceEnum(["live", "ema"]) = field(  # type: ignore[valid-type]
        default="live",
        metadata={"help": "whose weights label: those in training, or their moving average (needs --store-ema; --ema-decay)"},
    )
    label_tokens: int = field(default=8192, metadata={"help": "pieces of a batch in a periodic pass, padding included"})
    initial_labels: Optional[str] = field(
        default=None,
        metadata={
            "help": "directory of the labels of EM iteration 0, as train.align.SRC-TGT.{bin,idx}; for fixed the data directory by"
            " default"
        },
    )
    takeover_aer: Optional[float] = field(
        default=None,
        metadata={
            "help": "keep the initial labels until the mean AER on --valid-gold, in percent, is below this; then self-labels take"
            " over (default: after the first stretch)"
        },
    )
    evidence: Optional[str] = field(
        default=None,
        metadata={
            "help": "what `xlm-align bootstrap --save` learned on a corpus takes part in the labels: one directory, or those of"
            " language pairs, such as de-en=DIR,fr-en=DIR2 (--evidence-weight)"
        },
    )
    # the stream
    sampling_exponent: float = field(
        default=0.7, metadata={"help": "language pairs are drawn by their size to this power; 1 = by size, 0 = evenly"}
    )
    one_order: bool = field(default=False, metadata={"help": "read pairs as source-target only, not in both orders"})
    mask_prob: float = field(default=0.15, metadata={"help": "share of the pieces to predict"})
    leave_unmasked_prob: float = field(default=0.1, metadata={"help": "share of those that stay as they are"})
    random_token_prob: float = field(default=0.1, metadata={"help": "share of those that become a random piece"})
    mono: Optional[str] = field(
        default=None, metadata={"help": "directory of monolingual blocks made by `xlm-align binarize --mono`"}
    )
    mono_tokens: int = field(default=2048, metadata={"help": "monolingual pieces beside each batch of pairs (with --mono)"})
    valid_gold: Optional[str] = field(
        default=None,
        metadata={"help": "gold sets for AER on validation: SOURCE,TARGET,GOLD files; several separated by ';'"},
    )
    freeze_embeddings: bool = field(
        default=False,
        metadata={"help": "train the layers alone: the embeddings of pieces and positions, and their norm, stay as they are"},
    )
    # what other parts of the configuration say
    max_positions: int = II("oc.select:model.max_positions,512")  # fairseq-validate has no model here, but in the checkpoint
    store_ema: bool = II("ema.store_ema")


def aligner_changes(cfg):
    """Return what the flags change in the aligner configuration, as `AlignerConfig.replace` takes it."""
    return {name: plain(value) for name, value in given(cfg, "label_method").items()}


def check_flags(cfg):
    """Refuse flags that contradict each other, and launches that would train something else than the flags say."""
    schedule = Schedule.parse(cfg.label_schedule)
    if cfg.initial_labels and schedule.unit == "online":
        raise InputError("--initial-labels: --label-schedule online makes its own; give fixed, updates:N or epochs:N")
    if cfg.evidence and schedule.unit == "fixed":
        raise InputError("--evidence: --label-schedule fixed makes no labels; give online, updates:N or epochs:N")
    if cfg.takeover_aer is not None and not (cfg.initial_labels and schedule.periodic and cfg.valid_gold):
        raise InputError("--takeover-aer needs --initial-labels, --valid-gold and --label-schedule updates:N or epochs:N")
    if plain(cfg.label_teacher) == "ema" and not cfg.store_ema:
        raise InputError("--label-teacher ema needs --store-ema, which keeps the moving average (see --ema-decay)")
    if cfg.label_tokens < 1:
        raise InputError(f"--label-tokens {cfg.label_tokens}: allowed are 1 and more pieces")
    if not 0 < cfg.mask_prob <= 1:
        raise InputError(f"--mask-prob {cfg.mask_prob}: allowed is above 0 and up to 1; without masked pieces there is no loss")
    shares = (cfg.leave_unmasked_prob, cfg.random_token_prob)
    if not (min(shares) >= 0 and sum(shares) <= 1):
        raise InputError(
            f"--leave-unmasked-prob {shares[0]}, --random-token-prob {shares[1]}: allowed are shares from 0 that make 1 at most"
        )
