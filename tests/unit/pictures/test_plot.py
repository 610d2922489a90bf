"""Tests of the line plot: XML that a parser reads, the same each time, with every value where the axes say."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.pictures.plot import COLOURS, Curve, Mark, line_plot

SVG = "{http://www.w3.org/2000/svg}"
FALLING = Curve("falling", [(0, 100), (50, 90), (80, 40)], [Mark(50, 90, "0.5", "note", True), Mark(80, 40, "0")])
LEVEL = Curve("level", [(0, 70), (80, 70)], dashed=True)


def plot(curves, **others):
    return line_plot(curves, "recall %", "precision %", "A title", **others)


def read(text):
    return ElementTree.fromstring(text)


def texts(root):
    return [node.text for node in root.iter(f"{SVG}text")]


def spots(path):
    return [tuple(map(float, spot.split())) for spot in re.findall(r"[\d.-]+ [\d.-]+", path.get("d"))]


def lines(root):
    """Return the paths of the curves: those that the frame cuts off."""
    return [path for path in root.iter(f"{SVG}path") if path.get("clip-path")]


def test_what_a_plot_shows():
    root = read(plot([FALLING, LEVEL], note="A note"))
    found = texts(root)
    assert {"A title", "A note", "recall %", "precision %", "falling", "level", "0.5", "0"} <= set(found)
    assert root.get("aria-label") == "A title"
    first, second = lines(root)
    assert (first.get("stroke"), second.get("stroke")) == COLOURS[:2]
    assert (first.get("stroke-dasharray"), second.get("stroke-dasharray")) == (None, "6 4")
    assert [node.text for node in root.iter(f"{SVG}title")] == ["note"]
    (left, _), (middle, _), (right, _) = spots(first)
    assert (middle - left) / (right - left) == pytest.approx(50 / 80, abs=1e-3)
    (_, high), _, (_, low) = spots(first)
    (_, level), _ = spots(second)
    assert (level - high) / (low - high) == pytest.approx(30 / 60, abs=1e-3)


def test_a_plot_needs_nothing_else():
    text = plot([FALLING, LEVEL])
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]  # a name space, never fetched
    assert not re.search(r"<(script|style|image|use)\b|href|@import", text)
    assert re.findall(r"url\([^)]*\)", text) == ["url(#frame)"] * 2


def test_the_ground_is_white_on_a_dark_page_too():
    root = read(plot([FALLING]))
    ground = root[0]
    assert (ground.tag, ground.get("fill")) == (f"{SVG}rect", "white")
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))


def test_same_input_same_text():
    assert plot([FALLING, LEVEL]) == plot([FALLING, LEVEL])


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b", "]]>", "\"'", "日本語", "x" * 200 + "<&>"])
def test_names_are_escaped(name):
    root = read(line_plot([Curve(name, [(0, 0), (1, 1)], [Mark(0, 0, name, name)])], name, name, name, note=name))
    assert not list(root.iter("script"))
    assert root.get("aria-label") == name
    assert name in texts(root)
    assert name in [node.text for node in root.iter(f"{SVG}title")]


@given(st.text(st.characters()))
def test_any_name_gives_xml_that_can_be_written(name):
    text = line_plot([Curve(name, [(0, 0), (1, 1)], [Mark(0, 0, "", name)])], name, name, name)
    read(text.encode())


COORDINATE = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=6)


@given(st.lists(POINTS, max_size=3))
def test_every_point_is_in_the_frame(curves):
    root = read(plot([Curve("c", points, [Mark(x, y, "label") for x, y in points]) for points in curves]))
    (clip,) = root.iter(f"{SVG}clipPath")
    left, top, width, height = (float(clip[0].get(key)) for key in ("x", "y", "width", "height"))
    for path in lines(root):
        for x, y in spots(path):
            assert left - 0.1 <= x <= left + width + 0.1
            assert top - 0.1 <= y <= top + height + 0.1
    marks = sum(len(points) for points in curves)
    legend = sum(bool(points) for points in curves)
    shapes = [*root.iter(f"{SVG}circle"), *(path for path in root.iter(f"{SVG}path") if path.get("d").endswith("Z"))]
    assert len(shapes) == marks + legend


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (99.2, 100, ["99.2", "99.4", "99.6", "99.8", "100.0"]),
        (0, 20000, ["0", "5000", "10000", "15000", "20000"]),
        (-0.002, 0.002, ["-0.002", "-0.001", "0.000", "0.001", "0.002"]),
    ],
)
def test_ticks_are_round_values_within_the_data(low, high, ticks):
    points = [(low, 0.0), (high, 1.0)]
    root = read(plot([Curve("c", points)], width=560))
    ticks_of_x = [
        node.text for node in root.iter(f"{SVG}text") if node.get("font-size") == "12" and node.get("text-anchor") == "middle"
    ]
    assert ticks_of_x == ticks


def test_one_point_stays_below_its_natural_end():
    # 100 % alone must not make an axis up to 101 %.
    root = read(plot([Curve("c", [(100, 100)], [Mark(100, 100, "0")])]))
    numbers = [float(text) for text in texts(root) if re.fullmatch(r"\d+\.\d+", text)]
    assert max(numbers) == 100
    assert min(numbers) == 99


def test_given_ends_cut_off():
    curve = Curve("c", [(0, 0), (10, 95)], [Mark(10, 95, "outside"), Mark(5, 10, "inside")])
    root = read(plot([curve], x_ends=(0, None), y_ends=(0, 60)))
    assert "outside" not in texts(root)
    assert "inside" in texts(root)
    assert "80" not in texts(root)


def labels(root, curves):
    wanted = {mark.label for curve in curves for mark in curve.marks}
    for node in root.iter(f"{SVG}text"):
        if node.text in wanted:
            half = 0.5 * 0.57 * 11.5 * len(node.text)
            yield float(node.get("x")) - half, float(node.get("y")) - 9, float(node.get("x")) + half, float(node.get("y"))


def test_labels_do_not_cover_one_another_and_the_strong_ones_come_first():
    marks = [Mark(50 + n / 10, 50 - n / 10, f"name{n}", strong=n == 29) for n in range(30)]
    curves = [Curve("c", [(0, 100), (100, 0)], marks)]
    root = read(plot(curves))
    assert "name29" in texts(root)
    boxes = list(labels(root, curves))
    assert 1 < len(boxes) < 30  # there is no room for all
    for n, one in enumerate(boxes):
        for other in boxes[n + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_long_names_and_many_curves_make_the_picture_higher():
    few, many = ([Curve(f"system {n} " + "x" * 50, [(0, n), (1, n)]) for n in range(k)] for k in (1, 9))
    heights = [int(read(plot(curves)).get("height")) for curves in (few, many)]
    assert heights == [640, 640 + 8 * 21]
    root = read(plot(many))
    assert len(lines(root)) == 9
    assert lines(root)[7].get("stroke") == COLOURS[0]


@pytest.mark.parametrize("point", [(float("nan"), 0.0), (0.0, float("inf"))])
def test_refuses_what_has_no_place(point):
    with pytest.raises(InputError, match=r"plot 'A title': \(.*\) is not finite; leave the point out"):
        plot([Curve("c", [point])])
    with pytest.raises(InputError, match="is not finite"):
        plot([Curve("c", [], [Mark(*point)])])
