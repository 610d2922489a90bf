"""Heads of fine-tuned models, in plain torch, as transformers has them."""

from __future__ import annotations

from torch import Tensor, nn

from xlm_align_fairseq.transfer.settings import ClassSettings, Settings, TagSettings


class TagHead(nn.Module):
    """Dropout, then a linear map to the tags: the head of `XLMRobertaForTokenClassification` and `BertForTokenClassification`.

    Args:
        width: of the hidden states.
        n_tags: number of tags.
        dropout: probability in training mode.
    """

    def __init__(self, width: int, n_tags: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, n_tags)

    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states (N, C) to logits (N, tags)."""
        return self.out(self.dropout(x))


class ClassHead(nn.Module):
    """Dropout, dense, tanh, dropout, linear, on the state of `<s>`: the head of `XLMRobertaForSequenceClassification`.

    Without dropout it is pooler and classifier of `BertForSequenceClassification`, too.

    Args:
        width: of the hidden states.
        n_classes: number of classes.
        dropout: probability in training mode.
    """

    def __init__(self, width: int, n_classes: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.out = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states of `<s>` (N, C) to logits (N, classes)."""
        return self.out(self.dropout(self.dense(self.dropout(x)).tanh()))


class SpanHead(nn.Module):
    """A linear map to two logits, whether an answer starts or ends there: the head of `XLMRobertaForQuestionAnswering`.

    `BertForQuestionAnswering` has the same, and neither has dropout before it.

    Args:
        width: of the hidden states.
    """

    def __init__(self, width: int):
        super().__init__()
        self.out = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states (…, C) to logits (…, 2) of start and end."""
        return self.out(x)


def make_head(settings: Settings, width: int, dropout: float = 0.0) -> TagHead | ClassHead | SpanHead:
    """Return the head, with fresh weights, of a run with these settings.

    Args:
        settings: of the run.
        width: of the encoder's hidden states.
        dropout: probability in training mode.
    """
    if isinstance(settings, TagSettings):
        return TagHead(width, len(settings.labels), dropout)
    if isinstance(settings, ClassSettings):
        return ClassHead(width, len(settings.labels), dropout)
    return SpanHead(width)
