from .em import EM, Schedule
from .evidence import CorpusEvidence
from .label_pass import label_corpus, labeler, write_labels
from .labeling import label
from .shards import merge_shards, shard_ids

__all__ = [
    "EM",
    "CorpusEvidence",
    "Schedule",
    "label",
    "label_corpus",
    "labeler",
    "merge_shards",
    "shard_ids",
    "write_labels",
]
