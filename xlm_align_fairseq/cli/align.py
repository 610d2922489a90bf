"""`xlm-align align`: sentence pairs in, links out, exactly one line per input line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from xlm_align_fairseq.alignment.config import CHOICES, FLAGS, METHODS, AlignerConfig
from xlm_align_fairseq.cli.support.streams import progress
from xlm_align_fairseq.cli.support.texts import FLAGS as TEXT_FLAGS
from xlm_align_fairseq.cli.support.texts import GIVE, add_text_flags, given_flags

FORMATS = {
    "pharaoh": "0-0 1-2",
    "probabilities": "0-0:0.9871 1-2:0.6034",
    "words": "Haus<sep>house",
    "jsonl": "words, links, probabilities, sentence score and flags as JSON",
}
HELP = {
    "encoding": "both sides in one sequence, or each alone",
    "similarity": "of two hidden states",
    "scaling": "from similarities to a plan",
    "extraction": "from the plan to links",
    "symmetrization": "how the links of both directions are joined, for argmax and cutoff",
    "combine": "how the links of --also are joined with the others",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(
        prog="xlm-align align",
        description="Align sentence pairs. Links are 0-based source-target pairs of words. One line comes out for each line that"
        " goes in; what cannot be aligned gives an empty one and is counted on stderr.",
        epilog='Text is UTF-8, plain or packed as .gz, .bz2, .xz or .zst; lines end at "\\n" alone.',
    )
    p.add_argument(
        "--model", required=True, metavar="DIR", help="directory of a converted encoder, a training run or Hugging Face's"
    )
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
    output.add_argument("--num-shards", type=int, default=1, metavar="N", help="cut the text into N parts (default: 1) …")
    output.add_argument("--shard-id", type=int, default=0, metavar="K", help="… and align part K, from 0; cat joins the outputs")
    output.add_argument("--gold", metavar="FILE", help="gold alignments: print AER instead of links")
    output.add_argument("--gold-one-based", action="store_true", help="a Pharaoh gold file counts words from 1 (rows always do)")
    output.add_argument("--all-layers", action="store_true", help="with --gold: AER of every layer, from one encoding")
    add_aligner_flags(p)
    add_compute_flags(p)
    return p


def add_aligner_flags(p: argparse.ArgumentParser, text: bool = True) -> None:
    """Add the flags that change the aligner configuration of the model; without `text` for what is in pieces already."""
    p.set_defaults(window=None)
    group = p.add_argument_group("how links are made (default: what the model's aligner.json says)")
    group.add_argument(
        "--method",
        choices=METHODS,
        help="a published method, see docs/aligning.md; flags below change it, and are refused where they change nothing",
    )
    for name, choices in CHOICES.items():
        group.add_argument(f"--{name}", choices=choices, help=HELP[name])
    group.add_argument("--align-layer", type=int, metavar="N", help="layer of the hidden states, 1..n; 0 = embeddings")
    group.add_argument("--sinkhorn-rounds", type=int, metavar="N", dest="rounds", help="rounds of normalisation")
    group.add_argument(
        "--sinkhorn-temperature", type=float, metavar="X", dest="temperature", help="sharpness of entropic and softmax scaling"
    )
    group.add_argument("--cutoff", type=float, metavar="X", help="least share of a row and column in cutoff extraction, 0..1")
    group.add_argument("--filter-rounds", type=int, metavar="N", help="rounds of iterative filtering")
    group.add_argument("--filter-alpha", type=float, metavar="X", dest="alpha", help="factor of half-linked cells, 0..1")
    group.add_argument("--also", choices=METHODS, metavar="METHOD", help="a second method, to combine its links with the first's")
    group.add_argument(
        "--threshold", type=float, metavar="X", help="least probability of a link, 0..1: fewer and better links; 0 keeps all"
    )
    if text:
        group.add_argument(
            "--window",
            type=int,
            metavar="N",
            help="pieces of the longest side aligned whole; longer pairs go in windows (64 in a converted model)",
        )


ALIGNER_FLAGS = (
    *("method", *CHOICES, "align_layer", "rounds", "temperature", "cutoff", "filter_rounds", "alpha", "also", "threshold"),
    "window",
)


def add_compute_flags(p: argparse.ArgumentParser) -> None:
    """Add the flags that say where and how fast."""
    group = p.add_argument_group("where and how fast")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 … (default: a GPU if there is one)")
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's own, or OMP_NUM_THREADS)")
    group.add_argument("--half", action="store_true", help="compute in bfloat16 (CPU) or float16 (GPU); links can change")
    group.add_argument(
        "--batch-tokens", type=int, metavar="N", help="pieces of a batch, padding included (default: 2048, on a GPU 32768)"
    )
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def main(argv: Sequence[str] | None = None) -> int:
    """Align what was given; what a reader of the output should know is counted on stderr."""
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
        unused = {"out": "-", "format": "pharaoh", "tokenizer": "none", "write_tokenized": None, "resume": False, "num_shards": 1}
        if wrong := [flag for flag, default in unused.items() if getattr(args, flag) != default]:
            raise InputError(
                f"--{wrong[0].replace('_', '-')} with --gold: it prints the AER of the words as they are given; leave it out"
            )
        return _score(args)
    return _align(args)


def _align(args) -> int:
    from xlm_align_fairseq.cli.support.outputs import Output, identity
    from xlm_align_fairseq.cli.support.shards import Shard

    shard = Shard.from_flags(args)
    total = shard.count()
    output = Output.from_flags(args, shard.texts.inputs)
    if output.is_complete(total):
        print(f"{args.out} is complete already; delete it if text, model or flags are other ones now", file=sys.stderr)
        return 0
    aligner = open_aligner(args, aligner_changes(args))
    with output.open(lambda: identity(args, shard, aligner)) as done, progress(None, total, args.quiet, done) as bar:
        for alignment in aligner.align_corpus(shard.pairs(skip=done)):
            output.write(shard.flagged(alignment))
            bar.update()
    report(aligner.flagged + shard.counted, aligner.window)
    return 0


WARNINGS = {
    "blank": "pairs with a blank side: left without links",
    "windows": "pairs longer than {window} pieces a side: aligned in windows",
    "unknown": "pairs with pieces that the vocabulary lacks, read as <unk> (many: is the model trimmed?)",
    "invalid": "pairs with U+FFFD, which stands for bytes that are not UTF-8",
    "separator": "lines without the separator between source and target",
}


def report(flagged, window: int) -> None:
    """Print how many pairs have each flag, and what it means."""
    for flag, text in WARNINGS.items():
        if flagged[flag]:
            print(f"warning: {flagged[flag]} {text.format(window=window)}", file=sys.stderr)


def aligner_changes(args) -> dict:
    """Return the fields of the aligner configuration that the flags change."""
    return {flag: getattr(args, flag) for flag in ALIGNER_FLAGS if getattr(args, flag) is not None}


def open_aligner(args, changes: dict, keep_weights: bool = False):
    """Load the model that the flags name.

    Args:
        args: parsed flags, `--model` and those of `add_compute_flags`.
        changes: fields of its aligner configuration that differ.
        keep_weights: with --half, leave the weights in float32 and compute in half precision, as training does.
    """
    import torch

    from xlm_align_fairseq.aligner.aligner import Aligner
    from xlm_align_fairseq.errors import InputError
    from xlm_align_fairseq.system.device import half_precision, open_device

    if args.threads is not None:
        if args.threads < 1:
            raise InputError(f"--threads {args.threads}: allowed are 1 and more")
        torch.set_num_threads(args.threads)
    device = open_device(args.device)
    dtype = half_precision(device) if args.half else None
    half = {"autocast": dtype} if keep_weights else {"dtype": dtype}
    aligner = Aligner.load(args.model, str(device), changes, batch_tokens=args.batch_tokens, **half)
    _refuse_unused(changes, aligner.config)
    return aligner


def _refuse_unused(changes: dict, config: AlignerConfig) -> None:
    """Refuse flags that change nothing, as `--cutoff` does with a method that has none."""
    from xlm_align_fairseq.errors import InputError

    used = {"method", *config.signature_items()}
    if unused := [flag for flag in changes if flag not in used]:
        flags = ", ".join(f"--{FLAGS.get(flag, flag).replace('_', '-')} {changes[flag]}" for flag in unused)
        how = f"scaling {config.scaling} and extraction {config.extraction}" + ("" if config.also else " without --also")
        raise InputError(f"{flags}: changes nothing with {how}; leave it out, or give another --method")


def _score(args) -> int:
    from xlm_align_fairseq.links.gold_set import GoldSet
    from xlm_align_fairseq.links.metrics import resampled_interval
    from xlm_align_fairseq.signature import signature
    from xlm_align_fairseq.version import __version__

    gold_set = GoldSet.read(args.src, args.tgt, args.gold, one_based=args.gold_one_based or None)
    aligner = open_aligner(args, aligner_changes(args))
    if args.all_layers:
        layers = dict(enumerate(aligner.score_variants(gold_set, aligner.layers())))
    else:
        layers = {aligner.config.align_layer: aligner.score(gold_set)}
    print(f"{'layer':>5}  {'AER %':>6}  {'95 % interval':>15}  {'precision':>9}  {'recall':>6}  {'links':>7}")
    for layer, counts in layers.items():
        total, (low, high) = sum(counts), resampled_interval(counts)
        measures = f"{100 * total.precision:>9.1f}  {100 * total.recall:>6.1f}  {total.hypothesis:>7}"
        print(f"{layer:>5}  {100 * total.aer:>6.2f}  {f'{100 * low:.2f} … {100 * high:.2f}':>15}  {measures}")
    items = aligner.config.signature_items()
    if args.all_layers:
        del items["align_layer"]
    print(signature({"aer": gold_set.name, "sentences": len(gold_set.gold), **items, "version": __version__}))
    report(aligner.flagged, aligner.window)
    return 0
