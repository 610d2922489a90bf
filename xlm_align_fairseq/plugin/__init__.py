"""All modules that import fairseq. Importing this package registers tasks, criterions and the model with fairseq."""

from xlm_align_fairseq.plugin import model
from xlm_align_fairseq.plugin.finetuning import pair_classification, span_extraction, token_labeling
from xlm_align_fairseq.plugin.pretraining import criterion, task

__all__ = ["criterion", "model", "pair_classification", "span_extraction", "task", "token_labeling"]
