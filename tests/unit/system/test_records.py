"""What a JSON file of somebody else holds is checked, and the error says where, the value and what is allowed, in one line."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.errors import LONGEST, InputError
from xlm_align_fairseq.system.records import build, read_json


class Index(BaseModel):
    weight_map: dict[str, str]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"weight_map": {"a": 3}}', "x.json: weight_map.a is 3: allowed is a valid string; do this"),
        ('{"weight_map": ["a"]}', "x.json: weight_map is ['a']: allowed is an object; do this"),
        ("{}", "x.json: weight_map is missing; do this"),
        ("[]", "x.json: the content is []: allowed is an object; do this"),
        ("{", "x.json is not JSON: EOF while parsing an object at line 1 column 1; do this"),
        ("", "x.json is not JSON: EOF while parsing a value at line 1 column 0; do this"),
        ("[" * 100_000, "x.json is not JSON: recursion limit exceeded at line 1 column 202; do this"),
        ('{"a":' * 100_000, "x.json is not JSON: recursion limit exceeded at line 1 column 1006; do this"),
    ],
)
def test_another_form_is_refused(tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as error:
        read_json(tmp_path / "x.json", Index, "do this")
    assert str(error.value) == f"{tmp_path}/{message}"


def test_unread_fields_and_any_content_are_let_through(tmp_path):
    content = {"weight_map": {"é": "b"}, "metadata": {"total_size": 1e9, "x": [None, True]}}
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "x.json", Index, "").weight_map == {"é": "b"}
    assert read_json(tmp_path / "x.json", dict[str, Any], "") == content
    with pytest.raises(InputError, match=r"none.json: cannot read the file \(No such file or directory\); do this"):
        read_json(tmp_path / "none.json", Index, "do this")
    with pytest.raises(InputError, match=r"cannot read the file \(Is a directory\)"):
        read_json(tmp_path, Index, "")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layers", "2", "num_layers is '2': allowed is a valid integer"),
        ("layers", True, "num_layers is True: allowed is a valid integer"),
        ("layers", 2.0, "num_layers is 2.0: allowed is a valid integer"),
        ("heads", 0, "heads is 0: allowed is greater than or equal to 1"),
        ("layer_norm_eps", float("nan"), "layer_norm_eps is nan: allowed is less than or equal to 1"),
        ("dropout", 7, "dropout is 7: allowed is less than or equal to 1"),
    ],
)
def test_sizes_say_what_is_allowed(field, value, message):
    assert build(EncoderConfig, {"vocabulary": 9, "layers": 2}) == EncoderConfig(9, 2)
    with pytest.raises(InputError) as error:
        build(EncoderConfig, {"vocabulary": 9, field: value}, {"layers": "num_layers"})
    assert str(error.value) == message


def test_a_message_is_one_short_line_whatever_it_quotes():
    text = str(InputError("a\nb\r\x1b[2J\u2028c" + "x" * 10_000_000 + " take another"))
    assert text.startswith("a\\x0ab\\x0d\\x1b[2J\\x2028cxxx")
    assert text.endswith("xxx take another")
    assert len(text) < LONGEST + 10
    assert len(text.splitlines()) == 1
    assert str(InputError("Tür: 'é' 日本")) == "Tür: 'é' 日本"
