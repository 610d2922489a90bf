"""The XLM-R encoder and its two heads, in plain torch (no fairseq), with an early exit at any layer.

One post-norm Transformer serves XLM-RoBERTa and BERT-architecture encoders alike: they differ in the LayerNorm epsilon and in
what `convert/` folds into the position table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from xlm_align_fairseq.encoder.sequences import WordMarks
from xlm_align_fairseq.encoder.vocabulary import BOS, PAD
from xlm_align_fairseq.system.records import build

LOWEST = torch.finfo(torch.float16).min  # attention score of padding: softmax makes it 0; finite in every precision

Size = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config={"strict": True})
class EncoderConfig:
    """Sizes of an encoder, checked when they are made: this is the form of what any configuration file says of them.

    Args:
        vocabulary: rows of the embedding table (pieces and specials).
        layers, width, heads, ffn: Transformer sizes; `width` must be a multiple of `heads`.
        max_positions: longest sequence in pieces, specials included.
        layer_norm_eps: 1e-5 in XLM-R, 1e-12 in BERT.
        dropout, attention_dropout, activation_dropout: probabilities in training mode.
    """

    vocabulary: Size
    layers: Size = 12
    width: Size = 768
    heads: Size = 12
    ffn: Size = 3072
    max_positions: Annotated[int, Field(ge=5)] = 512
    layer_norm_eps: Annotated[float, Field(gt=0, le=1)] = 1e-5
    dropout: Share = 0.0
    attention_dropout: Share = 0.0
    activation_dropout: Share = 0.0

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any], vocabulary: int) -> EncoderConfig:
        """Read the sizes from fairseq's model flags, as a checkpoint's `cfg["model"]` holds them.

        Raises:
            InputError: a flag is no size.
            KeyError: a flag is missing.
        """
        sizes = {field: flags[flag] for flag, field in FLAGS.items()}
        return build(cls, {"vocabulary": vocabulary, **sizes}, {field: flag for flag, field in FLAGS.items()})

    def to_flags(self) -> dict[str, Any]:
        """Return the sizes under the names of fairseq's model flags."""
        return {flag: getattr(self, field) for flag, field in FLAGS.items()}


# fairseq's flag → our field
FLAGS = {
    "encoder_layers": "layers",
    "encoder_embed_dim": "width",
    "encoder_attention_heads": "heads",
    "encoder_ffn_embed_dim": "ffn",
    "max_positions": "max_positions",
    "layer_norm_eps": "layer_norm_eps",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
}


# sizes of the architectures that are registered with fairseq, for --arch and `xlm-align new`
ARCHITECTURES = {
    "xlm_align_tiny": {"layers": 2, "width": 64, "heads": 4, "ffn": 128},
    "xlm_align_mini": {"layers": 4, "width": 256, "heads": 4, "ffn": 1024},
    "xlm_align_small": {"layers": 12, "width": 384, "heads": 12, "ffn": 1536},
    "xlm_align_base": {"layers": 12, "width": 768, "heads": 12, "ffn": 3072},
    "xlm_align_large": {"layers": 24, "width": 1024, "heads": 16, "ffn": 4096},
}


class SelfAttention(nn.Module):
    """Multi-head self-attention over a padded batch."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.q_proj = nn.Linear(config.width, config.width)
        self.k_proj = nn.Linear(config.width, config.width)
        self.v_proj = nn.Linear(config.width, config.width)
        self.out_proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attend: (B, L, C) hidden states and a bias, (B, 1, 1 or L, L), 0 where a piece is read and else very negative."""

        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, L, C / heads)

        dropout = self.dropout if self.training else 0.0
        query, key, value = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        attend = _attend_on_cpu if x.device.type == "cpu" else F.scaled_dot_product_attention
        x = attend(query, key, value, attn_mask=bias.to(query.dtype), dropout_p=dropout)
        return self.out_proj(x.transpose(1, 2).flatten(2))


def _attend_on_cpu(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor, dropout_p: float) -> Tensor:
    """Compute `scaled_dot_product_attention`, whose own backward pass is several times slower on CPUs at sentence length."""
    n_batch, heads, _, width = query.shape
    bias = attn_mask.expand(n_batch, heads, *attn_mask.shape[2:]).flatten(0, 1)
    query, key, value = (side.flatten(0, 1) for side in (query, key, value))
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=1 / math.sqrt(width))
    weights = F.dropout(scores.softmax(-1), dropout_p, training=dropout_p > 0)
    return torch.bmm(weights, value).unflatten(0, (n_batch, heads))


class Layer(nn.Module):
    """Post-norm Transformer layer: attention, add, norm; feed-forward (GELU), add, norm."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.self_attn = SelfAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.fc1 = nn.Linear(config.width, config.ffn)
        self.fc2 = nn.Linear(config.ffn, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.activation_dropout = nn.Dropout(config.activation_dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map (B, L, C) to (B, L, C); see `SelfAttention` for the bias."""
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, bias)))
        y = self.activation_dropout(F.gelu(self.fc1(x)))
        return self.final_layer_norm(x + self.dropout(self.fc2(y)))


class Encoder(nn.Module):
    """Embeddings and layers; `forward` computes nothing above the layer that is asked for."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width, PAD)
        self.embed_positions = nn.Embedding(config.max_positions + PAD + 1, config.width, PAD)  # counted from PAD + 1
        self.layernorm_embedding = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, tokens: Tensor, layer: int | None = None) -> Tensor:
        """Encode up to a layer.

        Args:
            tokens: (B, L) int64 piece ids, right-padded with `PAD`.
            layer: 1..n; 0 = the embeddings; None = the last layer.

        Returns:
            (B, L, C) hidden states; values at padding are undefined.

        Raises:
            ValueError: no such layer, or a sequence longer than the encoder's positions.
        """
        return self.at_layers(tokens, [self.config.layers if layer is None else layer])[0]

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.embed_tokens.weight.device

    @property
    def last_norm(self) -> nn.LayerNorm:
        """The norm whose output the heads read."""
        return cast(Layer, self.layers[-1]).final_layer_norm

    def at_layers(self, tokens: Tensor, layers: Sequence[int], late_layer: int = 0) -> list[Tensor]:
        """Return the hidden states of some layers, each (B, L, C), from one pass up to the highest; otherwise as `forward`.

        Args:
            tokens: as for `forward`; with a `late_layer` of the layout `late`.
            layers: 1..n; 0 = the embeddings.
            late_layer: layers up to this one read each side alone, with its own positions; 0: all read the whole sequence.
        """
        for layer in layers:
            if not 0 <= layer <= self.config.layers:
                raise ValueError(f"layer {layer}: this encoder has layers 1..{self.config.layers} (0 = embeddings)")
        keep = tokens.ne(PAD)
        positions = keep.cumsum(1)
        if late_layer:
            begins = tokens.eq(BOS)
            positions = positions - torch.where(begins, positions - 1, 0).cummax(1).values
        longest = tokens.size(1)
        if late_layer and longest > self.config.max_positions:
            longest = int(positions.max())
        if longest > self.config.max_positions:
            raise ValueError(f"a sequence of {longest} pieces: this encoder reads at most {self.config.max_positions}")
        x = self.layernorm_embedding(self.embed_tokens(tokens) + self.embed_positions(positions.mul(keep).add(PAD)))
        x = self.dropout(x)
        bias = together = torch.where(keep, 0.0, LOWEST)[:, None, None, :]
        if late_layer:
            side = begins.cumsum(1)
            bias = torch.where((side[:, :, None] == side[:, None, :])[:, None], together, LOWEST)
        states = {0: x}
        for number, block in enumerate(self.layers[: max(layers)], 1):
            x = block(x, bias if number <= late_layer else together)
            if number in layers:
                states[number] = x
        return [states[layer] for layer in layers]


class LMHead(nn.Module):
    """Predict pieces: dense, GELU, norm, then the embedding table as output layer."""

    def __init__(self, config: EncoderConfig, weight: Tensor):
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))

    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states (N, C) to logits (N, vocabulary)."""
        return F.linear(self.layer_norm(F.gelu(self.dense(x))), self.weight, self.bias)


class PointerHead(nn.Module):
    """Query and key maps of the pointer network (Chi et al. 2021, equation 5)."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return q Kᵀ / √C for every query: (B, N, C) and (B, K, C) → (B, N, K) logits."""
        return (self.query(queries) / math.sqrt(queries.size(-1))) @ self.key(keys).transpose(1, 2)

    @torch.no_grad()
    def start_from_similarity(self, norm: nn.LayerNorm, sharpness: float = 10.0) -> None:
        """Initialise the head to point at similar pieces, so that its loss helps a pretrained encoder from the first update.

        Both maps become multiples of the identity: a hidden state of the expected length gives itself the logit `sharpness`.

        Args:
            norm: the last LayerNorm before the head; Σ γ² + β² is the expected squared length of its output.
            sharpness: logit of a piece with itself, 1 / temperature of a softmax over cosines.
        """
        squared_length = norm.weight.square().sum() + norm.bias.square().sum()
        scale = (sharpness * math.sqrt(norm.weight.numel()) / squared_length).sqrt()
        for linear in (self.query, self.key):
            linear.weight.copy_(torch.eye(len(linear.weight)) * scale)
            linear.bias.zero_()


class EncoderAndPointer(NamedTuple):
    """What links can be made with: an encoder, the pointer head for the method that asks it, and where its words begin."""

    encoder: Encoder
    pointer: PointerHead | None = None
    marks: WordMarks | None = None  # needed unless `AlignerConfig.marks` is "link"


def init_weights(module: nn.Module) -> None:
    """Initialise as BERT does: normal(0, 0.02) weights, zero biases and padding rows (Devlin et al. 2019)."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
