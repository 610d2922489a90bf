"""Tests of projected markup: always well formed, the target unchanged, no element lost that has a place."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.markup import Element, MarkupError, Part, read_markup, remove_markup
from xlm_align_fairseq.links.placing import insert_markup, place_elements
from xlm_align_fairseq.text.tokenize import split_words
from xlm_align_fairseq.text.words import word_maker

TAG = re.compile(r"<(/?)([a-z]+)[^<>]*?(/?)>")  # another reader of tags than that of the package
START_TAGS = ["<b>", "<i>", '<a href="x y">', "<s class='c' id=\"d\">"]
TEXT = st.sampled_from(["ein", "Haus", " ", "  ", " < ", "<3", "&lt;", "x>", "."])


def carried(source, target, text, max_gap=1, keep_empty=False):
    links = dict.fromkeys(tuple(map(int, link.split("-"))) for link in text.split())
    elements = read_markup(source)
    return insert_markup(target, elements, place_elements(elements, links, max_gap), links, keep_empty)


def name(tag):
    return TAG.fullmatch(tag)[2]


def enclosed(tag, inside):
    return f"{tag}{inside}</{name(tag)}>"


MARKED = st.recursive(
    TEXT | st.sampled_from(["<br/>", '<img src="s" />']),
    lambda inner: (
        st.lists(inner, max_size=4).map("".join)
        | st.builds(enclosed, st.sampled_from(START_TAGS), st.lists(inner, max_size=4).map("".join))
    ),
    max_leaves=12,
)


@st.composite
def sentences(draw):
    """Draw a source line with markup, a target line and links between the words of both."""
    source, target = draw(MARKED), "".join(draw(st.lists(TEXT, max_size=10)))
    n_source, n_target = len(split_words(remove_markup(source))), len(split_words(target))
    if not n_source or not n_target:
        return source, target, {}
    link = st.tuples(st.integers(0, n_source - 1), st.integers(0, n_target - 1))
    return source, target, dict.fromkeys(draw(st.lists(link, max_size=15)))


def check_well_formed(line):
    stack = []
    for end, tag, empty in TAG.findall(line):
        if end:
            assert stack, line
            assert stack.pop() == tag, line
        elif not empty:
            stack.append(tag)
    assert not stack, line


@given(sentences(), st.integers(0, 3))
def test_the_result_is_well_formed_and_the_target_without_tags(sentence, max_gap):
    source, target, links = sentence
    elements = read_markup(source)
    placed = place_elements(elements, links, max_gap)
    result = insert_markup(target, elements, placed, links)
    check_well_formed(result)
    assert TAG.sub("", result) == target
    tags = Counter(match[0] for match in TAG.finditer(result))
    there = "".join(e.start + e.end for e, words in zip(elements, placed, strict=True) if words or not e.words)
    assert tags == Counter(match[0] for match in TAG.finditer(there))


@given(sentences(), st.integers(0, 3))
def test_with_empty_ones_kept_every_tag_arrives(sentence, max_gap):
    source, target, links = sentence
    elements = read_markup(source)
    result = insert_markup(target, elements, place_elements(elements, links, max_gap), links, keep_empty=True)
    check_well_formed(result)
    assert TAG.sub("", result) == target
    assert Counter(TAG.findall(result)) == Counter(TAG.findall(source))


@given(sentences(), st.integers(0, 3))
def test_places_are_nested_or_apart(sentence, max_gap):
    source, _, links = sentence
    elements = read_markup(source)
    placed = place_elements(elements, links, max_gap)
    for element, words in zip(elements, placed, strict=True):
        linked = {j for i, j in links if i in element.words}
        assert bool(element.words) >= bool(words)
        if words:
            assert {words.start, words.stop - 1} <= linked
            outer = element.outer
            while outer is not None:
                assert placed[outer] is None or set(words) <= set(placed[outer])
                outer = elements[outer].outer
        elif linked:
            assert any(other for other in placed)  # something else took the place
    sets = [set(words) for words in placed if words]
    assert all(a <= b or b <= a or not a & b for a in sets for b in sets)


NODES = st.recursive(
    st.sampled_from(["two", "cats", ".", "<br/>", '<img src="s"/>']),
    lambda inner: st.tuples(st.sampled_from(START_TAGS), st.lists(inner, max_size=4)),
    max_leaves=10,
)


def render(nodes):
    """Write nodes with tags next to words and points next to what follows them, or at the end of their element."""
    texts = [node if isinstance(node, str) else enclosed(node[0], render(node[1])) for node in nodes]
    with_words = [k for k, text in enumerate(texts) if TAG.sub("", text)]
    line = ""
    for k, text in enumerate(texts):
        after_word = k - 1 in with_words and k <= max(with_words)
        line += " " * after_word + text
    return line


@given(st.lists(NODES, max_size=5))
def test_markup_comes_back_from_a_copy_of_the_text(nodes):
    source = render(nodes)
    text = remove_markup(source)
    links = {(i, i): None for i in range(len(split_words(text)))}
    elements = read_markup(source)
    assert insert_markup(text, elements, place_elements(elements, links, 0), links) == source


@pytest.mark.parametrize(
    ("source", "target", "links", "result"),
    [
        ("I have <b>two <i>cats</i></b> .<br/>", "tengo dos gatos .", "1-0 2-1 3-2 4-3", "tengo <b>dos <i>gatos</i></b> .<br/>"),
        ("<b>black</b> <i>cat</i>", "gato negro", "0-1 1-0", "<i>gato</i> <b>negro</b>"),
        ('a <a href="x" id=y>b</a>', "B A", "0-1 1-0", '<a href="x" id=y>B</a> A'),
        # a tag within a word, or over a part of some
        ("un<b>believ</b>able <i>a b</i>c", "X Y Z", "0-0 1-1 2-2", "<b>X</b> <i>Y Z</i>"),
        # two in one word: the later one within the earlier one
        ("<b>Haus</b><i>tür</i>", "front door", "0-0 0-1", "<b><i>front door</i></b>"),
        # the later one has its words within those of the earlier one, and the other way about
        ("<b>a</b> <i>b</i>", "A B A", "0-0 0-2 1-1", "<b>A <i>B</i> A</b>"),
        ("<i>b</i> <b>a</b>", "A B A", "1-0 1-2 0-1", "<b>A <i>B</i> A</b>"),
        # crossing neighbours: the later one keeps what is left
        ("<b>a</b> <i>b</i>", "A AB B", "0-0 0-1 1-1 1-2", "<b>A AB</b> <i>B</i>"),
        ("<b>a</b> <i>b</i>", "B AB A", "0-1 0-2 1-0 1-1", "<i>B</i> <b>AB A</b>"),
        # the inner one stays in the outer one, which is in one piece
        ("<b>a b <i>c</i></b>", "A B . . C", "0-0 1-1 2-4", "<b>A B</b> . . C"),
        ("<b>a b <i>c</i></b>", "A B C . C", "0-0 1-1 2-2 2-4", "<b>A B <i>C . C</i></b>"),
        # points: before what follows, within their element
        ("a <br/>b", "B A", "0-1 1-0", "<br/>B A"),
        ("a<br/> b", "A B", "0-0 1-1", "A<br/> B"),
        ("a <br/>b c", "A C", "0-0 2-1", "A <br/>C"),
        ("a <br/>b", "A B", "0-0", "A B<br/>"),
        ("a<x/>b c", "A B", "0-0", "<x/>A B"),
        ("a<br/>b c", "A B", "0-0", "A B<br/>"),
        ("<a>a <img/></a> b", "B A", "0-1 2-0", "B <a><img/>A</a>"),
        ("<a>a<img/></a> b", "B A", "0-1 1-0", "B <a>A<img/></a>"),
        ("<a><img/>a</a> b", "A B", "0-0 1-1", "<a><img/>A</a> B"),
        ("<a>a b<img/></a> c", "A B C", "0-0 1-1 2-2", "<a>A B<img/></a> C"),
        ("a <b></b>b", "A B", "0-0 1-1", "A <b></b>B"),
        ("a <b> <i><br/></i></b> b", "A B", "0-0 3-1", "A <b><i><br/></i></b>B"),
        # no links
        ("<b>a</b> b", "A B", "1-1", "A B"),
        ("<b>a</b><br/>", "", "", "<br/>"),
        ("", "A", "", "A"),
        # text that only looks like markup
        ("a < b <3 x<1 > <b>c</b>", "A < B <3 X<1 > C", "6-6", "A < B <3 X<1 > <b>C</b>"),
        ("<b>a</b>", "<i>A", "0-0", "<b><i>A</b>"),
        # empty words keep their places
        ("<b>a</b>  b", "A  B ", "0-0 2-2", "<b>A</b>  B "),
    ],
)
def test_examples(source, target, links, result):
    assert carried(source, target, links) == result


def test_max_gap():
    assert carried("<b>a</b>", "A x A", "0-0 0-2") == "<b>A x A</b>"
    assert carried("<b>a</b>", "A x A", "0-0 0-2", max_gap=0) == "<b>A</b> x A"


@pytest.mark.parametrize(
    ("source", "target", "links", "result"),
    [
        ("a <b>b</b> c", "A C", "0-0 2-1", "A <b></b>C"),
        ("<b>a</b> b", "B", "1-0", "<b></b>B"),
        ("a <b>b</b>", "A", "0-0", "A<b></b>"),
        ("<i>a <b>b</b></i> c", "A C", "0-0 2-1", "<i>A<b></b></i> C"),
        ("<i>a <b>b</b></i> c", "C", "2-0", "<i></i><b></b>C"),
        ("<b>b</b>", "", "", "<b></b>"),
    ],
)
def test_keep_empty(source, target, links, result):
    assert carried(source, target, links, keep_empty=True) == result


def test_what_is_read():
    assert read_markup('a <b>two <i x="1">c</i>s</b><br/>') == [
        Element(range(1, 3), "<b>", "</b>", None),
        Element(range(2, 3), '<i x="1">', "</i>", 0, part=Part("cs", 0, 1)),
        Element(range(3, 3), "<br/>", "", None, follows=True, breaks=True),
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('<a title="a > b">c</a>', "c"),
        ("<a hidden data-x = 'y'\t>c</a >", "c"),
        ("<x:g id='1'>c</x:g><_y/>", "c"),
        ("a <b>two</b> c", "a two c"),
        ("a <b> two</b> c", "a  two c"),
        (
            "1 < 2 > 0, <3, <>, </>, <! c ->, < b>, <b, <1>, <a='b'>",
            "1 < 2 > 0, <3, <>, </>, <! c ->, < b>, <b, <1>, <a='b'>",
        ),
    ],
)
def test_what_is_a_tag(line, text):
    assert remove_markup(line) == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a <b>c", "<b> is not closed"),
        ('<i><b class="x">c', "<b> is not closed"),
        ("a</b>", "</b> closes no element"),
        ("<b>a <i>c</b></i>", "</b> stands where </i> is due"),
        ("<b>a <I>c</B></i>", "</B> stands where </I> is due"),
        ("<b>a<br></b></br>", "</br> closes no element"),
        ("<p>a<br>b", "<p> is not closed"),
        ('<bx id="1"/>a</bx>', "</bx> closes no element"),
        ("a <!-- b", "<!-- is not closed"),
        ("a <![CDATA[ b", "<![CDATA[ is not closed"),
        # behind these a reader of HTML takes the target for code
        ("<script>a", "<script> is not closed"),
        ("<script/>a", "<script> is not closed"),
        ("<svg:style x=y/>a", "<svg:style> is not closed"),
    ],
)
def test_what_is_not_well_formed(line, text):
    with pytest.raises(MarkupError) as error:
        read_markup(line)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("line", "elements"),
    [
        ("<B>a</b>", [("<B>", "</b>")]),
        ("a <br> b <img src=x>", [("<br>", ""), ("<img src=x>", "")]),
        ("<p>a<br>b<hr></p>", [("<p>", "</p>"), ("<br>", ""), ("<hr>", "")]),
        # of XML, or written so
        ("<source>a</source> <link>b</link>", [("<source>", "</source>"), ("<link>", "</link>")]),
        ("<b>a<br></br></b>", [("<b>", "</b>"), ("<br></br>", "")]),
        ("a<x id=1/> <b>c<x id=2/></b>", [("<x id=1/>", ""), ("<b>", "</b>"), ("<x id=2/>", "")]),
        ("<a href=x/>b</a>", [("<a href=x/>", "</a>")]),
        # pairs: elements if they are properly nested, else points
        ('<bx id="1"/>a<ex id="1"/>', [('<bx id="1"/>', '<ex id="1"/>')]),
        ("<bx id='2' rid='1'/>a<ex rid=1 id='3'/>", [("<bx id='2' rid='1'/>", "<ex rid=1 id='3'/>")]),
        ('<sc id="1"/>a<ec startRef="1"/>', [('<sc id="1"/>', '<ec startRef="1"/>')]),
        ('<bx id="1"/>a<br>b<ex id="1"/>', [('<bx id="1"/>', '<ex id="1"/>'), ("<br>", "")]),
        ("<bx id=1/>a<ex id='1'/>", [("<bx id=1/>", "<ex id='1'/>")]),
        ('<bx id="1"/>a<ex id="2"/>', [('<bx id="1"/>', ""), ('<ex id="2"/>', "")]),
        ('<bx id="1"/><b>a<ex id="1"/></b>', [('<bx id="1"/>', ""), ("<b>", "</b>"), ('<ex id="1"/>', "")]),
        ('<bx id="1"/> <ex id="1"/>', [('<bx id="1"/><ex id="1"/>', "")]),
        (
            "<bx id='1'/>a<bx id='2'/>b<ex id='1'/>c<ex id='2'/>",
            [("<bx id='1'/>", "<ex id='1'/>"), ("<bx id='2'/>", ""), ("<ex id='2'/>", "")],
        ),
    ],
)
def test_markup_as_people_write_it(line, elements):
    assert [(element.start, element.end) for element in read_markup(line)] == elements


@given(MARKED)
def test_every_tag_is_of_one_element(line):
    """With voids and pairs, every tag of a well-formed line is in its elements, once."""
    for before, behind in (("", ""), ("<br>", "<hr class=a>"), ("<bx id='a'/>", "<ex id='a'/>"), ("<img src=x>", "<ex id='b'/>")):
        marked = before + line + behind
        written = "".join(element.start + element.end for element in read_markup(marked))
        assert sorted(TAG.findall(written)) == sorted(TAG.findall(marked))


def test_words_may_be_those_of_a_tokeniser():
    line = "(<b>Wien</b>, <i>Graz, </i>usw.)"
    words = word_maker("13a")(remove_markup(line))
    assert [word.text for word in words] == ["(", "Wien", ",", "Graz", ",", "usw", ".", ")"]
    assert [element.words for element in read_markup(line, words)] == [range(1, 2), range(3, 5)]


@given(MARKED, st.sampled_from(["none", "13a", "intl", "char"]))
def test_an_element_has_the_words_that_it_touches(line, name):
    text, words = remove_markup(line), word_maker(name)(remove_markup(line))
    at, open_tags = 0, []
    spans = {}
    for match in TAG.finditer(line):
        at = len(remove_markup(line[: match.start()]))
        if match[1]:
            begin, number = open_tags.pop()
            spans[number] = (begin, at)
        elif not match[3]:
            open_tags.append((at, len(spans) + len(open_tags)))
    expected = [
        {n for n, word in enumerate(words) if word.begin < end and word.end > begin and word.begin < word.end}
        for begin, end in spans.values()
        if begin < end
    ]
    found = [{n for n in element.words if words[n].text} for element in read_markup(line, words) if element.words]
    assert sorted(map(sorted, filter(None, expected))) == sorted(map(sorted, found)), text
