"""Select the device and the precision of computation."""

from __future__ import annotations

import contextlib

import torch

from xlm_align_fairseq.errors import InputError


def open_device(name: str) -> torch.device:
    """Return the device of a name, `auto` for a GPU if there is one.

    Raises:
        InputError: torch cannot compute on it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"--device {name}: {reason}; allowed are auto, cpu and, where torch finds a GPU, cuda, cuda:1 …"
        ) from error


def default_batch_tokens(device: torch.device) -> int:
    """Return the default batch size of a device, in pieces with padding."""
    return 2048 if device.type == "cpu" else 32768


def check_batch_tokens(pieces: int) -> None:
    """Refuse batches without a piece.

    Raises:
        InputError: fewer than one.
    """
    if pieces < 1:
        raise InputError(f"batch_tokens (--batch-tokens) is {pieces}: allowed are 1 and more pieces")


def half_precision(device: torch.device) -> torch.dtype:
    """Return the 16-bit type that a device computes fast with."""
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def lower_precision(device: torch.device | str, dtype: torch.dtype | None) -> contextlib.AbstractContextManager:
    """Return the context in which a device computes in a lower precision; `None` leaves everything as it is."""
    return torch.autocast(torch.device(device).type, dtype) if dtype else contextlib.nullcontext()
