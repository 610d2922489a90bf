"""How commands gather and print scores: measures with their intervals, and measures by type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xlm_align_fairseq.transfer.scores import ScoreTable

OF_TYPES = ("f1", "precision", "recall")
COUNTS = ("gold", "predicted", "correct")


def scores_of(table: ScoreTable, meanings: Mapping[str, str], samples: int, seed: int) -> dict[str, Any]:
    """Return the part of a report that a table of scores decides, in percent.

    Args:
        table: all examples.
        meanings: what is said of measures, by name.
        samples: number of bootstrap samples.
        seed: of the bootstrap.

    Raises:
        InputError: no examples, fewer than one sample, or a negative seed.
    """
    intervals = table.intervals(samples, seed)
    return {
        "examples": len(table.rows),
        "unit": table.unit,
        "scores": {
            name: {"value": value, "interval": list(intervals[name]), "meaning": meanings.get(name, "")}
            for name, value in table.values().items()
        },
        "counts": table.sums(),
    }


def score_lines(scores: Mapping[str, Any]) -> list[str]:
    """Return a table of measures with their intervals, a line each."""
    width = max(16, *map(len, scores))
    lines = [f"{'score':{width}}  {'%':>6}  {'95 % interval':>16}"]
    for name, score in scores.items():
        low, high = score["interval"]
        interval = f"[{low:.2f}, {high:.2f}]"
        lines.append(f"{name:{width}}  {score['value']:6.2f}  {interval:>16}  {score['meaning']}".rstrip())
    return lines


def type_lines(
    types: Mapping[str, Mapping[str, float]], measures: Sequence[str] = OF_TYPES, counts: Sequence[str] = COUNTS
) -> list[str]:
    """Return a table of measures, in percent, and of counts, a line for each type; none without types.

    Args:
        types: by name, measures and counts.
        measures, counts: which of them are shown, in this order.
    """
    if not types:
        return []
    heads = [*((f"{name.replace('f1', 'F1')} %", name, 6, 2) for name in measures), *((name, name, 7, 0) for name in counts)]
    columns = [(head, name, max(width, len(head)), digits) for head, name, width, digits in heads]
    width = max(16, *map(len, types))
    lines = ["", f"{'type':{width}}  " + "  ".join(f"{head:>{size}}" for head, _, size, _ in columns)]
    for kind, row in types.items():
        cells = [f"{row[name]:{size}.{digits}f}" for _, name, size, digits in columns]
        lines.append(f"{kind:{width}}  " + "  ".join(cells))
    return lines


def projection_table(report: Mapping[str, Any]) -> str:
    """Return a report of scores as text."""
    lines = [f"projected {report['projected']} of {report['examples']} {report['unit']}", *score_lines(report["scores"])]
    lines += type_lines(report["types"], (*OF_TYPES, "ceiling"), ("source", "gold", "projected", "correct"))
    return "\n".join([*lines, "", report["signature"]])
