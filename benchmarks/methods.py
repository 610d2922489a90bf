"""AER of every method on gold sets, under several settings of one option: which setting is better, and by how much.

    OMP_NUM_THREADS=2 python benchmarks/methods.py --model DIR --gold DIR --only de-en en-fr ro-en --option marks=link,skip

One encoding of each gold set serves all methods and settings. The differences are paired: the same sentence pairs are drawn again
for both settings, and the interval is the 95 % one of `xlm-align score`.
"""

import argparse
from pathlib import Path

from aligners import GOLD, read_gold
from tqdm import tqdm

from xlm_align_fairseq import Aligner
from xlm_align_fairseq.alignment.config import OPTIONS
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.links.metrics import Counts, paired_resampling


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="model directory")
    p.add_argument("--gold", type=Path, nargs="+", default=[GOLD], help="directories of gold sets (default: the shipped ones)")
    p.add_argument("--only", nargs="+", help="names of gold sets (default: all in the directory)")
    p.add_argument("--methods", nargs="+", choices=METHODS, help="(default: all that the model can)")
    p.add_argument("--option", default="marks=link,skip", metavar="NAME=BEFORE,AFTER", help="(default: %(default)s)")
    p.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="further changes, as encoding=separate align_layer=6"
    )
    return p


def value(name: str, text: str):
    """Return what an option's text stands for."""
    return OPTIONS[name].kind(text)


def main() -> None:
    args = parser().parse_args()
    aligner = Aligner.load(args.model, changes={name: value(name, text) for name, text in (one.split("=") for one in args.set)})
    methods = args.methods or [name for name in METHODS if name != "pointer" or aligner.pointer is not None]
    name, _, settings = args.option.partition("=")
    before, after = settings.split(",")
    variants = {
        (method, setting): aligner.config.replace(method=method, **{name: value(name, setting)})
        for method in methods
        for setting in (before, after)
    }
    gold = read_gold(args.gold, args.only, None)
    pooled: dict[tuple[str, str], list[Counts]] = {key: [] for key in variants}
    means = dict.fromkeys(variants, 0.0)
    print(f"{'gold set':<18} {'method':<18} {before:>7} {after:>7} {'difference':>11}   95 % interval     p")
    for gold_set in tqdm(gold.values(), unit=" sets"):
        counts = dict(zip(variants, aligner.score_variants(gold_set, list(variants.values())), strict=True))
        for key, found in counts.items():
            pooled[key] += found
            means[key] += 100 * sum(found, Counts()).aer / len(gold)
        for method in methods:
            show(gold_set.name, method, counts[method, before], counts[method, after])
    for method in methods:
        show("all pairs", method, pooled[method, before], pooled[method, after])
        print(f"{'mean of sets':<18} {method:<18} {means[method, before]:>7.2f} {means[method, after]:>7.2f}")


def show(gold: str, method: str, before: list[Counts], after: list[Counts]) -> None:
    """Print one row."""
    paired = paired_resampling(before, after)
    ends = f"{100 * paired.low:+.2f} … {100 * paired.high:+.2f}"
    aers = " ".join(f"{100 * sum(counts, Counts()).aer:>7.2f}" for counts in (before, after))
    print(f"{gold:<18} {method:<18} {aers} {100 * paired.difference:>+11.2f}   {ends:>15}  {paired.p_value:.3f}")


if __name__ == "__main__":
    main()
