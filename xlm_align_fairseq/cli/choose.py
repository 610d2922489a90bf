"""`xlm-align choose`: the encoding, layer and method that align best on gold development sets."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Sequence

from xlm_align_fairseq.alignment.config import CHOICES, AlignerConfig
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.cli.support.flags import add_compute_flags, add_model_flag
from xlm_align_fairseq.cli.support.model import open_aligner

DEFAULT = ("optimal-transport", "entropic", "argmax")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(
        prog="xlm-align choose",
        description="Align gold development sets with every encoding, layer and method, print the mean AER of each, and write "
        "the best into the model's aligner.json. Report results on other sets than these.",
    )
    add_model_flag(p.add_argument)
    p.add_argument("--gold-set", required=True, nargs="+", metavar="SRC,TGT,GOLD", help="development sets, three files each")
    p.add_argument("--encoding", choices=(*CHOICES["encoding"], "both"), default="both", help="(default: both)")
    p.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        metavar="METHOD",
        default=[*DEFAULT],
        help=f"what to try, of {', '.join(METHODS)} (default: {' '.join(DEFAULT)})",
    )
    p.add_argument("--dry-run", action="store_true", help="print only, leave aligner.json as it is")
    add_compute_flags(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Try every combination and keep the best."""
    args = parser().parse_args(argv)
    from tqdm import tqdm

    from xlm_align_fairseq.convert import SHIPPED, WORDS
    from xlm_align_fairseq.convert.open import identify
    from xlm_align_fairseq.errors import InputError
    from xlm_align_fairseq.links.gold_set import read_gold_sets
    from xlm_align_fairseq.links.metrics import Counts
    from xlm_align_fairseq.model.directory import write_aligner

    gold_sets = read_gold_sets(args.gold_set)
    for warning in (warning for gold_set in gold_sets for warning in gold_set.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    (kind, path), name = identify(args.model), args.model or SHIPPED
    if kind in WORDS and not args.dry_run:
        raise InputError(f"{name} has no aligner.json for the result: give --dry-run, or a directory by --model")
    aligner = open_aligner(args, {})
    encodings = ("joint", "separate") if args.encoding == "both" else (args.encoding,)
    if "pointer" in args.methods and aligner.pointer is None:
        raise InputError(f"--methods pointer: {name} has no pointer head, training with word alignment makes one")
    table: dict[tuple[str, int, str], tuple[float, AlignerConfig]] = {}
    for encoding in encodings:
        way = dataclasses.replace(aligner, config=aligner.config.replace(encoding=encoding))  # pairs that are too long differ
        variants = {(layer.align_layer, name): layer.replace(method=name) for layer in way.layers() for name in args.methods}
        means = dict.fromkeys(variants, 0.0)
        for gold_set in tqdm(gold_sets, desc=encoding, unit=" sets", file=sys.stderr, disable=args.quiet):
            scores = way.score_variants(gold_set, list(variants.values()))
            for key, counts in zip(variants, scores, strict=True):
                means[key] += 100 * sum(counts, Counts()).aer / len(gold_sets)
        table |= {(encoding, *key): (mean, variants[key]) for key, mean in means.items()}
    if spoiled := aligner.flagged["not-finite"]:
        raise InputError(
            f"{name}: hidden states are not finite in {spoiled} pairs, so nothing can be chosen; the weights are damaged"
            + (", or --half is too coarse: leave it out" if args.half else ": convert the model again")
        )
    _print(table, encodings, args.methods)
    (encoding, layer, name), (aer, best) = min(table.items(), key=lambda item: item[1][0])
    print(f"best: encoding {encoding}, layer {layer}, {name}: mean AER {aer:.2f} on {', '.join(g.name for g in gold_sets)}")
    if not args.dry_run:
        write_aligner(path if path.is_dir() else path.parent, best)
    return 0


def _print(table: dict, encodings: Iterable[str], methods: Sequence[str]) -> None:
    for encoding in encodings:
        print(f"{encoding:>10}  " + "  ".join(f"{method:>17}" for method in methods))
        for layer in sorted({key[1] for key in table}):
            print(f"{layer:>10}  " + "  ".join(f"{table[encoding, layer, method][0]:>17.2f}" for method in methods))
