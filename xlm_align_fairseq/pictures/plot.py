"""Draw lines in a plane by matplotlib, as one SVG picture that needs nothing else: no script, no font of its own."""

from __future__ import annotations

import importlib.util
import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from wcwidth import wcswidth

from xlm_align_fairseq.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.transforms import Bbox

Point = tuple[float, float]
Ends = tuple[float | None, float | None]

# Okabe & Ito, "Color Universal Design", 2008, without its yellow, which is too light for a line on white. There is one
# shape more than colours: no two of 56 curves are alike, and eight can be told apart where colours cannot be seen.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
SHAPES = "osD^vP><"

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and copied, and be in any script
    "svg.hashsalt": "xlm-align",  # else matplotlib uses random ids
    "text.parse_math": False,  # a $ is a $
    "path.simplify": False,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that texts are measured alike everywhere
    "axes.edgecolor": "#8a94a3",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e8ee",
}
# Title and note: at the upper left corner of the frame; a long one does not narrow the frame.
_HEAD: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "in_layout": False}
# What XML 1.0 cannot hold, and lone surrogates, which UTF-8 cannot.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Mark:
    """Hold a point to be marked: its label, left out where there is no room, and a note to show as a tooltip."""

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


def require_matplotlib() -> None:
    """Check that plots can be drawn, before work is done for one.

    Raises:
        InputError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            'plots are drawn by the package matplotlib, which is missing; install it: pip install "xlm-align-fairseq[plot]"'
        )


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
        curves: the lines, in the order of the legend; beyond seven the colours repeat with other shapes. A line
            without marks shows its shape at its points (at some of them if there are many), unless it is dashed.
        x_label, y_label: names of the axes.
        title: heading.
        note: a line below it.
        x_ends, y_ends: lowest and highest value of each axis; None fits the data. What lies beyond is cut off.
        width, height: size in pixels, with a legend of one row; more rows add to the height.

    Raises:
        InputError: a value is not finite, or matplotlib is not installed.
    """
    values = [(x, y) for curve in curves for x, y in [*curve.points, *((mark.x, mark.y) for mark in curve.marks)]]
    for x, y in values:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InputError(f"plot {title!r}: ({x}, {y}) is not finite; leave the point out")
    require_matplotlib()
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    svg = io.StringIO()
    # Ignore the user's settings, which would change the picture. Glyphs that are missing here are in the viewer's fonts.
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing", UserWarning)
        figure = Figure((width / 96, height / 96), dpi=96)
        axes = figure.add_subplot(xlabel=_clean(x_label), ylabel=_clean(y_label))
        axes.set(xlim=_span([x for x, _ in values], x_ends), ylim=_span([y for _, y in values], y_ends))
        axes.annotate(_clean(title), (0, 1), (0, 24 if note else 8), **_HEAD, size=13.5, weight="bold")
        axes.annotate(_clean(note), (0, 1), (0, 8), **_HEAD, color="#596577")
        axes.xaxis.set_major_locator(MaxNLocator(max(1, width // 90), steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(max(1, height // 60), steps=[1, 2, 5, 10]))
        axes.ticklabel_format(style="plain", useOffset=False)
        _add_lines(axes, curves)
        _add_legend(figure, curves)
        rect = (0, 0, 1, 1 - (52 if note else 32) / figure.bbox.height)
        figure.set_layout_engine("constrained", rect=rect, w_pad=0.12, h_pad=0.12)
        figure.draw_without_rendering()  # compute the layout: labels need positions in pixels
        figure.set_layout_engine("none")
        _add_marks(axes, curves)
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _with_notes(svg.getvalue(), curves, title)


def _span(values: Sequence[float], ends: Ends) -> Point:
    """Return the ends of an axis: those given, else those of the values with a margin."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one value: widen towards 0, since values above may be impossible
        low, high = (low - 1, high) if low > 0 else (low, high + 1)
    air = 0.04 * (high - low)
    low, high = low - air if ends[0] is None else ends[0], high + air if ends[1] is None else ends[1]
    return low, high if high > low else low + 1


def _add_lines(axes: Axes, curves: Sequence[Curve]) -> None:
    for n, curve in enumerate(curves):
        look = _look(n, curve, not curve.marks and not curve.dashed)
        if len(curve.points) > 30:  # offset and distance, as shares of the frame: shapes of curves do not coincide
            look["markevery"] = (0.02 * (n % 5), 0.1)
        axes.plot([x for x, _ in curve.points], [y for _, y in curve.points], gid=f"curve-{n}", **look)


def _look(n: int, curve: Curve, shaped: bool) -> dict[str, Any]:
    look = {"color": COLOURS[n % len(COLOURS)], "linewidth": 1.6, "linestyle": "--" if curve.dashed else "-"}
    return look | _shape(n) if shaped else look


def _shape(n: int, strong: bool = False) -> dict[str, Any]:
    colour = COLOURS[n % len(COLOURS)]
    shape = {"marker": SHAPES[n % len(SHAPES)], "markersize": 9 if strong else 6, "markeredgewidth": 1.3}
    return shape | {"color": colour, "markerfacecolor": colour if strong else "white"}


def _add_legend(figure: Figure, curves: Sequence[Curve]) -> None:
    """Put the legend below the frame, in as many columns as there is room for, and make the figure higher for its rows."""
    from matplotlib.lines import Line2D

    if not curves:
        return
    names = [_short(curve.name) for curve in curves]
    lines = [Line2D([], [], **_look(n, curve, bool(curve.marks) or not curve.dashed)) for n, curve in enumerate(curves)]

    def add(columns: int) -> Legend:
        return figure.legend(lines, names, ncols=columns, loc="outside lower left", frameon=False, handlelength=3)

    legend = add(1)
    # Characters that are two columns wide are in fonts of the viewer's own, which cannot be measured here.
    measured = all(wcswidth(name) <= len(name) for name in names)
    columns = min(len(curves), int(figure.bbox.width / legend.get_window_extent().width)) if measured else 1
    if columns > 1:
        legend.remove()
        legend = add(columns)
    for n, text in enumerate(legend.get_texts()):
        text.set_gid(f"name-{n}")
    rows = math.ceil(len(curves) / max(1, columns))
    figure.set_figheight((figure.bbox.height + round(legend.get_window_extent().height * (rows - 1) / rows)) / figure.dpi)


def _add_marks(axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw the marks that lie in the frame, and their labels where there is room; labels of strong marks are placed first."""
    from matplotlib.transforms import Bbox

    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    paths = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    taken: list[Bbox] = []
    labels = []
    for n, curve in enumerate(curves):
        for k, mark in enumerate(curve.marks):
            if left <= mark.x <= right and low <= mark.y <= high:
                axes.plot(mark.x, mark.y, clip_on=False, zorder=3, gid=f"mark-{n}-{k}", **_shape(n, mark.strong))
                x, y = axes.transData.transform((mark.x, mark.y))
                half = 9 if mark.strong else 6
                taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
                labels.append((not mark.strong, n, mark))
    for weak, n, mark in sorted((label for label in labels if label[-1].label), key=lambda label: label[0]):
        style: dict[str, Any] = {"size": 8.5, "color": COLOURS[n % len(COLOURS)], "weight": "normal" if weak else "bold"}
        centred: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center", "zorder": 4}
        label = axes.annotate(_clean(mark.label), (mark.x, mark.y), (0, 0), **style, **centred)
        size = label.get_window_extent()
        for right_by, up_by in _beside(size.width, size.height):
            box = size.translated(right_by, up_by)
            inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            if inside and not box.count_overlaps(taken) and not any(path.intersects_bbox(box, filled=False) for path in paths):
                label.set_position((0.75 * right_by, 0.75 * up_by))  # points
                taken.append(box)
                break
        else:
            label.remove()


def _beside(width: float, height: float) -> Iterator[Point]:
    """Yield positions of a box beside a point: offsets of its centre to the right and up, in pixels."""
    for far in (8.0, 13.0):
        for right, up in ((1, 1), (-1, -1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1)):
            away = 0.75 * far if right and up else far
            yield right * (width / 2 + away), up * (height / 2 + away)


def _with_notes(svg: str, curves: Sequence[Curve], title: str) -> str:
    """Add a name of the picture and notes of its parts, which matplotlib cannot write; remove the DTD."""
    notes = {f"mark-{n}-{k}": mark.note for n, curve in enumerate(curves) for k, mark in enumerate(curve.marks)}
    notes |= {f"name-{n}": curve.name for n, curve in enumerate(curves) if _short(curve.name) != _clean(curve.name)}

    def noted(group: re.Match[str]) -> str:
        note = notes.get(group[1], "")
        return f"{group[0]}<title>{escape(_clean(note))}</title>" if note else group[0]

    parts = re.sub(r'<g id="((?:mark|name)-[\d-]+)">', noted, svg.partition("<svg ")[2])
    return f'<svg role="img" aria-label={quoteattr(_clean(title))} {parts}'


def _short(name: str) -> str:
    name = _clean(name)
    return name if len(name) <= 60 else f"{name[:28]}…{name[-31:]}"


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", re.sub("[\t\n\r]", " ", text))
