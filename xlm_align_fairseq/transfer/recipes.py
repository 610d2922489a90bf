"""Name the settings with which encoders are fine-tuned: those of XTREME's scripts, and some for small encoders.

References: Hu et al., "XTREME: A Massively Multilingual Multi-task Benchmark for Evaluating Cross-lingual Generalization", 2020,
the scripts of google-research/xtreme (`xtreme`); examples/transfer of this project (`small`, by English development data).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.tasks import Kind, Task


@dataclass(frozen=True)
class Recipe:
    """Settings of fine-tuning.

    Args:
        rate: learning rate, which falls to 0 on a line.
        epochs: how often the text is read.
        batch: sequences of an update.
        window: longest sequence in pieces.
        warmup: updates in which the rate rises.
        decay: weight decay.
        metric: of English development data, by which the checkpoint is chosen; `None` takes the last.
    """

    rate: float
    epochs: int
    batch: int = 32
    window: int = 128
    warmup: int = 0
    decay: float = 0.0
    metric: str | None = None


QUESTION, STEP, SPECIALS = 64, 128, 4  # pieces of a question, from one window's begin to the next, of a sequence
FAIRSEQ_TASKS: dict[Kind, str] = {"tags": "token_labeling", "classes": "pair_classification", "questions": "span_extraction"}
RECIPES: dict[str, dict[str, Recipe]] = {  # by the name of the task, or its kind
    "xtreme": {
        "tags": Recipe(2e-5, 10, metric="f1"),
        "classes": Recipe(2e-5, 5, metric="accuracy"),
        "questions": Recipe(3e-5, 3, window=384, warmup=500, decay=1e-4),
    },
    "small": {
        "pos": Recipe(2e-4, 1, metric="f1"),
        "ner": Recipe(2e-4, 2, metric="f1"),
        "classes": Recipe(2e-4, 1, metric="accuracy"),
        "questions": Recipe(2e-4, 3, window=384),
    },
}


def find_recipe(name: str, task: Task) -> Recipe:
    """Return the recipe of that name for a task.

    Raises:
        InputError: there is none of that name, or nothing to train for the task.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}: allowed are {', '.join(RECIPES)}")
    found = RECIPES[name].get(task.name) or RECIPES[name].get(task.kind)
    if found is None:
        raise InputError(f"the encoder does the task {task.name} as it is: there is nothing to fine-tune")
    return found


def question_limits(window: int) -> tuple[int, int]:
    """Return the longest question and the step from one window to the next, in pieces, for windows of so many.

    >>> question_limits(384), question_limits(128)
    ((64, 128), (32, 44))
    """
    question = min(QUESTION, window // 4)
    return question, min(STEP, (window - question) // 2 - SPECIALS)


def training_flags(recipe: Recipe, kind: Kind, sequences: int, longest: int = 512) -> list[str]:
    """Return the flags of `fairseq-train` that a recipe stands for; later flags of the same name win.

    Args:
        recipe: the settings.
        kind: of the task.
        sequences: of the training text, which say how many updates there are.
        longest: sequence that the encoder reads, in pieces; one that reads fewer than the recipe says has smaller windows.
    """
    window = min(recipe.window, longest)
    question, step = question_limits(window)
    of_kind = ["--question-pieces", str(question), "--window-step", str(step)] if kind == "questions" else []
    updates = max(1, math.ceil(sequences / recipe.batch) * recipe.epochs)
    task = FAIRSEQ_TASKS[kind]
    chosen = ["--best-checkpoint-metric", recipe.metric, "--maximize-best-checkpoint-metric"] if recipe.metric else []
    return [
        *["--task", task, "--criterion", task, "--window", str(window), "--batch-size", str(recipe.batch)],
        *["--optimizer", "adam", "--adam-betas", "(0.9,0.999)", "--adam-eps", "1e-8", "--weight-decay", str(recipe.decay)],
        *["--clip-norm", "1.0", "--lr", str(recipe.rate), "--lr-scheduler", "polynomial_decay"],
        *["--warmup-updates", str(min(recipe.warmup, updates // 10)), "--total-num-update", str(updates)],
        *["--max-epoch", str(recipe.epochs), "--dropout", "0.1", "--attention-dropout", "0.1", *chosen, *of_kind],
    ]
