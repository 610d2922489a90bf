"""Tests of elements in running text: parts of words, points, pairs, and time that grows with the sentence, not its square."""

import random
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.links.markup import read_markup, remove_markup
from xlm_align_fairseq.links.placing import insert_markup, place_elements
from xlm_align_fairseq.links.projection import Span, longest_piece, project_spans
from xlm_align_fairseq.text.words import Word, word_maker

TAG = re.compile(r"<(/?)([a-z]+)[^<>]*?(/?)>")


def carried(source, target, text, name="13a", keep_empty=False):
    make = word_maker(name)
    links = dict.fromkeys(tuple(map(int, link.split("-"))) for link in text.split())
    elements = read_markup(source, make(remove_markup(source)))
    return insert_markup(target, elements, place_elements(elements, links), links, keep_empty, make(target))


# places against the rule, written down without a thought of time


def slowly_placed(elements, links, max_gap):
    placed = []
    for element in elements:
        linked = {}
        for i, j in links:
            if i in element.words:
                linked[j] = (linked.get(j, (0, 0.0))[0] + 1, 0.0)
        outer = element.outer
        while outer is not None and not placed[outer]:
            outer = elements[outer].outer
        if outer is not None:
            linked = {j: claim for j, claim in linked.items() if j in placed[outer]}
        while words := longest_piece(linked, max_gap):
            other = next((other for other in placed if other and crosses(words, other)), None)
            if other is None:
                break
            linked = {j: claim for j, claim in linked.items() if j not in other}
        placed.append(words)
    return placed


def crosses(one, other):
    return one.start < other.start < one.stop < other.stop or other.start < one.start < other.stop < one.stop


MARKED = st.recursive(
    st.sampled_from(["w ", "w ", "w", "<x/>"]),
    lambda inner: st.lists(inner, max_size=5).map(lambda parts: f"<b>{''.join(parts)}</b>"),
    max_leaves=25,
)


@st.composite
def sentences(draw):
    source, n_target = "".join(draw(st.lists(MARKED, max_size=4))), draw(st.integers(1, 12))
    n_source = len(word_maker("none")(remove_markup(source)))
    link = st.tuples(st.integers(0, max(n_source - 1, 0)), st.integers(0, n_target - 1))
    return source, n_target, dict.fromkeys(draw(st.lists(link, max_size=30)) if n_source else [])


@given(sentences(), st.integers(0, 3))
def test_places_are_those_of_the_rule(sentence, max_gap):
    source, _, links = sentence
    elements = read_markup(source)
    assert place_elements(elements, links, max_gap) == slowly_placed(elements, links, max_gap)


def test_the_links_of_a_word_that_two_elements_have_parts_of_count_once():
    """Of two pieces as long as each other the first is kept, if that with more links is not the other."""
    elements = read_markup("<u><b>a</b><i>a b</i></u>")
    assert [element.words for element in elements] == [range(0, 2), range(0, 1), range(0, 2)]
    assert place_elements(elements, {(0, 3): None, (1, 0): None}) == [range(0, 1), None, range(0, 1)]


# running text


@pytest.mark.parametrize(
    ("name", "source", "target", "links", "result"),
    [
        ("13a", "nach <b>Hannover</b>, dann …", "to Hanover, then …", "0-0 1-1 2-2 3-3 4-4", "to <b>Hanover</b>, then …"),
        ("13a", "<i>Ja!</i> Gut", "Yes!  Good", "0-0 1-1 2-2", "<i>Yes!</i>  Good"),
        ("zh", "Ich liebe <b>dich</b>.", "我爱你。", "0-0 1-1 2-2 3-3", "我爱<b>你</b>。"),
        ("zh", "<b>我</b>爱<i>你</i>。", "I love you.", "0-0 1-1 2-2 3-3", "<b>I</b> love <i>you</i>."),
        ("intl", "«<b>Ja</b>»", " «да» ", "0-0 1-1 2-2", " «<b>да</b>» "),
        ("char", "<b>a</b>b", "αβ", "0-0 1-1", "<b>α</b>β"),
    ],
)
def test_tags_stand_at_the_places_of_the_words(name, source, target, links, result):
    assert carried(source, target, links, name) == result


@pytest.mark.parametrize(
    ("source", "target", "result"),
    [
        ("m<sup>2</sup>", "m2", "m<sup>2</sup>"),
        ("H<sub>2</sub>O", "H2O", "H<sub>2</sub>O"),
        ("1<sup>er</sup>", "1st", "1<sup>st</sup>"),
        ("<b>Haus</b>s", "casas", "<b>casa</b>s"),
        ("un<b>cert</b>ain", "unsicher", "<b>unsicher</b>"),  # where it would end is not to be told
        ("un<b>cert</b>ain", "sure", "<b>sure</b>"),
        ("<b>x</b>y<i>z</i>", "xyz", "<b>x</b>y<i>z</i>"),
        ("<b>x<i>y</i></b>z", "xyz", "<b>x<i>y</i></b>z"),
        ("<b>x<i>y</i></b>z", "aaz", "<b><i>aa</i></b>z"),  # an inner one stays within the outer one
        ("<b>x</b><i>y</i>", "ab", "<b><i>ab</i></b>"),
        ("<b>xa</b>ax", "x", "<b>x</b>"),
        ("x<b>a</b>", "x", "<b>x</b>"),  # nothing would be left
        ("a<b>b</b>", "ae\u0301b", "a<b>e\u0301b</b>"),
        ("a<b>b</b>", "a\u0301b", "<b>a\u0301b</b>"),  # no tag between a letter and its accent
        ("<b>5</b>&amp;", "5&amp;", "<b>5</b>&amp;"),
        ("<b>x&amp;a</b>mp;y", "x&amp;y", "<b>x&amp;y</b>"),  # … nor in a reference of the target
        ("a<x/>b", "ab", "a<x/>b"),
        ("a<x/>b", "cd", "<x/>cd"),
        ("<b>a<x/></b>b", "ab", "<b>a<x/></b>b"),
        ("<b>a<x/>b</b>c", "abc", "<b>a<x/>b</b>c"),
    ],
)
def test_a_part_of_a_word(source, target, result):
    assert carried(source, target, "0-0", "none") == result


def test_parts_of_two_words_in_one():
    assert carried("<b>a</b>b <i>c</i>b", "ab", "0-0 1-0", "none") == "<i><b>a</b>b</i>"


@pytest.mark.parametrize(
    ("source", "target", "links", "result"),
    [
        # behind the word it touches, also when that moves
        ("cats<x/> run", "CATS RUN", "0-0 1-1", "CATS<x/> RUN"),
        ("cats<x/> run", "RUN CATS", "0-1 1-0", "RUN CATS<x/>"),
        ("<b>cats</b><x/>, run", "CATS, RUN", "0-0 1-1 2-2", "<b>CATS</b><x/>, RUN"),
        ("cats,<x/> run", "CATS, RUN", "0-0 1-1 2-2", "CATS,<x/> RUN"),
        ("<b>cats<x/></b> run", "CATS RUN", "0-0 1-1", "<b>CATS<x/></b> RUN"),
        ("cats<x/><!-- y --> run", "CATS RUN", "0-0 1-1", "CATS<x/><!-- y --> RUN"),
        # before the word it touches
        ("run <x/>cats", "CATS RUN", "0-1 1-0", "<x/>CATS RUN"),
        ("(<x/>cats)", "(CATS)", "0-0 1-1 2-2", "(<x/>CATS)"),
        ("run <bx id='1'/>cats", "RUN CATS", "0-0 1-1", "RUN <bx id='1'/>CATS"),
        # the word it touches has no link
        ("cats<x/> run", "RUN", "1-0", "<x/>RUN"),
        # lines and blocks: between what was before and what was behind
        ("cats<br>run", "CATS RUN", "0-0 1-1", "CATS<br> RUN"),
        ("cats <br>run", "CATS RUN", "0-0 1-1", "CATS <br>RUN"),
        ("cats.<br>", "CATS.", "0-0 1-1", "CATS.<br>"),
        ("<p>Cats.</p><p>Dogs.</p>", "CATS. DOGS.", "0-0 1-1 2-2 3-3", "<p>CATS.</p> <p>DOGS.</p>"),
        ("<IMG src=x>cats<hr>", "CATS", "0-0", "<IMG src=x>CATS<hr>"),
    ],
)
def test_points(source, target, links, result):
    assert carried(source, target, links) == result


@pytest.mark.parametrize(
    ("source", "target", "links", "result"),
    [
        ('<bx id="1"/>a b<ex id="1"/> c', "B A C", "0-1 1-0 2-2", '<bx id="1"/>B A<ex id="1"/> C'),
        ('x <bx id="1"/>a<ex id="1"/>, c', "A, C X", "0-3 1-0 2-1 3-2", '<bx id="1"/>A<ex id="1"/>, C X'),
        # without words of the target they stay, though elements do not
        ('a <bx id="1"/>b<ex id="1"/> <b>c</b>', "A", "0-0", 'A<bx id="1"/><ex id="1"/>'),
        # not properly nested
        ('<bx id="1"/>a <b>b<ex id="1"/> c</b>', "C B A", "0-2 1-1 2-0", '<b>C B</b> <bx id="1"/><ex id="1"/>A'),
    ],
)
def test_pairs_keep_their_order(source, target, links, result):
    assert carried(source, target, links) == result


STANDALONE = st.sampled_from([*(f'<{n}x id="{i}"/>' for n in "be" for i in "123"), "w ", "w", ", ", "<b>w ", "</b>"])


@given(st.lists(STANDALONE, max_size=14).map("".join), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=12))
def test_pairs_keep_their_order_whatever_moves(source, links):
    make = word_maker("13a")
    n_words = len(make(remove_markup(source)))
    links = dict.fromkeys(link for link in links if link[0] < n_words)
    try:
        elements = read_markup(source, make(remove_markup(source)))
    except ValueError:
        return
    target = "Ab, cd. e (f) g h"
    result = insert_markup(target, elements, place_elements(elements, links), links, False, make(target))
    assert TAG.sub("", result) == target
    stack, pairs = [], re.compile(r'<([be])x id="(.)"/>')
    for end, name, alone in TAG.findall(result):
        if not alone:
            assert not end or stack.pop() == name
            stack += [name] * (not end)
    assert not stack
    assert sorted(pairs.findall(result)) == sorted(pairs.findall(source))
    for number in "123":
        was, now = ("".join(kind for kind, i in pairs.findall(line) if i == number) for line in (source, result))
        assert was != "be" or now == "be"


# growth: lines of Python that run, twice the sentence against the sentence


def steps(work, *arguments):
    """Count the lines that run in the package."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if "xlm_align_fairseq" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(*arguments)
    finally:
        sys.settrace(before)
    return count


def carry(source, target, links):
    elements = read_markup(source)
    insert_markup(target, elements, place_elements(elements, links), links, keep_empty=True)


def diagonal(n):
    return {(i, i): None for i in range(n)}


def anywhere(n):
    drawn = random.Random(n)
    return {(i, drawn.randrange(n)): None for i in range(n)}


def numbered(n):
    return "".join(f"<bx id='{i}'/>w " for i in range(n)), "".join(f"<ex id='{i}'/>" for i in range(n))


GROWING = {
    "elements": lambda n: ("<b>w w</b> " * (n // 2), diagonal(n)),
    "elements, links anywhere": lambda n: ("<b>w w</b> " * (n // 2), anywhere(n)),
    "elements without links": lambda n: ("<b>w</b> " * n, {(0, 0): None}),
    "nested": lambda n: ("<b>" * n + "w" + "</b>" * n, {(0, 0): None}),
    "nested without links": lambda n: ("<b>" * n + "w" + "</b>" * n, {}),
    "nested empty": lambda n: ("<b>" * n + "</b>" * n, {}),
    "nested words": lambda n: ("<b>w " * n + "</b>" * n, diagonal(n)),
    "nested words, links anywhere": lambda n: ("<b>w " * n + "</b>" * n, anywhere(n)),
    "nested parts": lambda n: ("<b>w" * n + "</b>" * n, {(0, 0): None}),
    "parts": lambda n: ("<b>w</b>" * n, {(0, j): None for j in range(n)}),
    "points": lambda n: ("w<x/> <br>" * n, diagonal(n)),
    "points without links": lambda n: ("w<x/> <br>" * n, {(0, 0): None}),
    "pairs": lambda n: ("".join(numbered(n)), diagonal(n)),
}


@pytest.mark.parametrize("case", GROWING)
def test_the_time_grows_with_the_sentence(case):
    def run(n):
        source, links = GROWING[case](n)
        carry(source, "v " * n, links)

    few, many = steps(run, 250), steps(run, 500)
    assert many < 2.6 * few


@pytest.mark.parametrize("max_gap", [1, 10**6])
def test_the_time_of_labels_grows_with_the_sentence(max_gap):
    def run(n):
        project_spans([Span(range(i, i + 2), "X") for i in range(0, n, 2)], anywhere(n), max_gap)

    few, many = steps(run, 250), steps(run, 500)
    assert many < 2.6 * few


def test_words_may_be_of_another_tokeniser():
    """All that is needed of one: words with their places."""
    words = [Word("ab", 0, 2), Word("c", 2, 3)]
    elements = read_markup("<b>x</b>y")
    assert insert_markup("abc", elements, [range(1, 2)], {(0, 1): None}, words=words) == "ab<b>c</b>"
