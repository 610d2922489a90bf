"""Tests of tags as people write them, of the text between, and of targets, of which nothing may become a tag."""

import html.parser
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.tags import CLOSE, OPEN, POINT, VOID, escape_places, escape_tags, keep_references_whole, split_tags
from xlm_align_fairseq.text.words import Word, word_maker

JUNK = [
    "<",
    ">",
    "/",
    "!",
    "?",
    "--",
    "[CDATA[",
    "]]>",
    "b",
    "img src=x",
    " ",
    '"',
    "'",
    "=",
    "&lt;",
    "&",
    ";",
    "é",
    "\0",
    "3",
    "%",
]


class Reader(html.parser.HTMLParser):
    """Note all that is not text."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_endtag(self, tag):
        self.found.append((tag, "end"))

    def handle_comment(self, data):
        self.found.append((data, "comment"))

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.found


@given(st.lists(st.sampled_from(JUNK), max_size=15).map("".join), st.lists(st.integers(0, 60), max_size=3))
def test_nothing_of_a_target_is_a_tag_whatever_tags_are_put_into_it(target, places):
    """A tag of ours that stands anywhere ends no tag that the target has begun."""
    escaped = escape_tags(target)
    assert escaped.replace("&lt;", "<") == target.replace("&lt;", "<")
    assert read(escaped) == []
    assert split_tags(escaped)[1:] == ([], "")
    cuts = sorted(min(place, len(target)) for place in places)
    moved = [word.begin for word in escape_places(target, [Word("", cut, cut) for cut in cuts])]
    pieces = [escaped[begin:end] for begin, end in zip([0, *moved], [*moved, len(escaped)], strict=True)]
    assert read("<i>".join(pieces)) == [("i", [])] * len(cuts)


@pytest.mark.parametrize(
    "target",
    [
        "<img src=x onerror=alert(1) z",
        "</b",
        "<!-- x",
        "<!doctype",
        "<?php x",
        "<b>",
        "a<b",
        "<%= x",
        "<é>",
        "<_a",
        "<x:y",
        "<![CDATA[",
    ],
)
def test_what_could_begin_a_tag_is_escaped_closed_or_not(target):
    assert escape_tags(f"x {target}") == f"x {target.replace('<', '&lt;')}"


@pytest.mark.parametrize("target", ["I <3 you", "1 < 2", "a <", "<= >", "<<", "<->", "<>", "&lt;b>", "< b"])
def test_what_begins_no_tag_stays(target):
    assert escape_tags(target) == target


@given(
    st.lists(st.sampled_from([*JUNK, "Wort", ","]), max_size=12).map("".join), st.sampled_from(["none", "13a", "intl", "char"])
)
def test_places_in_the_escaped_target_are_those_of_the_same_words(target, name):
    escaped = escape_tags(target)
    words = word_maker(name)(target)
    for word, moved in zip(words, escape_places(target, words), strict=True):
        assert moved.text == escaped[moved.begin : moved.end]
        assert moved.text.replace("&lt;", "<") == target[word.begin : word.end].replace("&lt;", "<")


@pytest.mark.parametrize("name", sorted(VOID))
def test_void_elements_need_no_end(name):
    for tag in (f"<{name}>", f"<{name}/>", f"<{name.upper()} a=b>"):
        (found,) = split_tags(f"x {tag} y")[1]
        assert (found.text, found.kind in (OPEN, POINT), found.at) == (tag, True, 2)


@pytest.mark.parametrize(
    ("line", "text", "tags"),
    [
        ('<a title="a > b">c</a>', "c", ['<a title="a > b">', "</a>"]),
        ("<a href=http://x.y/?a=b&c>c</a>", "c", ["<a href=http://x.y/?a=b&c>", "</a>"]),
        ('<a href="x"class=y hidden>c</a >', "c", ['<a href="x"class=y hidden>', "</a >"]),
        ("<B>c</b>", "c", ["<B>", "</b>"]),
        ("a<!-- <b> > -->b", "ab", ["<!-- <b> > -->"]),
        ("a<?x y?>b<!DOCTYPE html>", "ab", ["<?x y?>", "<!DOCTYPE html>"]),
        ("a <![CDATA[<b> &amp; c]]> d", "a <b> &amp; c d", []),
        ("<script>if (a<b) c('</b>')</script>d", "d", ["<script>if (a<b) c('</b>')</script>"]),
        ("<STYLE>b{}</style >d", "d", ["<STYLE>b{}</style >"]),
        ("<svg:script>x</svg:script>d", "d", ["<svg:script>x</svg:script>"]),
        ("<textarea><b>a</b> &amp;</textarea>b", "<b>a</b> &b", ["<textarea>", "</textarea>"]),
        ("<b\u00a0x><b x=\u00a0'y>'>", "<b\u00a0x><b x=\u00a0'y>'>", []),
        # text
        ("<https://x.y/z> <a@b.c> <b, <1> <a='b'> <3", "<https://x.y/z> <a@b.c> <b, <1> <a='b'> <3", []),
        # words end at lines and blocks, and nowhere else
        ("Auto<br/>ist", "Auto ist", ["<br/>"]),
        ("Auto<br>ist", "Auto ist", ["<br>"]),
        ("Auto <BR>ist", "Auto ist", ["<BR>"]),
        ("<p>Auto</p><p>ist</p>", "Auto ist", ["<p>", "</p>", "<p>", "</p>"]),
        ("<ul><li>a</li><li>b</li></ul>c", "a b c", ["<ul>", "<li>", "</li>", "<li>", "</li>", "</ul>"]),
        ("a<hr><br><i>b</i>", "a b", ["<hr>", "<br>", "<i>", "</i>"]),
        ("Donau<wbr>dampf<img src=x>er", "Donaudampfer", ["<wbr>", "<img src=x>"]),
        # references
        ("5&euro; &#8364;&#x20ac; A&amp;B", "5€ €€ A&B", []),
        ("&lt;b&gt; AT&T &copy &nothing; &#1;", "<b> AT&T &copy &nothing; &#1;", []),
        ("a&#10;b&NewLine;c&Tab;d&nbsp;e&#x2028;f", "a b c d\u00a0e f", []),
        (f"&#{'9' * 5000};", f"&#{'9' * 5000};", []),
    ],
)
def test_text_and_tags(line, text, tags):
    found = split_tags(line)
    assert (found[0], [tag.text for tag in found[1]], found[2]) == (text, tags, "")


TEXTS = {
    "Wort": "Wort",
    " ": " ",
    "&euro;": "€",
    "< ": "< ",
    "<3": "<3",
    "AT&T": "AT&T",
    "<![CDATA[<b>&lt;]]>": "<b>&lt;",
    ">": ">",
}
TAGS = ["<b>", "</B>", "<img src=x>", "<!-- <b> -->", "<?x?>", "<script>a<b></script>", '<a b="c>d">', "<x/>"]


@given(st.lists(st.sampled_from([*TEXTS, *TAGS]), max_size=12))
def test_every_character_is_text_or_tag(parts):
    text, tags, fault = split_tags("".join(parts))
    assert text == "".join(TEXTS.get(part, "") for part in parts)
    assert [tag.text for tag in tags] == [part for part in parts if part in TAGS]
    assert fault == ""
    before = [sum(len(TEXTS.get(other, "")) for other in parts[:n]) for n, part in enumerate(parts) if part in TAGS]
    assert [tag.at for tag in tags] == before


@given(st.text(max_size=20) | st.lists(st.sampled_from([*JUNK, *TAGS, "<br>", "&#10;"]), max_size=12).map("".join))
def test_whatever_the_line_its_text_is_one_line_and_the_tags_are_in_it(line):
    text, tags, _ = split_tags(line)
    rest = line
    for tag in tags:
        _, found, rest = rest.partition(tag.text)
        assert found
    places = [0, *(tag.at for tag in tags), len(text)]
    assert places == sorted(places)
    assert text.count("\n") <= line.count("\n")


@pytest.mark.parametrize(
    ("line", "fault"), [("a <!-- b", "<!--"), ("<b>a</b> <![CDATA[ b", "<![CDATA["), ("<!-- a --> <!-->", "<!--")]
)
def test_sections_that_do_not_end_are_told(line, fault):
    assert split_tags(line)[2] == fault


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("<i x='<b>a</b>", "<i"),
        ("a <w <br>> b", "<w"),
        ("a</w <br>", "</w"),
        ("<! a <b>c</b>", "<!"),
        ("<? a <b>c</b>", "<?"),
        ("</3 <b>c</b>", "</"),
        ('<a x=y"> <b ="c"> <i>d</i>', ""),  # to HTML the quotes are part of names and values
        ('<a =x z="> <b>c</b>">', "<a"),
        # these have an end before the tag, or are text to HTML, too
        ("<https://x.y/z> <user@x.y> <b>a</b>", ""),
        ("<w a <3> <b>a</b>", ""),
        ("1 < 2 <3 << <> </> <= <b>a</b> <w", ""),
    ],
)
def test_text_in_which_a_reader_of_html_does_not_see_our_tags_is_told(line, fault):
    """Else a tag that was none to a browser would come to life in the target."""
    assert split_tags(line)[2] == fault


def test_an_end_that_is_not_there_is_looked_for_once(monkeypatch):
    """Else the time would grow with the square of the line."""
    looked_for, compiled = [], re.compile
    monkeypatch.setattr(re, "compile", lambda pattern, *flags: looked_for.append(pattern) or compiled(pattern, *flags))
    split_tags("<!-- " * 100 + "<script>" * 100 + "<![CDATA[" * 100 + "<? " * 100)
    assert len(looked_for) == 4


def test_kinds():
    assert [tag.kind for tag in split_tags("<b></b><b/><b / ><bx id=1/><!-- c --><script>")[1]] == [
        *(OPEN, CLOSE, POINT, OPEN),
        *(OPEN, POINT, OPEN),
    ]


@pytest.mark.parametrize(
    ("target", "name", "pieces"),
    [
        ("5&euro; &amp;", "intl", ["5", "&euro;", "&amp;"]),
        ("a&b; &#x41;c&lt;d", "char", ["a", "&", "b", ";", "&#x41;", "c", "&lt;", "d"]),
        ("a &b c", "none", ["a", "&b", "c"]),
    ],
)
def test_words_of_one_reference_are_one(target, name, pieces):
    words = word_maker(name)(target)
    joined, numbers = keep_references_whole(target, words)
    assert [word.text for word in joined] == pieces
    assert len(numbers) == len(words)
    for word, number in zip(words, numbers, strict=True):
        assert joined[number].begin <= word.begin <= word.end <= joined[number].end
