"""Windows of long pairs, and the pairs that stay whole: links of bitext against those of whole pairs, and AER of glued gold.

    OMP_NUM_THREADS=2 python benchmarks/windows.py --model encoder --bitext ja-en.news.tsv.xz cs-en.news.tsv.xz
    OMP_NUM_THREADS=2 python benchmarks/windows.py --model encoder --gold GOLD --only en-bg.xlwa-dev en-es.xlwa-dev

Of bitext, pairs with 65 to 250 pieces on the longer side are drawn, and links are those of pieces, so that text need not be
tokenised: F1 against the links of whole pairs, with windows alone and by the rule. Files that begin with the same name (`ja-en`)
are one row. Of gold, every so many sentences are one pair; among the whole pairs are those that are short.
"""

import argparse
import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from aligners import read_gold
from long_pairs import glue

from xlm_align_fairseq import Aligner, Alignment
from xlm_align_fairseq.aligner.engine import ChunkAligner
from xlm_align_fairseq.aligner.piece_links import Encoded
from xlm_align_fairseq.aligner.result import Sentence
from xlm_align_fairseq.aligner.windows import WHOLE
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.links.gold_set import GoldSet
from xlm_align_fairseq.links.metrics import Counts, count
from xlm_align_fairseq.text.lines import read_lines

METHODS: dict[str, dict[str, Any]] = {
    "argmax": {"method": "argmax"},
    "entropic": {"method": "entropic"},
    "softmax": {"method": "softmax", "similarity": "cosine", "temperature": 0.05, "cutoff": 0.4},
    "matching": {"method": "matching"},
}
WINDOW = AlignerConfig().window
Pairs = list[tuple[str, str]]


class WindowsAlone(Aligner):
    """Leaves no long pair whole."""

    def _engine(self) -> ChunkAligner:
        return dataclasses.replace(super()._engine(), whole=0)


class Pieces(Aligner):
    """Takes every piece for a word."""

    def _encode(self, source: Sentence, target: Sentence) -> Encoded:
        pair = super()._encode(source, target)
        names = self.pieces.vocabulary.pieces
        source, target = ([names[n] for n in ids] for ids in (pair.src_ids, pair.tgt_ids))
        words = np.arange(len(source)), np.arange(len(target))
        return pair._replace(source=source, target=target, src_words=words[0], tgt_words=words[1])

    def longest(self, pair: tuple[str, str]) -> int:
        """Count the pieces of the longer side."""
        return max(map(len, self._encode(*pair)[2:4]))


class PiecesInWindows(Pieces, WindowsAlone):
    """Both."""


def drawn(paths: list[Path], pairs: int, pieces: Pieces) -> Pairs:
    """Draw pairs of 65 to 250 pieces, as many from each file."""
    chosen: Pairs = []
    for path in paths:
        rows = [(source, target) for source, target, *_ in (line.split("\t") for line in read_lines(path))]
        random.Random(1).shuffle(rows)
        long = (row for row in rows if max(map(len, row)) > WINDOW and WINDOW < pieces.longest(row) <= WHOLE)
        chosen += [row for _, row in zip(range(pairs // len(paths)), long, strict=False)]
    return chosen


def variants(aligner: Aligner) -> list[AlignerConfig]:
    return [aligner.config.replace(**method) for method in METHODS.values()]


def agreement(one: list[Alignment], other: list[Alignment]) -> float:
    """Return F1 of the links of one against those of the other."""
    common = sum(len(set(a.links) & set(b.links)) for a, b in zip(one, other, strict=True))
    return 2 * common / sum(len(found.links) for found in (*one, *other))


def bitext_rows(paths: list[Path], pairs: int, load: Callable[..., Any]) -> Iterator[str]:
    """Yield a row for each language pair."""
    rule, windows, whole = load(Pieces), load(PiecesInWindows), load(Pieces, window=WHOLE)
    yield f"{'bitext':<16} {'pairs':>5} {'whole':>6}  F1 against whole pairs, windows alone → rule: {', '.join(METHODS)}"
    for name in sorted({path.name.split(".")[0] for path in paths}):
        text = drawn([path for path in paths if path.name.split(".")[0] == name], pairs, rule)
        found = [list(zip(*way.align_variants(text, variants(way)), strict=True)) for way in (windows, rule, whole)]
        stayed = sum("windows" not in alignment.flags for alignment in found[1][0]) / len(text)
        cells = [f"{agreement(a, c):.3f} → {agreement(b, c):.3f}" for a, b, c in zip(*found, strict=True)]
        yield f"{name:<16} {len(text):>5} {100 * stayed:>4.0f} %  {'   '.join(cells)}"


def gold_rows(gold: dict[str, GoldSet], sizes: list[int], load: Callable[..., Any]) -> Iterator[str]:
    """Yield a row for each number of sentences: the means over the gold sets."""
    ways = [load(WindowsAlone), load(Aligner)]
    yield f"{'sentences':<16} {'pairs':>5} {'whole':>6}  mean AER, windows alone → rule: {', '.join(METHODS)}"
    for size in sizes:
        means = np.zeros((len(METHODS), len(ways)))
        pairs = stayed = 0
        for sentences in gold.values():
            text = glue(sentences, size)
            for n, way in enumerate(ways):
                found = list(zip(*way.align_variants(text.pairs(), variants(way)), strict=True))
                for k, alignments in enumerate(found):
                    counts = (count(alignment.links, links) for alignment, links in zip(alignments, text.gold, strict=True))
                    means[k, n] += 100 * sum(counts, Counts()).aer / len(gold)
                stayed += sum("windows" not in alignment.flags for alignment in found[0]) if n == 1 else 0
            pairs += len(text.gold)
        cells = [" → ".join(f"{value:.2f}" for value in row) for row in means]
        yield f"{size:<16} {pairs:>5} {100 * stayed / pairs:>4.0f} %  {'   '.join(cells)}"


def main() -> None:
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--model", type=Path, required=True, help="model directory")
    new.add_argument("--layer", type=int, default=7, help="layer of the hidden states (default: %(default)s)")
    new.add_argument("--bitext", type=Path, nargs="+", help="files of source<TAB>target, LANGUAGES.NAME, plain or packed")
    new.add_argument("--pairs", type=int, default=300, help="of bitext, for each language pair (default: %(default)s)")
    new.add_argument("--gold", type=Path, nargs="+", help="directories with PAIR/test.SRC, PAIR/test.TGT, PAIR/gold")
    new.add_argument("--only", nargs="+", metavar="PAIR", help="of those, only these pairs")
    new.add_argument("--sizes", type=int, nargs="+", default=[3, 5, 10, 20], help="sentences of a group (default: %(default)s)")
    args = new.parse_args()

    def load(kind: type[Aligner], **changes: Any) -> Aligner:
        return kind.load(args.model, changes={"encoding": "separate", "align_layer": args.layer, **changes})

    if args.bitext:
        for line in bitext_rows(args.bitext, args.pairs, load):
            print(line, flush=True)
    if args.gold:
        for line in gold_rows(read_gold(args.gold, args.only, None), args.sizes, load):
            print(line, flush=True)


if __name__ == "__main__":
    main()
