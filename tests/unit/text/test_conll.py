"""Tests of reading labelled words: all sentences are kept, also those without words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.conll import PassedOver, read_conll
from xlm_align_fairseq.text.lines import TextFile

CELL = st.text(st.characters(codec="utf-8", exclude_characters=" \t\n"), min_size=1, max_size=3)


@pytest.fixture
def read(tmp_path):
    def _read(content, column=None):
        path = tmp_path / "ner"
        path.write_bytes(content.encode())
        return [(sentence.words, sentence.tags, sentence.line) for sentence in read_conll(TextFile(path), column)]

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
    text = "".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) + "\n" for sentence in sentences)
    path.write_bytes(text.encode())
    assert [list(zip(s.words, s.tags, strict=True)) for s in read_conll(TextFile(path))] == sentences


# what is no word

PLAIN = [[("Anna", "B-PER"), ("wohnt", "O")], [("#", "O"), ("1", "O"), ("#", "B-X")], [], [("Bonn", "B-LOC")]]
NO_WORDS = ["# sample O", "# sent_id = 1", "#", "# ", "# a b c O", "-DOCSTART- -X- O O", "-DOCSTART-\tO", "-DOCSTART-"]


def plain(separator, more=""):
    return ["".join(f"{w}{separator}{more and more + separator}{t}\n" for w, t in sentence) + "\n" for sentence in PLAIN]


def words_of(sentences):
    return [list(zip(words, tags, strict=True)) for words, tags, _ in sentences]


@given(st.lists(st.lists(st.sampled_from(NO_WORDS), max_size=3), min_size=4, max_size=4), st.sampled_from("\t "), st.booleans())
def test_comments_and_docstart_change_nothing(tmp_path_factory, no_words, separator, blank):
    """Before any sentence, also with a blank line of their own; the words `#`, in each place of a sentence, stay."""
    path = tmp_path_factory.mktemp("ner") / "ner"
    text = ""
    for block, sentence in zip(no_words, plain(separator), strict=True):
        if sentence == "\n" and not blank:
            block = []  # a block of nothing but comments is no sentence: this one without words would be theirs
        text += "".join(f"{line}\n" for line in block) + ("\n" if block and (blank or sentence == "\n") else "") + sentence
    path.write_text(text)
    passed_over = PassedOver()
    sentences = list(read_conll(TextFile(path), passed_over=passed_over))
    assert words_of((s.words, s.tags, s.line) for s in sentences) == PLAIN
    assert passed_over.lines.total() + sum(len(s.words) for s in sentences) == sum(1 for line in text.split("\n") if line)
    for sentence in sentences:
        assert [text.split("\n")[n - 1].split(separator)[0] for n in sentence.lines] == sentence.words


@pytest.mark.parametrize("more", ["", "NN", "NN\tx\ty"])
def test_the_word_of_a_hash_stays_in_all_columns(read, more):
    text = "".join(plain("\t", more))
    assert words_of(read(text)) == PLAIN
    assert words_of(read(text.replace("\t", " "))) == PLAIN


@pytest.mark.parametrize("end", ["", " ", "  ", "\t", " \t "])
def test_spaces_at_the_end_of_a_line_are_nothing(read, end):
    for separator in "\t ":
        assert words_of(read("".join(plain(separator)).replace("\n", f"{end}\n"))) == PLAIN


def conllu(sentences, columns, ids=True):
    text = ""
    for number, sentence in enumerate(sentences, 1):
        text += f"# sent_id = {number}\n#text\tx\n"
        for n, (word, tag) in enumerate(sentence, 1):
            if n % 2:
                text += f"{n}-{n + 1}\tboth{tag}\tB-X" + "\t_" * (columns - 3) + "\n"
            text += f"{n}\t{word}\t{tag}" + "\t_" * (columns - 3) + "\n" + f"{n}.1\tempty\tB-X" + "\t_" * (columns - 3) + "\n"
        text += "\n"
    return text


@pytest.mark.parametrize("columns", [3, 5, 10])
def test_conllu(tmp_path, columns):
    sentences = [sentence for sentence in PLAIN if sentence]
    (tmp_path / "ner").write_text(conllu(sentences, columns))
    passed_over = PassedOver()
    found = list(read_conll(TextFile(tmp_path / "ner"), 3, passed_over))
    assert [list(zip(s.words, s.tags, strict=True)) for s in found] == sentences
    assert passed_over.conllu
    assert passed_over.report() == [
        "the labels are in a file of the form of CoNLL-U: words are in its second column",
        "6 comment lines, 4 multiword tokens, 6 empty nodes were passed over",
    ]


@pytest.mark.parametrize(("columns", "tag"), [(3, "c"), (5, "c"), (10, "d")])
def test_without_a_column_the_tags_of_uner_are_in_the_third_those_of_conllu_in_the_fourth(read, columns, tag):
    row = "\t".join(["1", "b", "c", "d", *"-" * 6][:columns])
    assert read(f"# text = b\n{row}\n") == [(["b"], [tag], 2)]
    assert read(f"# text = b\n{row}\n", columns)[0][1] == ["c" if columns == 3 else "-"]


@pytest.mark.parametrize("text", ["1\tCD\tO\n\n", "1\tCD\tO\n2\tCD\tO\n\n", "# a\n1\tO\n", "# a\n\n1\tCD\tO\n", "# a\n1 CD O\n"])
def test_numbers_are_words_where_nothing_says_that_they_are_ids(read, text):
    assert read(text)[0][0][0] == "1"


def test_ten_columns_with_ids_need_no_comment(read):
    row = "\t_" * 8
    assert words_of(read(f"1\tein{row}\n2\tHaus{row}\n\n"))[0][1][0] == "Haus"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a\tO\n# b\nc\tO\n", "'# b'"),
        ("a O\n# b c\nd O\n", "'# b c'"),
        ("a\tO\n#\n", "'#'"),
        ("a O\n-DOCSTART- O\n", "'-DOCSTART- O'"),
    ],
)
def test_what_is_no_word_within_a_sentence_is_refused(read, content, line):
    with pytest.raises(InputError, match=rf"ner:2: {line} within a sentence; .+: correct the line, or put a blank line before"):
        read(content)


def test_ids_that_do_not_count_are_refused(read):
    with pytest.raises(InputError) as error:
        read("# x\n1\ta\tO\n2\tb\tO\n\n1\tc\tO\n3\td\tO\n")
    assert "ner:6: '3' is not the id 2; the ids of the first sentence, in the first column, count 1, 2 and so on, as" in str(
        error.value
    )


@pytest.mark.parametrize("content", ["# O\n\n", "# O", "#\tO\n"])
def test_a_file_of_nothing_but_a_hash(read, content):
    assert words_of(read(content)) == [[("#", "O")]]


@pytest.mark.parametrize("content", ["# comment\n", "# a b O\n\n", "-DOCSTART- O\n\n", "#\n\n"])
def test_a_file_of_nothing_but_comments_has_no_sentence(read, content):
    assert read(content) == []


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
