"""`xlm-align align`: sentence pairs in, links out, exactly one line per input line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.alignment.config import given
from xlm_align_fairseq.cli.support.flags import add_aligner_flags, add_compute_flags, add_model_flag
from xlm_align_fairseq.cli.support.model import open_aligner, report
from xlm_align_fairseq.cli.support.streams import progress
from xlm_align_fairseq.cli.support.texts import FLAGS as TEXT_FLAGS
from xlm_align_fairseq.cli.support.texts import GIVE, add_text_flags, given_flags

if TYPE_CHECKING:
    from xlm_align_fairseq.aligner.aligner import Aligner

FORMATS = {
    "pharaoh": "0-0 1-2",
    "probabilities": "0-0:0.9871 1-2:0.6034",
    "words": "Haus<sep>house",
    "jsonl": "words, links, probabilities, sentence score and flags as JSON",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(
        prog="xlm-align align",
        description="Align sentence pairs. Links are 0-based source-target pairs of words. One line comes out for each line that"
        " goes in; what cannot be aligned gives an empty one and is counted on stderr.",
        epilog='Text is UTF-8, plain or packed as .gz, .bz2, .xz or .zst; lines end at "\\n" alone.',
    )
    add_model_flag(p.add_argument)
    add_text_flags(p.add_argument_group("texts", f"{GIVE} Without any, --pairs - is read."))
    p.set_defaults(replace_invalid=True)  # one line comes out for each line that goes in, whatever its bytes
    output = p.add_argument_group("output")
    output.add_argument("--out", metavar="FILE", default="-", help="where the links go (default: standard output)")
    output.add_argument(
        "--format",
        choices=FORMATS,
        default="pharaoh",
        help="; ".join(f"{name}: {example}" for name, example in FORMATS.items()) + " (default: pharaoh)",
    )
    output.add_argument(
        "--write-tokenized", nargs=2, metavar=("SRC", "TGT"), help="write the words that links count, line by line, to two files"
    )
    output.add_argument(
        "--resume",
        action="store_true",
        help="go on where a killed run with the same --out stopped; a complete --out stays; model, flags and text must be"
        " the same (standard input cannot be compared)",
    )
    output.add_argument(
        "--line-buffered",
        action="store_true",
        help="answer each line before the next one is read, for programs that keep this one running in a pipe; slower (default:"
        " where text is typed and links are shown on a terminal)",
    )
    output.add_argument("--num-shards", type=int, default=1, metavar="N", help="cut the text into N parts (default: 1) …")
    output.add_argument("--shard-id", type=int, default=0, metavar="K", help="… and align part K, from 0; cat joins the outputs")
    output.add_argument("--gold", metavar="FILE", help="gold alignments: print AER instead of links")
    output.add_argument("--gold-one-based", action="store_true", help="a Pharaoh gold file counts words from 1 (rows always do)")
    output.add_argument("--all-layers", action="store_true", help="with --gold: AER of every layer, from one encoding")
    add_aligner_flags(p)
    add_compute_flags(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Align the input; the number of pairs with each flag goes to stderr."""
    args = parser().parse_args(argv)
    from xlm_align_fairseq.errors import InputError

    if all(getattr(args, flag) is None for flag in TEXT_FLAGS):
        args.pairs = "-"
    given_flags(args)
    for flag in ("all_layers", "gold_one_based"):
        if getattr(args, flag) and not args.gold:
            raise InputError(f"--{flag.replace('_', '-')} needs --gold, which prints AER")
    if args.gold:
        if not args.src:
            raise InputError("--gold needs --src and --tgt")
        unused = {
            "out": "-",
            "format": "pharaoh",
            "tokenizer": "none",
            "write_tokenized": None,
            "resume": False,
            "line_buffered": False,
            "num_shards": 1,
        }
        if wrong := [flag for flag, default in unused.items() if getattr(args, flag) != default]:
            raise InputError(
                f"--{wrong[0].replace('_', '-')} with --gold: it prints the AER of the words as they are given; leave it out"
            )
        return _score(args)
    return _align(args)


def _align(args) -> int:
    from xlm_align_fairseq.aligner.aligner import CHUNK_PAIRS
    from xlm_align_fairseq.cli.support.identity import identity
    from xlm_align_fairseq.cli.support.outputs import Output
    from xlm_align_fairseq.cli.support.shards import Shard

    shard = Shard.from_flags(args)
    typed = "-" in shard.texts.inputs and sys.stdin.isatty()
    args.line_buffered = args.line_buffered or (typed and args.out == "-" and sys.stdout.isatty())
    total = shard.count()
    output = Output.from_flags(args, shard.texts.inputs)
    if output.is_complete(total):
        print(f"{args.out} is complete already; delete it if text, model or flags are other ones now", file=sys.stderr)
        return 0
    aligner = _open(args)
    if typed:
        print(f"waiting for {_expected(shard.texts.separator)}, one pair a line; Ctrl-D ends", file=sys.stderr)
    step = 1 if args.line_buffered else CHUNK_PAIRS
    quiet = args.quiet or args.line_buffered
    with output.open(lambda: identity(args, shard, aligner), total, step) as done, progress(None, total, quiet, done) as bar:
        for alignment in aligner.align_corpus(shard.pairs(skip=done), args.line_buffered):
            output.write(shard.flagged(alignment))
            bar.update()
    report(aligner.flagged + shard.counted, aligner.window)
    _report_evidence(aligner)
    return 0


def _open(args) -> Aligner:
    """Open the model and the evidence that the flags name."""
    from xlm_align_fairseq.aligner.evidence import Evidence

    aligner = open_aligner(args, given(args))
    if args.evidence is not None:
        aligner.evidence = Evidence.load(args.evidence)
    return aligner


def _report_evidence(aligner: Aligner) -> None:
    """Print a warning where the evidence is of another text."""
    if aligner.evidence is not None and (few := aligner.evidence.stranger()):
        print(f"warning: {few}", file=sys.stderr)


def _expected(separator: str | None) -> str:
    """Say what is to be typed on a line."""
    if separator is None:
        return "sentences of one side"
    return "`source ||| target`" if separator.strip() else "source and target with a tab between"


def _score(args) -> int:
    from xlm_align_fairseq.links.gold_set import GoldSet
    from xlm_align_fairseq.links.metrics import Counts, resampled_interval
    from xlm_align_fairseq.signature import signature
    from xlm_align_fairseq.version import __version__

    gold_set = GoldSet.read(args.src, args.tgt, args.gold, one_based=args.gold_one_based or None)
    for warning in gold_set.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    aligner = _open(args)
    if args.all_layers:
        layers = dict(enumerate(aligner.score_variants(gold_set, aligner.layers())))
    else:
        layers = {aligner.config.align_layer: aligner.score(gold_set)}
    print(f"{'layer':>5}  {'AER %':>6}  {'95 % interval':>15}  {'precision':>9}  {'recall':>6}  {'links':>7}")
    for layer, counts in layers.items():
        total, (low, high) = sum(counts, Counts()), resampled_interval(counts)
        measures = f"{100 * total.precision:>9.1f}  {100 * total.recall:>6.1f}  {total.hypothesis:>7}"
        print(f"{layer:>5}  {100 * total.aer:>6.2f}  {f'{100 * low:.2f} … {100 * high:.2f}':>15}  {measures}")
    items = aligner.signature_items()
    if args.all_layers:
        del items["align_layer"]
    print(signature({"aer": gold_set.name, "sentences": len(gold_set.gold), **items, "version": __version__}))
    report(aligner.flagged, aligner.window)
    _report_evidence(aligner)
    return 0
