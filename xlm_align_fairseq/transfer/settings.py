"""What a fine-tuned run says of itself, in `transfer.json`: its task, its labels, how it reads text, what it was trained on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import write_text_atomically
from xlm_align_fairseq.system.records import build, read_json
from xlm_align_fairseq.transfer.question_sequences import QuestionLimits
from xlm_align_fairseq.transfer.tasks import Kind

FILE_NAME = "transfer.json"
SCHEMA, VERSION = "xlm-align-transfer", 2
SHORTEST_WINDOW = 8  # pieces, specials included
ADVICE = "fine-tuning writes it into --save-dir"

Labels = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


@dataclass(frozen=True, config={"strict": True})
class Settings:
    """Settings of a fine-tuned model.

    Args:
        window: longest sequence that it reads, in pieces, specials included.
        text: SHA-256 of the file that it was trained on.

    Attributes:
        task: of fairseq, which trained it.
        kind: of the tasks that it serves.
    """

    window: Annotated[int, Field(ge=SHORTEST_WINDOW)]
    text: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    task: ClassVar[str]
    kind: ClassVar[Kind]


@dataclass(frozen=True, config={"strict": True})
class LabelSettings(Settings):
    """Settings of a model that gives labels.

    Args:
        labels: the tags of words or classes of pairs, in the order of the head's rows; each once.
    """

    labels: Labels

    def __post_init__(self):
        if len(set(self.labels)) < len(self.labels):
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise InputError(f"the label {twice!r} is there twice; allowed is each once")


@dataclass(frozen=True, config={"strict": True})
class TagSettings(LabelSettings):
    """Settings of a model for tags of words."""

    task = "token_labeling"
    kind = "tags"


@dataclass(frozen=True, config={"strict": True})
class ClassSettings(LabelSettings):
    """Settings of a model for classes of pairs."""

    task = "pair_classification"
    kind = "classes"


@dataclass(frozen=True, config={"strict": True})
class AnswerSettings(Settings):
    """Settings of a model for answers to questions.

    Args:
        question: longest question, in pieces; of a longer one the first are read.
        step: pieces of the document from one window's begin to the next.
        answer: longest answer, in pieces.
    """

    question: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=1)]
    answer: Annotated[int, Field(ge=1)]
    task = "span_extraction"
    kind = "questions"

    def __post_init__(self):
        self.limits()

    def limits(self) -> QuestionLimits:
        """Return how much of a question and its document is read at once.

        Raises:
            InputError: the step would leave text out.
        """
        return QuestionLimits(self.window, self.question, self.step)


KINDS: dict[str, type[Settings]] = {one.task: one for one in (TagSettings, ClassSettings, AnswerSettings)}


def write_settings(directory: Path, settings: Settings) -> None:
    """Write `transfer.json` into the directory of a run."""
    record = {"schema": SCHEMA, "version": VERSION, "task": settings.task, **dataclasses.asdict(settings)}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    write_text_atomically(directory / FILE_NAME, text)


def read_settings(directory: Path) -> Settings:
    """Read `transfer.json` of a run.

    Raises:
        InputError: it is missing, not JSON, of another schema, version or task, or has unknown, missing or refused fields.
    """
    path = directory / FILE_NAME
    if not path.is_file():
        raise InputError(f"{path} is missing: {ADVICE}, as `fairseq-train DATA --task token_labeling --save-dir {directory} …`")
    record: dict[str, Any] = read_json(path, dict[str, Any], ADVICE)
    schema, version, task = (record.pop(name, None) for name in ("schema", "version", "task"))
    if schema != SCHEMA or version != VERSION or isinstance(version, bool):
        raise InputError(
            f"{path} is of schema {schema!r:.40}, version {version!r:.40}; allowed is {SCHEMA!r}, version {VERSION}: {ADVICE},"
            " fine-tune again"
        )
    if not isinstance(task, str) or task not in KINDS:
        raise InputError(f"{path}: task is {task!r:.40}: allowed are {', '.join(KINDS)}; {ADVICE}")
    if unknown := sorted(set(record) - {field.name for field in dataclasses.fields(KINDS[task])}):
        raise InputError(f"{path} has unknown fields: {', '.join(unknown)}; {ADVICE}")
    if isinstance(record.get("labels"), list):
        record["labels"] = tuple(record["labels"])
    try:
        return build(KINDS[task], record)
    except InputError as error:
        raise InputError(f"{path}: {error}; {ADVICE}") from error
