"""Read and write `.pt` files without running code that a file may carry."""

from __future__ import annotations

import argparse
import collections
import importlib
import mmap
import pickle
import re
import warnings
import zipfile
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
        InputError: the file is missing or damaged, it unpacks to more than its size, or it asks for anything else to be called
            (it is then not run).
    """
    try:
        _refuse_bombs(Path(path))
        known = torch.serialization.get_safe_globals()  # the block forgets all it is given, also what was known before
        with torch.serialization.safe_globals([name for name in _harmless() if name not in known]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # what of it cannot be read is an error next
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); check the path") from error
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"wants to call {named[1]}, which is no part of a checkpoint" if named else "is not a plain checkpoint"
        raise _refused(path, what) from None  # torch's own words advise to load it as it is
    except Exception as error:  # the unpickler fails in as many ways as a file can be broken
        first = str(error).split("\n")[0]
        if "weights_only" in first:  # torch advises to load it unsafely
            first = "it is of the form of torch 0.1, which only unsafe loading reads"
        raise InputError(f"{path} is not a torch checkpoint, or is damaged: {first}; copy it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a checkpoint (a dict)")
    return content


def _refused(path: Path | str, what: str) -> InputError:
    return InputError(
        f"{path} {what}: refused, nothing was run. If you trust its origin,"
        " load it in a sandbox and save its tensors alone as a .safetensors file"
    )


def _refuse_bombs(path: Path) -> None:
    """Refuse a small file that takes much memory: packed records, which torch never writes, and room asked for by a number."""
    size, call = path.stat().st_size, b"bytearray"  # the one call that torch allows which fills as much memory as it is told
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                records = archive.infolist()
                unpacked = sum(record.file_size for record in records)
                if unpacked > size or any(record.compress_type != zipfile.ZIP_STORED for record in records):
                    raise _refused(path, f"is a packed file of {size:,} bytes that unpacks to {unpacked:,}")
                called = any(call in archive.read(record) for record in records if record.filename.endswith(".pkl"))
        else:
            called = bool(size) and mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).find(call) >= 0
    if called:
        raise _refused(path, "wants to call builtins.bytearray, which is no part of a checkpoint")


def model_flags(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the flags of a checkpoint's model, from its cfg or (2019) its args; `None` if it has none.

    Raises:
        InputError: there is something else in their place.
    """
    flags = content.get("args")
    if flags is None and (flags := content.get("cfg")) is not None:
        flags = _plain(flags).get("model")
    return None if flags is None else _plain(flags)


def _plain(flags: Any) -> dict[str, Any]:
    """Return as a dict what is a Mapping, a Namespace or a configuration of omegaconf; nothing in it is looked up elsewhere."""
    if isinstance(flags, argparse.Namespace):
        return {str(key): value for key, value in vars(flags).items()}
    if isinstance(flags, Mapping):
        return {str(key): value for key, value in flags.items()}
    if type(flags).__name__ == "DictConfig":
        from omegaconf import OmegaConf

        try:
            return {str(key): value for key, value in OmegaConf.to_container(flags, resolve=False).items()}
        except Exception as error:  # a configuration can be broken in as many ways as its class has fields
            raise InputError(f"its configuration is damaged ({type(error).__name__}); copy the checkpoint again") from error
    raise InputError(f"its configuration is a {type(flags).__name__}, not flags by name; copy the checkpoint again")


def is_ours(content: Mapping[str, Any]) -> bool:
    """Tell whether a checkpoint is of the model `xlm_align`, of whatever architecture name."""
    flags = None if content.get("args") is not None else model_flags(content)
    return str((flags or {}).get("_name")).startswith(NAMES["model"]) and "model" in content


def _harmless() -> list[Callable | tuple[Callable, str]]:
    """List the data classes of fairseq checkpoints, under the names they had when the files were written."""
    numbers = [type(np.dtype(code)) for code in ("f8", "f4", "f2", "i8", "i4", "?")]
    array = cast(Callable, np.zeros(1).__reduce__()[0])
    harmless: list[Callable | tuple[Callable, str]] = [argparse.Namespace, np.dtype, np.ndarray, *numbers]
    for function, name in ((_number, "scalar"), (array, array.__name__)):  # numpy 2 renamed their module
        harmless += [(function, f"numpy.{core}.multiarray.{name}") for core in ("core", "_core")]
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


def _number(dtype: np.dtype, data: Any) -> Any:
    """Do what numpy's `scalar` does, for numbers alone: it would fill as much memory as a type of text says."""
    data = data.encode("latin1") if isinstance(data, str) else data
    if dtype.kind not in "biuf" or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("a scalar that is no number")
    return np.frombuffer(data, dtype)[0]


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
