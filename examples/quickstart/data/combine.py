"""Combine the two annotations of each language pair into its gold standard, and state how far they agree.

    python combine.py            # in this directory: writes PAIR/gold, prints the agreement

Sure = sure in both; possible = in at least one (Och & Ney 2003). Kappa is Cohen's, over the cells of the matrices.
"""

from pathlib import Path

from xlm_align_fairseq.links.gold import Gold, format_gold, read_gold
from xlm_align_fairseq.text.lines import read_lines

HERE = Path(__file__).parent


def kappa(agreed: int, first: int, second: int, cells: int) -> float:
    """Cohen's kappa of two sets of links, of which `agreed` are common, among `cells` possible ones."""
    observed = (agreed + cells - first - second + agreed) / cells
    chance = (first * second + (cells - first) * (cells - second)) / cells**2
    return (observed - chance) / (1 - chance)


def main() -> None:
    """Write every gold file and print a row for each pair."""
    print(f"{'pair':8} {'pairs':>5} {'sure F1':>8} {'all F1':>7} {'kappa':>6} {'gold sure':>9} {'gold possible':>13}")
    for directory in sorted(path for path in HERE.iterdir() if path.is_dir()):
        first, second = (read_gold(directory / f"annotation{n}") for n in (1, 2))
        source, target = (read_lines(directory / f"test.{lang}") for lang in directory.name.split("-"))
        cells = sum(len(s.split(" ")) * len(t.split(" ")) for s, t in zip(source, target, strict=True))
        gold = [Gold(a.sure & b.sure, a.possible | b.possible) for a, b in zip(first, second, strict=True)]
        (directory / "gold").write_text("".join(f"{format_gold(pair)}\n" for pair in gold), encoding="utf-8")
        sizes = {
            kind: [sum(len(links) for links in column) for column in zip(*rows, strict=True)]
            for kind, rows in {
                "sure": [(a.sure, b.sure, a.sure & b.sure) for a, b in zip(first, second, strict=True)],
                "all": [(a.possible, b.possible, a.possible & b.possible) for a, b in zip(first, second, strict=True)],
            }.items()
        }
        f1 = {kind: 100 * 2 * both / (one + two) for kind, (one, two, both) in sizes.items()}
        one, two, both = sizes["all"]
        n_sure = sum(len(pair.sure) for pair in gold)
        n_possible = sum(len(pair.possible) for pair in gold) - n_sure
        print(
            f"{directory.name:8} {len(gold):>5} {f1['sure']:>8.1f} {f1['all']:>7.1f} {kappa(both, one, two, cells):>6.3f} "
            f"{n_sure:>9} {n_possible:>13}"
        )


if __name__ == "__main__":
    main()
