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

# Of Unicode 17: the unified ideographs, extensions A to J, and both blocks of compatibility ideographs.
CJK = ["4E00-9FFF", "3400-4DBF", "20000-2A6DF", "2A700-2B73F", "2B740-2B81D", "2B820-2CEAD", "2CEB0-2EBE0", "2EBF0-2EE5D"]
CJK += ["30000-3134A", "31350-323AF", "323B0-33479", "F900-FAD9", "2F800-2FA1D"]
LATE = "".join(map(chr, [*range(0x4DB6, 0x4DC0), *range(0x9FBC, 0xA000), *range(0xF900, 0xFB00), *range(0xFE00, 0xFE10)]))


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("none", " a  b,\u00a0c ", ["", "a", "", "b,\u00a0c", ""]),
        ("none", "", []),
        ("13a", "Hello, world! 3.5", ["Hello", ",", "world", "!", "3.5"]),
        ("intl", "«Ja», 3.5", ["«", "Ja", "»", ",", "3.5"]),
        ("zh", "我爱你 ok.", ["我", "爱", "你", "ok", "."]),
        ("zh", "𠀀𠀁", ["𠀀", "𠀁"]),
        ("zh", "ab𪛟，𰀀3.5 ok.", ["ab", "𪛟", "，", "𰀀", "3.5", "ok", "."]),
        ("zh", "葛\U000e0100飾𠀀\ufe00。", ["葛\U000e0100", "飾", "𠀀\ufe00", "。"]),
        ("char", "ab c", ["a", "b", "c"]),
    ],
)
def test_words_by_hand(name, line, words):
    assert tokenize.split_words(tokenize.tokenizer(name)(line)) == words


@pytest.mark.parametrize("name", ["13a", "intl", "zh"])
def test_the_output_is_that_of_sacrebleu(name):
    line = "“Er sagte: 1,000.5 – „nein“ (vielleicht)”; 我爱你 & <b>…"
    assert tokenize.tokenizer(name)(line) == sacrebleu.BLEU(tokenize=name).tokenizer(line)


@given(line=st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF, exclude_characters=LATE), max_size=20))
def test_zh_is_that_of_sacrebleu_but_for_other_ideographs(line):
    theirs = sacrebleu.BLEU(tokenize="zh").tokenizer(line)
    assert tokenize.split_words(tokenize.tokenizer("zh")(line)) == [word for word in theirs.split(" ") if word]


@pytest.mark.parametrize("block", CJK)
def test_every_ideograph_is_a_word(block):
    first, last = (chr(int(end, 16)) for end in block.split("-"))
    for character in {first, chr((ord(first) + ord(last)) // 2), last}:
        line = f"ab{character}{first}c.{last}"
        assert tokenize.split_words(tokenize.tokenizer("zh")(line)) == ["ab", character, first, "c", ".", last]


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
    assert tokenize.describe("zh") == f"zh.ideographs-sacrebleu-{sacrebleu.__version__}"  # not sacrebleu's alone


def test_sacrebleu_has_no_tokeniser_that_we_do_not_know():
    assert set(sacrebleu.BLEU.TOKENIZERS) <= {*tokenize.NAMES, *tokenize.DOWNLOADING}
