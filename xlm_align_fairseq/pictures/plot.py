"""Draw lines in a plane, as one SVG picture that needs nothing else: no script, no style sheet, no font of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from xml.sax.saxutils import escape, quoteattr

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.pictures.picture import display_width

Point = tuple[float, float]
Ends = tuple[float | None, float | None]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

# Okabe & Ito, "Color Universal Design", 2008, without its yellow, which is too light for a line on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")

_INK, _MUTED, _FRAME, _GRID = "#1d2530", "#596577", "#8a94a3", "#e4e8ee"
_LEFT, _RIGHT, _BOTTOM = 74, 26, 58  # margins of the frame; the legend decides on the upper one
_LABEL = 11.5  # pixels, the font of the marks
# What XML 1.0 cannot hold, and lone surrogates, which UTF-8 cannot.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Mark:
    """Hold a point to be marked: its label, left out where there is no room, and a note for the pointer that rests on it."""

    x: float
    y: float
    label: str = ""
    note: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Curve:
    """Hold one line: its name for the legend, its points in the order to be joined, and its marks."""

    name: str
    points: Sequence[Point]
    marks: Sequence[Mark] = ()
    dashed: bool = False


@dataclass(frozen=True)
class _Axis:
    """Map values from ``low`` to ``high`` to pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self, apart: float) -> list[tuple[float, str]]:
        """Return round values about ``apart`` pixels from one another, each with its text."""
        least = (self.high - self.low) * apart / abs(self.end - self.start)
        power = math.floor(math.log10(least))
        step = next(round_step for n in (1, 2, 5, 10) if (round_step := n * 10.0**power) >= least * (1 - 1e-9))
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(n * step, f"{n * step:.{decimals}f}") for n in range(first, last + 1)]


def line_plot(
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    title: str,
    *,
    note: str = "",
    x_ends: Ends = (None, None),
    y_ends: Ends = (None, None),
    width: int = 900,
    height: int = 640,
) -> str:
    """Return an SVG picture of curves with axes, a grid and a legend; the same input gives the same text.

    Args:
        curves: the lines, in the order of the legend; beyond seven the colours come again with other marks.
        x_label, y_label: names of the axes.
        title: heading.
        note: a line below it.
        x_ends, y_ends: lowest and highest value of each axis; None fits the data. What lies beyond is cut off.
        width, height: size in pixels, with a legend of one row; more rows add to the height.

    Raises:
        InputError: a value is not finite.
    """
    values = [(x, y) for curve in curves for x, y in [*curve.points, *((mark.x, mark.y) for mark in curve.marks)]]
    for x, y in values:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InputError(f"plot {title!r}: ({x}, {y}) is not finite; leave the point out")
    first = 82.0 if note else 62.0
    legend, last = _legend(curves, first, width)
    height += round(last - first)
    top = last + 20
    x_axis = _Axis(*_span([x for x, _ in values], x_ends), _LEFT, width - _RIGHT)
    y_axis = _Axis(*_span([y for _, y in values], y_ends), height - _BOTTOM, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label={quoteattr(_clean(title))} font-family="sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(_LEFT, 32, title, 'font-size="18" font-weight="bold"'),
        *([_text(_LEFT, 53, note, f'fill="{_MUTED}"')] if note else []),
        *legend,
        *_axes(x_axis, y_axis, x_label, y_label),
        *_lines(curves, x_axis, y_axis),
        *_marks(curves, x_axis, y_axis),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _span(values: Sequence[float], ends: Ends) -> tuple[float, float]:
    """Return the ends of an axis: those given, else those of the values with a little air."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one value: widen towards 0, where values make sense more surely
        low, high = (low - 1, high) if low > 0 else (low, high + 1)
    air = 0.04 * (high - low)
    low, high = low - air if ends[0] is None else ends[0], high + air if ends[1] is None else ends[1]
    return low, high if high > low else low + 1


def _legend(curves: Sequence[Curve], top: float, width: int) -> tuple[list[str], float]:
    """Return the legend, as many rows as it needs from ``top`` on, and where its last row is."""
    parts, x, y = [], float(_LEFT), top
    for k, curve in enumerate(curves):
        name = _clean(curve.name)
        shown = name if len(name) <= 60 else f"{name[:28]}…{name[-31:]}"
        size = 38 + _width(shown, 13)
        if x > _LEFT and x + size > width - _RIGHT:
            x, y = float(_LEFT), y + 21
        dash = ' stroke-dasharray="6 4"' if curve.dashed else ""
        sample = f'<path d="M{x:.1f} {y:.1f}h28" stroke="{_colour(k)}" stroke-width="2.2"{dash}/>'
        mark = _shape(k, x + 14, y, 4.2, "white") if curve.marks else ""
        full = f"<title>{escape(name)}</title>" if shown != name else ""
        parts.append(f"<g>{full}{sample}{mark}{_text(x + 36, y + 4.5, shown)}</g>")
        x += size + 22
    return parts, y


def _axes(x_axis: _Axis, y_axis: _Axis, x_label: str, y_label: str) -> list[str]:
    left, right, top, bottom = x_axis.start, x_axis.end, y_axis.end, y_axis.start
    parts = []
    for value, text in x_axis.ticks(80):
        x = x_axis(value)
        parts.append(f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{_GRID}"/>')
        parts.append(_text(x, bottom + 19, text, f'text-anchor="middle" font-size="12" fill="{_MUTED}"'))
    for value, text in y_axis.ticks(52):
        y = y_axis(value)
        parts.append(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{_GRID}"/>')
        parts.append(_text(left - 9, y + 4, text, f'text-anchor="end" font-size="12" fill="{_MUTED}"'))
    frame = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
    parts.append(f'<rect {frame} fill="none" stroke="{_FRAME}"/>')
    parts.append(f'<clipPath id="frame"><rect {frame}/></clipPath>')
    parts.append(_text((left + right) / 2, bottom + 43, x_label, 'text-anchor="middle"'))
    middle = (top + bottom) / 2
    parts.append(_text(22, middle, y_label, f'text-anchor="middle" transform="rotate(-90 22 {middle:.1f})"'))
    return parts


def _lines(curves: Sequence[Curve], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for k, curve in enumerate(curves):
        spots = [spot for spot, _ in groupby(f"{x_axis(x):.1f} {y_axis(y):.1f}" for x, y in curve.points)]
        if len(spots) > 1:
            style = f'fill="none" stroke="{_colour(k)}" stroke-width="2.2" stroke-linejoin="round" clip-path="url(#frame)"'
            dash = ' stroke-dasharray="6 4"' if curve.dashed else ""
            parts.append(f'<path d="M{"L".join(spots)}" {style}{dash}/>')
    return parts


def _marks(curves: Sequence[Curve], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    """Draw the marks that lie in the frame, and their labels where those cover nothing: the strong ones choose first."""
    frame = (x_axis.start, y_axis.end, x_axis.end, y_axis.start)
    spots = [(k, mark, x_axis(mark.x), y_axis(mark.y)) for k, curve in enumerate(curves) for mark in curve.marks]
    spots = [(k, mark, x, y) for k, mark, x, y in spots if _meet((x, y, x, y), frame)]
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for _, _, x, y in spots]
    for curve in curves:
        taken += ((x, y, x, y) for x, y in _dots([(x_axis(x), y_axis(y)) for x, y in curve.points], 3.0))
    shapes, labels = [], []
    for k, mark, x, y in spots:
        note = f"<title>{escape(_clean(mark.note))}</title>" if mark.note else ""
        shape = _shape(k, x, y, 6.5 if mark.strong else 4.2, _colour(k) if mark.strong else "white")
        shapes.append(f"<g>{note}{shape}</g>")
    for k, mark, x, y in sorted(spots, key=lambda spot: not spot[1].strong):
        box = _room(x, y, _width(mark.label, _LABEL) + 2, taken, frame) if mark.label else None
        if box is not None:
            taken.append(box)
            bold = ' font-weight="bold"' if mark.strong else ""
            style = f'text-anchor="middle" font-size="{_LABEL}" fill="{_colour(k)}"{bold}'
            labels.append(_text((box[0] + box[2]) / 2, box[3] - 3.2, mark.label, style))
    return [*shapes, *labels]


def _room(x: float, y: float, size: float, taken: Sequence[Box], frame: Box) -> Box | None:
    """Return a box ``size`` wide beside a point that lies in the frame and meets nothing, or None."""
    half, high = size / 2, _LABEL / 2 + 1
    for far in (8.0, 13.0):
        for right, down in ((1, -1), (-1, 1), (1, 1), (-1, -1), (1, 0), (-1, 0), (0, -1), (0, 1)):
            slant = 0.75 if right and down else 1.0
            at_x, at_y = x + right * (half + slant * far), y + down * (high + slant * far)
            box = (at_x - half, at_y - high, at_x + half, at_y + high)
            inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not any(_meet(box, other) for other in taken):
                return box
    return None


def _dots(spots: Sequence[Point], apart: float) -> Iterable[Point]:
    """Yield points along a line, at most ``apart`` pixels from one another."""
    for (x, y), (to_x, to_y) in pairwise(spots):
        steps = min(10_000, math.ceil(math.hypot(to_x - x, to_y - y) / apart))
        yield from ((x + (to_x - x) * n / steps, y + (to_y - y) * n / steps) for n in range(steps))


def _meet(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _shape(k: int, x: float, y: float, r: float, fill: str) -> str:
    """Draw the mark of curve ``k``: circle, square, diamond or triangle, each of about the same area."""
    style = f'fill="{fill}" stroke="{_colour(k)}" stroke-width="1.8"'
    corners: list[list[Point]] = [
        [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        [(0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
    ]
    if k % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" {style}/>'
    path = "L".join(f"{x + r * a:.1f} {y + r * b:.1f}" for a, b in corners[k % 4 - 1])
    return f'<path d="M{path}Z" {style}/>'


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _width(text: str, size: float) -> float:
    """Guess the pixels that a text takes; sans-serif letters are about 0.57 of their size wide, and seldom more than that."""
    return 0.57 * size * display_width(text)


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " if style else ""}{style}>{escape(_clean(text))}</text>'


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
