"""Configuration of the task `token_labeling`: its flags."""

from dataclasses import dataclass, field
from typing import List, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II, MISSING

from xlm_align_fairseq.plugin.pretraining.config import AUTOCAST


@dataclass
class TokenLabelingConfig(FairseqDataclass):
    data: str = field(
        default=MISSING,
        metadata={"help": "training text: a word, a tab and its tag in each line, a blank line between sentences"},
    )
    valid_data: Optional[str] = field(
        default=None, metadata={"help": "the same for validation: the development text of the language of training"}
    )
    cold_start: Optional[str] = field(
        default=None, metadata={"help": "directory of a converted or trained encoder: weights, dictionary, sentencepiece model"}
    )
    window: int = field(
        default=128,
        metadata={
            "help": "longest sequence in pieces, <s> and </s> included; a longer sentence is read in half-overlapping windows,"
            " each word is judged where it has most context"
        },
    )
    autocast: ChoiceEnum(list(AUTOCAST)) = field(  # type: ignore[valid-type]
        default="none", metadata={"help": "compute in half precision, weights and losses stay float32; CPU and GPU"}
    )
    # what other parts of the configuration say
    seed: int = II("common.seed")
    save_dir: str = II("checkpoint.save_dir")
    restore_file: str = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    cpu: bool = II("common.cpu")
    update_freq: List[int] = II("optimization.update_freq")  # noqa: UP006
    # read by fairseq's get_batch_iterator: every epoch has other batches, and no worker may keep those of an earlier one
    rebuild_batches: bool = True
    reuse_dataloader: bool = False
    persistent_workers: bool = False
