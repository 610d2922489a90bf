"""Which sentencepiece models a tokenizer of Hugging Face can stand for, id by id; the others are refused with the reason.

The library `tokenizers` has a Unigram model that finds the same segmentation as sentencepiece's. What it lacks: user-defined
symbols and unused pieces, and a normaliser that replaces sequences of characters wherever they stand: its `Precompiled` looks at
one grapheme at a time, so canonical composition (NFC) goes before and after it. What is left is rare
text: combining marks out of canonical order, and a mark behind a compatibility character that it is not composed with, which
`Precompiled` drops.
"""

from __future__ import annotations

import base64
import functools
import unicodedata
from collections.abc import Mapping
from typing import Any

from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.vocabulary import MASK, SPECIALS, Vocabulary
from xlm_align_fairseq.errors import InputError

Kind = sentencepiece_model_pb2.ModelProto.SentencePiece
OURS = "use this model with xlm-align, as `--to fairseq` writes it"


def refuse(proto: Any, vocabulary: Vocabulary) -> None:
    """Refuse a model whose ids no tokenizer of Hugging Face gives.

    Args:
        proto: the sentencepiece model, parsed.
        vocabulary: the pieces that the encoder has rows for.

    Raises:
        InputError: with the reason and what to do.
    """
    if reason := _reason(proto):
        raise InputError(f"--to hf: {reason}: no tokenizer of Hugging Face gives the same ids; {OURS}")
    made = [piece.piece for piece in proto.pieces if piece.type == Kind.NORMAL]
    if lacking := [piece for piece in made if piece not in vocabulary]:
        raise InputError(
            f"--to hf: the vocabulary is trimmed: it lacks {len(lacking)} of the sentencepiece model's {len(made)} pieces, the"
            f" first is {lacking[0]!r}; Hugging Face's tokenizer would cut smaller pieces where this model reads <unk>: give"
            " --expand-from with the untrimmed model"
        )
    known = {*made, *SPECIALS, MASK}
    if more := [piece for piece in vocabulary.pieces if piece not in known]:
        raise InputError(
            f"--to hf: the vocabulary has {len(more)} pieces that the sentencepiece model never makes, the first is {more[0]!r};"
            f" Hugging Face's tokenizer would make them of text; {OURS}"
        )


def _reason(proto: Any) -> str:
    """Say what of a sentencepiece model cannot be had elsewhere; "" if nothing."""
    trainer, normaliser = proto.trainer_spec, proto.normalizer_spec
    kind = trainer.ModelType.Name(trainer.model_type)
    if trainer.model_type not in (trainer.UNIGRAM, trainer.CHAR):
        return f"the sentencepiece model is of type {kind.lower()}"
    if trainer.byte_fallback:
        return "the sentencepiece model writes unknown characters as bytes (byte_fallback)"
    if trainer.treat_whitespace_as_suffix:
        return "the sentencepiece model has white space at the end of words (treat_whitespace_as_suffix)"
    if not normaliser.escape_whitespaces:
        return "the sentencepiece model does not mark spaces (escape_whitespaces is false)"
    for code, name in ((Kind.USER_DEFINED, "user-defined symbols"), (Kind.UNUSED, "unused pieces")):
        if found := [piece.piece for piece in proto.pieces if piece.type == code and piece.piece != MASK]:
            return f"the sentencepiece model has {name} such as {found[0]!r}"
    if trainer.model_type == trainer.CHAR and any(len(p.piece) > 1 for p in proto.pieces if p.type == Kind.NORMAL):
        return "the sentencepiece model is of type char and has pieces of several characters"
    return _unlike(normaliser.precompiled_charsmap)


@functools.cache
def _unlike(charsmap_: bytes) -> str:
    """Say which rule of a normalisation map differs from what canonical composition and rules of single characters do.

    Characters that the `unicodedata` of this Python does not know are taken on trust.
    """
    rules = _rules(charsmap_)
    composed = functools.partial(unicodedata.normalize, "NFC")
    single = {ord(key): value for key, value in rules.items() if len(key) == 1}
    for key, value in rules.items():
        known = all(unicodedata.category(character) != "Cn" for character in key)
        same = composed(composed(key).translate(single)) == composed(value)
        # Precompiled loses the marks that follow such a character: harmless for compatibility characters, not for letters
        plain = len(key) == 1 and unicodedata.normalize("NFKC", key) == key and value not in ("", " ")
        if known and (plain or not same):
            return f"the sentencepiece model normalises {key!r} to {value!r}"
    for whole in map(chr, range(0xC0, 0xD7A4) if rules else ()):
        parts = unicodedata.normalize("NFD", whole)
        if whole == composed(whole) != parts and parts[0] not in rules and rules.get(parts) != rules.get(whole, whole):
            return f"the sentencepiece model normalises characters and does not compose {parts!r} to {whole!r}"
    return ""


@functools.lru_cache(2)
def _rules(charsmap_: bytes) -> Mapping[str, str]:
    return charsmap.read_rules(charsmap_) if charsmap_ else {}


def normalizers(normaliser: Any) -> list[dict[str, Any]]:
    """Describe as steps of `tokenizers` what sentencepiece does with characters and spaces.

    Args:
        normaliser: the `normalizer_spec` of a sentencepiece model.
    """
    rule, steps = normaliser.precompiled_charsmap, []
    if rule:
        compose, rules = {"type": "NFC"}, _rules(rule)
        for value in ("", " "):  # before the map, which would lose a mark that follows one of these
            if keys := sorted(key for key, other in rules.items() if len(key) == 1 and other == value):
                steps.append(_replace({"Regex": "[" + "".join(f"\\x{{{ord(key):X}}}" for key in keys) + "]"}, value))
        steps += [compose, {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rule).decode()}, compose]
    if normaliser.remove_extra_whitespaces:
        steps += [_replace({"Regex": r"\A +"}, ""), _replace({"Regex": " {2,}"}, " ")]
    steps.append(_replace({"String": " "}, "▁"))
    if normaliser.remove_extra_whitespaces:
        steps.append(_replace({"Regex": r"▁+\z"}, ""))
    if normaliser.add_dummy_prefix:
        steps.append({"type": "Prepend", "prepend": "▁"})
    return steps


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}
