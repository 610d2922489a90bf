"""Heads of fine-tuned models, in plain torch, as transformers has them."""

from __future__ import annotations

from torch import Tensor, nn


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
