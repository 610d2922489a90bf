"""Are link probabilities what they say: expected calibration error on gold sets, with and without links of lone marks.

    OMP_NUM_THREADS=2 python benchmarks/calibration.py --model DIR --gold DIR --only en-nl.xlwa-dev …

A link is right if it is among the possible ones. The error is the mean, over ten equal ranges of probability, of the distance
between their mean probability and their share of right links, weighted by their links.
"""

import argparse
from pathlib import Path

import numpy as np
from aligners import GOLD, read_gold

from xlm_align_fairseq import Aligner


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="model directory")
    p.add_argument("--gold", type=Path, nargs="+", default=[GOLD], help="directories of gold sets (default: the shipped ones)")
    p.add_argument("--only", nargs="+", help="names of gold sets (default: all in the directory)")
    p.add_argument("--methods", nargs="+", default=["argmax", "entropic"], help="(default: argmax entropic)")
    return p


def calibration_error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error of links, by their probabilities and whether each is right."""
    ranges = np.minimum((probabilities * 10).astype(int), 9)
    distances = np.bincount(ranges, weights=probabilities - right, minlength=10)
    return float(np.abs(distances).sum() / len(right))


def main() -> None:
    args = parser().parse_args()
    aligner = Aligner.load(args.model)
    settings = [(method, marks) for method in args.methods for marks in ("link", "skip")]
    variants = [aligner.config.replace(method=method, marks=marks) for method, marks in settings]
    links: list[list[tuple[float, bool]]] = [[] for _ in variants]
    for gold_set in read_gold(args.gold, args.only, None).values():
        for found, gold in zip(aligner.align_variants(gold_set.pairs(), variants), gold_set.gold, strict=True):
            for seen, alignment in zip(links, found, strict=True):
                seen.extend((probability, link in gold.possible) for link, probability in alignment.probabilities.items())
    print(f"{'method':<18} {'marks':<5} {'links':>6} {'right':>6} {'error':>6}")
    for (method, marks), seen in zip(settings, links, strict=True):
        probabilities, right = (np.array(column, dtype=float) for column in zip(*seen, strict=True))
        print(f"{method:<18} {marks:<5} {len(right):>6} {right.mean():>6.3f} {calibration_error(probabilities, right):>6.4f}")


if __name__ == "__main__":
    main()
