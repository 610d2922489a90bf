"""The manifest of labels, `labels.SPLIT.json`: read with every key and type checked; sets of sentence pairs in few characters."""

from __future__ import annotations

import base64
import binascii
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.records import read_json

FORMAT, VERSION = "xlm-align labels", 1


class Hashes(BaseModel):
    """SHA-256 of the two files of a language pair."""

    bin: str
    idx: str


class LabelledPair(BaseModel):
    """What is told of the labels of a language pair."""

    model_config = ConfigDict(extra="allow")

    sentences: NonNegativeInt
    labelled: NonNegativeInt
    links: NonNegativeInt
    pieces: NonNegativeInt
    linked: NonNegativeInt
    agreed: NonNegativeInt
    links_per_pair: FiniteFloat
    linked_share: FiniteFloat
    agreement: FiniteFloat
    change: FiniteFloat | None
    data: str
    sha256: Hashes
    without_links: str = ""  # 0.1.0 did not write it; only where there are such pairs


class Manifest(BaseModel):
    """What `labels.SPLIT.json` tells; what has a default may be missing."""

    model_config = ConfigDict(extra="allow")

    format: Literal["xlm-align labels"]
    version: Literal[1]
    split: str
    pairs: dict[str, LabelledPair]
    em_iter: NonNegativeInt = 0
    update: NonNegativeInt = 0
    max_positions: NonNegativeInt = 0
    weights: str = ""
    aligner: str = ""
    ids: str = ""
    shard: tuple[NonNegativeInt, NonNegativeInt] = (1, 0)


def manifest_path(directory: Path, split: str) -> Path:
    """Return where the manifest of a split is."""
    return directory / f"labels.{split}.json"


def read_manifest(directory: Path, split: str) -> dict[str, Any]:
    """Read the manifest of a split; an empty one if there is none.

    Raises:
        InputError: it is not a manifest of this version, lacks a key, has a value of another type, or is of another split.
    """
    path = manifest_path(directory, split)
    if not path.exists():
        return {}
    advice = "make the labels again"
    manifest = read_json(path, Manifest, advice).model_dump(mode="json", exclude_unset=True)
    if manifest["split"] != split:
        raise InputError(f"{path}: split is {manifest['split']!r}: allowed is {split!r}, as in its name; {advice}")
    if ("em_iter" in manifest) != ("update" in manifest):
        raise InputError(f"{path}: em_iter and update belong together, one is missing; {advice}")
    return manifest


def pack_lines(marked: np.ndarray) -> str:
    """Write (n,) bool as text: bits, deflated, in base 64; a few characters where few are marked, or nearly all."""
    return base64.b64encode(zlib.compress(np.packbits(marked).tobytes(), 9)).decode()


def unpack_lines(packed: str, n: int) -> np.ndarray:
    """Read what `pack_lines` wrote of `n` lines: (n,) bool.

    Raises:
        ValueError: it is something else, or of another number of lines.
    """
    size = -(-n // 8)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(packed, validate=True), size + 1)  # no more, whatever it claims to hold
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from error
    if len(data) != size or not inflate.eof:
        raise ValueError(f"it is not of {n} lines")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=n).astype(bool)
