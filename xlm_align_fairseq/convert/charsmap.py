"""Read and build sentencepiece's precompiled normalisation map.

The map is a uint32 length, a double-array trie of that many bytes (darts-clone) whose keys are UTF-8 sequences, and a
blob of null-terminated replacements; the value of a key is the replacement's offset in the blob.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.encoder.vocabulary import MASK


def bundled() -> bytes:
    """Return the map `nmt_nfkc` that the installed sentencepiece carries."""
    return _trained(normalization_rule_name="nmt_nfkc")


def read_rules(charsmap: bytes) -> dict[str, str]:
    """List the rules of a map: sequence of characters → replacement."""
    size = int.from_bytes(charsmap[:4], "little")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4)
    blob = charsmap[4 + size :]
    labels = np.arange(1, 256, dtype=np.uint32)
    nodes, keys = _children(np.zeros(1, np.uint32), units[:1]), [b""]
    rules = {}
    while keys:  # one round for each length of key
        slots = nodes[:, None] ^ labels
        matches = units.take(slots, mode="clip")
        parents, columns = np.nonzero((matches & 0x800000FF) == labels)  # the label, with the bit that marks a value
        slots, matches = slots[parents, columns], matches[parents, columns]
        keys = [keys[parent] + bytes([column + 1]) for parent, column in zip(parents, columns, strict=True)]
        nodes = _children(slots, matches)
        for at in np.flatnonzero(matches >> 8 & 1):
            begin = int(units[nodes[at]]) & 0x7FFFFFFF
            rules[keys[at].decode()] = blob[begin : blob.index(b"\0", begin)].decode()
    return rules


def _children(slots: np.ndarray, units: np.ndarray) -> np.ndarray:
    return slots ^ (units >> 10 << (units >> 6 & 8))


def build(rules: dict[str, str]) -> bytes:
    """Compile rules into a map, with sentencepiece's own compiler."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        rows = sorted((_hex(key), _hex(value)) for key, value in rules.items())
        table.write_text("".join(f"{key}\t{value}\n" for key, value in rows), encoding="ascii")
        return _trained(normalization_rule_tsv=str(table))


def _hex(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)


def _trained(**options: str) -> bytes:
    """Train a minimal model and return its normalisation map: Python has no other access to the compiler."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b"]), model_writer=model, vocab_size=6, minloglevel=2, **options
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def assemble(pieces: Sequence[tuple[str, float]], charsmap: bytes, *, prefix: bool = True, single_spaces: bool = True) -> bytes:
    """Assemble a unigram model with XLM-R's layout: `<unk>` 0, `<s>` 1, `</s>` 2, pieces from 3.

    Args:
        pieces: pieces with their scores (log probabilities), without specials.
        charsmap: the normalisation map.
        prefix: whether a space goes before the text.
        single_spaces: whether spaces at the ends and beside another are left out.

    Returns:
        The serialised sentencepiece model.
    """
    proto = sentencepiece_model_pb2.ModelProto()
    for piece, score in pieces:
        proto.pieces.add(piece=piece, score=score)
    proto.trainer_spec.model_type = proto.trainer_spec.UNIGRAM
    proto.normalizer_spec.name = "nmt_nfkc"
    proto.normalizer_spec.precompiled_charsmap = charsmap
    if not prefix:
        proto.normalizer_spec.add_dummy_prefix = False
    if not single_spaces:
        proto.normalizer_spec.remove_extra_whitespaces = False
    return reorder(proto, [piece for piece, _ in pieces])


def reorder(proto: Any, pieces: Sequence[str]) -> bytes:
    """Return a model with XLM-R's layout and the pieces in another order; all else stays.

    Args:
        proto: the model, parsed.
        pieces: without specials. A `<mask>` that the model lacks is put in its place, and no text becomes it.
    """
    kind = sentencepiece_model_pb2.ModelProto.SentencePiece
    there = {piece.piece: piece for piece in proto.pieces}
    ordered = sentencepiece_model_pb2.ModelProto()
    ordered.CopyFrom(proto)
    del ordered.pieces[:]
    for piece, code in (("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)):
        ordered.pieces.add(piece=piece, score=0.0, type=code)
    for piece in pieces:
        if piece == MASK and (piece not in there or there[piece].type == kind.NORMAL):
            ordered.pieces.add(piece=piece, score=0.0, type=kind.UNUSED)
        else:
            ordered.pieces.append(there[piece])
    ordered.trainer_spec.vocab_size = len(ordered.pieces)
    for special, identity in (("unk_id", 0), ("bos_id", 1), ("eos_id", 2), ("pad_id", -1)):
        setattr(ordered.trainer_spec, special, identity)
    return ordered.SerializeToString(deterministic=True)
