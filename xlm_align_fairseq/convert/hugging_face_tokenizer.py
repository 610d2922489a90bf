"""The tokenizer files of a Hugging Face directory, read and written without `transformers` and `tokenizers`."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.convert import charsmap, exact
from xlm_align_fairseq.encoder.vocabulary import BOS, EOS, MASK, SPECIALS, UNK, Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import SENTENCEPIECE
from xlm_align_fairseq.system.files import write_atomically, write_text_atomically
from xlm_align_fairseq.system.records import read_json

TOKENIZER = "tokenizer.json"
KINDS = "only a Unigram tokenizer with XLM-R's vocabulary can be converted"
ROLES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": MASK,
}
SPACES = {"type": "Metaspace", "replacement": "▁", "split": True}


class Unigram(BaseModel):
    """The model in `tokenizer.json`: pieces with their scores, in the order of their ids."""

    type: Literal["Unigram"] = "Unigram"
    vocab: list[tuple[str, float]]
    byte_fallback: Literal[False] = False


class Step(BaseModel):
    """A step before the model, with what we read of it."""

    type: Literal["Sequence", "Precompiled", "Replace", "Strip", "Prepend", "NFC", "WhitespaceSplit", "Metaspace"]
    normalizers: list[Step] = []
    pretokenizers: list[Step] = []
    precompiled_charsmap: str = ""
    pattern: dict[str, str] = {}
    prepend_scheme: Literal["always", "first", "never"] = "always"

    def flat(self) -> list[Step]:
        """Return the steps of a sequence, one after another."""
        return [inner for step in (*self.normalizers, *self.pretokenizers) for inner in step.flat()] or [self]


class Tokenizer(BaseModel):
    """What we read of `tokenizer.json`."""

    model: Unigram
    normalizer: Step | None = None
    pre_tokenizer: Step | None = None


def read(directory: Path) -> tuple[bytes, Vocabulary]:
    """Return the sentencepiece model, assembled from `tokenizer.json` if it has no file, and its vocabulary.

    Raises:
        InputError: there is neither, or the tokenizer is not XLM-R's kind.
    """
    if (directory / SENTENCEPIECE).is_file():
        data = (directory / SENTENCEPIECE).read_bytes()
        open_sentencepiece(directory / SENTENCEPIECE)  # refuse a broken file by its name
        return data, Vocabulary.from_sentencepiece(data)
    path = directory / TOKENIZER
    if not path.is_file():
        raise InputError(f"{directory} has neither {SENTENCEPIECE} nor {TOKENIZER}: download it again, with its tokenizer")
    content = read_json(path, Tokenizer, KINDS)
    pieces = content.model.vocab
    names = [piece for piece, _ in pieces]
    if tuple(names[:4]) != SPECIALS:
        raise InputError(f"{path}: its first pieces are {names[:4]}, not {list(SPECIALS)} as XLM-R's are")
    if twice := [piece for piece, times in Counter(names).items() if times > 1]:
        raise InputError(f"{path}: the piece {twice[0]!r:.80} is there twice; {KINDS}")
    body = pieces[len(SPECIALS) : -1] if names[-1] == MASK else pieces[len(SPECIALS) :]
    steps = [step for part in (content.normalizer, content.pre_tokenizer) if part for step in part.flat()]
    try:
        rule = base64.b64decode(next((step.precompiled_charsmap for step in steps if step.precompiled_charsmap), ""))
    except ValueError as error:
        raise InputError(f"{path}: its precompiled_charsmap is not base64 ({error}); download it again") from error
    prefix = any(step.type == "Prepend" or (step.type == "Metaspace" and step.prepend_scheme != "never") for step in steps)
    single_spaces = any(step.type in ("WhitespaceSplit", "Strip") or " {2,}" in step.pattern.values() for step in steps)
    data = charsmap.assemble(body, rule, prefix=prefix, single_spaces=single_spaces)
    open_sentencepiece(data)
    return data, Vocabulary(piece for piece, _ in body)


def write(directory: Path, vocabulary: Vocabulary, sentencepiece: bytes, max_positions: int) -> None:
    """Write `sentencepiece.bpe.model`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    Hugging Face has the pieces in the order of their ids in both models: where the vocabulary has another order than the
    sentencepiece model, the one that is written is ordered likewise.

    Raises:
        InputError: no tokenizer of Hugging Face gives these ids; nothing is written then.
    """
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece)
    exact.refuse(proto, vocabulary)
    body = vocabulary.pieces[len(SPECIALS) :]
    body = body[:-1] if body[-1] == MASK else body
    if body != tuple(piece.piece for piece in proto.pieces[3:]):
        sentencepiece = charsmap.reorder(proto, body)
    scores = {piece.piece: piece.score for piece in proto.pieces}
    least = min((scores[piece] for piece in body if piece != MASK), default=0.0)  # what an unknown character costs hangs on it
    pieces = [(piece, max(0.0, least) if piece in (*SPECIALS, MASK) else scores[piece]) for piece in vocabulary.pieces]
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / SENTENCEPIECE, lambda file: file.write(sentencepiece))
    _write_json(directory / TOKENIZER, _tokenizer(pieces, proto.normalizer_spec))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # takes tokenizer.json as it is; XLMRobertaTokenizer has steps of its own
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": max_positions,
        "clean_up_tokenization_spaces": False,
        **ROLES,
    }
    _write_json(directory / "tokenizer_config.json", settings)
    _write_json(directory / "special_tokens_map.json", ROLES)


def _tokenizer(pieces: list[tuple[str, float]], normalisation: Any) -> dict[str, Any]:
    """Describe the tokenizer as the `tokenizers` library reads it: normalise, mark words, Unigram."""
    flags = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    start, end = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    names = [piece for piece, _ in pieces]
    by_word = "▁" in names and not any("▁" in piece[1:] for piece in names)  # else pieces, or one <unk>, can span words
    scheme = "always" if normalisation.add_dummy_prefix else "never"
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": piece, "lstrip": piece == MASK, **flags}
            for i, piece in enumerate(names)
            if piece in (*SPECIALS, MASK)
        ],
        "normalizer": {"type": "Sequence", "normalizers": exact.normalizers(normalisation)},
        "pre_tokenizer": {**SPACES, "prepend_scheme": "never"} if by_word else None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, first, end],
            "pair": [start, first, end, end, second, end],
            "special_tokens": {
                piece: {"id": piece, "ids": [number], "tokens": [piece]} for piece, number in (("<s>", BOS), ("</s>", EOS))
            },
        },
        "decoder": {**SPACES, "prepend_scheme": scheme},
        "model": {"type": "Unigram", "unk_id": UNK, "vocab": pieces, "byte_fallback": False},
    }


def _write_json(path: Path, content: Any) -> None:
    data = json.dumps(content, ensure_ascii=False, indent=None if path.name == TOKENIZER else 2) + "\n"
    write_text_atomically(path, data)
