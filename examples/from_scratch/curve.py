"""AER of the bootstrap's links and of every checkpoint, in tables and in one picture.

python curve.py bootstrap OUT      # of OUT/gold.links
python curve.py trainings OUT      # of OUT/NAME/checkpoint_*_*.pt; writes OUT/curves.tsv, OUT/curves.svg and OUT/below20.svg
python curve.py pictures OUT       # only the two pictures, from OUT/curves.tsv and OUT/bootstrap.aer
"""

import re
import sys
from pathlib import Path

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.links.gold_set import read_gold_set
from xlm_align_fairseq.links.metrics import Counts, count, resampled_interval
from xlm_align_fairseq.links.pharaoh import read_pharaoh, swap
from xlm_align_fairseq.pictures.plot import Curve, line_plot

RUNS = ("bootstrap-then-em", "bootstrap-fixed", "no-bootstrap", "late-takeover")
VALIDATION = 200  # gold sentences that decide when self-labels take over; the others are reported


def gold_set(out: Path, part: str):
    """Read `validation` or `test`."""
    return read_gold_set(f"{out}/{part}.en,{out}/{part}.fr,{out}/{part}.gold")


def of_bootstrap(out: Path) -> None:
    """Print the AER of the statistical aligner on both parts; its links are French to English, the gold is English to French."""
    links = [swap(found) for found in read_pharaoh(out / "gold.links")]
    for part, found in (("validation", links[:VALIDATION]), ("test", links[VALIDATION:])):
        counts = [count(ours, gold) for ours, gold in zip(found, gold_set(out, part).gold, strict=True)]
        low, high = resampled_interval(counts)
        print(f"{part} {100 * sum(counts, Counts()).aer:.2f} [{100 * low:.2f}, {100 * high:.2f}] on {len(counts)} sentences")


def of_trainings(out: Path) -> None:
    """Align the test part with every checkpoint."""
    test = gold_set(out, "test")
    points: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in RUNS}
    for name, found in points.items():
        files = {int(file.stem.rpartition("_")[2]): file for file in (out / name).glob("checkpoint_*_*.pt")}
        for update, file in sorted(files.items()):
            counts = Aligner.load(file).score(test)
            low, high = resampled_interval(counts)
            found.append((update, 100 * sum(counts, Counts()).aer, 100 * low, 100 * high))
            print(f"{name}\t{update}\t{found[-1][1]:.2f}\t[{found[-1][2]:.2f}, {found[-1][3]:.2f}]", flush=True)
    lines = [
        f"{name}\t{update}\t{aer:.2f}\t{low:.2f}\t{high:.2f}\n"
        for name, found in points.items()
        for update, aer, low, high in found
    ]
    (out / "curves.tsv").write_text("training\tupdate\taer\tlow\thigh\n" + "".join(lines))
    pictures(out)


def pictures(out: Path) -> None:
    """Draw the values of the table."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in (out / "curves.tsv").read_text().splitlines()[1:]:
        name, update, aer, *_ = row.split("\t")
        points.setdefault(name, []).append((int(update), float(aer)))
    (test,) = re.findall(r"^test ([\d.]+)", (out / "bootstrap.aer").read_text(), re.M)
    line = float(test)
    (out / "curves.svg").write_text(picture(points, line, 0, 80))
    (out / "below20.svg").write_text(picture(points, line, 5, 20))


def picture(points: dict[str, list[tuple[int, float]]], line: float, lowest: float, highest: float) -> str:
    """Draw the curves between two AERs, in %, and the bootstrap's own AER as a dashed line."""
    last = max(update for found in points.values() for update, _ in found)
    seen = {name: [(update, aer) for update, aer in found if lowest <= aer <= highest] for name, found in points.items()}
    curves = [Curve(f"{name} {found[-1][1]:.2f}", found) for name, found in seen.items() if found]
    curves.append(Curve(f"bootstrap itself {line:.2f}", [(0, line), (last, line)], dashed=True))
    title = "AER of every checkpoint, the last one in numbers"
    return line_plot(curves, "updates of 64 pairs", "AER %", title, x_ends=(0, last), y_ends=(lowest, highest))


if __name__ == "__main__":
    {"bootstrap": of_bootstrap, "trainings": of_trainings, "pictures": pictures}[sys.argv[1]](Path(sys.argv[2]))
