"""Check tags of words: those of training, and those that a model does not know."""

from __future__ import annotations

from collections.abc import Sequence

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.conll import TAG
from xlm_align_fairseq.transfer.tags import TaggedFile


def check_tags(file: TaggedFile) -> None:
    """Refuse a file that nobody should train on.

    Raises:
        InputError: words without tags, or two kinds of tags: where one of them is `B-X` or `I-X` all are, or `O`.
    """
    first: tuple[str, int] | None = None
    for n, tag in zip(file.word_lines(), (tag for tags in file.gold() for tag in tags), strict=True):
        if tag == "O":
            continue
        if first is not None and bool(TAG.fullmatch(first[0])) != bool(TAG.fullmatch(tag)):
            raise InputError(
                f"{file.path}:{n}: {tag[:40]!r} is a tag of another kind than {first[0][:40]!r} in line {first[1]};"
                " allowed are tags like B-PER, I-PER and O throughout, or tags without B- and I-: correct the line"
            )
        first = first or (tag, n)


def unknown_tags(file: TaggedFile, known: Sequence[str]) -> list[str]:
    """Say in one line how many words have tags that are not known, and where the first is: they count as errors of a model."""
    places: dict[str, list[int]] = {}
    for n, tag in zip(file.word_lines(), (tag for tags in file.gold() for tag in tags), strict=True):
        if tag not in known:
            places.setdefault(tag, []).append(n)
    if not places:
        return []
    first = min(lines[0] for lines in places.values())
    counts = ", ".join(f"{len(lines)} with {tag[:40]!r}" for tag, lines in places.items())
    return [f"{file.path}:{first}: words with a tag that is not known: {counts}; none of them can be found"]
