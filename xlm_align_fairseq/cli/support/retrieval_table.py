"""The report of `xlm-align retrieve` as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def retrieval_table(report: Mapping[str, Any]) -> str:
    """Return a line for each file, layer and score of a report."""
    lines = [f"{'lines':>7}  {'unknown %':>9}  file"]
    lines += [f"{file['lines']:>7}  {file['unknown_pieces']:>9.2f}  {path}" for path, file in report["files"].items()]
    if chosen := report.get("development"):
        lines += ["", "layer  mean % of the development pairs, and of each, forward / backward"]
        for layer, mean in chosen["means"].items():
            each = "  ".join(f"{forward:6.2f} / {backward:6.2f}" for forward, backward in chosen["accuracy"][layer])
            lines.append(f"{layer:>5}  {mean:6.2f}  {each}{'  best' * (layer == chosen['layer'])}")
    if "candidates" in report:
        lines += ["", *_mined(report)]
    elif report.get("scores"):
        ways = list(next(iter(report["scores"].values())))
        lines += ["", "layer" + "".join(f"  {way + ' %':<24}  same text %" for way in ways)]
        for layer, row in report["scores"].items():
            cells = (f"  {_cell(row[way]['accuracy']):<24}  {row[way]['same_text']['value']:>11.2f}" for way in ways)
            lines.append(f"{layer:>5}" + "".join(cells))
    return "\n".join([*lines, "", report["signature"]])


def _mined(report: Mapping[str, Any]) -> list[str]:
    lines = [f"{report['candidates']} candidates"]
    if "threshold" in report:
        lines[0] += f", {report['pairs']} of them have the threshold {report['threshold']:.8g}"
    scores = report.get("scores", {})
    return lines + [f"{name:9}  {_cell(score)}" for name, score in scores.items() if name != "counts"]


def _cell(number: Mapping[str, Any]) -> str:
    low, high = number["interval"]
    return f"{number['value']:.2f} [{low:.2f}, {high:.2f}]"
