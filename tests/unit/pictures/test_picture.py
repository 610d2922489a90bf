"""Tests of the pictures: metadata and escaping of the page, the terminal picture column by column."""

import html.parser
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.pictures import picture
from xlm_align_fairseq.pictures.picture import Example, render_page, render_terminal
from xlm_align_fairseq.version import __version__

GOLD = Gold(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (1, 1), (1, 2)}))
SYSTEMS = {"before": [(0, 1)], "after": [(0, 0), (1, 2), (0, 2)]}
EXAMPLE = Example(["das", "Haus"], ["the", "house", "here"], SYSTEMS, GOLD, 0.5, "de-en")


class Page(html.parser.HTMLParser):
    """Parse a page: tags with their attributes, text of scripts, other text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.texts, self.inside = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self.inside and self.inside[-1] == "script":
            self.scripts[-1] += data
        else:
            self.texts.append(data)


def blob(page):
    (data,) = [text for text in Page(page).scripts if text.startswith("{")]
    return json.loads(data)


def test_page_holds_the_examples():
    data = blob(render_page("t", [EXAMPLE, EXAMPLE], [["pair", "AER %"], ["de-en", 12.5]]))
    assert data["format"] == picture.FORMAT
    assert data["version"] == __version__
    assert data["systems"] == ["before", "after"]
    assert data["notes"] == [["pair", "AER %"], ["de-en", 12.5]]
    first, second = data["examples"]
    assert (first["number"], second["number"]) == (1, 2)
    assert first["source"] == EXAMPLE.source
    assert first["target"] == EXAMPLE.target
    assert first["links"] == [[[0, 1]], [[0, 0], [0, 2], [1, 2]]]
    assert first["sure"] == [[0, 0], [1, 1]]
    assert first["possible"] == [[1, 2]]  # the sure ones are not repeated
    # before: 1 - (0 + 0) / (1 + 2); after: 1 - (1 + 2) / (3 + 2)
    assert first["aer"] == pytest.approx([1.0, 0.4])
    assert first["score"] == 0.5


def test_page_without_gold_and_with_a_system_missing():
    other = Example(["a"], ["b"], {"after": [], "third": [(0, 0), (0, 0)]}, name="x", number=7)
    data = blob(render_page("t", [EXAMPLE, other]))
    assert data["systems"] == ["before", "after", "third"]
    assert data["examples"][1]["links"] == [None, [], [[0, 0]]]
    assert data["examples"][1]["aer"] == [None, None, None]
    assert data["examples"][1]["sure"] is data["examples"][1]["possible"] is None
    assert data["examples"][1]["number"] == 7
    assert data["examples"][0]["links"][2] is None


KNOWN = {"after": {(1, 2): 0.25, (0, 2): 1.0, (0, 0): 0.9871, (1, 1): 0.5}}


def test_page_holds_probabilities_in_the_order_of_the_links():
    example = Example(EXAMPLE.source, EXAMPLE.target, SYSTEMS, GOLD, 0.5, "de-en", probabilities=KNOWN)
    first, second = blob(render_page("t", [example, EXAMPLE]))["examples"]
    assert first["links"][1] == [[0, 0], [0, 2], [1, 2]]
    assert first["probabilities"] == [None, [0.9871, 1.0, 0.25]]
    assert second["probabilities"] == [None, None]


def test_page_lets_the_reader_sort_and_filter_by_score():
    page = render_page("t", [EXAMPLE])
    for part in ('"score, low first"', '"score, high first"', '"lowest score"', '"highest score"', '": probability "'):
        assert page.count(part) == 1


NASTY = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--",
    "]]>",
    "&amp;",
    "$data",
    "\u2028",
]


@pytest.mark.parametrize("word", NASTY)
def test_no_text_becomes_markup(word):
    plain = Page(render_page("t", [Example(["a"], ["b"], {"s": []})], [["c"]]))
    page = render_page(word, [Example([word], [word], {word: [(0, 0)]}, name=word)], [[word]])
    parsed = Page(page)
    assert [tag for tag, _ in parsed.tags] == [tag for tag, _ in plain.tags]
    assert parsed.texts.count(word) == 2  # <title> and <h1>
    data = blob(page)
    assert data["examples"][0]["source"] == [word]
    assert data["systems"] == [word]
    raw = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert not set(raw) & set("<>&\u2028\u2029")
    assert json.loads(raw) == data


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_word_comes_back(word):
    assert blob(render_page("t", [Example([word], ["b"], {"s": []})]))["examples"][0]["source"] == [word]


def test_page_needs_nothing_else():
    page = render_page("t", [EXAMPLE])
    parsed = Page(page)
    addresses = [value for _, attrs in parsed.tags for key, value in attrs.items() if key in ("src", "href")]
    assert addresses == []
    assert re.findall(r"https?://[^\"]*", page) == ["http://www.w3.org/2000/svg"]  # a name space, never fetched
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|\beval\(", page)
    (policy,) = [a["content"] for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert not any(key.startswith("on") for _, attrs in parsed.tags for key in attrs)
    assert "$" not in page


def test_same_input_same_bytes():
    shuffled = Example(EXAMPLE.source, EXAMPLE.target, {k: v[::-1] for k, v in SYSTEMS.items()}, GOLD, 0.5, "de-en")
    assert render_page("t", [EXAMPLE]) == render_page("t", [shuffled])


@pytest.mark.parametrize(
    ("example", "text"),
    [
        (Example(["a"], ["b"], {}, name="n"), "n:1: no systems, so no links to show"),
        (Example(["a"], ["b"], {"s": [(0, 1)]}, name="n"), "n:1: s: link 0-1 (0-based) is out of range"),
        (
            Example(["a"], ["b"], {"s": []}, Gold(frozenset(), frozenset({(2, 0)})), name="n", number=9),
            "n:9: gold: link 2-0 (0-based) is out of range",
        ),
        (Example(["a"], ["b"], {"s": []}, score=float("nan"), name="n"), "n:1: score: nan is not a finite number"),
        (
            Example(["a"], ["b"], {"s": [(0, 0)]}, name="n", probabilities={"s": {}}),
            "n:1: s: probability of link 0-0: missing; allowed is 0..1",
        ),
        (
            Example(["a"], ["b"], {"s": [(0, 0)]}, name="n", probabilities={"s": {(0, 0): float("nan")}}),
            "n:1: s: probability of link 0-0: nan; allowed is 0..1",
        ),
    ],
)
def test_page_refuses(example, text):
    with pytest.raises(InputError, match=re.escape(text)):
        render_page("t", [example])


def test_page_refuses_a_ragged_table():
    with pytest.raises(InputError, match="notes: row 2 has 1 cells, but row 1 has 2"):
        render_page("t", [EXAMPLE], [["a", "b"], ["c"]])
    with pytest.raises(InputError, match="notes: row 2: inf is not a finite number"):
        render_page("t", [EXAMPLE], [["a"], [float("inf")]])


def test_page_without_examples():
    assert blob(render_page("t", []))["examples"] == []


# ---- terminal ----


def test_matrix_with_gold():
    # before: 0-1 is not in gold and both sure links are missed; after: see the AER of the page above.
    assert render_terminal(EXAMPLE, "before").split("\n") == [
        "de-en  score 0.5  before  AER 100.0 %",
        "     the",
        "     | house",
        "     | | here",
        "das  ◦ ✗ .",
        "Haus . ◦ .",
    ]
    assert render_terminal(EXAMPLE, "after").split("\n")[0] == "de-en  score 0.5  after  AER 40.0 %"
    assert render_terminal(EXAMPLE, "after").split("\n")[4:] == ["das  ✓ . ✗", "Haus . ◦ ✓"]


def test_matrix_with_wide_and_combining_characters():
    example = Example(["日本", "cafe\u0301", "a"], ["x", "東"], {"s": [(0, 1), (1, 0)]}, name="ja-en", number=3)
    lines = render_terminal(example, "s").split("\n")
    assert lines == ["ja-en 3  s", "     x", "     | 東", "日本 . #", "cafe\u0301 # .", "a    . ."]
    assert {wcswidth(line) for line in lines[3:]} == {8}


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # man, woman and girl, joined: one picture


def columns(word):
    """Return the columns that the matrix gives to a word: those of the line with nothing but the margin, less the blank."""
    lines = render_terminal(Example([word], ["x"], {"s": []}, name="n"), "s").split("\n")
    return lines[1].index("x") - 1


@pytest.mark.parametrize(
    ("word", "width"),
    [
        ("a", 1),
        ("日", 2),
        ("한", 2),
        (FAMILY, 2),
        ("\u2764\ufe0f", 2),  # a heart, asked for as a picture
        ("\u0301", 0),
        ("e\u0301", 1),
        ("می\u200cخواهم", 7),  # seven letters and a joiner
        ("a\tb", 3),
        ("\x1b[31m", 5),
        ("\x85\x7f", 2),
    ],
)
def test_columns_of_a_word(word, width):
    assert columns(word) == width


def test_family_in_a_row():
    example = Example([FAMILY, "日本", "abc"], ["x"], {"s": [(0, 0)]}, name="n")
    assert render_terminal(example, "s").split("\n")[2:] == [f"{FAMILY}   #", "日本 .", "abc  ."]


def test_characters_without_a_width_are_replaced():
    # wcswidth says -1 for these, and for every text that has one
    unprintable = [chr(point) for point in range(0x110000) if wcswidth(chr(point)) < 0]
    assert "\x1b" in unprintable
    assert {columns(f"日{character}日") for character in unprintable} == {5}


def test_numbered_words_where_the_matrix_is_too_wide():
    example = Example(["a"] * 11, ["bbb", "c", "d"], {"s": [(0, 0), (10, 0), (10, 1)]}, name="n")
    matrix = render_terminal(example, "s", width=7)
    assert matrix.split("\n")[1] == "  bbb"  # 5, 5 and 7 columns
    lines = render_terminal(example, "s", width=6).split("\n")
    assert lines[1:3] == [" 0 a # 0 bbb", " 1 a"]
    assert lines[11:] == ["10 a # 0 bbb, # 1 c", "     without links: 2 d"]


def test_colour_adds_escapes_only():
    coloured = render_terminal(EXAMPLE, "after", colour=True)
    assert "\x1b[33;1m✗\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_terminal(EXAMPLE, "after")
    assert "\x1b" not in render_terminal(EXAMPLE, "after")


def test_words_cannot_command_the_terminal():
    example = Example(["\x1b[31mred", "\u202eabc", "", "می\u200cخواهم"], ["b\r"], {"s": []}, name="n")
    text = render_terminal(example, "s")
    assert not [c for c in text.replace("\n", "") if unicodedata.category(c) == "Cc" or c == "\u202e"]
    assert "\ufffd[31mred" in text
    assert "\n'' " in text
    assert "\u200c" in text


def test_empty_sentences():
    assert render_terminal(Example([], [], {"s": []}, name="n"), "s") == "n  s"
    assert render_terminal(Example([], ["a"], {"s": []}, name="n"), "s") == "n  s\n a"


def test_terminal_refuses():
    with pytest.raises(InputError, match="no system 'x'; allowed are 'before', 'after'"):
        render_terminal(EXAMPLE, "x")
    with pytest.raises(InputError, match="link 5-0"):
        render_terminal(Example(["a"], ["b"], {"s": [(5, 0)]}), "s")


@pytest.mark.parametrize("mark", [picture.LINK, picture.RIGHT, picture.WRONG, picture.MISSED, picture.NOTHING])
def test_marks_are_one_column_in_every_terminal(mark):
    assert unicodedata.east_asian_width(mark) in ("N", "Na")


@given(st.lists(st.text("ab日é\u0301ß한", min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_every_row_of_a_matrix_is_as_wide(source, data):
    target = data.draw(st.lists(st.just("x"), min_size=1, max_size=5))
    cells = st.tuples(st.integers(0, len(source) - 1), st.integers(0, len(target) - 1))
    links = data.draw(st.lists(cells))
    lines = render_terminal(Example(source, target, {"s": links}), "s").split("\n")
    assert len(lines) == 1 + len(target) + len(source)
    rows = lines[1 + len(target) :]
    assert len({wcswidth(row) for row in rows}) == 1
    assert sum(row.count("#") for row in rows) == len(set(links))
