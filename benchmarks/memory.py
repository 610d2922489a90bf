"""Peak memory of `xlm-align align` for a short and a long text: it must not grow with the text.

    OMP_NUM_THREADS=2 python benchmarks/memory.py --pairs 20000 1000000

The encoder is a tiny random one, and lines have six words and two more, so that a million pairs take minutes; those two are words
that no other line has, so that what is remembered of words is seen too. Peak memory is the largest resident set of the process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import sentencepiece

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.text.lines import TextFile, read_lines

DATA = Path(__file__).resolve().parent.parent / "examples" / "quickstart" / "data"
HERE = Path(__file__).resolve().parent
RUN = """
import sys
from peers import peak_mib
from xlm_align_fairseq.cli.main import main
status = main(sys.argv[1:])
print(peak_mib())
sys.exit(status)
"""


def write_text(rows: list[list[str]], n_pairs: int, place: Path) -> list[str]:
    """Write a text of so many pairs and return the flags that name it."""
    with open(place / "src", "w", encoding="utf-8") as source, open(place / "tgt", "w", encoding="utf-8") as target:
        for n, (left, right) in enumerate(islice(cycle(rows), n_pairs)):
            source.write(f"{left} a{n:x} {n * 7919 % 1_000_003}\n")
            target.write(f"{right} b{n:x} {n * 7919 % 1_000_003}\n")
    return ["--src", str(place / "src"), "--tgt", str(place / "tgt")]


def peak_of(arguments: list[str]) -> tuple[float, float]:
    """Run `xlm-align` in a process of its own; return its peak memory in MiB and the seconds it took."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True, check=True, cwd=HERE)
    return float(done.stdout), time.perf_counter() - begin


def main() -> None:
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument(
        "--pairs", type=int, nargs="+", default=[20_000, 1_000_000], help="lengths of the text (default: %(default)s)"
    )
    args = new.parse_args()
    lines = [line for pair in ("de-en", "fr-en", "ro-en") for line in read_lines(DATA / pair / "train.tsv")]
    rows = [[" ".join(side.split(" ")[:6]) for side in line.split("\t")] for line in lines]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([side for row in rows for side in row]),
            model_prefix=str(place / "spm"),
            vocab_size=2000,
            minloglevel=2,
        )
        xlm_align(["new", str(place / "spm.model"), str(place / "model"), "--arch", "xlm_align_tiny"])
        print(f"{'pairs':>9}  {'peak, MiB':>9}  {'against the first':>17}  {'pairs a second':>14}")
        first = None
        for n_pairs in args.pairs:
            flags = write_text(rows, n_pairs, place)
            out = str(place / "out")
            peak, seconds = peak_of(["align", "--model", str(place / "model"), *flags, "--out", out, "--quiet"])
            if (found := sum(1 for _ in TextFile(out))) != n_pairs:
                raise SystemExit(f"{found} lines came out of {n_pairs}")
            first = first or peak
            print(f"{n_pairs:>9,}  {peak:>9.0f}  {peak / first:>17.2f}  {n_pairs / seconds:>14,.0f}", flush=True)
            os.unlink(out)


if __name__ == "__main__":
    main()
