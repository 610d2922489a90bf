"""Standard input, output and error as a program finds them: any of them may be closed, or open the wrong way round."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from typing import Any


def hold_descriptors() -> None:
    """Give descriptors 0 to 2 that are closed to the null device, so that no file that is opened later gets one of them.

    What is printed on a standard error that is closed goes nowhere: Python would print it on standard output, among the result.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (until the end of the process)


def can_read(stream: Any) -> bool:
    """Say whether a standard stream can be read from."""
    return stream is not None and _mode(stream) != os.O_WRONLY


def can_write(stream: Any) -> bool:
    """Say whether a standard stream can be written to."""
    return stream is not None and _mode(stream) != os.O_RDONLY


def _mode(stream: Any) -> int:
    """Return how the descriptor of a stream was opened; what has none is taken to be open both ways."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_ACCMODE
    return os.O_RDWR
