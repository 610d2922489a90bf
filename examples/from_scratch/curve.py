"""AER of the bootstrap's links and of every checkpoint, in tables and in one picture.

python curve.py bootstrap OUT      # of OUT/gold.links
python curve.py trainings OUT      # of OUT/NAME/checkpoint_*_*.pt; writes OUT/curves.tsv and OUT/curves.svg
"""

import re
import sys
from pathlib import Path

from xlm_align_fairseq.aligner import Aligner
from xlm_align_fairseq.alignment.links import read_pharaoh, swap
from xlm_align_fairseq.alignment.metrics import bootstrap, count
from xlm_align_fairseq.data.gold_set import read_gold_set

RUNS = {"bootstrap-then-em": "#c22", "bootstrap-fixed": "#27c", "no-bootstrap": "#777"}
VALIDATION = 100  # gold sentences that decide when self-labels take over; the others are reported


def gold_set(out: Path, part: str):
    """Read `validation` or `test`."""
    return read_gold_set(f"{out}/{part}.en,{out}/{part}.fr,{out}/{part}.gold")


def of_bootstrap(out: Path) -> None:
    """Print the AER of the statistical aligner on both parts; its links are French to English, the gold is English to French."""
    links = [swap(found) for found in read_pharaoh(out / "gold.links")]
    for part, found in (("validation", links[:VALIDATION]), ("test", links[VALIDATION:])):
        counts = [count(ours, gold) for ours, gold in zip(found, gold_set(out, part).gold, strict=True)]
        low, high = bootstrap(counts)
        print(f"{part} {100 * sum(counts).aer:.2f} [{100 * low:.2f}, {100 * high:.2f}] on {len(counts)} sentences")


def of_trainings(out: Path) -> None:
    """Align the test part with every checkpoint."""
    test = gold_set(out, "test")
    points: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in RUNS}
    for name, found in points.items():
        files = {
            int(re.fullmatch(r"checkpoint_\d+_(\d+)", file.stem)[1]): file for file in (out / name).glob("checkpoint_*_*.pt")
        }
        for update, file in sorted(files.items()):
            counts = Aligner.load(file).score(test)
            low, high = bootstrap(counts)
            found.append((update, 100 * sum(counts).aer, 100 * low, 100 * high))
            print(f"{name}\t{update}\t{found[-1][1]:.2f}\t[{found[-1][2]:.2f}, {found[-1][3]:.2f}]", flush=True)
    lines = [
        f"{name}\t{update}\t{aer:.2f}\t{low:.2f}\t{high:.2f}\n"
        for name, found in points.items()
        for update, aer, low, high in found
    ]
    (out / "curves.tsv").write_text("training\tupdate\taer\tlow\thigh\n" + "".join(lines))
    line = float(re.search(r"^test ([\d.]+)", (out / "bootstrap.aer").read_text(), re.M)[1])
    (out / "curves.svg").write_text(picture(points, line))


def picture(points: dict[str, list[tuple[int, float, float, float]]], line: float, width: int = 720, height: int = 400) -> str:
    """Draw the curves, AER upwards to 60 %, and the bootstrap's own AER as a dashed line."""
    last = max(update for found in points.values() for update, *_ in found)
    x = lambda update: 50 + (width - 240) * update / last  # noqa: E731
    y = lambda aer: height - 40 - (height - 70) * min(aer, 60) / 60  # noqa: E731
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for aer in range(0, 61, 10):
        parts.append(f'<path d="M50 {y(aer):.1f}H{width - 190}" stroke="#ddd"/><text x="20" y="{y(aer) + 4:.1f}">{aer} %</text>')
    for update in range(0, last + 1, 2000):
        parts.append(f'<text x="{x(update):.1f}" y="{height - 20}" text-anchor="middle">{update}</text>')
    parts.append(f'<text x="{x(last / 2):.1f}" y="{height - 4}" text-anchor="middle">updates of 64 pairs</text>')
    parts.append(f'<path d="M50 {y(line):.1f}H{width - 190}" stroke="black" stroke-dasharray="5 4"/>')
    labels = [(y(line), f"bootstrap itself {line:.1f}", "black")]
    for name, colour in RUNS.items():
        if points[name]:
            path = "L".join(f"{x(update):.1f} {y(aer):.1f}" for update, aer, *_ in points[name])
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            labels.append((y(points[name][-1][1]), f"{name} {points[name][-1][1]:.1f}", colour))
    lowest = -1.0
    for at, text, colour in sorted(labels):
        lowest = max(at, lowest + 15)  # labels do not overlap
        parts.append(f'<text x="{width - 182}" y="{lowest + 4:.1f}" fill="{colour}">{text}</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    {"bootstrap": of_bootstrap, "trainings": of_trainings}[sys.argv[1]](Path(sys.argv[2]))
