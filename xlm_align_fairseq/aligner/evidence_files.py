"""The directory of evidence: how often a statistical aligner linked which words of a corpus, and a manifest.

`source.txt` and `target.txt` have a word a line; the number of a line, from 1, is the word's. `links.bin` has four little-endian
uint32 a row: source word, target word, how often they were linked from source to target, how often from target to source; word
0 stands for no word. Rows ascend. docs/formats.md describes the format. Nothing is believed: sizes are checked before anything is
read, and all content before anything is looked up in it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, NonNegativeInt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.files import encoded, together, write_atomically
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.version import __version__

FORMAT, VERSION = "xlm-align evidence", 1
MANIFEST, SOURCE, TARGET, LINKS = "evidence.json", "source.txt", "target.txt", "links.bin"
REACH = 50  # words; longer steps are counted as these
MOST_WORDS = 1 << 31  # of a side, so that two fit in 63 bits
ROW = np.dtype("<u4")
_NO_LETTERS = ("Zs", "Zl", "Zp", "Cc", "Cs")  # spaces, ends of lines, control characters, halves of characters
ADVICE = "make it again by `xlm-align bootstrap --save`"

_Jumps = Annotated[list[Annotated[int, Field(ge=0, lt=1 << 53)]], Field(min_length=2 * REACH + 1, max_length=2 * REACH + 1)]
_Number = Annotated[int, Field(ge=1, lt=MOST_WORDS)]


class _Jumped(BaseModel):
    to_target: _Jumps
    to_source: _Jumps


class Manifest(BaseModel):
    """What `evidence.json` tells."""

    format: Literal["xlm-align evidence"]
    version: Literal[1]
    signature: str
    pairs: NonNegativeInt
    dropped: dict[str, NonNegativeInt]
    tokenizer: str
    source_words: _Number
    target_words: _Number
    links: Annotated[int, Field(ge=1, lt=1 << 40)]
    jumps: _Jumped
    sizes: dict[str, NonNegativeInt]
    sha256: dict[str, str]


class Tables(NamedTuple):
    """What is counted in a corpus.

    Args:
        source, target: words, normalised, each once; the first has number 1.
        links: (n, 4) uint32, as in the file.
        to_target, to_source: (2 `REACH` + 1,) how many links of the direction were −`REACH` … `REACH` words from the one before.
    """

    source: list[str]
    target: list[str]
    links: np.ndarray
    to_target: np.ndarray
    to_source: np.ndarray


def normalized(word: str) -> str:
    """Return the form in which words are looked up: NFKC, as sentencepiece reads them, and lower case; "" for what is none.

    >>> normalized("Ｈäuser"), normalized("a\\u2028b")
    ('häuser', '')
    """
    word = unicodedata.normalize("NFKC", word).lower()
    return "" if any(unicodedata.category(char) in _NO_LETTERS for char in word) else word


def write_evidence(
    directory: Path, tables: Tables, pairs: int, dropped: dict[str, int], tokenizer: str, made: dict[str, Any]
) -> None:
    """Write the files of a directory; all or none.

    Args:
        directory: made if it is missing.
        tables: what was counted.
        pairs: sentence pairs that were learned from.
        dropped: others, by reason.
        tokenizer: what made words of the text.
        made: signature items of how links were made.

    Raises:
        InputError: it cannot be written.
    """
    contents = {
        SOURCE: encoded("".join(f"{word}\n" for word in tables.source)),
        TARGET: encoded("".join(f"{word}\n" for word in tables.target)),
        LINKS: np.ascontiguousarray(tables.links, ROW).tobytes(),
    }
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "signature": signature({**made, "tokenizer": tokenizer, "format": VERSION, "version": __version__}),
        "pairs": pairs,
        "dropped": dropped,
        "tokenizer": tokenizer,
        "source_words": len(tables.source),
        "target_words": len(tables.target),
        "links": len(tables.links),
        "jumps": {"to_target": tables.to_target.tolist(), "to_source": tables.to_source.tolist()},
        "sizes": {name: len(content) for name, content in contents.items()},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    text = f"{json.dumps(manifest, ensure_ascii=False)}\n"
    with together(directory, directory / MANIFEST):  # the manifest tells of what is complete: it goes first and comes last
        for name, content in contents.items():
            write_atomically(directory / name, functools.partial(_write, content))
        write_atomically(directory / MANIFEST, functools.partial(_write, encoded(text)))


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def read_evidence(directory: Path) -> tuple[Tables, Manifest, str]:
    """Read a directory of evidence; return what was counted, its manifest, and the SHA-256 of all.

    Raises:
        InputError: a file is missing, damaged, or of another version.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise InputError(f"{directory} has no {MANIFEST}: give a directory that `xlm-align bootstrap --save` wrote")
    manifest = read_json(path, Manifest, ADVICE)
    size = manifest.links * 4 * ROW.itemsize
    if manifest.sizes.get(LINKS) != size:
        raise InputError(f"{path}: {LINKS} has {manifest.sizes.get(LINKS)} bytes: allowed are {size}, 16 a link; {ADVICE}")
    source = _words(_checked(directory / SOURCE, manifest), directory / SOURCE, manifest.source_words)
    target = _words(_checked(directory / TARGET, manifest), directory / TARGET, manifest.target_words)
    links = np.frombuffer(_checked(directory / LINKS, manifest), ROW).reshape(-1, 4)
    _check_links(directory / LINKS, links, manifest)
    jumps = (np.array(of_direction, np.float64) for of_direction in (manifest.jumps.to_target, manifest.jumps.to_source))
    return Tables(source, target, links, *jumps), manifest, hashlib.sha256(path.read_bytes()).hexdigest()


def _checked(path: Path, manifest: Manifest) -> bytes:
    """Read a file that has the size and the hash that its manifest tells."""
    try:
        with open(path, "rb") as file:
            found, expected = os.fstat(file.fileno()).st_size, manifest.sizes.get(path.name)
            if found != expected:
                raise InputError(f"{path} has {found} bytes, {MANIFEST} tells of {expected}: it is damaged; {ADVICE}")
            content = file.read(found)
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); {ADVICE}") from error
    if hashlib.sha256(content).hexdigest() != manifest.sha256.get(path.name):
        raise InputError(f"{path} is not the file that {MANIFEST} tells of (SHA-256): it is damaged; {ADVICE}")
    return content


def _words(content: bytes, path: Path, number: int) -> list[str]:
    try:
        words = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; {ADVICE}") from error
    if words.pop() or len(words) != number or len(set(words)) != number or "" in words:
        raise InputError(f"{path}: allowed are {number} words, one a line, each once, as {MANIFEST} tells; {ADVICE}")
    return words


def _check_links(path: Path, links: np.ndarray, manifest: Manifest) -> None:
    source, target = links[:, 0].astype(np.int64), links[:, 1].astype(np.int64)
    if source.max() > manifest.source_words or target.max() > manifest.target_words:
        raise InputError(f"{path} links words that are not there; {ADVICE}")
    keys = pair_keys(source, target)
    if keys[0] == 0 or (np.diff(keys) <= 0).any():
        raise InputError(f"{path}: allowed are links that ascend, each once, of a word at least; {ADVICE}")


def pair_keys(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return one int64 for each pair of word numbers, in their order."""
    return (source.astype(np.int64) << 32) | target


def numbers(words: Sequence[str]) -> dict[str, int]:
    """Return the number of each word, from 1."""
    return {word: number for number, word in enumerate(words, 1)}
