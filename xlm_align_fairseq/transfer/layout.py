"""Name the files that XTREME's download script leaves, and those of predictions that its `evaluate.py` reads.

Development data of `xquad` and `mlqa` is SQuAD's in English; MLQA has its own in the other languages. TyDiQA-GoldP's "dev" is
XTREME's test, and it has no development data.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.tasks import TASKS, Task

Split = Literal["train", "dev", "test"]
_SQUAD: dict[str, tuple[str, ...]] = {"train": ("squad/train-v1.1.json",), "dev": ("squad/dev-v1.1.json",)}
_MLQA = "mlqa/MLQA_V1/{split}/{split}-context-{lang}-question-{lang}.json"
_TATOEBA: dict[str, tuple[str, ...]] = {"test": ("tatoeba/{lang}-en.{lang}", "tatoeba/{lang}-en.en")}
_BUCC = ("bucc2018/{lang}-en.{split}.{lang}", "bucc2018/{lang}-en.{split}.en")
_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    **{
        task.name: {split: (f"{task.folder}/{split}-{{lang}}.tsv",) for split in ("train", "dev", "test")}
        for task in TASKS.values()
        if task.kind in ("tags", "classes")
    },
    "xquad": {"test": ("xquad/xquad.{lang}.json",)},
    "mlqa": {split: (_MLQA.replace("{split}", split),) for split in ("dev", "test")},
    "tydiqa": {
        "train": ("tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json",),
        "test": ("tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{lang}.dev.json",),
    },
    "tatoeba": _TATOEBA,
    "bucc": {
        "dev": (*(name.replace("{split}", "dev") for name in _BUCC), "bucc2018/{lang}-en.dev.gold"),
        "test": tuple(name.replace("{split}", "test") for name in _BUCC),
    },
}
_LANGUAGE = r"(?P<lang>[a-z]{2,3}(?:-[a-z]+)*)"


def data_files(task: Task, split: Split, language: str) -> list[str]:
    """Return the names of the files of a split of a task in a language, below the folder of XTREME's download.

    Several files belong together: for retrieval those of the language and of English, for `bucc` on `dev` also the gold pairs.

    Raises:
        InputError: the task has no such split.

    >>> from xlm_align_fairseq.transfer.tasks import TASKS
    >>> data_files(TASKS["ner"], "dev", "de")
    ['panx/dev-de.tsv']
    """
    if task.name in ("xquad", "mlqa") and language == "en" and split in _SQUAD:
        return list(_SQUAD[split])
    if split not in _FILES[task.name]:
        raise InputError(f"the task {task.name} has no files of the split {split!r}; allowed are {', '.join(_FILES[task.name])}")
    return [name.format(lang=language) for name in _FILES[task.name][split]]


def languages(directory: Path | str, task: Task, split: Split) -> list[str]:
    """Return the languages, sorted, of which a directory has all files of a split of a task.

    Args:
        directory: the folder of XTREME's download.
        task: any task.
        split: `train`, `dev` or `test`; one that the task has not has no languages.
    """
    found: set[str] = set()
    for name in _FILES[task.name].get(split, ())[:1]:
        folder, _, form = name.rpartition("/")
        before, *between = map(re.escape, form.split("{lang}"))
        pattern = re.compile(before + _LANGUAGE + "(?P=lang)".join(between))
        paths = Path(directory, folder).iterdir() if Path(directory, folder).is_dir() else ()
        found.update(match["lang"] for path in paths if (match := pattern.fullmatch(path.name)))
    if task.name in ("xquad", "mlqa") and split in _SQUAD:
        found.add("en")
    return sorted(lang for lang in found if all(Path(directory, name).is_file() for name in data_files(task, split, lang)))


def prediction_file(task: Task, language: str, split: Split = "test") -> str:
    """Return the name of the file of predictions below the folder that XTREME's `evaluate.py` reads.

    >>> from xlm_align_fairseq.transfer.tasks import TASKS
    >>> prediction_file(TASKS["mlqa"], "de")
    'mlqa/test-de.json'
    """
    return f"{task.folder}/{split}-{language}.{'json' if task.kind == 'questions' else 'tsv'}"
