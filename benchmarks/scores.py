"""Sentence scores of translations against those of shuffled pairs, by length: does a score tell them apart?

    OMP_NUM_THREADS=2 python benchmarks/scores.py --model DIR --gold DIR --only en-nl.xlwa-dev … --bitext DIR/*.tsv.xz

Segments of one and two words are words of gold sets that are linked one to one; longer ones are drawn from the bitext. In
shuffled pairs each segment has the target of the next one, of the same length and mostly of the same file. `probabilities` is the
mean probability of each word's best link; `score` lets unrelated words compete (docs/aligning.md).
"""

import argparse
import itertools
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
from aligners import GOLD, read_gold
from scipy.stats import rankdata

from xlm_align_fairseq import Aligner
from xlm_align_fairseq.links import sentence_score
from xlm_align_fairseq.text import read_lines

LENGTHS = {"1": 1, "2": 2, "3": 3, "4-5": 5, "6-10": 10, "11-": 1000}  # words of the longer side, at most
Segment = tuple[str, str, str]  # source, target, file


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="model directory")
    p.add_argument("--gold", type=Path, nargs="+", default=[GOLD], help="directories of gold sets (default: the shipped ones)")
    p.add_argument("--only", nargs="+", help="names of gold sets (default: all)")
    p.add_argument("--bitext", type=Path, nargs="+", default=[], help="TSV files, packed or not")
    p.add_argument("--pairs", type=int, default=250, help="segments of each length (default: %(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of the draws (default: %(default)s)")
    return p


def of_gold(args: argparse.Namespace) -> list[Segment]:
    """Return words, and two words in a row, that gold links one to one."""
    segments: list[Segment] = []
    for name, gold_set in read_gold(args.gold, args.only, None).items():
        for (source, target), gold in zip(gold_set.pairs(), gold_set.gold, strict=True):
            words = source.split(" "), target.split(" ")
            counts = [[link[side] for link in gold.sure] for side in (0, 1)]
            one = {i: j for i, j in gold.sure if counts[0].count(i) == counts[1].count(j) == 1}
            for i, j in one.items():
                for n in (1, 2) if one.get(i + 1) == j + 1 else (1,):
                    sides = [words[0][i : i + n], words[1][j : j + n]]
                    if all(word.isalpha() for side in sides for word in side) and sides[0] != sides[1]:
                        segments.append((" ".join(sides[0]), " ".join(sides[1]), name))
    return segments


def of_bitext(args: argparse.Namespace) -> list[Segment]:
    """Return segments that are not the same on both sides."""
    rows = [(line.split("\t"), path.name) for path in args.bitext for line in itertools.islice(read_lines(path), 20_000)]
    return [(source, target, name) for (source, target, *_), name in rows if source != target]


def auc(high: np.ndarray, low: np.ndarray) -> float:
    """Return the probability that a translation scores higher than a shuffled pair."""
    ranks = rankdata(np.concatenate([high, low]))[: len(high)]
    return (ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low))


def main() -> None:
    args = parser().parse_args()
    aligner = Aligner.load(args.model)
    generator = random.Random(args.seed)
    by_length: dict[str, list[Segment]] = defaultdict(list)
    for segment in of_gold(args) + of_bitext(args):
        n = max(len(side.split(" ")) for side in segment[:2])
        by_length[next(name for name, most in LENGTHS.items() if n <= most)].append(segment)
    print(f"{'words':>5} {'pairs':>5}  {'':<13} {'translations':>12} {'shuffled':>8} {'above 0.5':>9} {'AUC':>6}")
    everything: dict[str, list[list[float]]] = {"probabilities": [[], []], "score": [[], []]}
    for name in LENGTHS:
        drawn = generator.sample(by_length[name], min(args.pairs, len(by_length[name])))
        drawn.sort(key=lambda segment: segment[2])
        targets = [segment[1] for segment in drawn]
        shuffled = [(segment[0], target) for segment, target in zip(drawn, targets[1:] + targets[:1], strict=True)]
        found = [list(aligner.align_corpus(pairs)) for pairs in ([segment[:2] for segment in drawn], shuffled)]
        for score in everything:
            values = [
                [a.score if score == "score" else sentence_score(a.probabilities, len(a.source), len(a.target)) for a in part]
                for part in found
            ]
            show(name, score, *values)
            for kept, part in zip(everything[score], values, strict=True):
                kept += part
    for score, values in everything.items():
        show("all", score, *values)


def show(name: str, score: str, true: list[float], false: list[float]) -> None:
    """Print one row."""
    if true:
        above = 100 * np.mean(np.array(false) > 0.5)
        area = auc(np.array(true), np.array(false))
        print(f"{name:>5} {len(true):>5}  {score:<13} {np.mean(true):>12.3f} {np.mean(false):>8.3f} {above:>8.0f}% {area:>6.4f}")


if __name__ == "__main__":
    main()
