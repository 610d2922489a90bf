"""fairseq's checkpoints on disk: whole or not there when they are written, and our words where one cannot be read or written.

Patches of fairseq, as those of `patches`.
"""

import logging
import os
import shutil
import sys
import warnings
from pathlib import Path

import torch

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.checkpoint import load_checkpoint
from xlm_align_fairseq.system.files import NewFiles

logger = logging.getLogger(__name__)


def apply():
    """Apply every patch; repeating it changes nothing."""
    copy_atomically()
    save_atomically()
    show_what_crashed()
    explain_what_cannot_be_read()


def copy_atomically():
    """Make `checkpoint_last.pt` and `checkpoint_best.pt` appear whole or not at all: fairseq copies them in place."""
    from fairseq.file_io import PathManager

    if hasattr(PathManager.copy, "atomic"):
        return
    original = PathManager.copy

    def copy(src_path, dst_path, overwrite=False):
        if PathManager.path_requires_pathmanager(dst_path):  # not on a disk
            return original(src_path, dst_path, overwrite)
        with open(src_path, "rb") as source:
            _write(dst_path, lambda file: shutil.copyfileobj(source, file, 1 << 20))
        return True

    vars(copy)["atomic"] = True
    PathManager.copy = staticmethod(copy)


def save_atomically():
    """Save a checkpoint once: fairseq tries a failing write three times, behind what is there, and leaves that on a full disk."""
    from fairseq import checkpoint_utils
    from fairseq.file_io import PathManager

    original = checkpoint_utils.torch_persistent_save
    if hasattr(original, "atomic"):
        return

    def save(obj, filename, async_write=False):
        if async_write or not isinstance(filename, str) or not PathManager.supports_rename(filename):
            return original(obj, filename, async_write)
        return _write(filename, lambda file: torch.save(obj, file))

    vars(save)["atomic"] = True
    checkpoint_utils.torch_persistent_save = save


def _write(path, write):
    try:
        with NewFiles() as new:
            write(new.open(Path(path), temporary=Path(f"{path}.tmp")))  # the name that fairseq gives unfinished checkpoints
    except InputError as error:
        raise InputError(f"{error}; the same command then goes on from the checkpoint before") from error


def show_what_crashed():
    """Let the cause of a crash be what is said of it: fairseq saves `crash.pt` first, and if that fails shows that alone.

    What the user can mend leaves no `crash.pt`.
    """
    from fairseq.trainer import Trainer

    original = Trainer.save_checkpoint
    if hasattr(original, "quiet"):
        return

    def save_checkpoint(trainer, filename, extra_state):
        if os.path.basename(filename) != "crash.pt":
            return original(trainer, filename, extra_state)
        if isinstance(sys.exc_info()[1], InputError):
            return None
        try:
            return original(trainer, filename, extra_state)
        except Exception as error:
            logger.warning(f"no crash.pt is there ({error}); what crashed is said next")
            return None

    vars(save_checkpoint)["quiet"] = True
    Trainer.save_checkpoint = save_checkpoint


def explain_what_cannot_be_read():
    """Say what is wrong with a checkpoint, and which one is whole: torch's words advise to load what would run code."""
    from fairseq import checkpoint_utils

    original = checkpoint_utils.load_checkpoint_to_cpu
    if hasattr(original, "explains"):
        return

    def load(path, *args, **options):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                return original(path, *args, **options)
        except Exception:
            try:
                load_checkpoint(path)
            except InputError as error:
                raise InputError(f"{error}{_advice(Path(path))}") from None
            raise

    vars(load)["explains"] = True
    checkpoint_utils.load_checkpoint_to_cpu = load


def _advice(damaged):
    """Name the newest checkpoint beside one of a run that cannot be read; nothing for one from elsewhere."""
    if not damaged.name.startswith("checkpoint"):
        return ""
    others = [path for path in damaged.parent.glob("checkpoint*.pt") if path != damaged]
    for path in sorted(others, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True):
        try:
            content = load_checkpoint(path)
            updates = content["optimizer_history"][-1]["num_updates"]
        except (InputError, LookupError, TypeError):
            continue
        return f"; the newest one beside it that is whole, of update {updates}, is gone on from with --restore-file {path}"
    return "; no other checkpoint is beside it: begin anew with another --save-dir"
