"""Check tags of words: those of training, those of predictions against the gold file, those that a task does not know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.conll import TAG
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.transfer.tags import TaggedFile, TaggedSentence, read_tagged


def read_tag_lines(path: Path | str) -> TaggedFile:
    """Read gold tags: tags one a line, as XTREME's `evaluate.py` reads them, or words with their tags.

    Returns:
        The file; where the tags stand alone, the words are empty.

    Raises:
        InputError: as `read_tagged`.
    """
    file = read_tagged(path)
    if file.has_tags:
        return file
    sentences = [TaggedSentence([""] * len(words), [word.strip() for word in words]) for words, _ in file.sentences]
    return file._replace(sentences=sentences)


def read_predictions(path: Path | str, gold: TaggedFile) -> list[list[str]]:
    """Read the tags that were predicted for the words of a file: on the line of the word, alone or behind a tab.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a line is blank in one of both files, or there in one alone; blank
            lines at the end do not count.
    """
    lines = [line.rpartition("\t")[2].strip() for line in TextFile(path)]
    wanted = list(gold.word_lines())
    allowed = "allowed is a line for each line of that file, blank where it is blank: give the predictions for this file"
    for n in wanted:
        if n > len(lines) or not lines[n - 1]:
            raise InputError(f"{path}:{n}: no tag, but {gold.path}:{n} has a word; {allowed}")
    words = set(wanted)
    for n, tag in enumerate(lines, 1):
        if tag and n not in words and not gold.blank.get(n):
            raise InputError(f"{path}:{n}: {tag[:40]!r}, but {gold.path} is blank there or has ended; {allowed}")
    tags = (lines[n - 1] for n in wanted)
    return [[next(tags) for _ in sentence.words] for sentence in gold.sentences]


def check_tags(file: TaggedFile, allowed: Sequence[str] | None = None) -> None:
    """Refuse a file that nobody should train on.

    Args:
        file: its words and tags.
        allowed: the tags that there are; `None` takes any, but of one kind: where one of them is `B-X` or `I-X` all are, or `O`.

    Raises:
        InputError: words without tags, a tag that is not allowed, or two kinds of tags.
    """
    first: tuple[str, int] | None = None
    for n, tag in zip(file.word_lines(), (tag for tags in file.gold() for tag in tags), strict=True):
        if allowed is not None and tag not in allowed:
            raise InputError(
                f"{file.path}:{n}: {tag[:40]!r} is no tag of the task; allowed are {', '.join(sorted(allowed))};"
                " correct the line, or say which column has the tags"
            )
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
    return [
        f"{file.path}:{first}: words with a tag that is not known: {counts}; they count as not found where they are not predicted"
    ]
