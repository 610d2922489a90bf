"""All that imports fairseq. Importing this room registers the task, the criterion and the model with it."""

from xlm_align_fairseq.plugin import model
from xlm_align_fairseq.plugin.pretraining import criterion, task

__all__ = ["criterion", "model", "task"]
