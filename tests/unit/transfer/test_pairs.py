"""Files of classes of pairs: quoting, headers, withheld classes, as many lines out as in."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.pairs import Pair, check_classes, read_class_lines, read_pairs, write_classes
from xlm_align_fairseq.transfer.scores import score_classes

TEXTS = [('He said "no".', "He refused.", "neutral"), ('"Quoted', 'a""b', "neutral"), ("", " x ", "entailment")]


def read(tmp_path, content, **options):
    (tmp_path / "f").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_pairs(tmp_path / "f", **options)


def test_csv_and_plain_files_give_the_same_texts(tmp_path):
    with open(tmp_path / "csv", "w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(TEXTS)  # as XTREME's script
    plain = read(tmp_path, "".join("\t".join(row) + "\n" for row in TEXTS))
    quoted = read_pairs(tmp_path / "csv")
    assert quoted.pairs == plain.pairs == [Pair(*row) for row in TEXTS]
    assert (quoted.quoting, plain.quoting) == ("csv", "none")
    as_they_stand = read_pairs(tmp_path / "csv", quoting="none")
    assert as_they_stand.pairs[0].first == '"He said ""no""."'  # what XTREME's models see
    assert as_they_stand.pairs[0].label == "neutral"  # without its "\r"


def test_one_line_without_cr_and_quotes_are_text(tmp_path):
    assert read(tmp_path, '"a"\tb\t0\r\n"c"\td\t1\n').pairs[0].first == '"a"'
    assert read(tmp_path, '"a"\tb\t0\r\n"c"\td\t1\r\n').pairs[0].first == "a"
    assert read(tmp_path, "").pairs == []


HEADERS = {
    "id\tsentence1\tsentence2\tlabel\n7\tA\tB\t1\n": Pair("A", "B", "1"),
    "premise\thypo\tlabel\nA\tB\tcontradictory\n": Pair("A", "B", "contradiction"),
    "language\tgold_label\tsentence1\tsentence2\tlabel1\nfr\tneutral\tC\tD\tx\nde\tneutral\tA\tB\tx\n": Pair("A", "B", "neutral"),
    "index_id\tcategory\ttext\n7\tpolitics\tA\n": Pair("A", None, "politics"),
}


@pytest.mark.parametrize("content", HEADERS)
def test_columns_by_their_names(content, tmp_path):
    file = read(tmp_path, content, language="de" if "language" in content else None)
    assert file.pairs == [HEADERS[content]]
    assert file.lines == [content.count("\n")]


def test_classes_withheld(tmp_path):
    file = read(tmp_path, "A\tB\nC\tD\n")
    assert not file.has_classes
    with pytest.raises(InputError, match="f: no classes, as in XTREME's test files: not scored"):
        file.gold()
    with pytest.raises(InputError, match="not scored"):
        check_classes(file, ["0", "1"])


REFUSED = {
    "A\tB\t0\nA\n": "f:2: 1 columns, but 3 in the line of the first pair",
    "A\n": "f:1: 1 columns; allowed are two texts and a class",
    "A\tB\tC\tD\n": "f:1: 4 columns; allowed",
    '"A\tB\t0\r\n': "f:1: quotes that do not close.*--tsv-quoting none",
    '"A"x\tB\t0\r\n': "f:1: quotes that do not close, or not at the end",
    b"Caf\xe9\tB\t0\n": "f:1: byte 0xe9",
    "id\tsentence1\tsentence2\tlabel\n1\tA\tB\n": "f:2: 3 columns, but the header has 4",
}


@pytest.mark.parametrize("content", REFUSED, ids=repr)
def test_what_is_refused(content, tmp_path):
    with pytest.raises(InputError, match=REFUSED[content]):
        read(tmp_path, content)


def test_a_language_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no column 'language' to choose the language 'de' by"):
        read(tmp_path, "premise\thypo\tlabel\nA\tB\tneutral\n", language="de")
    with pytest.raises(InputError, match="no pairs of the language 'sw'"):
        read(tmp_path, "language\tgold_label\tsentence1\tsentence2\nde\tneutral\tA\tB\n", language="sw")


def test_classes_of_training(tmp_path):
    check_classes(read(tmp_path, "A\tB\tneutral\n"), ["neutral"])
    with pytest.raises(InputError, match="f:3: 'maybe' is no class of the task; allowed are entailment, neutral"):
        check_classes(read(tmp_path, "A\tB\tneutral\n\nA\tB\tmaybe\n"), ["neutral", "entailment"])


def test_placeholders_and_empty_texts_are_kept_and_said(tmp_path):
    file = read(tmp_path, "NS\tA\t0\nA\tNS\t0\n\tA\t1\nA NS\tB\t1\n")
    assert len(file.pairs) == 4
    assert [note.split(": ")[1] for note in file.notes()] == [
        "2 pairs with the placeholder NS for a text, kept",
        "1 pairs with an empty text, kept",
    ]


def test_blank_lines_come_back_where_they_were(tmp_path):
    file = read(tmp_path, "\nA\tB\n\n\nC\tD\n \n")
    write_classes(tmp_path / "out", file, ["0", "1"])
    assert (tmp_path / "out").read_text() == "\n0\n\n\n1\n\n"
    assert read_class_lines(tmp_path / "out") == ["0", "1"]
    with pytest.raises(InputError, match="1 classes for 2 pairs"):
        write_classes(tmp_path / "out", file, ["0"])
    with pytest.raises(InputError, match="'' is no class"):
        write_classes(tmp_path / "out", file, ["0", ""])


def test_accuracy():
    assert score_classes(["a", "b"], ["a", "a"]).values() == {"accuracy": 50}
    with pytest.raises(InputError, match="1 predicted classes for 2 pairs"):
        score_classes(["a", "b"], ["a"])


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\t"), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELD, FIELD, st.sampled_from("01")), min_size=1))
def test_csv_of_any_texts_is_read_as_it_was_written(rows, tmp_path):
    with open(tmp_path / "csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    if not rows[0][0].startswith("\ufeff"):
        assert read_pairs(tmp_path / "csv").pairs == [Pair(*row) for row in rows]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=30), st.text('ab"\t\r\n ', max_size=30).map(str.encode)))
def test_no_crash_and_no_lost_line(content, tmp_path):
    try:
        file = read(tmp_path, content)
    except InputError:
        return
    n_lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    assert len(file.pairs) + len(file.blank) == n_lines
    write_classes(tmp_path / "out", file, ["0"] * len(file.pairs))
    assert (tmp_path / "out").read_bytes().count(b"\n") == n_lines
