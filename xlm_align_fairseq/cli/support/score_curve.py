"""The part of ``xlm-align score`` that is about thresholds: rows, tables and the plot of precision against recall."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.pharaoh import Link
from xlm_align_fairseq.pictures.plot import Curve, Mark, line_plot

if TYPE_CHECKING:
    from xlm_align_fairseq.links.metrics import Counts

THRESHOLDS = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.95,0.99"


def parse_thresholds(given: str) -> list[float]:
    """Read thresholds separated by commas, rising and without repetition.

    Raises:
        InputError: one is no number within 0..1.
    """
    thresholds = set()
    for item in given.split(","):
        try:
            threshold = float(item)
        except ValueError:
            threshold = -1.0
        if not 0 <= threshold <= 1:
            raise InputError(f"--thresholds {given}: {item!r}; allowed are numbers 0..1 separated by commas, such as 0.5,0.9")
        thresholds.add(abs(threshold))  # -0 is 0
    return sorted(thresholds)


def rows(links: Sequence[Mapping[Link, float]], gold: Sequence[Gold], thresholds: Sequence[float]) -> dict[str, Any]:
    """Return the measures of one system at each threshold, in percent, and the first threshold with the lowest AER."""
    from xlm_align_fairseq.links.curve import curve

    points = curve(links, gold, thresholds)
    measures = ("precision", "recall", "f1", "aer")
    listed = [
        {"threshold": threshold, "links": counts.hypothesis, **{key: 100 * getattr(counts, key) for key in measures}}
        for threshold, counts in points
    ]
    return {"curve": listed, "lowest_aer_at": _best(points)}


def tables(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the rows of each system of a report, a block for each."""
    lines = []
    for system in systems:
        lines += ["", f"{system['name']}: links with at least the probability of a threshold"]
        lines.append("threshold    links  precision %  recall %   F1 %   AER %")
        for row in system["curve"]:
            mark = "  * lowest AER" if row["threshold"] == system["lowest_aer_at"] else ""
            lines.append(
                f"{row['threshold']:9g}  {row['links']:7}  {row['precision']:11.1f}  {row['recall']:8.1f}  {row['f1']:5.1f}"
                f"  {row['aer']:6.2f}{mark}"
            )
    return lines


def plot(
    names: Sequence[str], systems: Sequence[Sequence[Mapping[Link, float]]], gold: Sequence[Gold], thresholds: Sequence[float]
) -> str:
    """Draw precision against recall, a curve for each system through all its probabilities, marked at the thresholds.

    Thresholds that keep no link have no precision and are left out.
    """
    from xlm_align_fairseq.links.curve import curve, spread_thresholds

    curves = []
    for name, links in zip(names, systems, strict=True):
        line = curve(links, gold, sorted({*spread_thresholds(links), *thresholds}))
        points = [(100 * counts.recall, 100 * counts.precision) for _, counts in line if counts.hypothesis]
        curves.append(Curve(name, points, _marks(curve(links, gold, thresholds))))
    return line_plot(
        curves,
        "recall %",
        "precision %",
        "Precision and recall by threshold",
        note="A point's number is the least probability of the links that are kept; the filled point has the lowest AER.",
    )


def _best(points: Sequence[tuple[float, "Counts"]]) -> float:
    return min(points, key=lambda point: point[1].aer)[0]


def _marks(points: Sequence[tuple[float, "Counts"]]) -> list[Mark]:
    """Mark each point once, also where several thresholds keep the same links."""
    marks = []
    for counts, group in groupby(points, key=lambda point: point[1]):
        same = [threshold for threshold, _ in group]
        label = f"{same[0]:g}" if len(same) == 1 else f"{same[0]:g}–{same[-1]:g}"
        x, y = 100 * counts.recall, 100 * counts.precision
        note = (
            f"threshold {label}: {counts.hypothesis} links, recall {x:.1f} %, precision {y:.1f} %, AER {100 * counts.aer:.2f} %"
        )
        if counts.hypothesis:
            marks.append(Mark(x, y, label, note, _best(points) in same))
    return marks
