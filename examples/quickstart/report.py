"""Print AER before and after training, with paired bootstrap intervals, and draw the alignments: `python report.py OUT WAY…`.

A way is `joint` or `separate`, an encoding of the encoder that was trained here, or `shipped`, the model of the package.
"""

import sys
from pathlib import Path

from xlm_align_fairseq.links.gold import read_gold
from xlm_align_fairseq.links.metrics import count, paired_resampling
from xlm_align_fairseq.links.pharaoh import read_pharaoh
from xlm_align_fairseq.pictures.picture import Example, render_page
from xlm_align_fairseq.text.lines import read_lines

DATA = Path(__file__).parent / "data"
PAIRS = ("de-en", "fr-en", "ro-en")


def compare(out: Path, pair: str, way: str) -> tuple[list, list]:
    """Return the counts of each sentence pair, before and after."""
    gold = read_gold(DATA / pair / "gold")
    found = [read_pharaoh(out / f"{when}.{way}.{pair}") for when in ("before", "after")]
    before, after = ([count(links, one) for links, one in zip(system, gold, strict=True)] for system in found)
    return before, after


def verdict(low: float, high: float) -> str:
    """Return the conclusion that an interval of the difference allows."""
    return "better" if high < 0 else "worse" if low > 0 else "no claim"


def examples(out: Path, way: str) -> list[Example]:
    """Return every sentence pair of the gold sets with its alignments before and after."""
    drawn = []
    for pair in PAIRS:
        source, target = (read_lines(DATA / pair / f"test.{lang}") for lang in pair.split("-"))
        before, after = (read_pharaoh(out / f"{when}.{way}.{pair}") for when in ("before", "after"))
        rows = zip(source, target, before, after, read_gold(DATA / pair / "gold"), strict=True)
        for src, tgt, old, new, gold in rows:
            drawn.append(Example(src.split(" "), tgt.split(" "), {"before": old, "after": new}, gold, name=pair))
    return drawn


def main() -> None:
    """Print the table and write the page."""
    out, ways = Path(sys.argv[1]), sys.argv[2:]
    notes: list[list] = [["language pair", "way", "AER before %", "AER after %", "difference", "95 % interval", "verdict"]]
    print(f"{'pair':6} {'way':9} {'before':>7} {'after':>7} {'difference':>11} {'95 % interval':>17}")
    for way in ways:
        pooled: tuple[list, list] = ([], [])
        for pair in (*PAIRS, "all"):
            before, after = compare(out, pair, way) if pair != "all" else pooled
            if pair != "all":
                pooled[0].extend(before)
                pooled[1].extend(after)
            paired = paired_resampling(before, after)
            difference, low, high = (100 * value for value in (paired.difference, paired.low, paired.high))
            aer = [100 * sum(counts).aer for counts in (before, after)]
            interval, word = f"{low:+.2f} … {high:+.2f}", verdict(low, high)
            print(f"{pair:6} {way:9} {aer[0]:>7.2f} {aer[1]:>7.2f} {difference:>+11.2f} {interval:>17}  {word}")
            notes.append([pair, way, *aer, f"{difference:+.2f}", interval, word])
    page = out / ("shipped.html" if ways == ["shipped"] else "alignments.html")
    page.write_text(render_page(f"XLM-Align quickstart: {ways[0]}", examples(out, ways[0]), notes), encoding="utf-8")
    print("\nAER in %, lower is better; an improvement is claimed where the paired bootstrap interval excludes 0.")
    print(f"Pictures: {page}")


if __name__ == "__main__":
    main()
