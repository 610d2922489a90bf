"""Read and write the files of sentence retrieval: Tatoeba, lines and their translations, and BUCC, sentences with ids.

Tatoeba as LASER ships it has line n of one file translated in line n of the other. XTREME has sorted the English side, so that
its test does not give the answers away; a file of indices has for each English line the line of its translation, from 0. BUCC has
`id<TAB>sentence` lines, and gold pairs as `id<TAB>id`; candidates are `score<TAB>id<TAB>id`. A sentence may stand there under
several ids, all of which are kept here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import encoded, write_atomically
from xlm_align_fairseq.text.lines import TextFile, read_together


class Identified(NamedTuple):
    """Hold a sentence of BUCC and its id."""

    id: str
    text: str


class Candidate(NamedTuple):
    """Hold two ids and how sure it is that their sentences are translations."""

    score: float
    source: str
    target: str


def read_translations(source: Path | str, target: Path | str) -> list[tuple[str, str]]:
    """Read the lines of two files of Tatoeba side by side; whether line n of one translates line n of the other is not in them.

    Raises:
        InputError: a file cannot be read, is not UTF-8, or has another number of lines.
    """
    return [(a.removesuffix("\r"), b.removesuffix("\r")) for a, b in read_together(TextFile(source), TextFile(target))]


def read_sentences(path: Path | str) -> list[str]:
    """Read the sentences of a file, one a line; a line may be empty.

    Raises:
        InputError: the file cannot be read or is not UTF-8.
    """
    return [line.removesuffix("\r") for line in TextFile(path)]


def read_identified(path: Path | str) -> list[Identified]:
    """Read the sentences of BUCC with their ids.

    Raises:
        InputError: the file cannot be read or is not UTF-8, a line has no tab, or an id stands twice.
    """
    found: dict[str, int] = {}
    sentences: list[Identified] = []
    for n, line in enumerate(TextFile(path), 1):
        name, tab, text = line.removesuffix("\r").partition("\t")
        if not tab or not name:
            raise InputError(f"{path}:{n}: {line[:60]!r} is no id, a tab and a sentence, which each line is; correct the line")
        if name in found:
            raise InputError(f"{path}:{n}: the id {name!r} is that of line {found[name]}, too; give each sentence its own")
        found[name] = n
        sentences.append(Identified(name, text))
    return sentences


def read_id_pairs(path: Path | str) -> list[tuple[str, str]]:
    """Read gold or predicted pairs of ids; a pair that stands twice counts once.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a line is not two ids.
    """
    pairs: dict[tuple[str, str], None] = {}
    for n, row in _rows(path):
        if len(row) != 2 or not all(row):
            raise InputError(f"{path}:{n}: {_joined(row)[:60]!r} is not two ids with a tab between; correct the line")
        pairs[row[0], row[1]] = None
    return list(pairs)


def read_candidates(path: Path | str) -> list[Candidate]:
    """Read candidates, `score<TAB>id<TAB>id`, in any order.

    Raises:
        InputError: the file cannot be read or is not UTF-8, a line has other columns, or a score is no finite number.
    """
    candidates = []
    for n, row in _rows(path):
        try:
            score, source, target = row
            candidates.append(Candidate(float(score), source, target))
        except ValueError as error:
            raise InputError(
                f"{path}:{n}: {_joined(row)[:60]!r} is not a score and two ids with tabs between; correct the line"
            ) from error
        if not math.isfinite(candidates[-1].score):
            raise InputError(f"{path}:{n}: the score {score!r}; allowed are finite numbers: correct the line")
    return candidates


def has_scores(path: Path | str) -> bool:
    """Tell whether the first line of a file has three columns, as candidates have."""
    return any(len(row) == 3 for _, row in _rows(path, 1))


def read_indices(path: Path | str) -> list[int]:
    """Read for each line of one file the line of its translation in the other, from 0.

    Raises:
        InputError: the file cannot be read or is not UTF-8, or a line is no such number.
    """
    indices = []
    for n, line in enumerate(TextFile(path), 1):
        text = line.strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 9:
            raise InputError(f"{path}:{n}: {line[:60]!r} is no line number; allowed are numbers from 0: correct the line")
        indices.append(int(text))
    return indices


def write_indices(path: Path | str, indices: Iterable[int]) -> None:
    """Write the line of the translation of each line, from 0.

    Raises:
        InputError: no file can be written there.
    """
    _write(path, (f"{n}\n" for n in indices))


def candidate_lines(candidates: Iterable[Candidate]) -> Iterator[str]:
    """Yield the line of each candidate; its score reads back the same."""
    return (f"{score!r}\t{source}\t{target}\n" for score, source, target in candidates)


def write_id_pairs(path: Path | str, pairs: Iterable[Sequence[str]]) -> None:
    """Write pairs of ids.

    Raises:
        InputError: no file can be written there.
    """
    _write(path, (f"{source}\t{target}\n" for source, target in pairs))


def _rows(path: Path | str, most: int | None = None) -> Iterable[tuple[int, list[str]]]:
    """Yield the columns of the lines that are not blank, with their numbers."""
    for n, line in enumerate(TextFile(path), 1):
        if most is not None and n > most:
            return
        if line.strip():
            yield n, line.removesuffix("\r").split("\t")


def _write(path: Path | str, lines: Iterable[str]) -> None:
    text = encoded("".join(lines))
    write_atomically(Path(path), lambda stream: stream.write(text))


def _joined(row: Sequence[str]) -> str:
    return "\t".join(row)
