"""How links are made: one record, checked in one place, kept as `aligner.json` beside the weights it was chosen for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.files import write_atomically

VERSION = 1
FILE_NAME = "aligner.json"

CHOICES = {
    "encoding": ("joint", "separate"),
    "similarity": ("dot", "cosine"),
    "scaling": ("reference", "entropic"),
    "extraction": ("argmax", "filter"),
}

_REFERENCE = {"similarity": "dot", "scaling": "reference", "rounds": 2}
# what the authors' released code does: its training labeller, and its aligner
MODES: dict[str, dict[str, Any]] = {
    "reference-label": {**_REFERENCE, "clamp": 1e-6, "extraction": "filter", "filter_rounds": 2, "alpha": 0.9},
    "reference-align": {**_REFERENCE, "clamp": None, "extraction": "argmax"},
}


@dataclasses.dataclass(frozen=True)
class AlignerConfig:
    """Everything that decides which pieces are linked.

    Args:
        encoding: `joint` encodes `<s> S </s> T </s>`, `separate` encodes each side on its own.
        align_layer: layer of the hidden states, 1..n; 0 = embeddings.
        similarity: `dot` or `cosine`.
        scaling: `reference` normalises the clamped similarities, columns then rows, as the authors' code does; `entropic`
            solves the transport problem with marginals 1/S and 1/T in the log domain.
        temperature: divides the similarity in `entropic` scaling.
        rounds: Sinkhorn rounds.
        clamp: smallest similarity in `reference` scaling; `None` lets negative ones stand.
        extraction: `argmax` keeps cells that are the best of their row in the row-normalised plan and of their column in the
            column-normalised plan; `filter` is iterative filtering on the row-normalised plan.
        filter_rounds, alpha: of iterative filtering.
        max_pieces: pieces of one side that are read; what is longer is cut (and counted).
    """

    encoding: str = "joint"
    align_layer: int = 8
    similarity: str = "dot"
    scaling: str = "reference"
    temperature: float = 0.05
    rounds: int = 2
    clamp: float | None = 1e-6
    extraction: str = "argmax"
    filter_rounds: int = 2
    alpha: float = 0.9
    max_pieces: int = 250

    def __post_init__(self):
        for field, allowed in CHOICES.items():
            if getattr(self, field) not in allowed:
                raise InputError(f"{field} is {getattr(self, field)!r}: allowed are {', '.join(allowed)}")
        for field, (low, high) in {
            "align_layer": (0, 1000),
            "temperature": (1e-4, 1e4),
            "rounds": (1, 1000),
            "filter_rounds": (1, 1000),
            "alpha": (0.0, 1.0),
            "max_pieces": (1, 1_000_000),
        }.items():
            value = getattr(self, field)
            whole = isinstance(low, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise InputError(f"{field} is {value!r}: allowed is {kind} from {low:g} to {high:g}")
        if self.clamp is not None and not (isinstance(self.clamp, (int, float)) and self.clamp > 0):
            raise InputError(f"clamp is {self.clamp!r}: allowed is a number above 0, or null for no clamp")

    @classmethod
    def named(cls, mode: str, **changes: Any) -> AlignerConfig:
        """Return a named mode of `MODES`, with changes."""
        return cls().replace(mode=mode, **changes)

    def replace(self, **changes: Any) -> AlignerConfig:
        """Return a copy with some fields changed; `mode` sets those of a named mode first."""
        mode = changes.pop("mode", None)
        if mode is not None and mode not in MODES:
            raise InputError(f"no mode {mode!r}: allowed are {', '.join(MODES)}")
        return dataclasses.replace(self, **{**(MODES[mode] if mode else {}), **changes})

    def check_layer(self, layers: int) -> None:
        """Refuse an `align_layer` that an encoder of `layers` layers does not have."""
        if self.align_layer > layers:
            raise InputError(f"--align-layer {self.align_layer}: this encoder has layers 1..{layers} (0 = embeddings)")

    def signature_items(self) -> dict[str, Any]:
        """Return the fields that can change an output, without those their siblings switch off."""
        items = dataclasses.asdict(self)
        if self.scaling == "reference":
            del items["temperature"]
        else:
            del items["clamp"]
        if items.get("clamp", 0) is None:
            items["clamp"] = "none"
        if self.extraction == "argmax":
            del items["filter_rounds"], items["alpha"]
        return items

    def write(self, directory: Path) -> None:
        """Write `aligner.json` into a model directory."""
        record = {"version": VERSION, **dataclasses.asdict(self)}
        text = json.dumps(record, indent=2) + "\n"
        write_atomically(directory / FILE_NAME, lambda file: file.write(text.encode()))

    @classmethod
    def read(cls, directory: Path) -> AlignerConfig:
        """Read `aligner.json` of a model directory.

        Raises:
            InputError: the file is missing, not JSON, of another version, or has unknown or refused fields.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            raise InputError(f"{path} is missing: a model directory made by `xlm-align convert` or by training has it")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is not JSON: {error}") from error
        if not isinstance(record, dict) or record.pop("version", None) != VERSION:
            raise InputError(f"{path} is not an aligner configuration of version {VERSION}: convert the model again")
        unknown = set(record) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise InputError(f"{path} has unknown fields: {', '.join(sorted(unknown))}")
        try:
            return cls(**record)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
