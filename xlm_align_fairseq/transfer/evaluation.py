"""Evaluate a fine-tuned model on the files of a task, language by language: predictions, their files, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.examples import read_examples
from xlm_align_fairseq.transfer.layout import Split, data_files, languages, prediction_file
from xlm_align_fairseq.transfer.predict import Transfer
from xlm_align_fairseq.transfer.score_files import Options
from xlm_align_fairseq.transfer.scores import ScoreTable
from xlm_align_fairseq.transfer.settings import LabelSettings, Settings
from xlm_align_fairseq.transfer.tasks import TASKS, Task

MEAN = "mean"  # the row of the mean over languages


class Found(NamedTuple):
    """Hold what a model made of the file of a language.

    Args:
        path: of the file.
        examples: how many were read; as many have predictions.
        unit: what an example is, in the plural.
        unknown: share of the pieces of its text that the encoder does not know.
        table: scores; `None` where the answers are withheld.
        notes: lines for the user.
    """

    path: str
    examples: int
    unit: str
    unknown: float
    table: ScoreTable | None
    notes: list[str]


def tables_of(models: Sequence[Mapping[str, Found]]) -> list[dict[str, ScoreTable | None]]:
    """Return the scores of each model by language, as `Scores` takes them."""
    return [{lang: found.table for lang, found in model.items()} for model in models]


def files_of(task: Task, data: Sequence[str], langs: Sequence[str], split: Split) -> dict[str, str]:
    """Return the file of each language.

    Args:
        task: any task whose languages have one file each.
        data: the folder of XTREME's download, or a file for each language.
        langs: languages; for a folder, none are all that it has.
        split: of a folder.

    Raises:
        InputError: there is no such file, or another number of languages than of files.
    """
    if len(set(langs)) < len(langs):
        raise InputError(f"--lang {','.join(langs)}: a language is there twice; give each once, with one file")
    if MEAN in langs:
        raise InputError(f"--lang {MEAN}: the mean over languages has this name; give the language another")
    if len(data) != 1 or not Path(data[0]).is_dir():
        if len(data) != len(langs):
            raise InputError(
                f"--data has {len(data)} files, --lang {len(langs)} languages: give a language for each file, as --lang de,zh"
            )
        return dict(zip(langs, data, strict=True))
    folder = Path(data[0])
    if task.name not in TASKS:
        raise InputError(f"--data {folder}: XTREME has no task of the labels {', '.join(task.labels)}; give files, with --lang")
    there = languages(folder, task, split)
    if missing := sorted(set(langs) - set(there)):
        name = data_files(task, split, missing[0])[0]
        raise InputError(
            f"{folder / name}: no such file; it has {split} files of {task.name} in {', '.join(there) or 'no language'}"
        )
    if not there:
        raise InputError(f"{folder} has no {data_files(task, split, 'LG')[0]}: give the folder of XTREME's download, or files")
    return {lang: str(folder / data_files(task, split, lang)[0]) for lang in langs or there}


def task_of(settings: Settings) -> Task:
    """Return the task of a run: the one of XTREME with its labels, else one of its own that is named as its kind.

    Raises:
        InputError: several tasks of XTREME are possible.
    """
    labels = settings.labels if isinstance(settings, LabelSettings) else ()
    fitting = [task for task in TASKS.values() if task.kind == settings.kind and set(labels) <= set(task.labels)]
    if len(fitting) > 1:
        raise InputError(f"--task is missing: the run can do {', '.join(task.name for task in fitting)}; give one of them")
    if fitting:
        return fitting[0]
    return Task(settings.kind, settings.kind, settings.kind, labels, "accuracy" if settings.kind == "classes" else "f1")


def check_model(settings: Settings, path: str, task: Task) -> None:
    """Refuse the settings of a model that was trained for another kind of task, or for other labels."""
    if settings.kind != task.kind:
        raise InputError(f"{path} gives {settings.kind}, --task {task.name} asks for {task.kind}: give another run or task")
    if isinstance(settings, LabelSettings) and not set(settings.labels) & set(task.labels):
        ours, theirs = (", ".join(sorted(labels)) for labels in (settings.labels, task.labels))
        raise InputError(
            f"{path} has the {task.kind} {ours}; allowed for --task {task.name} are {theirs}: give another run or task"
        )


def evaluate(
    transfer: Transfer,
    task: Task,
    files: Mapping[str, str],
    out: Path | None,
    split: Split,
    options: Options,
    quiet: bool = True,
) -> dict[str, Found]:
    """Predict for the file of each language, write the predictions, and score them where the file has the answers.

    Args:
        transfer: the model.
        task: of its kind.
        files: by language.
        out: the folder of predictions, in the form of XTREME's; `None` writes none.
        split: which the files are, for the names of predictions.
        options: what else reading and scoring depend on; the language is that of the file.
        quiet: show no progress bar.

    Raises:
        InputError: a file cannot be read, or predictions cannot be written.
    """
    found = {}
    for lang, path in files.items():
        examples = read_examples(task, path, transfer.settings, replace(options, language=lang))
        transfer.counts = type(transfer.counts)()
        done = transfer.predict(examples.inputs)
        predictions = list(tqdm(done, lang, len(examples.inputs), unit=f" {examples.unit}", disable=True if quiet else None))
        if out is not None:
            target = out / prediction_file(task, lang, split)
            target.parent.mkdir(parents=True, exist_ok=True)
            examples.write(target, predictions)
        counts = transfer.counts
        notes = [f"{path}: {counts}"] if counts.many else []
        if counts.cut:
            notes.append(f"{path}: {counts.cut} {examples.unit} are longer than the model reads, and were cut")
        table = examples.score(predictions) if examples.scored and predictions else None
        if table is None:
            notes.append(f"{path}: {examples.unit} without answers, predicted and not scored")
        found[lang] = Found(path, len(predictions), examples.unit, transfer.unknown, table, notes + examples.notes)
    return found
