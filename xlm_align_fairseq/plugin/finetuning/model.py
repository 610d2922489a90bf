"""The model of fine-tuning: the encoder of `xlm_align` and the head of a task, both inside `forward`."""

import logging

from fairseq.models import BaseFairseqModel
from torch import nn

from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, init_weights

logger = logging.getLogger(__name__)


class FineTunedModel(BaseFairseqModel):
    """An encoder without the heads of pretraining, so that every parameter has a gradient in every update.

    Args:
        config: sizes.
        head: of the task.
    """

    def __init__(self, config: EncoderConfig, head: nn.Module):
        super().__init__()
        self.encoder = Encoder(config)
        self.head = head
        self.apply(init_weights)

    def forward(self, tokens, wanted):
        """Return the head's logits.

        Args:
            tokens: (B, L) int64, right-padded.
            wanted: (B, L) bool, N places whose hidden states the head reads.

        Returns:
            (N, labels).
        """
        return self.head(self.encoder(tokens)[wanted])

    def max_positions(self):
        return self.encoder.config.max_positions

    def upgrade_state_dict_named(self, state_dict, name):
        """Load checkpoints of pretraining: their heads are left aside, the head of the task keeps its initial weights."""
        super().upgrade_state_dict_named(state_dict, name)
        for key in [key for key in state_dict if key.startswith(("lm_head.", "pointer."))]:
            del state_dict[key]
        if not any(key.startswith("head.") for key in state_dict):
            logger.info("the checkpoint has no head of the task: it starts from fresh weights")
            state_dict.update(self.head.state_dict(prefix="head."))
