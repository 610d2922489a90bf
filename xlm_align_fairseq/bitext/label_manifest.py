"""The manifest of labels, `labels.SPLIT.json`: read with every key and type checked; sets of sentence pairs in few characters."""

from __future__ import annotations

import base64
import binascii
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from xlm_align_fairseq.bitext.json_shape import each, finite, natural, optional, read_json, shape_fault, string
from xlm_align_fairseq.errors import InputError

FORMAT, VERSION = "xlm-align labels", 1

_PAIR = {
    **dict.fromkeys(("sentences", "labelled", "links", "pieces", "linked", "agreed"), natural),
    **dict.fromkeys(("links_per_pair", "linked_share", "agreement"), finite),
    "change": optional(finite),
    "data": string,
    "sha256": {"bin": string, "idx": string},
    "without_links?": string,  # 0.1.0 did not write it; only where there are such pairs
}
_MANIFEST = {
    "split": string,
    "pairs": each(_PAIR),
    **dict.fromkeys(("em_iter?", "update?", "max_positions?"), natural),
    **dict.fromkeys(("weights?", "aligner?", "ids?"), string),
    "shard?": (natural, natural),
}


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
    manifest, fault = read_json(path, FORMAT, VERSION)
    fault = fault or shape_fault(manifest, _MANIFEST)
    if not fault and manifest["split"] != split:
        fault = f"it tells of {manifest['split']}"
    if not fault and ("em_iter" in manifest) != ("update" in manifest):
        fault = "em_iter and update belong together"
    if fault:
        raise InputError(f"{path} is no manifest of {FORMAT} {VERSION} ({fault}): make the labels again")
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
