"""Open the model that a command's flags name, and say what it could not align as it should."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from xlm_align_fairseq.aligner.aligner import Aligner

WARNINGS = {
    "blank": "pairs with a blank side: left without links",
    "not-finite": "pairs whose hidden states are not finite: left without links (damaged weights, or --half is too coarse)",
    "windows": "pairs longer than {window} pieces a side: aligned in windows",
    "too-long": "pairs longer than {characters} characters or {pieces} pieces a side: left without links",
    "unknown": "pairs with pieces that the vocabulary lacks, read as <unk> (many: is the model trimmed?)",
    "invalid": "pairs with U+FFFD, which stands for bytes that are not UTF-8",
    "separator": "lines without the separator between source and target",
    "fields": "lines with a third field behind a second |||: left without links",
}


def open_aligner(args: argparse.Namespace, changes: Mapping[str, Any], keep_weights: bool = False) -> Aligner:
    """Load the model that the flags name.

    Args:
        args: parsed flags, `--model` and those of `add_compute_flags`.
        changes: fields of its aligner configuration that differ, from flags.
        keep_weights: with --half, leave the weights in float32 and compute in half precision, as training does.

    Raises:
        InputError: a flag or the model cannot be used, or a change has no effect.
    """
    from xlm_align_fairseq.aligner.aligner import Aligner

    device, dtype = where_to_compute(args)
    held, autocast = (None, dtype) if keep_weights else (dtype, None)
    aligner = Aligner.load(args.model, str(device), changes, held, args.batch_tokens, autocast)
    aligner.config.refuse_unused(changes, evidence=getattr(args, "evidence", None) is not None)  # not all commands have it
    return aligner


def where_to_compute(args: argparse.Namespace) -> tuple[torch.device, torch.dtype | None]:
    """Set the number of threads, and return the device and the half precision that the flags of `add_compute_flags` name.

    Raises:
        InputError: a flag cannot be used.
    """
    import torch

    from xlm_align_fairseq.errors import InputError
    from xlm_align_fairseq.system.device import half_precision, open_device

    if args.threads is not None:
        if args.threads < 1:
            raise InputError(f"--threads {args.threads}: allowed are 1 and more")
        torch.set_num_threads(args.threads)
    device = open_device(args.device)
    return device, half_precision(device) if args.half else None


def report(flagged: Mapping[str, int], window: int) -> None:
    """Print how many pairs have each flag, and what it means."""
    from xlm_align_fairseq.aligner.aligner import LONGEST_PIECES
    from xlm_align_fairseq.text.lines import LONGEST_SIDE

    limits = {"window": window, "characters": LONGEST_SIDE, "pieces": LONGEST_PIECES}
    for flag, text in WARNINGS.items():
        if flagged[flag]:
            print(f"warning: {flagged[flag]} {text.format(**limits)}", file=sys.stderr)
