"""All modules that import fairseq. Importing this package registers the task, the criterion and the model with fairseq."""

from xlm_align_fairseq.plugin import model
from xlm_align_fairseq.plugin.pretraining import criterion, task

__all__ = ["criterion", "model", "task"]
