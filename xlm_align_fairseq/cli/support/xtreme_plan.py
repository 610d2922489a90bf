"""What `xlm-align xtreme` has to do: which data is there, what is trained on it, what is tested, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.layout import Split, data_files, languages
from xlm_align_fairseq.transfer.recipes import Recipe, find_recipe
from xlm_align_fairseq.transfer.tasks import TASKS, Task

SOURCE = "en"  # the language of training
TRAINED_AS = {"xquad": "squad", "mlqa": "squad"}  # tasks that share one training


@dataclass(frozen=True)
class Training:
    """Hold what an encoder is fine-tuned on.

    Args:
        name: of the task, or of the text that several tasks share.
        task: whose form the files have.
        train: the file.
        dev: development text in the same language, by which the checkpoint is chosen; `None` takes the last.
        recipe: the settings.
    """

    name: str
    task: Task
    train: Path
    dev: Path | None
    recipe: Recipe


@dataclass
class Plan:
    """Hold what is to be done.

    Args:
        trainings: by name.
        tests: files by task and language.
        development: by language, the files of BUCC that its threshold is chosen on.
        left_out: tasks and languages, with the reason.
    """

    trainings: dict[str, Training] = field(default_factory=dict)
    tests: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    development: dict[str, list[Path]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def training_of(self, task: str) -> Training | None:
        """Return what the model for a task is fine-tuned on; `None` if the encoder does it as it is."""
        return self.trainings.get(TRAINED_AS.get(task, task))

    def files(self) -> list[Path]:
        """Return all files of the data, sorted."""
        trained = [path for one in self.trainings.values() for path in (one.train, one.dev) if path]
        tested = [path for of in self.tests.values() for paths in of.values() for path in paths]
        chosen = [path for paths in self.development.values() for path in paths]
        return sorted({*trained, *tested, *chosen})


def make_plan(folder: Path, tasks: Sequence[str], langs: Sequence[str], recipe: str, split: Split) -> Plan:
    """Look what data there is.

    Args:
        folder: of XTREME's download.
        tasks: names; none are all.
        langs: languages that are tested; none are all that are there.
        recipe: name of the settings of training.
        split: that is tested.

    Raises:
        InputError: there is no such folder, task or recipe, or nothing of it can be done.
    """
    if not folder.is_dir():
        raise InputError(f"--data {folder}: no such folder; give the one that XTREME's script has downloaded into")
    plan = Plan()
    for name in tasks or TASKS:
        task = _task(name)
        tests = _tests(folder, task, langs, split)
        if not tests:
            plan.left_out.append(f"{name}: no {split} files" + (f" in {', '.join(langs)}" if langs else ""))
            continue
        if name == "bucc":
            plan.development = {lang: [folder / one for one in data_files(task, "dev", lang)] for lang in tests}
            without = [lang for lang, paths in plan.development.items() if not all(path.is_file() for path in paths)]
            plan.left_out += [f"bucc in {lang}: no development pairs to choose the threshold on" for lang in without]
            tests = {lang: paths for lang, paths in tests.items() if lang not in without}
            if not tests:
                continue
        if task.kind != "retrieval":
            training = _training(folder, task, recipe)
            if not training.train.is_file():
                plan.left_out.append(f"{name}: there is no {training.train.relative_to(folder)} to train on")
                continue
            plan.trainings[training.name] = training
        plan.tests[name] = tests
        if missing := [lang for lang in langs if lang not in tests and lang != SOURCE]:
            plan.left_out.append(f"{name} in {', '.join(missing)}: no {split} files")
    if not plan.tests:
        raise InputError(f"--data {folder}: nothing to do; {'; '.join(plan.left_out)}")
    return plan


def _task(name: str) -> Task:
    if name not in TASKS:
        raise InputError(f"--tasks {name}: allowed are {', '.join(TASKS)}")
    return TASKS[name]


def _tests(folder: Path, task: Task, langs: Sequence[str], split: Split) -> dict[str, list[Path]]:
    there = [lang for lang in languages(folder, task, split) if not langs or lang in langs]
    return {lang: [folder / name for name in data_files(task, split, lang)] for lang in there}


def _training(folder: Path, task: Task, recipe: str) -> Training:
    (train,) = data_files(task, "train", SOURCE)
    try:
        dev: Path | None = folder / data_files(task, "dev", SOURCE)[0]
    except InputError:  # TyDiQA-GoldP has no development data
        dev = None
    found = find_recipe(recipe, task)
    if found.metric is None or dev is None or not dev.is_file():  # the last checkpoint is taken
        dev, found = None, replace(found, metric=None)
    return Training(TRAINED_AS.get(task.name, task.name), task, folder / train, dev, found)
