"""Tests of reading, writing and checking links and gold."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold, GoldList, format_gold, load_gold, null_warning, read_gold
from xlm_align_fairseq.links.gold_set import GoldSet
from xlm_align_fairseq.links.pharaoh import (
    check_range,
    format_pharaoh,
    format_probabilities,
    parse_pharaoh,
    parse_probabilities,
    read_pharaoh,
    swap,
)
from xlm_align_fairseq.text.lines import read_lines

LINKS = st.lists(st.tuples(st.integers(0, 999_999_998), st.integers(0, 999_999_998)), max_size=12)


def gold(sure=(), extra=()):
    return Gold(frozenset(sure), frozenset(sure) | frozenset(extra))


GOLDS = st.builds(gold, LINKS, LINKS)


@pytest.fixture
def write(tmp_path):
    def _write(content, name="gold"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@given(LINKS)
def test_format_then_parse_gives_sorted_links_without_repetition(links):
    assert parse_pharaoh(format_pharaoh(links)) == sorted(set(links))


@given(st.dictionaries(st.tuples(st.integers(0, 999_999_998), st.integers(0, 999_999_998)), st.integers(0, 10_000)))
def test_probabilities_round_trip_to_four_decimals(links):
    links = {link: number / 10_000 for link, number in links.items()}
    line = format_probabilities(links)
    assert parse_probabilities(line) == links
    assert list(parse_probabilities(line)) == parse_pharaoh(line) == sorted(links)


def test_a_repeated_link_keeps_its_highest_probability_and_one_without_is_refused():
    assert parse_probabilities("1-1:0.2 1-1:0.7 1-1:0.3") == {(1, 1): 0.7}
    with pytest.raises(InputError, match=r"^hyp:3: link 4-5 \(0-based\) has no probability; allowed are links like 3-4:0.98"):
        parse_probabilities("0-0:1 4-5", where="hyp:3")


def test_gold_has_no_probabilities(write):
    with pytest.raises(InputError, match="gold:1: a link has a probability, but gold has none"):
        read_gold(write("0-0:0.5\n"))


@given(LINKS)
def test_swap_twice_is_identity(links):
    assert swap(swap(links)) == sorted(set(links))


def test_swap_changes_sides_and_sorts():
    assert swap([(0, 5), (1, 2)]) == [(2, 1), (5, 0)]


@given(LINKS)
def test_one_based_lines_are_shifted_by_one(links):
    line = " ".join(f"{i + 1}-{j + 1}" for i, j in links)
    assert parse_pharaoh(line, one_based=True) == sorted(set(links))


@pytest.mark.parametrize(
    ("line", "links"),
    [
        ("", []),
        ("\n", []),
        ("0-0\n", [(0, 0)]),
        ("10-2 9-2 10-2", [(9, 2), (10, 2)]),
        (" 0-1  1-0 ", [(0, 1), (1, 0)]),
        ("1-1:0.25 0-0:1 1-1:0 2-2:1.000", [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_lines_that_are_read(line, links):
    assert parse_pharaoh(line) == links


@pytest.mark.parametrize(
    "token",
    [
        "0",
        "0-",
        "-1",
        "0-0-0",
        "0p1",
        "a-b",
        "0-0\r",
        "0-0\t1-1",
        "0-0\n1-1",
        "\u0661-1",
        "0--1",
        "1" * 10 + "-0",
        "0:1",
        "0-1:",
        "0-1:1.2",
        "0-1:-0.5",
        "0-1:nan",
        "0-1:0.5:0.5",
    ],
)
def test_lines_that_are_refused(token):
    with pytest.raises(InputError) as error:
        parse_pharaoh(f"0-0 {token}", where="hyp:7")
    assert str(error.value).startswith(f"hyp:7: {token!r} is not a link; allowed are links like 3-4")


@given(st.floats(0, 1), st.sampled_from(["{!r}", "{:g}", "{:e}", "{:E}", "{:.3f}", "{:.17g}"]))
def test_probabilities_of_other_tools_are_read(probability, form):
    text = form.format(probability)
    assert parse_probabilities(f"0-0:{text}") == {(0, 0): float(text)}
    if "e" not in text.lower():
        short = text.removeprefix("0") if "." in text else f"{text}."
        assert parse_probabilities(f"0-0:{short}") == {(0, 0): float(text)}


@pytest.mark.parametrize(("text", "probability"), [("1e-05", 1e-5), (".5", 0.5), ("1.", 1.0), ("1.0e+0", 1.0), ("0", 0.0)])
def test_probabilities_by_hand(text, probability):
    assert parse_probabilities(f"0-0:{text}") == {(0, 0): probability}
    assert parse_pharaoh(f"0-0:{text}") == [(0, 0)]


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ("1p1", "p marks a possible link, which gold alone has"),
        ("1-1/S", "gold has sure links as i-j and possible ones as ipj"),
        ("1-1:P", "gold has sure links as i-j and possible ones as ipj"),
        ("1-1/0.5", "a probability stands behind a colon"),
        ("1-1-0.5", "a probability stands behind a colon"),
        ("1:1", "- stands between source and target word"),
        ("1-1:1.0001", "a probability is a number 0 to 1"),
        ("1-1:1e5", "a probability is a number 0 to 1"),
        ("1-1:-1e-9", "a probability is a number 0 to 1"),
        ("1-1:inf", "a probability is a number 0 to 1"),
        ("1-1:.", "a probability is a number 0 to 1"),
    ],
)
def test_what_other_tools_write_is_named(token, hint):
    with pytest.raises(InputError) as error:
        parse_probabilities(f"0-0:1 {token}", where="hyp:7")
    assert str(error.value) == (
        f"hyp:7: {token!r} is not a link; allowed are links like 3-4:0.98, separated by spaces, lines ending in '\\n' alone;"
        f" correct the line: {hint}"
    )


def test_only_one_line_end_is_tolerated():
    with pytest.raises(InputError, match=r"^'0-0\\n' is not a link"):
        parse_pharaoh("0-0\n\n")


def test_zero_in_a_one_based_line_is_refused():
    with pytest.raises(InputError, match=r"^hyp:1: link '1-0' counts from 0, but a 1-based file was announced"):
        parse_pharaoh("1-0", one_based=True, where="hyp:1")


def test_read_pharaoh_from_path_and_from_open_file(write):
    path = write("0-0\n\n1-0 0-1")
    expected = [[(0, 0)], [], [(0, 1), (1, 0)]]
    assert read_pharaoh(path) == read_pharaoh(str(path)) == expected
    assert read_pharaoh(io.StringIO("0-0\n\n1-0 0-1")) == expected


def test_read_pharaoh_names_file_and_line(write):
    path = write("0-0\n0-0 x\n")
    with pytest.raises(InputError) as error:
        read_pharaoh(path)
    assert str(error.value).startswith(f"{path}:2: 'x' is not a link")
    with pytest.raises(InputError, match=r"^<lines>:1: 'x'"):
        read_pharaoh(["x"])


def test_only_newline_separates_lines(write):
    assert read_lines(write("a\u2028b\x0cc\x85d\re\nf")) == ["a\u2028b\x0cc\x85d\re", "f"]
    assert read_lines(write("")) == []
    assert read_lines(write("\n")) == [""]
    assert read_lines(write("a\n\n")) == ["a", ""]


def test_packed_lines(tmp_path):
    (tmp_path / "links.gz").write_bytes(gzip.compress(b"0-0\n\n1-1\n"))
    assert read_lines(tmp_path / "links.gz") == ["0-0", "", "1-1"]
    assert read_pharaoh(tmp_path / "links.gz") == [[(0, 0)], [], [(1, 1)]]


def test_bytes_that_are_not_utf8_and_missing_files_are_input_errors(write, tmp_path):
    path = write(b"ok\nno \xff\n")
    with pytest.raises(InputError) as error:
        read_lines(path)
    assert str(error.value) == f"{path}:2: byte 0xff (byte 4 of the line) is not UTF-8; convert the file to UTF-8"
    with pytest.raises(InputError, match=r"absent: cannot read the file \(No such file or directory\)"):
        read_lines(tmp_path / "absent")


def test_check_range_accepts_the_corners_and_refuses_beyond():
    check_range([(0, 0), (2, 3)], 3, 4, "f:1")
    check_range([], 0, 0, "f:1")
    for bad in [(3, 0), (0, 4), (-1, 0), (0, -1)]:
        with pytest.raises(InputError, match=r"^f:9: link .* is out of range: 3 source words and 4 target words"):
            check_range([(0, 0), bad], 3, 4, "f:9")


def test_gold_refuses_sure_links_that_are_not_possible():
    with pytest.raises(InputError, match=r"sure link \(1, 1\) is not among the possible links"):
        Gold(frozenset({(1, 1)}), frozenset({(0, 0)}))


@given(st.lists(GOLDS, min_size=1, max_size=5), st.booleans())
def test_gold_round_trips_through_pharaoh(tmp_path_factory, golds, one_based):
    path = tmp_path_factory.mktemp("gold") / "gold"
    shifted = [
        gold([(i + 1, j + 1) for i, j in g.sure], [(i + 1, j + 1) for i, j in g.possible]) if one_based else g for g in golds
    ]
    path.write_text("".join(format_gold(g) + "\n" for g in shifted), encoding="utf-8")
    assert read_gold(path, one_based=one_based, n_lines=len(golds)) == golds
    assert load_gold(path, one_based=one_based).form == "pharaoh"


@given(st.lists(GOLDS, max_size=5))
def test_a_gold_list_is_a_list(golds):
    held = GoldList([[(link, link in one.sure) for link in one.possible] for one in golds])
    assert held == golds
    assert [len(held), *held[1:]] == [len(golds), *golds[1:]]
    assert list(reversed(held)) == golds[::-1]
    with pytest.raises(IndexError):
        held[len(golds)]


def test_format_gold_marks_possible_links():
    assert format_gold(gold([(10, 0)], [(2, 1)])) == "2p1 10-0"


def test_rows_are_one_based_and_unlabelled_rows_are_sure(write):
    path = write("1 1 2 S\n1 3 1\n\n2 1 1 P\n2 1 1 S\n2\t2\t2\tP\n")
    expected = [gold([(0, 1), (2, 0)]), gold([(0, 0)], [(1, 1)])]
    assert read_gold(path) == read_gold(path, n_lines=2) == read_gold(path, one_based=True) == expected
    read = load_gold(path)
    assert (read.form, read.base, read.ids) == ("rows", 1, "order")


def test_as_many_ids_as_lines_are_taken_in_order_of_first_appearance(write):
    path = write("700 1 1\n0012 2 2\n700 3 3\n12 4 4\n")
    assert read_gold(path, n_lines=2) == [gold([(0, 0), (2, 2)]), gold([(1, 1), (3, 3)])]


def test_fewer_ids_within_the_corpus_are_line_numbers(write):
    path = write("2 2 2 P\n4 1 1\n")
    read = load_gold(path, n_lines=4)
    assert read.sentences == [gold(), gold([], [(1, 1)]), gold(), gold([(0, 0)])]
    assert read.ids == "lines"
    assert read_gold(path) == [gold([], [(1, 1)]), gold([(0, 0)])]


def test_two_files_put_together_are_refused(write):
    path = write("1 1 1\n2 2 2\n1 3 3\n2 4 4\n")
    with pytest.raises(InputError, match=r":3: the id 1 comes after 2; allowed are ascending ids, as they are line numbers"):
        read_gold(path, n_lines=4)
    assert len(read_gold(path, n_lines=2)) == 2


@pytest.mark.parametrize(("content", "n_lines"), [("0 1 1\n2 1 1\n", 3), ("1 1 1\n5 1 1\n", 4), ("1 1 1\n2 1 1\n", 1)])
def test_ids_that_do_not_fit_are_refused(write, content, n_lines):
    path = write(content)
    with pytest.raises(InputError) as error:
        load_gold(path, n_lines=n_lines, counted_in="test.de")
    text = str(error.value)
    assert text.startswith(f"{path}: 2 distinct ids from ")
    assert f"do not fit the {n_lines} lines in test.de; allowed are" in text


ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["", " S", " P"])), min_size=1)


@given(ROWS, st.sampled_from(["", " 1", " 0.5", "\t.25", " 1e-05 "]))
def test_rows_of_null_are_counted_and_a_confidence_is_read_over(tmp_path_factory, rows, confidence):
    rows = [row for row in rows if row[1] or row[2]] or [(1, 1, 1, "")]
    path = tmp_path_factory.mktemp("gold") / "gold"
    path.write_text("".join(f"{n} {i} {j}{label}{confidence}\n" for n, i, j, label in rows))
    read = load_gold(path)
    assert read.null_rows == sum(not (i and j) for _, i, j, _ in rows)
    path.write_text("".join(f"{n} {i} {j}{label}\n" for n, i, j, label in rows))
    assert load_gold(path) == read
    ids = list(dict.fromkeys(n for n, *_ in rows))
    assert read.sentences == [
        gold(
            [(i - 1, j - 1) for n, i, j, label in rows if n == number and i and j and label != " P"],
            [(i - 1, j - 1) for n, i, j, label in rows if n == number and i and j],
        )
        for number in ids
    ]


def test_a_sentence_of_null_rows_alone_is_there_without_links(write):
    read = load_gold(write("1 1 1\n2 0 1 S 0.9\n2 3 0 P\n3 1 1\n"), n_lines=3)
    assert (read.sentences, read.null_rows, read.ids) == ([gold([(0, 0)]), gold(), gold([(0, 0)])], 2, "order")
    assert null_warning("g", read.null_rows) == [
        "2 rows of g link a word with nothing (position 0, NULL) and were left out; if the file counts words from 0, add 1"
    ]
    assert null_warning("g", 0) == []


def test_a_gold_set_says_what_is_wrong_with_its_file(tmp_path):
    for name, content in {"t.de": "a\nb\n", "t.en": "a\nb\n", "gold": "1 1 1\n1 0 1\n2 1 1\n"}.items():
        (tmp_path / name).write_text(content)
    gold_set = GoldSet.read(*(str(tmp_path / name) for name in ("t.de", "t.en", "gold")))
    assert [len(sentence.sure) for sentence in gold_set.gold] == [1, 1]
    assert gold_set.warnings == tuple(null_warning(str(tmp_path / "gold"), 1))


@pytest.mark.parametrize("content", ["\ufeff1 1 2 S\n", "\ufeff0-1\n"])
def test_a_byte_order_mark_does_not_hide_the_form_of_gold(write, content):
    assert read_gold(write(content)) == [gold([(0, 1)])]


@pytest.mark.parametrize(
    "row", ["1 0 0 S", "1 1", "1 1 1 X", "1 1 1 S 1.5", "1 1 1 S 0.5 x", "1 1 1 2", "1 1 1 S\r", "x 1 1", "1 -1 1", " "]
)
def test_rows_that_are_refused(write, row):
    path = write(f"1 1 1 S\n{row}\n")
    with pytest.raises(InputError) as error:
        read_gold(path)
    assert str(error.value).startswith(f"{path}:2: {row!r} is not a row of gold; allowed is 'id src tgt'")


def test_pharaoh_gold_that_is_refused(write):
    path = write("0-0\n0-0 1s1\n")
    with pytest.raises(InputError) as error:
        read_gold(path)
    assert str(error.value).startswith(f"{path}:2: '1s1' is not a link; allowed are i-j (sure) and ipj (possible)")
    path = write("0-0\n\n")
    with pytest.raises(InputError) as error:
        read_gold(path, n_lines=3)
    assert str(error.value).startswith(f"{path}: 2 lines, but 3 lines in the corpus")


def test_pharaoh_gold_base_and_leading_blank_lines(write):
    path = write("\n1-1 2p1\n")
    assert read_gold(path) == [gold(), gold([(1, 1)], [(2, 1)])]
    assert read_gold(path, one_based=True, n_lines=2) == [gold(), gold([(0, 0)], [(1, 0)])]
    assert load_gold(path, one_based=True).base == 1
    assert load_gold(path).base == 0


def test_empty_gold_and_zero_based_rows_are_refused(write):
    with pytest.raises(InputError, match="the gold file is empty"):
        read_gold(write(""))
    with pytest.raises(InputError, match=r"one_based=False, but rows .* are 1-based"):
        read_gold(write("1 1 1\n"), one_based=False)
