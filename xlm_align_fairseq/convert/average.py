"""The average of the last checkpoints of a training run, which is often better than each of them (Vaswani et al. 2017)."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import Model

BY_UPDATES = re.compile(r"checkpoint_\d+_(\d+)\.pt")


def last_checkpoints(run: Path, count: int) -> list[Path]:
    """Return the last checkpoints of a run by their updates, the first first.

    Args:
        run: a --save-dir, with the checkpoints of --save-interval-updates.
        count: how many.

    Raises:
        InputError: there are fewer.
    """
    found = [(int(match[1]), path) for path in run.glob("checkpoint_*.pt") if (match := BY_UPDATES.fullmatch(path.name))]
    if count < 1 or len(found) < count:
        raise InputError(
            f"--average {count}: {run} has {len(found)} checkpoints by updates (checkpoint_EPOCH_UPDATES.pt); train with"
            " --save-interval-updates N and --keep-interval-updates M, or give a number from 1 to as many"
        )
    return [path for _, path in sorted(found)[-count:]]


def average(run: Path, count: int) -> Model:
    """Return the model whose weights are the mean of those of the last `count` checkpoints; all else is of the last one.

    Raises:
        InputError: there are fewer, one cannot be read, or they are of models that differ.
    """
    *before, last = last_checkpoints(run, count)
    model = open_model(last)
    state = {key: value.double() for key, value in model.state.items()}
    for path in before:
        other = open_model(path)
        if other.config != model.config or other.state.keys() != state.keys():
            raise InputError(f"{path} is of another model than {last}: average checkpoints of one run")
        for key, value in other.state.items():
            state[key] += value
    mean = {key: (value / count).to(model.state[key].dtype) for key, value in state.items()}
    return dataclasses.replace(model, state=mean)
