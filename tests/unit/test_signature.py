"""Tests of signatures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signatures import parse_signature

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature

KEYS = st.from_regex(r"[A-Za-z0-9_.+-]+", fullmatch=True)


@given(st.dictionaries(KEYS, st.text(), min_size=1))
def test_texts_round_trip_in_order_on_one_line(mapping):
    text = signature(mapping)
    assert list(parse_signature(text).items()) == list(mapping.items())
    assert len(text.splitlines()) == 1
    assert text.count("|") == len(mapping) - 1
    assert text.count(":") == len(mapping)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_the_same(number):
    assert float(parse_signature(signature({"x": number}))["x"]) == number
    assert signature({"x": np.float64(number)}) == signature({"x": number})


def test_forms_of_values():
    mapping = {"metric": "aer", "n": 508, "tau": 0.1, "eps": 1e-6, "one": 1.0, "swap": False, "all": True}
    assert signature(mapping) == "metric:aer|n:508|tau:0.1|eps:1e-06|one:1.0|swap:no|all:yes"
    assert signature({"n": np.int64(3)}) == "n:3"
    assert signature({"b": 1, "a": 2}) == "b:1|a:2"


def test_escapes():
    assert signature({"file": "C:a|b%\n\u2028\u2029é"}) == "file:C%3Aa%7Cb%25%0A%E2%80%A8%E2%80%A9é"


@pytest.mark.parametrize("key", ["", "a:b", "a|b", "a b", "a\n", "é"])
def test_keys_that_are_refused(key):
    with pytest.raises(InputError) as error:
        signature({key: 1})
    assert str(error.value) == f"signature: key {key!r}; allowed are letters, digits and _ . + -"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1], b"x"])
def test_values_that_are_refused(value):
    with pytest.raises(InputError) as error:
        signature({"k": value})
    assert str(error.value).startswith(f"signature: value {value!r} of 'k'; allowed are")


def test_no_keys_are_refused():
    with pytest.raises(InputError, match="signature: no keys"):
        signature({})
