"""The tokenizer files of a Hugging Face directory, read and written without `transformers` and `tokenizers`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.vocabulary import BOS, EOS, MASK, SPECIALS, UNK, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import SENTENCEPIECE
from xlm_align_fairseq.system.files import write_atomically

TOKENIZER = "tokenizer.json"
ROLES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": MASK,
}


def read(directory: Path) -> tuple[bytes, Vocabulary]:
    """Return the sentencepiece model, assembled from `tokenizer.json` if it has no file, and its vocabulary.

    Raises:
        InputError: there is neither, or the tokenizer is not XLM-R's kind.
    """
    if (directory / SENTENCEPIECE).is_file():
        data = (directory / SENTENCEPIECE).read_bytes()
        return data, Vocabulary.from_sentencepiece(directory / SENTENCEPIECE)
    path = directory / TOKENIZER
    if not path.is_file():
        raise InputError(f"{directory} has neither {SENTENCEPIECE} nor {TOKENIZER}: download it again, with its tokenizer")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pieces = [(piece, float(score)) for piece, score in content["model"]["vocab"]]
        normaliser = content.get("normalizer")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a Unigram tokenizer ({error!r}): only XLM-R's vocabulary can be converted") from error
    if tuple(piece for piece, _ in pieces[:4]) != SPECIALS:
        raise InputError(
            f"{path}: its first pieces are {[piece for piece, _ in pieces[:4]]}, not {list(SPECIALS)} as XLM-R's are"
        )
    body = [(piece, score) for piece, score in pieces[4:] if piece != MASK]
    data = charsmap.assemble(body, base64.b64decode(_find_charsmap(normaliser)))
    return data, Vocabulary(piece for piece, _ in body)


def _find_charsmap(normaliser: dict[str, Any] | None) -> str:
    for part in (normaliser or {}).get("normalizers", [normaliser or {}]):
        if part.get("type") == "Precompiled":
            return part["precompiled_charsmap"]
    return ""


def write(directory: Path, vocabulary: Vocabulary, sentencepiece: bytes, max_positions: int) -> None:
    """Write `sentencepiece.bpe.model`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    Both models that are written have the pieces in the order of their ids: if the vocabulary is trimmed or has another
    order than the sentencepiece model, that model is reduced and reordered.
    """
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece)
    scores = {piece.piece: piece.score for piece in proto.pieces}
    lowest = min(scores.values())
    rule = proto.normalizer_spec.precompiled_charsmap
    pieces = [(piece, scores.get(piece, lowest)) for piece in vocabulary.pieces[len(SPECIALS) :] if piece != MASK]
    if [piece for piece, _ in pieces] != [piece.piece for piece in proto.pieces[3:]]:
        sentencepiece = charsmap.assemble(pieces, rule)
    write_atomically(directory / SENTENCEPIECE, lambda file: file.write(sentencepiece))
    specials = [(special, 0.0) for special in SPECIALS]
    _write_json(directory / TOKENIZER, _tokenizer([*specials, *pieces, (MASK, 0.0)], rule))
    settings = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": max_positions, **ROLES}
    _write_json(directory / "tokenizer_config.json", settings)
    _write_json(directory / "special_tokens_map.json", ROLES)


def _tokenizer(pieces: list[tuple[str, float]], rule: bytes) -> dict[str, Any]:
    """Describe the tokenizer as the `tokenizers` library reads it: normalise, split at spaces, mark words, Unigram."""
    spaces = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    flags = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    start, end = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": piece, "lstrip": piece == MASK, **flags}
            for i, (piece, _) in enumerate(pieces)
            if piece in (*SPECIALS, MASK)
        ],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rule).decode()} if rule else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, spaces]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, first, end],
            "pair": [start, first, end, end, second, end],
            "special_tokens": {
                piece: {"id": piece, "ids": [number], "tokens": [piece]} for piece, number in (("<s>", BOS), ("</s>", EOS))
            },
        },
        "decoder": spaces,
        "model": {"type": "Unigram", "unk_id": UNK, "vocab": pieces, "byte_fallback": False},
    }


def _write_json(path: Path, content: Any) -> None:
    data = json.dumps(content, ensure_ascii=False, indent=None if path.name == TOKENIZER else 2) + "\n"
    write_atomically(path, lambda file: file.write(data.encode()))
