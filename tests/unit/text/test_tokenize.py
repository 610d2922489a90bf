"""Tests of the word tokenisers: sacrebleu's output, no empty words, refusals."""

import importlib.util

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text import tokenize

INSTALLED = [
    name
    for name in tokenize.NAMES
    if name not in tokenize.EXTRAS or importlib.util.find_spec({"ja-mecab": "MeCab", "ko-mecab": "mecab_ko"}[name])
]


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("none", " a  b,\u00a0c ", ["", "a", "", "b,\u00a0c", ""]),
        ("none", "", []),
        ("13a", "Hello, world! 3.5", ["Hello", ",", "world", "!", "3.5"]),
        ("intl", "«Ja», 3.5", ["«", "Ja", "»", ",", "3.5"]),
        ("zh", "我爱你 ok.", ["我", "爱", "你", "ok", "."]),
        ("char", "ab c", ["a", "b", "c"]),
    ],
)
def test_words_by_hand(name, line, words):
    assert tokenize.split_words(tokenize.tokenizer(name)(line)) == words


@pytest.mark.parametrize("name", ["13a", "intl", "zh"])
def test_the_output_is_that_of_sacrebleu(name):
    line = "“Er sagte: 1,000.5 – „nein“ (vielleicht)”; 我爱你 & <b>…"
    assert tokenize.tokenizer(name)(line) == sacrebleu.BLEU(tokenize=name).tokenizer(line)


@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "none"])
@given(line=st.text(max_size=20))
def test_no_empty_word_and_no_loss_at_none(name, line):
    assert "" not in tokenize.split_words(tokenize.tokenizer(name)(line))
    assert " ".join(tokenize.split_words(tokenize.tokenizer("none")(line))) == line


@pytest.mark.parametrize("name", ["spm", "flores101", "flores200", "spBLEU-1K"])
def test_nothing_is_downloaded(name):
    with pytest.raises(InputError, match=rf"tokeniser '{name}' makes pieces with a model that it would download; allowed"):
        tokenize.tokenizer(name)


def test_an_unknown_name_lists_the_allowed_ones():
    with pytest.raises(InputError, match="no tokeniser 'moses'; allowed are none, 13a, intl, zh, char, ja-mecab, ko-mecab"):
        tokenize.tokenizer("moses")


@pytest.mark.parametrize("name", sorted(tokenize.EXTRAS))
def test_a_missing_extra_says_what_to_install(name, monkeypatch):
    module = importlib.import_module(f"sacrebleu.tokenizers.tokenizer_{name.replace('-', '_')}")
    monkeypatch.setattr(module, "MeCab", None)
    with pytest.raises(InputError, match=rf"tokeniser '{name}' needs an extra .* pip install 'sacrebleu\[{name[:2]}\]'"):
        tokenize.tokenizer(name)


def test_the_description_names_the_version():
    assert tokenize.describe("none") == "none"
    assert tokenize.describe("13a") == f"13a-sacrebleu-{sacrebleu.__version__}"


def test_sacrebleu_has_no_tokeniser_that_we_do_not_know():
    assert set(sacrebleu.BLEU.TOKENIZERS) <= {*tokenize.NAMES, *tokenize.DOWNLOADING}
