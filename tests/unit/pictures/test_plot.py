"""Tests of the line plot: XML that a parser reads, the same each time, with every value where the axes say."""

import itertools
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.pictures.plot import COLOURS, Curve, Mark, line_plot

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
FALLING = Curve("falling", [(0, 100), (50, 90), (80, 40)], [Mark(50, 90, "0.5", "note", True), Mark(80, 40, "0")])
LEVEL = Curve("level", [(0, 70), (80, 70)], dashed=True)
RISING = Curve("rising", [(10 * n, 40 + 5 * n) for n in range(9)])


def plot(curves, **others):
    return line_plot(curves, "recall %", "precision %", "A title", **others)


def read(text):
    return ElementTree.fromstring(text)


def texts(root):
    return [node.text for node in root.iter(f"{SVG}text")]


def groups(root, name):
    """Return the groups whose id begins with a name and a number, in their order."""
    return [node for node in root.iter(f"{SVG}g") if re.match(rf"{name}-\d", node.get("id", ""))]


def line(group):
    return next(node for node in group if node.tag == f"{SVG}path")


def spots(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", path.get("d"))]


def shapes(group):
    return [(float(node.get("x")), float(node.get("y"))) for node in group.iter(f"{SVG}use")]


def style(node):
    return dict(part.split(": ", 1) for part in node.get("style").split("; "))


def frame(root):
    """Return left, top, right and bottom of the clipping frame of the curves."""
    (clip,) = root.iter(f"{SVG}clipPath")
    left, top, width, height = (float(clip[0].get(key)) for key in ("x", "y", "width", "height"))
    return left, top, left + width, top + height


def size(root):
    """Return width and height in pixels, 96 to the inch."""
    return [float(root.get(key).removesuffix("pt")) * 96 / 72 for key in ("width", "height")]


def test_what_a_plot_shows():
    root = read(plot([FALLING, LEVEL], note="A note"))
    assert {"A title", "A note", "recall %", "precision %", "falling", "level", "0.5", "0"} <= set(texts(root))
    assert root.get("aria-label") == "A title"
    assert size(root) == pytest.approx([900, 640])
    first, second = map(line, groups(root, "curve"))
    assert (style(first)["stroke"], style(second)["stroke"]) == COLOURS[:2]
    assert "stroke-dasharray" not in style(first)
    assert "stroke-dasharray" in style(second)
    assert [node.text for node in root.iter(f"{SVG}title")] == ["note"]
    (left, _), (middle, _), (right, _) = spots(first)
    assert (middle - left) / (right - left) == pytest.approx(50 / 80, abs=1e-3)
    (_, high), _, (_, low) = spots(first)
    (_, level), _ = spots(second)
    assert (level - high) / (low - high) == pytest.approx(30 / 60, abs=1e-3)
    strong, weak = groups(root, "mark")
    assert shapes(strong) + shapes(weak) == spots(first)[1:]
    assert [style(next(mark.iter(f"{SVG}use")))["fill"] for mark in (strong, weak)] == [COLOURS[0], "#ffffff"]


def test_curves_without_marks_are_told_apart_without_colours():
    root = read(plot([RISING, Curve("other", RISING.points), LEVEL]))
    first, second, level = groups(root, "curve")
    assert shapes(first) == spots(line(first))  # few points: all have the shape
    assert shapes(level) == []
    paths = [next(group.iter(f"{SVG}use")).get(HREF) for group in (first, second)]
    assert paths[0] != paths[1]
    many = Curve("many", [(n, n) for n in range(1000)])
    (group,) = groups(read(plot([many])), "curve")
    assert len(spots(line(group))) == 1000
    assert 5 < len(shapes(group)) < 20


def test_a_plot_needs_nothing_else():
    text = plot([FALLING, LEVEL, RISING])
    assert text.startswith("<svg ")  # no document type, so no address of one
    # name spaces, never fetched
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(script|image|a|foreignObject)\b|@import|@font-face|\bon\w+=", text)
    root = read(text)
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    links = [node.get(HREF) for node in root.iter() if node.get(HREF)] + re.findall(r"url\(([^)]*)\)", text)
    assert links
    assert set(links) <= {f"#{name}" for name in ids}


def test_the_ground_is_white_on_a_dark_page_too():
    root = read(plot([FALLING]))
    ground = next(root.iter(f"{SVG}path"))
    assert style(ground)["fill"] == "#ffffff"
    width, height = (float(root.get(key).removesuffix("pt")) for key in ("width", "height"))
    assert set(spots(ground)) == {(0, 0), (width, 0), (0, height), (width, height)}


PRINT = """
import sys
from xlm_align_fairseq.pictures.plot import Curve, Mark, line_plot
assert "matplotlib" not in sys.modules
curves = [Curve(f"c{n}", [(0, n), (1, n * n)], [Mark(0, n, f"m{n}", "note")] if n % 2 else []) for n in range(5)]
sys.stdout.buffer.write(line_plot(curves, "x", "y", "title").encode())
assert "matplotlib.pyplot" not in sys.modules
"""


def test_same_input_same_text(tmp_path):
    assert plot([FALLING, LEVEL]) == plot([FALLING, LEVEL])
    # independent of random numbers, of the time and of the user's settings
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: black\nfont.size: 30\nsvg.fonttype: path\nbackend: TkAgg\n")
    found = []
    for seed, place, date in (("1", ".", "0"), ("2", tmp_path, "86400")):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {"PYTHONHASHSEED": seed, "MATPLOTLIBRC": str(place), "SOURCE_DATE_EPOCH": date}
        done = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        found.append(done.stdout)
    assert found[0] == found[1]
    assert found[0].startswith(b"<svg ")


NAMES = [
    "<script>alert(1)</script>",
    "a & b",
    "]]>",
    "\"'",
    "--><!--",
    "日本語",
    "$x_1^2$",
    "$",
    r"\frac{1}{2} $\alpha$",
    "_nolegend_",
    "_a",
    "x%y",
]


@pytest.mark.parametrize("name", [*NAMES, "x" * 200 + "<&>"])
def test_names_are_shown_as_they_are(name):
    def draw(name):
        return read(line_plot([Curve(name, [(0, 0), (1, 1)], [Mark(0.5, 0.2, name[:20], name)])], name, name, name, note=name))

    root, plain = draw(name), draw("x" * len(name))
    assert [node.tag for node in root.iter()] == [node.tag for node in plain.iter()]
    assert root.get("aria-label") == name
    expected = [name] * 4 + [name[:20], name if len(name) <= 60 else f"{name[:28]}…{name[-31:]}"]
    # axes, title, note; the mark's label; the legend
    assert sorted(text for text in texts(root) if not re.fullmatch(r"[\d.]+", text)) == sorted(expected)
    assert name in [node.text for node in root.iter(f"{SVG}title")]


def test_a_long_name_is_cut_in_the_legend_and_whole_where_the_pointer_rests():
    name = "a" * 100 + "b" * 100
    root = read(plot([Curve(name, [(0, 0), (1, 1)])]))
    (group,) = groups(root, "name")
    assert [node.text for node in group] == [name, "a" * 28 + "…" + "b" * 31]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters()))
def test_any_name_gives_xml_that_can_be_written(name):
    text = line_plot([Curve(name, [(0, 0), (1, 1)], [Mark(0, 0, "", name)])], name, name, name)
    read(text.encode())


def test_a_name_of_several_lines_is_one():
    assert "a b c" in texts(read(plot([Curve("a\nb\tc", [(0, 0)])])))


COORDINATE = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(POINTS, max_size=3))
def test_every_point_is_in_the_frame(curves):
    root = read(plot([Curve("c", points, [Mark(x, y, "label") for x, y in points]) for points in curves]))
    left, top, right, bottom = frame(root)
    paths = [spots(line(group)) if points else [] for group, points in zip(groups(root, "curve"), curves, strict=True)]
    assert [len(path) for path in paths] == [len(points) for points in curves]
    marks = [shapes(group) for group in groups(root, "mark")]
    assert [len(mark) for mark in marks] == [1] * sum(len(points) for points in curves)
    for x, y in itertools.chain(*paths, *marks):
        assert left - 0.1 <= x <= right + 0.1
        assert top - 0.1 <= y <= bottom + 0.1
    assert len(groups(root, "name")) == len(curves)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (99.2, 100, ["99.2", "99.4", "99.6", "99.8", "100.0"]),
        (0, 20000, ["0", "5000", "10000", "15000", "20000"]),
        (-0.002, 0.002, ["−0.002", "−0.001", "0.000", "0.001", "0.002"]),
        (1e7, 1e7 + 4, ["10000000", "10000001", "10000002", "10000003", "10000004"]),
    ],
)
def test_ticks_are_round_values_within_the_data(low, high, ticks):
    points = [(low, 0.0), (high, 1.0)]
    root = read(plot([Curve("c", points)], width=560))
    found = [node for node in root.iter(f"{SVG}g") if re.match(r"xtick_\d", node.get("id", ""))]
    assert [text for node in found for text in texts(node)] == ticks


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
    assert [group.get("id") for group in groups(root, "mark")] == ["mark-0-1"]
    (group,) = groups(root, "curve")
    assert line(group).get("clip-path").startswith("url(#")


def labels(root, curves):
    wanted = {mark.label for curve in curves for mark in curve.marks}
    for node in root.iter(f"{SVG}text"):
        if node.text in wanted:
            assert style(node)["text-anchor"] == "middle"
            half = 0.5 * 0.57 * 8.5 * len(node.text)
            yield float(node.get("x")) - half, float(node.get("y")) - 6.5, float(node.get("x")) + half, float(node.get("y"))


def test_labels_do_not_cover_one_another_and_the_strong_ones_come_first():
    marks = [Mark(50 + n / 10, 50 - n / 10, f"name{n}", strong=n == 29) for n in range(30)]
    curves = [Curve("c", [(0, 100), (100, 0)], marks)]
    root = read(plot(curves))
    assert "name29" in texts(root)
    boxes = list(labels(root, curves))
    assert 1 < len(boxes) < 30  # there is no room for all
    points = [shapes(group)[0] for group in groups(root, "mark")]
    assert len(points) == 30
    for n, one in enumerate(boxes):
        for other in boxes[n + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert not [(x, y) for x, y in points if one[0] < x < one[2] and one[1] < y < one[3]]


def test_long_names_and_many_curves_make_the_picture_higher():
    few, many = (read(plot([Curve(f"system {n} " + "x" * 50, [(0, n), (1, n)]) for n in range(count)])) for count in (1, 9))
    assert size(few) == pytest.approx([900, 640])
    assert size(many)[0] == pytest.approx(900)
    assert 640 + 8 * 18 < size(many)[1] < 640 + 8 * 26
    heights = [frame(root)[3] - frame(root)[1] for root in (few, many)]
    assert heights[1] == pytest.approx(heights[0], abs=6)  # the frame is as high as ever
    curves = groups(many, "curve")
    assert len(curves) == 9
    assert style(line(curves[7]))["stroke"] == COLOURS[0]
    hrefs = [next(curves[n].iter(f"{SVG}use")).get(HREF) for n in (0, 7)]
    assert hrefs[0] != hrefs[1]


def test_wide_numbers_push_the_frame_to_the_right():
    roots = [read(plot([Curve("c", [(0, 0), (1, high)])])) for high in (1, 1e12)]
    assert frame(roots[0])[0] + 30 < frame(roots[1])[0]


@pytest.mark.parametrize("point", [(float("nan"), 0.0), (0.0, float("inf"))])
def test_refuses_what_has_no_place(point):
    with pytest.raises(InputError, match=r"plot 'A title': \(.*\) is not finite; leave the point out"):
        plot([Curve("c", [point])])
    with pytest.raises(InputError, match="is not finite"):
        plot([Curve("c", [], [Mark(*point)])])


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r'package matplotlib, which is missing; .*pip install "xlm-align-fairseq\[plot\]"'):
        plot([FALLING])
