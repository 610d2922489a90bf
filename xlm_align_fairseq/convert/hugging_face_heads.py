"""The heads of fine-tuned models as transformers names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """Hold the head of a fine-tuned model.

    Args:
        kind: what it gives, `tags`, `classes`, or of `questions` the answers.
        labels: in the order of the rows of its last map; none where it gives none.
        state: its tensors, under the names of `xlm_align_fairseq.transfer.heads`.
    """

    kind: str
    labels: tuple[str, ...]
    state: Mapping[str, Tensor]


ENDINGS = {  # of transformers' classes
    "tags": "ForTokenClassification",
    "classes": "ForSequenceClassification",
    "questions": "ForQuestionAnswering",
}
NAMES = {  # of the parts of a head: ours → theirs
    ("tags", "xlm-roberta"): {"out": "classifier"},
    ("tags", "bert"): {"out": "classifier"},
    ("questions", "xlm-roberta"): {"out": "qa_outputs"},
    ("questions", "bert"): {"out": "qa_outputs"},
    ("classes", "xlm-roberta"): {"dense": "classifier.dense", "out": "classifier.out_proj"},
    ("classes", "bert"): {"dense": "bert.pooler.dense", "out": "classifier"},
}


def settings(head: FineTuned) -> tuple[str, dict[str, Any]]:
    """Return the ending of the class of the model, and what its `config.json` says of labels."""
    names = dict(enumerate(head.labels))
    return ENDINGS[head.kind], {"id2label": names, "label2id": {name: n for n, name in names.items()}} if names else {}


def state(head: FineTuned, architecture: str) -> dict[str, Tensor]:
    """Return the tensors of a head under transformers' names.

    Args:
        head: of a fine-tuned model.
        architecture: `xlm-roberta` or `bert`.
    """
    names = NAMES[head.kind, architecture]
    parts = (key.rpartition(".") for key in head.state)
    return {f"{names[part]}.{tensor}": head.state[f"{part}.{tensor}"] for part, _, tensor in parts}
