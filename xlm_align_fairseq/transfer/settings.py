"""What a fine-tuned run says of itself, in `transfer.json`: its task, the labels, and how it reads text."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import write_atomically
from xlm_align_fairseq.system.records import build, read_json

FILE_NAME = "transfer.json"
SCHEMA, VERSION = "xlm-align-transfer", 1
SHORTEST_WINDOW = 8  # pieces, specials included
ADVICE = "fine-tuning writes it into --save-dir"


@dataclass(frozen=True, config={"strict": True})
class Settings:
    """Settings of a fine-tuned model.

    Args:
        task: of fairseq, which trained it.
        labels: the tags, in the order of the head's rows; each once.
        window: longest sequence that it reads, in pieces, specials included.
    """

    task: Literal["token_labeling"]
    labels: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    window: Annotated[int, Field(ge=SHORTEST_WINDOW)]

    def __post_init__(self):
        if len(set(self.labels)) < len(self.labels):
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise InputError(f"the label {twice!r} is there twice; allowed is each once")


def write_settings(directory: Path, settings: Settings) -> None:
    """Write `transfer.json` into the directory of a run."""
    record = {"schema": SCHEMA, "version": VERSION, **dataclasses.asdict(settings)}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    write_atomically(directory / FILE_NAME, lambda file: file.write(text.encode()))


def read_settings(directory: Path) -> Settings:
    """Read `transfer.json` of a run.

    Raises:
        InputError: it is missing, not JSON, of another schema or version, or has unknown, missing or refused fields.
    """
    path = directory / FILE_NAME
    if not path.is_file():
        raise InputError(f"{path} is missing: {ADVICE}, as `fairseq-train DATA --task token_labeling --save-dir {directory} …`")
    record: dict[str, Any] = read_json(path, dict[str, Any], ADVICE)
    schema, version = record.pop("schema", None), record.pop("version", None)
    if schema != SCHEMA or version != VERSION or isinstance(version, bool):
        raise InputError(
            f"{path} is of schema {schema!r:.40}, version {version!r:.40}; allowed is {SCHEMA!r}, version {VERSION}: {ADVICE},"
            " fine-tune again"
        )
    if unknown := sorted(set(record) - {field.name for field in dataclasses.fields(Settings)}):
        raise InputError(f"{path} has unknown fields: {', '.join(unknown)}; {ADVICE}")
    if isinstance(record.get("labels"), list):
        record["labels"] = tuple(record["labels"])
    try:
        return build(Settings, record)
    except InputError as error:
        raise InputError(f"{path}: {error}; {ADVICE}") from error
