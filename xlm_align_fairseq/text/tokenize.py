"""Word tokenisers by name: `none`, and those of sacrebleu that need no download.

sacrebleu's `zh` makes a word of every ideograph, but not of those beyond U+FFFF and of some that Unicode has had since 2005; ours
makes one of each, with the variation selector that may follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xlm_align_fairseq.errors import InputError

NAMES = ("none", "13a", "intl", "zh", "char", "ja-mecab", "ko-mecab")
DOWNLOADING = ("spm", "flores101", "flores200", "spBLEU-1K")  # also of sacrebleu, but they make pieces, not words
EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}
# CJK Unified Ideographs, extension A and compatibility; planes 2 and 3 have the other extensions and nothing else.
_IDEOGRAPH = "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_VARIANT = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_IDEOGRAPHS, _VARIANTS, _CUT_VARIANTS = map(
    re.compile, (f"{_IDEOGRAPH}{_VARIANT}?", f"{_IDEOGRAPH}{_VARIANT}", f"({_IDEOGRAPH}) ({_VARIANT})")
)


def tokenizer(name: str) -> Callable[[str], str]:
    """Return a function from a line of text to its words, separated by single spaces.

    `none` returns the line as it is: its words are what stands between single spaces, so that two spaces have an empty
    word between them. The others never make an empty word.

    Args:
        name: one of `NAMES`.

    Raises:
        InputError: there is no such tokeniser, it would download something, or an extra of sacrebleu is missing.

    >>> tokenizer("13a")("Hello, world!")
    'Hello , world !'
    """
    if name == "none":
        return _unchanged
    make = _every_ideograph(_sacrebleu(name)) if name == "zh" else _sacrebleu(name)
    return lambda line: " ".join(word for word in make(line).split(" ") if word)


def tokenizer_names(given: str) -> tuple[str, str]:
    """Return the names of the tokenisers of source and target.

    Args:
        given: one name for both, or two with a comma between; they are not looked up.

    Raises:
        InputError: there are more.

    >>> tokenizer_names("zh,13a"), tokenizer_names("13a")
    (('zh', '13a'), ('13a', '13a'))
    """
    names = given.split(",")
    if len(names) > 2:
        raise InputError(f"--tokenizer {given}: allowed are one name for both sides, or two with a comma between")
    return names[0], names[-1]


def describe(given: str) -> str:
    """Return what a signature says about tokenisers: sacrebleu's own signature of each, what is added, sacrebleu's version.

    Args:
        given: one name, or two with a comma between; described once if they are the same.
    """
    return "+".join(map(_describe, dict.fromkeys(tokenizer_names(given))))


def split_words(line: str) -> list[str]:
    """Return the words of a tokenised line: what stands between single spaces; an empty line has none."""
    return line.split(" ") if line else []


def _unchanged(line: str) -> str:
    return line


def _describe(name: str) -> str:
    if name == "none":
        return name
    from sacrebleu import __version__ as version

    added = ".ideographs" if name == "zh" else ""
    return f"{_sacrebleu(name).signature()}{added}-sacrebleu-{version}"


def _every_ideograph(make: Callable[[str], str]) -> Callable[[str], str]:
    """Let a tokeniser find spaces around every ideograph, and leave it its variation selector."""

    def words(line: str) -> str:
        made = make(_IDEOGRAPHS.sub(r" \g<0> ", line))
        return _CUT_VARIANTS.sub(r"\1\2", re.sub(" +", " ", made)) if _VARIANTS.search(line) else made

    return words


def _sacrebleu(name: str) -> Any:
    if name in DOWNLOADING:
        raise InputError(
            f"tokeniser {name!r} makes pieces with a model that it would download; allowed are {', '.join(NAMES)}:"
            " take one that makes words"
        )
    if name not in NAMES:
        raise InputError(f"no tokeniser {name!r}; allowed are {', '.join(NAMES)}")
    from sacrebleu import BLEU  # heavy, and not needed for `none`

    try:
        return BLEU(tokenize=name).tokenizer
    except (ImportError, RuntimeError) as error:
        if name not in EXTRAS:
            raise
        raise InputError(
            f"tokeniser {name!r} needs an extra that is missing; install it: pip install 'sacrebleu[{EXTRAS[name]}]'"
        ) from error
