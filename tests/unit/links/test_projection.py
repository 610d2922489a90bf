"""Tests of projected spans: the rule, conflicts, BIO labels that are always valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.projection import Span, TagReader, longest_piece, project_labels, project_spans, read_bio, write_bio

LABELS = st.lists(st.sampled_from(["O", "O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=8)


def links(text):
    """Read ``0-1 1-2:0.5`` as links with probabilities."""
    pairs = [token.partition(":") for token in text.split()]
    return {tuple(map(int, link.split("-"))): float(number) if number else None for link, _, number in pairs}


def tags(source, text, n_target, max_gap=1):
    spans = project_spans(read_bio(source.split())[0], links(text), max_gap)
    return " ".join(write_bio([span for span in spans if span], n_target))


@st.composite
def sentences(draw):
    """Draw source labels, a number of target words and links between the two."""
    source, n_target = draw(LABELS), draw(st.integers(0, 8))
    if not source or not n_target:
        return source, n_target, {}
    link = st.tuples(st.integers(0, len(source) - 1), st.integers(0, n_target - 1))
    return source, n_target, draw(st.dictionaries(link, st.none() | st.floats(0, 1), max_size=20))


@pytest.mark.parametrize(
    ("source", "text", "target"),
    [
        ("B-X O B-Y", "0-0 1-1 2-2", "B-X O B-Y"),
        ("B-X I-X O", "0-2 1-1 2-0", "O B-X I-X"),
        ("B-X B-X O", "0-1 1-0", "B-X B-X O"),  # neighbours of one type stay two spans
        ("B-X O O", "0-0 0-2", "B-X I-X I-X"),  # a gap of one word is filled
        ("B-X O O", "0-0 0-3", "B-X O O O"),  # one of two is not; equally long pieces: the first
        ("B-X I-X O", "0-0 0-3 1-3", "O O O B-X"),  # … or that with more links
        ("B-X O O", "0-0 0-1 0-4 0-5 0-6", "O O O O B-X I-X I-X"),  # … or the longest
        ("O O O", "0-0 1-1", "O O"),
        ("B-X O O", "1-0 2-1", "O O"),
        ("O I-X I-X I-Y", "1-0 2-1 3-2", "B-X I-X B-Y"),  # I-X without a beginning is one
    ],
)
def test_rule(source, text, target):
    assert tags(source, text, target.count(" ") + 1) == target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0-0 1-0 2-0", "B-X O"),  # two links against one
        ("0-0:0.1 1-0:0.1 2-0:0.9", "B-X O"),  # links before probabilities
        ("0-0 2-0", "B-X O"),  # a tie: the first
        ("0-0:0.3 2-0:0.4", "B-Y O"),  # … or the more probable
        ("0-0 0-2 2-1", "B-X B-Y O"),  # a link against a gap, which leaves two pieces
        ("0-0 0-2 0-3 2-1", "O B-Y B-X I-X"),  # … of which the longer is kept
        ("0-0 0-1 0-2 1-2 2-2 2-3 2-4", "B-X I-X I-X B-Y I-Y"),
    ],
)
def test_conflicts(text, target):
    assert tags("B-X I-X B-Y", text, target.count(" ") + 1) == target


def test_max_gap():
    assert tags("B-X O", "0-0 0-2 0-5", 6, max_gap=0) == "B-X O O O O O"
    assert tags("B-X O", "0-0 0-2 0-5", 6, max_gap=2) == "B-X I-X I-X I-X I-X I-X"


def test_a_span_without_words_left_is_none():
    spans = [Span(range(0, 2), "X"), Span(range(2, 3), "Y"), Span(range(3, 4), "Z")]
    assert project_spans(spans, links("0-0 1-0 2-0")) == [Span(range(0, 1), "X"), None, None]


def test_longest_piece():
    assert longest_piece({}, 5) is None
    linked = {2: (1, 0.0), 4: (1, 0.0)}
    assert longest_piece(linked, 1) == range(2, 5)
    assert longest_piece(linked, 0) == range(2, 3)


@given(sentences(), st.integers(0, 3))
def test_projected_labels_are_valid_and_say_what_the_spans_say(sentence, max_gap):
    source, n_target, found = sentence
    spans, _ = read_bio(source)
    projected = project_spans(spans, found, max_gap)
    assert len(projected) == len(spans)
    kept = [span for span in projected if span]
    target = write_bio(kept, n_target)
    assert len(target) == n_target
    assert read_bio(target) == (sorted(kept, key=lambda span: span.words.start), 0)
    assert sum(len(span.words) for span in kept) == sum(tag != "O" for tag in target)  # none lies over another
    for old, new in zip(spans, projected, strict=True):
        linked = {j for i, j in found if i in old.words}
        if new:
            assert {new.words.start, new.words.stop - 1} <= linked
            assert new.tag == old.tag
        else:
            assert not linked or kept  # others won


@given(LABELS)
def test_a_copy_linked_word_by_word_has_the_same_labels(source):
    spans, _ = read_bio(source)
    assert project_spans(spans, {(i, i): None for i in range(len(source))}) == spans


@given(LABELS)
def test_written_labels_are_read_back(source):
    spans, repaired = read_bio(source)
    assert read_bio(write_bio(spans, len(source))) == (spans, 0)
    assert repaired == sum(a != b for a, b in zip(source, write_bio(spans, len(source)), strict=True))


@given(
    st.lists(st.tuples(st.sampled_from("XY"), st.integers(1, 3), st.integers(0, 2)), max_size=4), st.sampled_from(["ES", "LU"])
)
def test_the_other_schemes_are_read_as_what_they_say(drawn, marks):
    """Spans (type, words, words outside after them) are written in each scheme and read back, over two sentences."""
    end, single = marks
    bio, iob1, other, spans, last = [], [], [], [], None
    for kind, length, outside in drawn:
        inside = [f"I-{kind}"] * (length - 1)
        spans.append(Span(range(len(bio), len(bio) + length), kind))
        bio += [f"B-{kind}", *inside]
        iob1 += [f"B-{kind}" if last == kind else f"I-{kind}", *inside]
        other += [f"{single}-{kind}"] if length == 1 else [f"B-{kind}", *inside[1:], f"{end}-{kind}"]
        for tags in (bio, iob1, other):
            tags += ["O"] * outside
        last = None if outside else kind
    for tags in (bio, iob1, other):
        reader = TagReader()
        assert reader.spans(tags) == spans
        assert reader.spans(tags, range(7, 7 + len(tags))) == spans
        if tags is not iob1:
            assert reader.repaired == 0
    scheme = {"ES": "BIOES", "LU": "BILOU"}[marks]
    assert reader.report() == ([f"the labels are {scheme}, the output is BIO"] if spans else [])


@pytest.mark.parametrize(
    ("tags", "report"),
    [
        ("I-X I-X B-X O I-Y", ["2 labels I-X continue no span of X and were read as the beginning of one, as in IOB1"]),
        ("B-Y O I-X", ["1 labels I-X continue no span of X and were read as the beginning of one"]),
        ("B-X I-X O B-X B-X", []),
        (
            "B-X O S-X I-X E-Y",
            [
                "the labels are BIOES, the output is BIO",
                "2 labels I-X or E-X continue no span of X and were read as the beginning of one",
                "2 spans have no E-X at their end",
            ],
        ),
        ("B-X L-X B-Y", ["the labels are BILOU, the output is BIO", "1 spans have no L-X at their end"]),
    ],
)
def test_the_scheme_and_its_faults_are_said(tags, report):
    reader = TagReader()
    reader.spans(tags.split())
    assert reader.report() == report


def test_an_end_ends_a_span():
    spans, repaired = read_bio(["B-X", "E-X", "I-X", "S-X", "E-X"])
    assert [(span.words.start, span.words.stop) for span in spans] == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert repaired == 2


def test_two_schemes_in_a_file_are_refused():
    reader = TagReader("ner")
    reader.spans(["O", "S-X"], [3, 5])
    with pytest.raises(InputError) as error:
        reader.spans(["B-X", "L-X"], [8, 9])
    assert str(error.value) == (
        "ner:9: 'L-X' is of BILOU, but 'S-X' in line 5 of BIOES; allowed is one scheme in a file; convert the labels"
    )


@pytest.mark.parametrize("tag", ["X", "B", "B-", "M-X", "ES-X", "PER-B", "", "o", "B_X", "-X"])
def test_labels_that_are_refused(tag):
    with pytest.raises(InputError) as error:
        read_bio(["O", tag], "ner", 7)
    assert str(error.value) == (
        f"ner:8: {tag!r} is not a BIO label; allowed are B-X, I-X and O, for any X, with E-X and S-X (BIOES) or with L-X and"
        " U-X (BILOU); convert the labels, or say by --column which column has them"
    )


def test_a_type_may_have_a_dash():
    assert read_bio(["B-X-Y", "I-X-Y"])[0] == [Span(range(0, 2), "X-Y")]


@given(sentences())
def test_a_word_has_the_label_of_its_most_probable_link(sentence):
    """By a plain loop over target words: the highest probability, then the first source word; none without a link."""
    source, n_target, pairs = sentence
    found = project_labels(source, dict(reversed(pairs.items())), n_target)  # the order of links says nothing
    for j, label in enumerate(found):
        candidates = [(i, probability or 0.0) for (i, word), probability in sorted(pairs.items()) if word == j]
        highest = max((probability for _, probability in candidates), default=None)
        wanted = next((source[i] for i, probability in candidates if probability == highest), None)
        assert label == wanted
    assert len(found) == n_target
