"""Word tokenisers by name: `none`, and those of sacrebleu that need no download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xlm_align_fairseq.errors import InputError

NAMES = ("none", "13a", "intl", "zh", "char", "ja-mecab", "ko-mecab")
DOWNLOADING = ("spm", "flores101", "flores200", "spBLEU-1K")  # also of sacrebleu, but they make pieces, not words
EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}


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
    make = _sacrebleu(name)
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
    """Return what a signature says about tokenisers: sacrebleu's own signature of each and sacrebleu's version.

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

    return f"{_sacrebleu(name).signature()}-sacrebleu-{version}"


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
