"""Languages without gold: agreement of the two directions, and how well scores tell translations from shuffled pairs.

    python held_out.py TEXT_DIR MODEL MODEL …     # TEXT_DIR has valid.PAIR.tsv, as text.py writes it; models read alike

Agreement is |forward ∩ backward| / |forward ∪ backward| of the links of words by argmax, in %. The AUC is the probability that
the score of a translation is above that of the same source beside another target of the same file.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np

from xlm_align_fairseq.aligner.aligner import Aligner

READ = {"encoding": "separate", "align_layer": 7, "method": "mutual-probability", "cutoff": 0.5, "low_cutoff": 0.2}


def agreement(aligner, pairs):
    """Return the share of links that both directions choose, of all that one of them does."""
    variants = [aligner.config.replace(method="argmax", symmetrization=how) for how in ("intersection", "union")]
    found = list(aligner.align_variants(pairs, variants))
    both, either = (sum(len(ways[k].links) for ways in found) for k in (0, 1))
    return 100 * both / either


def auc(aligner, pairs):
    """Return the probability that the score of a translation is above that of a pair that is none; ties count half."""
    moved = [(source, pairs[n - 1][1]) for n, (source, _) in enumerate(pairs)]
    right, wrong = (np.array([found.score for found in aligner.align_corpus(texts)]) for texts in (pairs, moved))
    differences = right[:, None] - wrong[None]
    return float((differences > 0).mean() + (differences == 0).mean() / 2)


def main():
    """Print a row for every language pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    aligners = [Aligner.load(model, changes=READ, device="cpu") for model in args.models]
    print("pair   " + "  ".join(f"{name[-24:]:>24}" for name in args.models) + "      (agreement %, AUC)")
    columns = []
    for path in sorted(args.text.glob("valid.*.tsv")):
        lines = path.read_text("utf-8").splitlines()
        pairs = [tuple(line.split("\t")) for line in lines]
        row = [(agreement(aligner, pairs), auc(aligner, pairs)) for aligner in aligners]
        columns.append(row)
        print(f"{path.name.split('.')[1]:6} " + "  ".join(f"{a:>16.1f} {b:>7.4f}" for a, b in row), flush=True)
    means = [[statistics.fmean(row[k][m] for row in columns) for m in (0, 1)] for k in range(len(aligners))]
    print(f"{'mean':6} " + "  ".join(f"{a:>16.1f} {b:>7.4f}" for a, b in means))


if __name__ == "__main__":
    main()
