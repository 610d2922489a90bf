"""JSON that somebody else may have written: what is wrong is said, whatever it is."""

import pytest

from xlm_align_fairseq.bitext.json_shape import each, finite, natural, optional, read_json, shape_fault, string

SHAPE = {"n": natural, "x?": optional(finite), "pair?": (natural, string), "of?": each({"name": string})}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"n": 3}, ""),
        ({"n": 3, "x": None, "pair": [0, "a"], "of": {"a": {"name": "b", "more": []}}, "more": 1}, ""),
        ({"n": 3, "x": 2, "of": {}}, ""),
        ([], "it is a list of 0, not an object"),
        (None, "it is null, not an object"),
        ({}, "n is missing"),
        ({"n": True}, "n is true, not a whole number from 0"),
        ({"n": 2.0}, "n is 2.0, not a whole number from 0"),
        ({"n": "2"}, 'n is "2", not a whole number from 0'),
        ({"n": -1}, "n is -1, not a whole number from 0"),
        ({"n": 1, "x": "y" * 100}, f'x is "{"y" * 39}…, not a number or null'),
        ({"n": 1, "x": float("inf")}, "x is Infinity, not a number or null"),
        ({"n": 1, "pair": [1]}, "pair is a list of 1, not a list of 2"),
        ({"n": 1, "pair": [1, 2]}, "pair[1] is 2, not text"),
        ({"n": 1, "of": {"a": {"name": "b"}, "c": {}}}, "of.c.name is missing"),
        ({"n": 1, "of": {"a": 1}}, "of.a is 1, not an object"),
    ],
)
def test_a_value_has_the_shape_or_says_what_is_wrong(value, fault):
    assert shape_fault(value, SHAPE) == fault


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"format": "a", "version": 1}', ""),
        (b'{"format": "a", "version": 2}', "it says a 2"),
        (b'{"format": "a"}', "version is missing"),
        (b'{"format": ["a"], "version": 1}', "format is a list of 1, not text"),
        (b'{"format": "a", "version": 1, "x": NaN}', "NaN is no number"),
        (b'{"format": "a", "version": 1, "x": -Infinity}', "-Infinity is no number"),
        (b"[" * 100_000, "it is nested too deep"),
        (b'{"a":' * 100_000, "it is nested too deep"),
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"7", "it is 7, not an object"),
    ],
)
def test_a_file_says_what_it_is(tmp_path, content, fault):
    (tmp_path / "file").write_bytes(content)
    assert read_json(tmp_path / "file", "a", 1)[1] == fault


def test_a_file_that_cannot_be_read(tmp_path):
    assert read_json(tmp_path, "a", 1)[1] == "cannot read it: Is a directory"
