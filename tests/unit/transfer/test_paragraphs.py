"""Files of paragraphs: read, written, as lines of text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.paragraphs import Answer, one_line, paragraphs_as_json, read_paragraphs

CONTENT = {
    "version": "1.1",
    "data": [
        {
            "title": "A",
            "paragraphs": [
                {
                    "context": "Ann 😀 lives.\nHere.",
                    "qas": [{"id": "1", "question": "Who?", "answers": [{"text": "lives", "answer_start": 6}]}],
                },
                {"context": "", "qas": []},
            ],
        },
        {"title": "A", "paragraphs": [{"context": "x", "qas": [{"id": "1", "question": "?", "answers": []}]}]},
    ],
}


def test_what_is_read_is_written(tmp_path):
    path = tmp_path / "f.json"
    path.write_text(json.dumps(CONTENT))
    paragraphs = read_paragraphs(path)
    assert [(one.title, one.article, len(one.questions)) for one in paragraphs] == [("A", 0, 1), ("A", 0, 0), ("A", 1, 1)]
    assert paragraphs[0].questions[0].answers == [Answer("lives", 6)]
    assert json.loads("".join(paragraphs_as_json(paragraphs))) == CONTENT
    assert json.loads("".join(paragraphs_as_json([]))) == {"version": "1.1", "data": []}


def test_another_form_is_refused(tmp_path):
    path = tmp_path / "f.json"
    path.write_text('{"data": [{"paragraphs": [{"context": "x"}]}]}')
    with pytest.raises(InputError, match=r"f\.json: data\.0\.paragraphs\.0\.qas is missing; give a file of the form of SQuAD"):
        read_paragraphs(path)


@given(st.text())
def test_a_document_is_one_line_and_keeps_its_places(context):
    line = one_line(context)
    assert len(line) == len(context)
    assert not context or line.splitlines() == [line]
    assert all(a == b or b == " " for a, b in zip(context, line, strict=True))
