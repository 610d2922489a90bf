"""Tests of reading labelled words: all sentences are kept, also those without words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.conll import read_conll
from xlm_align_fairseq.text.lines import TextFile

CELL = st.text(st.characters(codec="utf-8", exclude_characters=" \t\n"), min_size=1, max_size=3)


@pytest.fixture
def read(tmp_path):
    def _read(content, column=None):
        path = tmp_path / "ner"
        path.write_bytes(content.encode())
        return [(sentence.words, sentence.labels, sentence.line) for sentence in read_conll(TextFile(path), column)]

    return _read


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        ("", []),
        ("\n", [([], [], 1)]),
        ("a\tO\n", [(["a"], ["O"], 1)]),  # the end of the file ends a sentence
        ("a\tO\n\n", [(["a"], ["O"], 1)]),
        ("a\tO\nb\tB-X\n\nc\tO", [(["a", "b"], ["O", "B-X"], 1), (["c"], ["O"], 4)]),
        ("\na\tO\n\n\n\n", [([], [], 1), (["a"], ["O"], 2), ([], [], 4), ([], [], 5)]),
        ("a NN I-NP O\n", [(["a"], ["O"], 1)]),
        ("a\u2028\x85\tx y\tO\n", [(["a\u2028\x85"], ["O"], 1)]),  # only "\n" ends a line
        ("\tO\n\n", [([""], ["O"], 1)]),
    ],
)
def test_what_is_read(read, content, sentences):
    assert read(content) == sentences


def test_column(read):
    assert read("a\tO\tB-X\n", 2) == [(["a"], ["O"], 1)]
    assert read("O\n", 1) == [(["O"], ["O"], 1)]


@given(st.lists(st.lists(st.tuples(CELL, CELL), max_size=3), max_size=4))
def test_every_sentence_comes_back(tmp_path_factory, sentences):
    path = tmp_path_factory.mktemp("ner") / "ner"
    text = "".join("".join(f"{word}\t{label}\n" for word, label in sentence) + "\n" for sentence in sentences)
    path.write_bytes(text.encode())
    assert [list(zip(s.words, s.labels, strict=True)) for s in read_conll(TextFile(path))] == sentences


@pytest.mark.parametrize(
    ("content", "column", "text"),
    [
        (
            "a\tO\n\nb\n",
            None,
            "ner:3: 'b' has 1 column(s), 2 are needed; allowed are a word and its label with a tab or a single",
        ),
        ("a\tO\n\r\n", None, "ner:2: '\\r' has 1 column(s), 2 are needed;"),
        ("a\tO\n", 3, "ner:1: 'a\\tO' has 2 column(s), 3 are needed;"),
        ("New York\tB-X\n", None, "ner:1: the word 'New York' has a space within; links count words between single spaces"),
    ],
)
def test_refusals(read, content, column, text):
    with pytest.raises(InputError) as error:
        read(content, column)
    assert text in str(error.value)
