"""Find the translation of each sentence among those of another file, by vectors: the mean over the pieces of an encoder's layer.

Four uses: two files whose lines n are translations of each other give the accuracy in both directions, of one layer or of all;
--out writes what was found; --mine finds the pairs in two collections with ids, as BUCC's; --export writes the vectors.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from xlm_align_fairseq.cli.support.flags import add_compute_flags, add_model_flag

EXAMPLES = """examples:
  xlm-align retrieve --model encoder --src flores.de --tgt flores.en --all-layers
  xlm-align retrieve --model encoder --choose-layer dev.de dev.en dev.fr dev.en --src test.ja --tgt test.en
  xlm-align retrieve --model encoder --src de-en.de --tgt de-en.en --not-parallel --direction backward --out tatoeba/test-de.tsv
  xlm-align retrieve --model encoder --mine --src de-en.dev.de --tgt de-en.dev.en --gold de-en.dev.gold
  xlm-align retrieve --model encoder --mine --src de-en.test.de --tgt de-en.test.en --threshold 1.07 --out bucc2018/test-de.tsv
  xlm-align retrieve --model encoder --layer 12 --src lines.txt --export lines.npy
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align retrieve``."""
    command = argparse.ArgumentParser(
        prog="xlm-align retrieve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    add_model_flag(command.add_argument)
    texts = command.add_argument_group("texts: a sentence in each line; with --mine an id, a tab and a sentence")
    texts.add_argument("--src", metavar="FILE", help="one side")
    texts.add_argument("--tgt", metavar="FILE", help="the other side")
    texts.add_argument(
        "--gold",
        metavar="FILE",
        help="the right answers: for each line that asks the line of the other file, from 0; with --mine `id<TAB>id`"
        " (default: line n translates line n)",
    )
    texts.add_argument("--not-parallel", action="store_true", help="which line translates which is not known: score nothing")
    vectors = command.add_argument_group("vectors")
    layers = vectors.add_mutually_exclusive_group()
    layers.add_argument("--layer", type=int, metavar="N", help="1..n; 0 = the embeddings (default: two thirds of n: 8 of 12)")
    layers.add_argument("--all-layers", action="store_true", help="every layer, from one pass")
    layers.add_argument(
        "--choose-layer",
        nargs="+",
        metavar="FILE",
        help="take the layer that is best on development pairs, SRC TGT [SRC TGT ...], by the mean accuracy of both directions",
    )
    vectors.add_argument("--without-specials", action="store_true", help="leave <s> and </s> out of the mean")
    vectors.add_argument("--export", nargs="+", metavar="FILE.npy", help="write the vectors of --src, and those of --tgt")
    search = command.add_argument_group("search")
    search.add_argument("--score", choices=("cosine", "margin"), help="what is highest (default: cosine; with --mine margin)")
    search.add_argument("--k", type=int, metavar="N", help="neighbours of the margin on either side (default: 4)")
    search.add_argument(
        "--direction",
        choices=("forward", "backward", "both"),
        default="both",
        help="forward: the lines of --src ask, those of --tgt are searched; backward: the other way (default: %(default)s)",
    )
    search.add_argument(
        "--out",
        metavar="FILE",
        help="write for each line that asks the line that was found, from 0; with --mine candidates, `score<TAB>id<TAB>id`, or"
        " with --threshold pairs, `id<TAB>id`; - is standard output, the table then goes to standard error",
    )
    mining = command.add_argument_group("mining")
    mining.add_argument("--mine", action="store_true", help="find pairs in two collections, each sentence in one at most")
    mining.add_argument("--threshold", type=float, metavar="X", help="score of a pair (default: the one that is best on --gold)")
    scores = command.add_argument_group("scores")
    scores.add_argument("--samples", type=int, default=1000, metavar="N", help="bootstrap samples (default: %(default)s)")
    scores.add_argument("--seed", type=int, default=12345, metavar="N", help="seed of the bootstrap (default: %(default)s)")
    scores.add_argument("--json", action="store_true", help="print JSON (percent, not rounded) in place of the table")
    add_compute_flags(command, results="vectors")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    from xlm_align_fairseq.cli.support.retrieval import check_flags, retrieval_report
    from xlm_align_fairseq.cli.support.retrieval_table import retrieval_table

    check_flags(args)
    report = retrieval_report(args)
    for note in report["notes"]:
        print(f"note: {note}", file=sys.stderr)
    text = json.dumps(report, indent=2, ensure_ascii=False) if args.json else retrieval_table(report)
    print(text, file=sys.stderr if args.out == "-" else sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
