"""All modules that import fairseq. Importing this package registers tasks, criterions and the model with fairseq."""

from xlm_align_fairseq.plugin import model
from xlm_align_fairseq.plugin.finetuning import criterion as finetuning_criterion
from xlm_align_fairseq.plugin.finetuning import task as finetuning_task
from xlm_align_fairseq.plugin.pretraining import criterion, task

__all__ = ["criterion", "finetuning_criterion", "finetuning_task", "model", "task"]
