"""What the configurations of all tasks share: precision, and what other parts of fairseq's configuration say."""

from dataclasses import dataclass, field
from typing import List, Optional

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II

AUTOCAST = {"none": None, "bfloat16": torch.bfloat16}  # float16 needs a loss scale: fairseq's --fp16 and --amp have it


@dataclass
class BaseConfig(FairseqDataclass):
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


def plain(value):
    """Return the value of a choice, which fairseq passes either as an enumeration or as a string."""
    return value.value if hasattr(value, "value") else str(value) if isinstance(value, str) else value
