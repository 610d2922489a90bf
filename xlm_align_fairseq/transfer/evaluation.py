"""Evaluate fine-tuned models on the files of a task, language by language: predictions, scores, and differences of models.

With M models (seeds) of one kind, a language's number is the mean over the models. Its interval draws the examples again, the
same for every model; that of a difference of two kinds draws the models again, too. The mean over languages is the plain one;
languages are drawn independently of each other.

Reference: Koehn, "Statistical Significance Tests for Machine Translation Evaluation", 2004 (intervals, pairing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.metrics import percentile_interval
from xlm_align_fairseq.transfer.encode import PieceCounts
from xlm_align_fairseq.transfer.layout import Split, data_files, languages, prediction_file
from xlm_align_fairseq.transfer.predict import Transfer
from xlm_align_fairseq.transfer.scores import Floats, ScoreTable
from xlm_align_fairseq.transfer.tag_checks import unknown_tags
from xlm_align_fairseq.transfer.tag_scores import score_ner, score_pos
from xlm_align_fairseq.transfer.tags import read_tagged, write_tags
from xlm_align_fairseq.transfer.tasks import Task

MEAN = "mean"  # the row of the mean over languages


class Found(NamedTuple):
    """Hold what a model made of the file of a language.

    Args:
        path: of the file.
        sentences, words: how many were read; as many have predictions.
        unknown: share of the pieces of its text that the encoder does not know.
        table: scores; `None` where the file has no tags.
        notes: lines for the user.
    """

    path: str
    sentences: int
    words: int
    unknown: float
    table: ScoreTable | None
    notes: list[str]


class Difference(NamedTuple):
    """Hold the difference of two means, in points, with its 95 % interval; it is claimed where that excludes 0."""

    value: float
    interval: tuple[float, float]

    @property
    def claimed(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


def files_of(task: Task, data: Sequence[str], langs: Sequence[str], split: Split) -> dict[str, str]:
    """Return the file of each language.

    Args:
        task: any task of words.
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
    there = languages(folder, task, split)
    if missing := sorted(set(langs) - set(there)):
        name = data_files(task, split, missing[0])[0]
        raise InputError(
            f"{folder / name}: no such file; it has {split} files of {task.name} in {', '.join(there) or 'no language'}"
        )
    if not there:
        raise InputError(f"{folder} has no {data_files(task, split, 'LG')[0]}: give the folder of XTREME's download, or files")
    return {lang: str(folder / data_files(task, split, lang)[0]) for lang in langs or there}


def check_model(transfer: Transfer, path: str, task: Task) -> None:
    """Refuse a model that was trained for other tags than those of a task."""
    if not set(transfer.settings.labels) & set(task.labels):
        ours, theirs = (", ".join(sorted(labels)) for labels in (transfer.settings.labels, task.labels))
        raise InputError(f"{path} has the tags {ours}; allowed for --task {task.name} are {theirs}: give another run or task")


def evaluate_tags(
    transfer: Transfer, task: Task, files: Mapping[str, str], out: Path | None, split: Split, quiet: bool = True
) -> dict[str, Found]:
    """Predict the tags of the file of each language, write them, and score them where the file has tags.

    Args:
        transfer: the model.
        task: `pos` or `ner`.
        files: by language.
        out: the folder of predictions, in the form of XTREME's; `None` writes none.
        split: which the files are, for the names of predictions.
        quiet: show no progress bar.

    Raises:
        InputError: a file cannot be read, or predictions cannot be written.
    """
    found = {}
    for lang, path in files.items():
        file = read_tagged(path)
        transfer.counts = PieceCounts()
        words = [sentence.words for sentence in file.sentences]
        tags = list(tqdm(transfer.predict(words), lang, len(words), unit=" sentences", disable=True if quiet else None))
        if out is not None:
            target = out / prediction_file(task, lang, split)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_tags(target, file, tags)
        table, notes = None, [f"{path}: {transfer.counts}"] if transfer.counts.many else []
        if file.has_tags and file.sentences:
            table = (score_pos if task.name == "pos" else score_ner)(file.gold(), tags)
            notes += unknown_tags(file, transfer.settings.labels)
        else:
            notes.append(f"{path}: words without tags, predicted and not scored")
        found[lang] = Found(path, len(words), file.n_words, transfer.unknown, table, notes)
    return found


class Scores:
    """Compare the scores of models of one kind, language by language.

    Args:
        models: of each model, what it found, by language; languages without scores are left out.
        measures: the names of those that are asked for.
        samples: bootstrap samples.
        seed: of the draws.

    Attributes:
        languages: those with scores, and `MEAN` at the end if they are several.
    """

    def __init__(self, models: Sequence[Mapping[str, Found]], measures: Iterable[str], samples: int, seed: int):
        scored = [lang for lang, found in models[0].items() if found.table is not None]
        self._values: dict[tuple[str, str], Floats] = {}  # (M,)
        self._draws: dict[tuple[str, str], Floats] = {}  # (M, samples)
        for number, lang in enumerate(scored):
            tables = [table for model in models if (table := model[lang].table) is not None]
            drawn = [table.draws(samples, seed + number) for table in tables]
            for name in measures:
                self._values[lang, name] = np.array([table.values()[name] for table in tables])
                self._draws[lang, name] = np.stack([draws[name] for draws in drawn])
        self.languages = scored
        if len(scored) > 1:
            self.languages = [*scored, MEAN]
            for name in measures:
                for of in (self._values, self._draws):
                    of[MEAN, name] = np.mean([of[lang, name] for lang in scored], axis=0)
        self._seed = seed

    def values(self, lang: str, measure: str) -> list[float]:
        """Return the number of each model, in percent."""
        return self._values[lang, measure].tolist()

    def mean(self, lang: str, measure: str) -> float:
        """Return the mean over the models."""
        return float(self._values[lang, measure].mean())

    def deviation(self, lang: str, measure: str) -> float:
        """Return the standard deviation over the models, of a sample; 0 of one model."""
        values = self._values[lang, measure]
        return float(values.std(ddof=1)) if len(values) > 1 else 0.0

    def interval(self, lang: str, measure: str) -> tuple[float, float]:
        """Return the 95 % interval of the mean: examples are drawn again."""
        return percentile_interval(self._draws[lang, measure].mean(0))

    def minus(self, other: Scores, lang: str, measure: str) -> Difference:
        """Return how much better these models are than others on the same files: examples and models are drawn again."""
        generator = np.random.default_rng(self._seed)
        ours, theirs = (_of_drawn_models(scores._draws[lang, measure], generator) for scores in (self, other))
        return Difference(self.mean(lang, measure) - other.mean(lang, measure), percentile_interval(ours - theirs))


def _of_drawn_models(draws: Floats, generator: np.random.Generator) -> Floats:
    """Return the mean over M models, drawn with replacement for each sample: (M, samples) in, (samples,) out."""
    models = generator.integers(len(draws), size=draws.shape)
    return np.take_along_axis(draws, models, 0).mean(0)
