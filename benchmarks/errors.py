"""Which errors links have: of words with one gold link or several, of frequent words or others, beside a link or far from any.

    OMP_NUM_THREADS=2 python benchmarks/errors.py --gold DIR --only en-bg.xlwa-dev en-nl.xlwa-dev …

A word has several links if more than one possible gold link is of it; a frequent word is one of the 60 most frequent of its
side in the gold set: most of these are function words and punctuation. A link is beside one that was made if it has one word in
common with it and the other words are neighbours.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from aligners import GOLD, read_gold

from xlm_align_fairseq import Aligner
from xlm_align_fairseq.links.gold_set import GoldSet

FREQUENT = 60


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", help="model directory (default: the model that ships)")
    p.add_argument("--gold", type=Path, nargs="+", default=[GOLD], help="directories of gold sets (default: the shipped ones)")
    p.add_argument("--only", nargs="+", help="names of gold sets (default: all in the directory)")
    return p


def frequent(sentences: list[str]) -> set[str]:
    """Return the most frequent words, lower-cased."""
    return {word for word, _ in Counter(word for line in sentences for word in line.lower().split()).most_common(FREQUENT)}


def errors(aligner: Aligner, gold_set: GoldSet) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each sure, missed and wrong link: which it is; several or one; frequent or other; beside or far."""
    often = frequent(gold_set.source), frequent(gold_set.target)
    for pair, alignment, gold in zip(gold_set.pairs(), aligner.align_corpus(gold_set.pairs()), gold_set.gold, strict=True):
        words, links = [side.lower().split() for side in pair], set(alignment.links)
        of_source, of_target = Counter(i for i, _ in gold.possible), Counter(j for _, j in gold.possible)

        def kind(i, j, words=words, links=links, of_source=of_source, of_target=of_target):
            several = "several" if max(of_source[i], of_target[j]) > 1 else "one"
            common = "frequent" if words[0][i] in often[0] or words[1][j] in often[1] else "other"
            beside = "beside" if links & {(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)} else "far"
            return several, common, beside

        yield from (("sure", *kind(*link)) for link in gold.sure)
        yield from (("missed", *kind(*link)) for link in gold.sure - links)
        yield from (("wrong", *kind(*link)) for link in links - gold.possible)


def main() -> None:
    args = parser().parse_args()
    aligner = Aligner.load(args.model)
    found = Counter(error for gold_set in read_gold(args.gold, args.only, None).values() for error in errors(aligner, gold_set))
    print(f"{'':<8} {'links':>6} {'of words with several':>22} {'of a frequent word':>19} {'beside a link':>14}   (%)")
    for what in ("sure", "missed", "wrong"):
        these = {key: count for key, count in found.items() if key[0] == what}
        total = sum(these.values())
        shares = (
            100 * sum(n for key, n in these.items() if name in key) / max(total, 1) for name in ("several", "frequent", "beside")
        )
        print(f"{what:<8} {total:>6} {next(shares):>22.1f} {next(shares):>19.1f} {next(shares):>14.1f}")


if __name__ == "__main__":
    main()
