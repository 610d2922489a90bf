"""Make a table of the reports of `xlm-align retrieve --all-layers --json`, a file LANGUAGE.json for each language.

    python examples/transfer/retrieval_table.py FOLDER [--choose deu fra hin]

A cell has the accuracy of xx → en and en → xx, in percent. The layer is chosen on some of the languages; the mean is that over
the others.
"""

import argparse
import json
from pathlib import Path
from statistics import mean

WAYS = ("forward", "backward")


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--choose", nargs="+", default=["deu", "fra", "hin"], help="languages (default: deu fra hin)")
    return p


def main() -> None:
    """Read the reports and print the table."""
    args = parser().parse_args()
    reports = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(args.folder.glob("*.json"))}
    chosen_on = [language for language in args.choose if language in reports]
    others = [language for language in reports if language not in chosen_on]
    if not chosen_on or not others:
        raise SystemExit(f"{args.folder} has {', '.join(reports) or 'no language'}: needed are some of --choose, and others")
    rows = {
        layer: {
            language: [report["scores"][layer][way]["accuracy"]["value"] for way in WAYS] for language, report in reports.items()
        }
        for layer in reports[others[0]]["scores"]
    }
    means = {layer: [mean(row[one][way] for one in others) for way in (0, 1)] for layer, row in rows.items()}
    best = max(rows, key=lambda layer: (mean(mean(rows[layer][language]) for language in chosen_on), -int(layer)))
    print("| layer | " + " | ".join([*chosen_on, *others, "mean of the others"]) + " |")
    print("|---|" + "---|" * (len(reports) + 1))
    for layer, row in rows.items():
        cells = [f"{a:.1f} / {b:.1f}" for a, b in [*(row[one] for one in [*chosen_on, *others]), means[layer]]]
        print(f"| {layer}{' (chosen)' * (layer == best)} | " + " | ".join(cells) + " |")
    unknown = max(file["unknown_pieces"] for report in reports.values() for file in report["files"].values())
    same = sum(
        score["counts"]["same_text"] for report in reports.values() for row in report["scores"].values() for score in row.values()
    )
    print(
        f"\nLayer {best} is chosen on {', '.join(chosen_on)}. Unknown pieces: at most {unknown:.2f} % of a file; found at another"
    )
    print(f"line with the same text: {same:.0f}. `{next(iter(reports.values()))['signature']}`")


if __name__ == "__main__":
    main()
