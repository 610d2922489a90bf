"""The fairseq model `xlm_align`: XLM-R encoder, LM head and pointer head, all inside `forward`."""

import logging
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from xlm_align_fairseq.encoder.network import ARCHITECTURES, FLAGS, Encoder, EncoderConfig, LMHead, PointerHead, init_weights
from xlm_align_fairseq.encoder.sequences import Sides, late_layout, split_sides
from xlm_align_fairseq.encoder.vocabulary import BOS

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

    Shapes: N pieces to predict in the pairs, M in the monolingual blocks, V vocabulary, B pairs, S and T pieces a side. With a
    null key, S and T stand for one more as keys: the special before the side comes first.
    """

    tlm_logits: Optional[Tensor] = None  # (N, V)
    forward_logits: Optional[Tensor] = None  # (B, S, T): for each source piece, over the target
    backward_logits: Optional[Tensor] = None  # (B, T, S)
    mlm_logits: Optional[Tensor] = None  # (M, V)
    states: Optional[Sides] = None  # of a layer: (B, S, C), (B, T, C)


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
        config = EncoderConfig.from_flags(cfg, len(task.dictionary))
        make = getattr(task, "fine_tuned", None)  # tasks of fine-tuning have a head of their own
        return make(config) if make else cls(config)

    def forward(
        self,
        masked,
        src_lengths,
        tgt_lengths,
        predict=None,
        point=True,
        mono=None,
        mono_predict=None,
        null=False,
        states_layer=None,
        late_layer=0,
    ):
        """Compute what is asked for of one update, and nothing above the layer that it needs.

        Args:
            masked: (B, L) masked pieces of `<s> S </s> T </s>`.
            src_lengths, tgt_lengths: (B,) pieces of each side.
            predict: (B, L) bool, pieces to predict; None: no translation LM.
            point: whether to compute the logits of the pointer head.
            mono, mono_predict: masked monolingual blocks and the pieces to predict in them.
            null: whether the pointer has one more key on each side, the special before it.
            states_layer: layer whose hidden states are returned; None: of none.
            late_layer: layers up to this one read each side alone; 0: all read both together.
        """
        output, layout = Output(), "translation"
        last = self.encoder.config.layers if predict is not None or point else None
        layers = [layer for layer in (states_layer, last) if layer is not None]
        if late_layer:
            layout, masked = "late", late_layout(masked, src_lengths, BOS)
            predict = None if predict is None else late_layout(predict, src_lengths, False)
        if layers:
            hidden = dict(zip(layers, self.encoder.at_layers(masked, layers, late_layer), strict=True))
            if states_layer is not None:
                states = Sides(*split_sides(hidden[states_layer], src_lengths, tgt_lengths, layout))
                output = output._replace(states=states)
            if predict is not None:
                output = output._replace(tlm_logits=self.lm_head(hidden[last][predict]))
            if point:
                forward, backward = self._point(hidden[last], src_lengths, tgt_lengths, layout, null)
                output = output._replace(forward_logits=forward, backward_logits=backward)
        if mono is not None:
            output = output._replace(mlm_logits=self.lm_head(self.encoder(mono)[mono_predict]))
        return output

    def _point(self, hidden, src_lengths, tgt_lengths, layout, null):
        source, target = src_keys, tgt_keys = split_sides(hidden, src_lengths, tgt_lengths, layout)
        if null:
            src_keys, tgt_keys = split_sides(hidden, src_lengths, tgt_lengths, layout, specials=True)
        return self.pointer(source, tgt_keys), self.pointer(target, src_keys)

    def freeze_embeddings(self) -> None:
        """Keep the embeddings as they are: pieces, positions, and their norm."""
        for part in (self.encoder.embed_tokens, self.encoder.embed_positions, self.encoder.layernorm_embedding):
            part.requires_grad_(False)

    def freeze_above(self, layer: int) -> None:
        """Freeze the layers above one that no loss reads: distributed ranks would wait for their gradients."""
        for block in self.encoder.layers[layer:]:
            block.requires_grad_(False)

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
