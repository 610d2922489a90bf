"""Make the text of run.sh: all French-English bitext in words, the gold set in two parts.

    python prepare.py BITEXT GOLD OUT

Writes train.tsv, valid.tsv (500 pairs), all.tsv (both and, without their links, the 447 gold sentences: the statistical aligner
aligns only what it learns from), text (for sentencepiece), and the first 200 gold sentences as validation.{en,fr,gold}, the other
247 as test.{en,fr,gold}.
"""

import lzma
import random
import sys
from pathlib import Path

from xlm_align_fairseq.text.tokenize import tokenizer

VALIDATION_PAIRS, VALIDATION_GOLD = 500, 200


def read_bitext(bitext: Path) -> list[str]:
    """Read every corpus, French and English words with a tab between; Hansards is tokenised, the others get sacrebleu's 13a."""
    split, rows = tokenizer("13a"), []
    for file in sorted(bitext.glob("fr-en.*.tsv.xz")):
        words = (lambda side: side) if ".hansards." in file.name else split
        with lzma.open(file, "rt", encoding="utf-8", newline="\n") as lines:
            rows += ["\t".join(words(side) for side in line.removesuffix("\n").split("\t")) for line in lines]
    random.Random(1).shuffle(rows)
    return rows


def write(path: Path, lines: list[str]) -> None:
    """Write lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def main(bitext: Path, gold: Path, out: Path) -> None:
    """Write all files."""
    rows = read_bitext(bitext)
    english, french = ((gold / f"test.{lang}").read_text(encoding="utf-8").split("\n")[:-1] for lang in ("en", "fr"))
    together = [f"{f}\t{e}" for f, e in zip(french, english, strict=True)]
    write(out / "all.tsv", rows + together)
    write(out / "train.tsv", rows[:-VALIDATION_PAIRS])
    write(out / "valid.tsv", rows[-VALIDATION_PAIRS:])
    write(out / "text", [side for row in rows for side in row.split("\t")])
    links = (gold / "gold").read_text().split("\n")[:-1]
    ids = list(dict.fromkeys(line.split()[0] for line in links))
    assert len(ids) == len(english)
    for name, part in (("validation", slice(VALIDATION_GOLD)), ("test", slice(VALIDATION_GOLD, None))):
        kept = set(ids[part])
        write(out / f"{name}.en", english[part])
        write(out / f"{name}.fr", french[part])
        write(out / f"{name}.gold", [line for line in links if line.split()[0] in kept])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
