"""Read and write `.pt` files without running code that a file may carry."""

from __future__ import annotations

import argparse
import collections
import importlib
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import write_atomically

NAMES = {"model": "xlm_align", "task": "denoising_word_alignment", "criterion": "pointer_alignment"}


class Meter:
    """Replace a meter of an old fairseq checkpoint, which is never read."""


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint: tensors, numbers, text, and the few data classes of fairseq's files since 2019.

    Raises:
        InputError: the file is missing or damaged, or refers to any other class or function, which is not run.
    """
    try:
        known = torch.serialization.get_safe_globals()  # at its end the block unregisters all names it is given, even known ones
        with torch.serialization.safe_globals([name for name in _harmless() if name not in known]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); check the path") from error
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"wants to call {named[1]}, which is no part of a checkpoint" if named else "is not a plain checkpoint"
        raise InputError(
            f"{path} {what}: refused, nothing was run. If you trust its origin,"
            " load it in a sandbox and save its tensors alone as a .safetensors file"
        ) from error
    except Exception as error:  # damaged files raise many types of exceptions
        first = str(error).split("\n")[0]
        raise InputError(f"{path} is not a torch checkpoint, or is damaged: {first}; copy it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a checkpoint (a dict)")
    return content


def is_ours(content: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint is of the model `xlm_align`, with any architecture name."""
    flags = (content.get("cfg") or {}).get("model") or {}
    name = flags.get("_name") if isinstance(flags, Mapping) else None  # older fairseq models have a Namespace
    return str(name).startswith(NAMES["model"]) and "model" in content


def _harmless() -> list[Callable | tuple[Callable, str]]:
    """List the data classes of fairseq checkpoints, under the names they had when the files were written."""
    numbers = [type(np.dtype(code)) for code in ("f8", "f4", "f2", "i8", "i4", "?")]
    scalar, array = cast(list[Callable], [np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]])
    harmless: list[Callable | tuple[Callable, str]] = [argparse.Namespace, np.dtype, np.ndarray, *numbers]
    for function in (scalar, array):  # numpy 2 renamed their module
        harmless += [(function, f"numpy.{core}.multiarray.{function.__name__}") for core in ("core", "_core")]
    for module in ("fairseq.meters", "fairseq.logging.meters"):
        for name in ("AverageMeter", "StopwatchMeter", "SumMeter", "TimeMeter"):
            harmless.append((Meter, f"{module}.{name}"))
    harmless += [collections.defaultdict, dict, list, tuple, int, float, str, bool]
    harmless.append((cast(Callable, Any), "typing.Any"))
    try:
        for module, names in {
            "omegaconf.dictconfig": ("DictConfig",),
            "omegaconf.listconfig": ("ListConfig",),
            "omegaconf.base": ("ContainerMetadata", "Metadata"),
            "omegaconf.nodes": ("AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode"),
        }.items():
            harmless += [getattr(importlib.import_module(module), name) for name in names]
    except ImportError:
        pass
    return harmless


def save_checkpoint(path: Path, config: EncoderConfig, state: Mapping[str, Tensor], hf_architecture: str) -> None:
    """Write a checkpoint that fairseq restores, fine-tunes from and loads, and that is plain data to `torch.load`.

    Args:
        path: output file, written atomically.
        config: sizes.
        state: tensors under the keys of the fairseq model `xlm_align`.
        hf_architecture: `xlm-roberta` or `bert`.
    """
    content = {
        "args": None,
        "cfg": {
            "_name": None,
            "model": {"_name": NAMES["model"], **config.to_flags(), "hf_architecture": hf_architecture},
            "task": {"_name": NAMES["task"], "data": ""},  # given at loading: the directory with dict.txt
            "criterion": {"_name": NAMES["criterion"]},
            # settings that the task reads from other groups of the configuration
            "common": {"seed": 1, "cpu": False},
            "optimization": {"update_freq": [1]},
            "ema": {"store_ema": False},
            "checkpoint": {"save_dir": "", "restore_file": "checkpoint_last.pt", "finetune_from_model": None},
        },
        "model": {key: own(value) for key, value in state.items()},
        "optimizer_history": [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}],
        "last_optimizer_state": None,
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}, "val_loss": None},
    }
    write_atomically(path, lambda file: torch.save(content, file))


def own(value: Tensor) -> Tensor:
    """Return the tensor with its own storage: saving a view would save the whole storage behind it."""
    value = value.detach().contiguous()
    return value.clone() if value.untyped_storage().nbytes() != value.nbytes else value
