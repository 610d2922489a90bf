"""Read XLM-R checkpoints of fairseq: all key names since 2019, args as a Namespace or a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import PAD, Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.model.directory import DICTIONARY, SENTENCEPIECE, aligner_or_default
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.model.tensors import plain_tensors, rows, same
from xlm_align_fairseq.system.records import build

ENCODER = re.compile(r"(?:(?:encoder|decoder)\.)?sentence_encoder\.(.+)")
LM_HEAD = re.compile(r"(?:(?:encoder|decoder)\.)?lm_head\.(.+)")
FUSED = re.compile(r"(.+\.self_attn\.)in_proj_(weight|bias)")

# flag → the field it must agree with
SIZES = {
    "encoder_layers": "layers",
    "encoder_embed_dim": "width",
    "encoder_ffn_embed_dim": "ffn",
    "max_positions": "max_positions",
}


def read(weights: Path, content: Mapping[str, Any]) -> Model:
    """Read XLM-R; `dict.txt` and `sentencepiece.bpe.model` stand beside the checkpoint.

    Args:
        weights: the checkpoint.
        content: the checkpoint as `load_checkpoint` returns it.

    Raises:
        InputError: a file is missing or refused, or the checkpoint is not XLM-R.
    """
    directory = weights.parent
    try:
        flags = checkpoint.model_flags(content)
        if flags is None or "model" not in content:
            raise InputError("it holds no model with its args or cfg: it is not a fairseq checkpoint")
        state = rename(plain_tensors(content["model"]))
        if flags.get("activation_fn", "gelu") != "gelu":
            raise InputError(f"activation_fn is {flags['activation_fn']!r}; XLM-R has gelu")
        config = _config(flags, state)
        vocabulary = Vocabulary.read(directory / DICTIONARY)
        open_sentencepiece(directory / SENTENCEPIECE)
        aligner, chosen = aligner_or_default(directory, "xlm-roberta", config.layers)
        sentencepiece = (directory / SENTENCEPIECE).read_bytes()
        return Model(config, state, "xlm-roberta", vocabulary, sentencepiece, aligner, chosen)
    except KeyError as error:
        raise InputError(f"{weights} has no {error}: it is neither of ours nor XLM-R") from error
    except InputError as error:
        raise InputError(f"{weights}: {error}") from error


def rename(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder and the LM head under our keys; classification heads and counters are left out.

    Raises:
        InputError: the encoder has a tensor that XLM-R does not have.
    """
    state: dict[str, Tensor] = {}
    for key, value in theirs.items():
        if match := LM_HEAD.fullmatch(key):
            state[f"lm_head.{match[1]}"] = value
        if not (match := ENCODER.fullmatch(key)) or match[1] in ("version", "embed_positions._float_tensor"):
            continue
        ours = "encoder." + match[1].replace("emb_layer_norm.", "layernorm_embedding.")
        if fused := FUSED.fullmatch(ours):
            if not value.dim() or len(value) % 3:
                raise InputError(f"{key} has shape {tuple(value.shape)}: allowed are rows of query, key and value")
            for part, third in zip("qkv", value.split(len(value) // 3 or 1), strict=True):
                state[f"{fused[1]}{part}_proj.{fused[2]}"] = third
        else:
            state[ours] = value
    weight = state.pop("lm_head.weight", None)
    if weight is not None and not same(weight, state.get("encoder.embed_tokens.weight", weight)):
        raise InputError("the output layer of its LM head is not the embedding table, which xlm_align needs it to be")
    return state


def _config(flags: Mapping[str, Any], state: Mapping[str, Tensor]) -> EncoderConfig:
    """Take the sizes from the tensors; the flags have to agree, and give the number of heads."""
    sizes = {
        "vocabulary": rows(state, "encoder.embed_tokens.weight"),
        "layers": len({key.split(".")[2] for key in state if key.startswith("encoder.layers.")}),
        "width": state["encoder.embed_tokens.weight"].size(1),
        "heads": flags["encoder_attention_heads"],
        "ffn": rows(state, "encoder.layers.0.fc1.weight"),
        "max_positions": rows(state, "encoder.embed_positions.weight") - PAD - 1,
    }
    for flag, field in SIZES.items():
        given = flags.get(flag, sizes[field])
        if not isinstance(given, int) or given != sizes[field]:
            raise InputError(f"its {flag} is {given!r:.80}, its tensors say {sizes[field]}")
    return build(EncoderConfig, sizes, {"heads": "encoder_attention_heads"})
