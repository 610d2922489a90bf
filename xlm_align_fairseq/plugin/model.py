"""The fairseq model `xlm_align`: XLM-R encoder, LM head and pointer head, all inside `forward`."""

import logging
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from xlm_align_fairseq.encoder.network import ARCHITECTURES, FLAGS, Encoder, EncoderConfig, LMHead, PointerHead, init_weights
from xlm_align_fairseq.encoder.sequences import split_sides

logger = logging.getLogger(__name__)


@dataclass
class XlmAlignModelConfig(FairseqDataclass):
    encoder_layers: int = field(default=12, metadata={"help": "number of Transformer layers"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "width of the hidden states"})
    encoder_ffn_embed_dim: int = field(default=3072, metadata={"help": "width inside the feed-forward layers"})
    encoder_attention_heads: int = field(default=12, metadata={"help": "number of attention heads"})
    max_positions: int = field(default=512, metadata={"help": "longest sequence in pieces, specials included"})
    layer_norm_eps: float = field(
        default=1e-5, metadata={"help": "epsilon of every LayerNorm (a cold start sets it: 1e-5 XLM-R, 1e-12 BERT)"}
    )
    dropout: float = field(default=0.0, metadata={"help": "dropout probability after embeddings and sub-layers"})
    attention_dropout: float = field(default=0.0, metadata={"help": "dropout probability of attention weights"})
    activation_dropout: float = field(default=0.0, metadata={"help": "dropout probability inside the feed-forward"})
    hf_architecture: ChoiceEnum(["xlm-roberta", "bert"]) = field(  # type: ignore[valid-type]
        default="xlm-roberta", metadata={"help": "architecture that `xlm-align convert --to hf` writes"}
    )


class Output(NamedTuple):
    """Logits of one update; `None` where the batch has no such part.

    Shapes: N pieces to predict in the pairs, M in the monolingual blocks, V vocabulary, B pairs, S and T pieces a side.
    """

    tlm_logits: Optional[Tensor] = None  # (N, V)
    forward_logits: Optional[Tensor] = None  # (B, S, T): for each source piece, over the target
    backward_logits: Optional[Tensor] = None  # (B, T, S)
    mlm_logits: Optional[Tensor] = None  # (M, V)


@register_model("xlm_align", dataclass=XlmAlignModelConfig)
class XlmAlignModel(BaseFairseqModel):
    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.encoder = Encoder(config)
        self.lm_head = LMHead(config, self.encoder.embed_tokens.weight)
        self.pointer = PointerHead(config)
        self.apply(init_weights)
        self.pointer.start_from_similarity(self.encoder.last_norm)

    @classmethod
    def build_model(cls, cfg, task):
        return cls(EncoderConfig.from_flags(cfg, len(task.dictionary)))

    def forward(self, masked, src_lengths, tgt_lengths, predict=None, point=True, mono=None, mono_predict=None):
        """Compute the requested logits of one update.

        Args:
            masked: (B, L) masked pieces of `<s> S </s> T </s>`.
            src_lengths, tgt_lengths: (B,) pieces of each side.
            predict: (B, L) bool, pieces to predict; None: no translation LM.
            point: whether to compute the logits of the pointer head.
            mono, mono_predict: masked monolingual blocks and the pieces to predict in them.
        """
        output = Output()
        if predict is not None or point:
            hidden = self.encoder(masked)
            if predict is not None:
                output = output._replace(tlm_logits=self.lm_head(hidden[predict]))
            if point:
                source, target = split_sides(hidden, src_lengths, tgt_lengths)
                forward, backward = self.pointer(source, target), self.pointer(target, source)
                output = output._replace(forward_logits=forward, backward_logits=backward)
        if mono is not None:
            output = output._replace(mlm_logits=self.lm_head(self.encoder(mono)[mono_predict]))
        return output

    def freeze_heads(self, lm_head: bool, pointer: bool) -> None:
        """Freeze heads without a loss: distributed ranks would wait for their gradients."""
        if lm_head:
            for name, parameter in self.lm_head.named_parameters():
                parameter.requires_grad_(name == "weight")  # the embedding table, which the encoder trains
        if pointer:
            self.pointer.requires_grad_(False)

    def max_positions(self):
        return self.encoder.config.max_positions

    def upgrade_state_dict_named(self, state_dict, name):
        """Load encoders without heads: a head that the checkpoint lacks keeps its initial weights, which is logged."""
        super().upgrade_state_dict_named(state_dict, name)
        for head in ("lm_head", "pointer"):
            fresh = getattr(self, head).state_dict(prefix=f"{head}.")
            if not any(key in state_dict for key in fresh if key != "lm_head.weight"):
                logger.info(f"the checkpoint has no {head}: it starts from fresh weights")
                state_dict.update({key: value for key, value in fresh.items() if key not in state_dict})
        state_dict["lm_head.weight"] = state_dict["encoder.embed_tokens.weight"]  # tied


def _sizes(sizes: dict[str, int]):
    def architecture(cfg):
        for flag, size in FLAGS.items():
            if size in sizes:
                setattr(cfg, flag, getattr(cfg, flag, sizes[size]))

    return architecture


for _name, _size in ARCHITECTURES.items():
    register_model_architecture("xlm_align", _name)(_sizes(_size))
