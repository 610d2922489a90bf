"""Read and write Hugging Face directories: XLM-RoBERTa, and BERT with XLM-R's vocabulary (multilingual E5, MiniLM).

What differs between the two is in `KINDS`. BERT counts positions from 0 and adds a token type everywhere; this
package counts from 2, so the table is shifted by two rows, and token type 0 is added to it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors.torch import load, load_file, save
from torch import Tensor

from xlm_align_fairseq.convert import hugging_face_heads, hugging_face_tokenizer
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.model.directory import aligner_or_default, write_aligner
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.model.tensors import check_precision, plain_tensors, rows, same
from xlm_align_fairseq.system.files import together, write_atomically, write_text_atomically
from xlm_align_fairseq.system.records import build, read_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
POINTER = "pointer.safetensors"  # own file: Hugging Face has no pointer head
CARD = "README.md"  # Hugging Face shows it as the model card
SOURCES = (WEIGHTS, f"{WEIGHTS}.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


class Index(BaseModel):
    """What we read of an index of shards: the file that each tensor is in."""

    weight_map: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Names of the parts of an architecture at Hugging Face.

    Args:
        prefix: of the encoder, in files with a head.
        lm_head: name of a part of the LM head there → here.
        first_position: row of the first piece in the position table there.
        types: rows of the token type table that is written.
        class_name: of transformers' classes, without their ending.
    """

    prefix: str
    lm_head: Mapping[str, str]
    first_position: int
    types: int
    class_name: str


KINDS = {
    "xlm-roberta": Kind(
        "roberta.",
        {"lm_head.dense": "dense", "lm_head.layer_norm": "layer_norm", "lm_head": ""},
        PAD + 1,
        1,
        "XLMRoberta",
    ),
    "bert": Kind(
        "bert.",
        {
            "cls.predictions.transform.dense": "dense",
            "cls.predictions.transform.LayerNorm": "layer_norm",
            "cls.predictions": "",
        },
        0,
        2,
        "Bert",
    ),
}
OUTPUT_LAYERS = ("lm_head.decoder.weight", "cls.predictions.decoder.weight")

LAYER = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "output.LayerNorm": "final_layer_norm",
}
LAYER_KEY = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")

# key of config.json → field of `EncoderConfig`
SIZES = {
    "num_hidden_layers": "layers",
    "hidden_size": "width",
    "num_attention_heads": "heads",
    "intermediate_size": "ffn",
    "layer_norm_eps": "layer_norm_eps",
}
FIXED = {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}


def read(directory: Path) -> Model:
    """Read a Hugging Face directory. The pooler and other heads are left out.

    Raises:
        InputError: a file is missing or refused, or the architecture is another one.
    """
    settings = read_json(directory / CONFIG, dict[str, Any], "a Hugging Face directory has it; download it again")
    architecture = settings.get("model_type")
    if architecture not in tuple(KINDS):  # it may be of any type
        raise InputError(f"{directory / CONFIG}: model_type is {architecture!r}: allowed are {', '.join(KINDS)}")
    for key, wanted in FIXED.items():
        if settings.get(key, wanted) != wanted:
            raise InputError(f"{directory / CONFIG}: {key} is {settings[key]!r}; only {wanted!r} can be converted")
    sentencepiece, vocabulary = hugging_face_tokenizer.read(directory)
    try:
        state = _rename(_load(directory), KINDS[architecture], len(vocabulary))
        config = build(
            EncoderConfig,
            {
                "vocabulary": len(state["encoder.embed_tokens.weight"]),
                "max_positions": len(state["encoder.embed_positions.weight"]) - PAD - 1,
                **{field: settings[key] for key, field in SIZES.items()},
            },
            {field: key for key, field in SIZES.items()},
        )
        if (directory / POINTER).is_file():
            state |= {f"pointer.{key}": value for key, value in _load_file(directory / POINTER).items()}
        aligner, chosen = aligner_or_default(directory, architecture, config.layers)
        return Model(config, state, architecture, vocabulary, sentencepiece, aligner, chosen)
    except KeyError as error:
        raise InputError(f"{directory} has no {error}: its weights or its {CONFIG} are not those of {architecture}") from error
    except InputError as error:
        raise InputError(f"{directory}: {error}") from error


def write(directory: Path, model: Model, head: hugging_face_heads.FineTuned | None = None) -> None:
    """Write a Hugging Face directory of the architecture that the encoder came from.

    The tokenizer gives the ids of the model. Pointer head and aligner configuration go into files of their own. With the head of
    fine-tuning it is a model for its task, without an LM head.

    Raises:
        InputError: no tokenizer of Hugging Face gives these ids; nothing is written then.
    """
    text = json.dumps(_settings(model, head), indent=2, sort_keys=True) + "\n"
    others = [
        directory / name for name in (*SOURCES, POINTER)
    ]  # of a model that stood here before: they would be read with this one
    with together(directory, *others):
        hugging_face_tokenizer.write(directory, model.vocabulary, model.sentencepiece, model.config.max_positions)
        write_text_atomically(directory / CONFIG, text)
        write_aligner(directory, model.aligner)
        if model.card:
            write_text_atomically(directory / CARD, model.card)
        if pointer := model.head("pointer"):
            _save(directory / POINTER, pointer)
        _save(directory / WEIGHTS, _their_state(model, head))


def _settings(model: Model, head: hugging_face_heads.FineTuned | None) -> dict[str, Any]:
    kind, config = KINDS[model.hf_architecture], model.config
    ending, labels = hugging_face_heads.settings(head) if head else ("ForMaskedLM" if model.head("lm_head") else "Model", {})
    return {
        "model_type": model.hf_architecture,
        "architectures": [kind.class_name + ending],
        **labels,
        **{key: getattr(config, field) for key, field in SIZES.items()},
        **FIXED,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.max_positions + kind.first_position,
        "type_vocab_size": kind.types,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "pad_token_id": PAD,
        "eos_token_id": 2,
        "torch_dtype": str(next(iter(model.state.values())).dtype).removeprefix("torch."),
    }


def _rename(theirs: Mapping[str, Tensor], kind: Kind, vocabulary: int) -> dict[str, Tensor]:
    """Return encoder and LM head under our keys, without the rows that pad the embedding table."""
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        theirs = {key.replace(old, new): value for key, value in theirs.items()}
    inner = {key.removeprefix(kind.prefix): value for key, value in theirs.items()}
    words = inner["embeddings.word_embeddings.weight"]
    rows(inner, "embeddings.word_embeddings.weight")
    for name in ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"):
        if not rows(inner, name, words.size(1)):
            raise InputError(f"{name} has no rows")
        check_precision(name, inner[name])  # they are added up
    table = inner["embeddings.position_embeddings.weight"][kind.first_position :]
    table = table + inner["embeddings.token_type_embeddings.weight"][0]
    state = {
        "encoder.embed_tokens.weight": words[:vocabulary],
        "encoder.embed_positions.weight": torch.cat([table.new_zeros(PAD + 1, table.size(1)), table]),
        "encoder.layernorm_embedding.weight": inner["embeddings.LayerNorm.weight"],
        "encoder.layernorm_embedding.bias": inner["embeddings.LayerNorm.bias"],
    }
    for key, value in inner.items():
        if match := LAYER_KEY.fullmatch(key):
            if match[2] not in LAYER:
                raise InputError(f"{key}: no tensor of this architecture")
            state[f"encoder.layers.{match[1]}.{LAYER[match[2]]}.{match[3]}"] = value
    for key in OUTPUT_LAYERS:
        if key in theirs and not same(theirs[key], words):
            raise InputError(f"{key} is not the embedding table, which xlm_align needs it to be")
    for name, ours in kind.lm_head.items():
        for part in ("weight", "bias"):
            if (tensor := theirs.get(f"{name}.{part}")) is not None:
                head = tensor if ours or not tensor.dim() else tensor[:vocabulary]
                state[f"lm_head.{ours}.{part}" if ours else f"lm_head.{part}"] = head
    return state


def _their_state(model: Model, head: hugging_face_heads.FineTuned | None) -> dict[str, Tensor]:
    kind, state = KINDS[model.hf_architecture], model.state
    lm_head = {} if head else model.head("lm_head")
    prefix = kind.prefix if lm_head or head else ""
    table = state["encoder.embed_positions.weight"]
    theirs = {
        "embeddings.word_embeddings.weight": state["encoder.embed_tokens.weight"],
        "embeddings.position_embeddings.weight": table[PAD + 1 - kind.first_position :],
        "embeddings.token_type_embeddings.weight": table.new_zeros(kind.types, table.size(1)),
        "embeddings.LayerNorm.weight": state["encoder.layernorm_embedding.weight"],
        "embeddings.LayerNorm.bias": state["encoder.layernorm_embedding.bias"],
    }
    for layer in range(model.config.layers):
        for name, ours in LAYER.items():
            for part in ("weight", "bias"):
                theirs[f"encoder.layer.{layer}.{name}.{part}"] = state[f"encoder.layers.{layer}.{ours}.{part}"]
    theirs = {prefix + key: value for key, value in theirs.items()}
    for name, ours in kind.lm_head.items():
        for part in ("weight", "bias"):
            if (tensor := lm_head.get(f"{ours}.{part}" if ours else part)) is not None:
                theirs[f"{name}.{part}"] = tensor
    if head:
        like = state["encoder.embed_tokens.weight"].dtype
        theirs |= {key: value.to(like) for key, value in hugging_face_heads.state(head, model.hf_architecture).items()}
    return theirs


def _load(directory: Path) -> dict[str, Tensor]:
    """Load the weights, from one file or from the shards of an index."""
    path = next((directory / name for name in SOURCES if (directory / name).is_file()), None)
    if path is None:
        raise InputError(f"{directory} has no {' or '.join(SOURCES)}: download the directory again, with its weights")
    if path.suffix != ".json":
        return _load_file(path)
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(read_json(path, Index, "download the directory again").weight_map.values())):
        if Path(shard).name != shard or not os.path.isfile(directory / shard):  # a name can be too long for a path
            raise InputError(f"{directory / shard} is missing: {path.name} names it; download the directory again")
        tensors |= _load_file(directory / shard)
    return tensors


def _load_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        found = checkpoint.load_checkpoint(path)
    else:
        try:
            # the library opens no name that is not UTF-8; the order is what it gives
            found = load_file(path) if str(path).isprintable() else dict(sorted(load(path.read_bytes()).items()))
        except Exception as error:  # the library fails in several ways, also with errors of torch
            first = str(error).split("\n")[0]
            raise InputError(f"{path} is not a safetensors file, or is damaged: {first}; download it again") from error
    try:
        return plain_tensors(found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    data = save({key: checkpoint.own(value) for key, value in tensors.items()}, metadata={"format": "pt"})
    write_atomically(path, lambda file: file.write(data))
