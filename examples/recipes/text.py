"""Text of a recipe: sentence pairs of many sources, as words with single spaces between, mixed; the last are for validation.

    python text.py BITEXT OUT --sources open --pairs de-en,fr-en

BITEXT holds `PAIR.SOURCE.tsv.xz`, source and target with a tab between. OUT gets `train.PAIR.tsv` and `valid.PAIR.tsv`.
Chinese is cut into words by jieba, Japanese by MeCab (`pip install jieba "sacrebleu[ja]"`), all else by sacrebleu's tokenisers.
"""

import argparse
import itertools
import lzma
import random
from pathlib import Path

from xlm_align_fairseq.text.tokenize import tokenizer

# With open licences, each with the most pairs taken of a language pair: the longer a source's sentences, the more.
OPEN = {
    **dict.fromkeys(["europarl", "tico19", "pydocs", "msdocs", "webdocs"], 8000),
    **dict.fromkeys(["lohelp-long", "joshua-dev"], 4000),
    **dict.fromkeys(["loui", "lohelp", "mozilla-www", "mozilla-lang", "homeassistant", "debian-mo"], 1500),
    **dict.fromkeys(["tatoeba", "tatoebatest", "tanaka50k"], 3000),
}
ALL = {**OPEN, "news": 20000, "hansards": 20000, "multi30k": 5000}
SOURCES = {"open": OPEN, "all": ALL}
TOKENIZERS = {"ja": "ja-mecab", "hi": "intl", "ru": "intl"}
VALID = 100


def words_of(language):
    """Return the function that cuts a line of a language into words with single spaces between."""
    if language != "zh":
        return tokenizer(TOKENIZERS.get(language, "13a"))
    import jieba

    jieba.setLogLevel("WARNING")
    return lambda line: " ".join(word for word in jieba.cut(line) if word.strip())


def text(bitext, pair, sources, seed, share):
    """Return the tokenised pairs of a language pair, mixed."""
    cut = [words_of(language) for language in pair.split("-")]
    lines = []
    for source, most in sources.items():
        path = bitext / f"{pair}.{source}.tsv.xz"
        if path.is_file():
            with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
                found = sorted(set(file))
            random.Random(f"{seed} {path.name}").shuffle(found)
            lines += found[: round(most * share)]
    random.Random(f"{seed} {pair}").shuffle(lines)
    rows = [line.rstrip("\n").split("\t") for line in lines]
    pairs = [[words(side) for words, side in zip(cut, row, strict=True)] for row in rows if len(row) == 2]
    kept = [sides for sides in pairs if all(sides)]
    if len(kept) <= VALID:
        raise SystemExit(
            f"{bitext}: {len(kept)} pairs of {pair}; give a directory with more than {VALID} in {pair}.SOURCE.tsv.xz"
        )
    if len(kept) < len(rows):
        print(f"{pair}: {len(rows) - len(kept)} lines left out, without two columns or with an empty side")
    return kept


def main():
    """Write the text of every language pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bitext", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sources", choices=SOURCES, default="open", help="those with open licences, or all (default: open)")
    parser.add_argument("--pairs", help="language pairs, as de-en,fr-en (default: all of BITEXT)")
    parser.add_argument("--share", type=float, default=1.0, help="of the most pairs of each source (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    there = sorted({path.name.split(".")[0] for path in args.bitext.glob("*.tsv.xz")})
    if not there:
        raise SystemExit(f"{args.bitext} has no PAIR.SOURCE.tsv.xz: give the directory of the bitext")
    args.out.mkdir(parents=True, exist_ok=True)
    for pair in args.pairs.split(",") if args.pairs else there:
        pairs = text(args.bitext, pair, SOURCES[args.sources], args.seed, args.share)
        for split, part in (("train", pairs[:-VALID]), ("valid", pairs[-VALID:])):
            content = itertools.chain.from_iterable((source, "\t", target, "\n") for source, target in part)
            (args.out / f"{split}.{pair}.tsv").write_text("".join(content), encoding="utf-8", newline="\n")
        print(
            f"{pair}: {len(pairs)} pairs, {sum(len(target.split()) for _, target in pairs) / len(pairs):.1f} English words each"
        )


if __name__ == "__main__":
    main()
