"""Files of tags of words: every form, as many lines out as in, what is refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.tag_checks import check_tags, read_predictions, read_tag_lines, unknown_tags
from xlm_align_fairseq.transfer.tags import read_tagged, write_tags

NER = ["B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "O"]
FORMS = {  # content, column, words, tags
    "xtreme": ("Ann\tB-PER\n!\tO\n\nRom\tB-LOC\n", None, [["Ann", "!"], ["Rom"]], [["B-PER", "O"], ["B-LOC"]]),
    "no final newline, CRLF, BOM": ("\ufeffAnn\tB-PER\r\n\r\n!\tO", None, [["Ann"], ["!"]], [["B-PER"], ["O"]]),
    "words alone": ("Ann\n#\n\nhttp://a.b\n10 000\n", None, [["Ann", "#"], ["http://a.b", "10 000"]], None),
    "wikiann": ("en:http://a.b\tO\nen:12:30\tO\n\nen:\tO\n", None, [["http://a.b", "12:30"], [""]], [["O", "O"], ["O"]]),
    "no wikiann": ("en:a\tO\nb\tO\n", None, [["en:a", "b"]], [["O", "O"]]),
    "empty words": ("\tO\n\u200e\tO\n\u3000\tO\n \tO\n", None, [["", "\u200e", "\u3000", " "]], [["O"] * 4]),
    "uner": (
        "# sent_id = 1\n# text = Ann Lee\n1\tAnn\tB-PER\t-\tx\n2\tLee\tI-PER\t-\tx\n\n# sent_id = 2\n1\t#\tO\t-\tx\n",
        None,
        [["Ann", "Lee"], ["#"]],
        [["B-PER", "I-PER"], ["O"]],
    ),
    "uner, another column": ("1\ta\tO\tX\n2\tb\tO\tY\n", 4, [["a", "b"]], [["X", "Y"]]),
    "conll-u": (
        "# a\n1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n1\tde\tde\tADP\t_\t_\t_\t_\t_\t_\n2\tle\tle\tDET\t_\t_\t_\t_\t_\t_\n"
        "2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_\n",
        None,
        [["de", "le"]],
        [["ADP", "DET"]],
    ),
    "spaces": ("-DOCSTART- O\n\nAnn B-PER\n# O\n\nRom B-LOC\n", None, [["Ann", "#"], ["Rom"]], [["B-PER", "O"], ["B-LOC"]]),
    "four columns": ("EU NNP B-NP B-ORG\n. . O O\n", None, [["EU", "."]], [["B-ORG", "O"]]),
    "four columns, the third": ("EU NNP B-NP B-ORG\n. . O O\n", 3, [["EU", "."]], [["B-NP", "O"]]),
    "comments with tabs": ("# by hand\nAnn\tO\n#\tO\n", None, [["Ann", "#"]], [["O", "O"]]),
    "blank lines": ("\n\na\tO\n\n \n\t\nb\tO\n\n", None, [["a"], ["b"]], [["O"], ["O"]]),
    "separators within": ("a\x85b\tO\nc\u2028\tO\n", None, [["a\x85b", "c\u2028"]], [["O", "O"]]),
    "empty": ("", None, [], []),
    "no word": ("\n# a\tb\n".replace("# a\tb", "-DOCSTART-\tO"), None, [], []),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_and_written_with_as_many_lines(form, tmp_path):
    content, column, words, tags = FORMS[form]
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(content.encode())
    file = read_tagged(path, column)
    assert [sentence.words for sentence in file.sentences] == words
    assert [sentence.tags for sentence in file.sentences] == (tags if tags is not None else [None] * len(words))
    assert file.has_tags == (tags is not None)
    written = [["T"] * len(sentence) for sentence in words]
    write_tags(out, file, written)
    lines = content.removeprefix("\ufeff").removesuffix("\n").replace("\r", "").split("\n") if content else []
    got = out.read_text("utf-8").split("\n")[:-1]
    assert len(got) == len(lines)
    for line, tag in zip(lines, got, strict=True):
        assert (tag == "") == (not line.strip(" \t"))
        assert tag in ("", "T", line)  # a comment stays
    assert got.count("T") == sum(map(len, words))
    assert read_predictions(out, file) == written


def test_lines_of_words_are_those_of_the_file(tmp_path):
    (tmp_path / "f").write_text("# c\n1\ta\tO\n2\tb\tO\n\n\n1\tc\tO\n")
    file = read_tagged(tmp_path / "f")
    assert list(file.word_lines()) == [2, 3, 6]
    assert file.blank == {1: "# c", 4: "", 5: ""}
    assert file.n_words == 3


REFUSED = {
    "a line without a tab": ("Ann\tB-PER\nLee\n", None, ["f:2", "'Lee'", "has no tab"]),
    "no tag": ("Ann\tB-PER\nLee\t\n", None, ["f:2", "no tag in column the last"]),
    "no such column": ("Ann\tB-PER\n", 3, ["f:1", "no tag in column 3"]),
    "no space": ("Ann O\nLee\n", None, ["f:2", "has no space"]),
    "no number": ("1\ta\tO\n\nx\tb\tO\n", None, ["f:3", "'x' is not the number"]),
    "column 0": ("a\tO\n", 0, ["column 0"]),
    "latin-1": (b"Caf\xe9\tNOUN\n", None, ["f:1", "0xe9", "UTF-8"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_line_that_lacks_something_is_refused(case, tmp_path):
    content, column, texts = REFUSED[case]
    (tmp_path / "f").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        read_tagged(tmp_path / "f", column)
    assert [text for text in texts if text not in str(error.value)] == []


def tagged(tmp_path, content, name="f"):
    (tmp_path / name).write_text(content, "utf-8")
    return read_tagged(tmp_path / name)


def test_what_nobody_should_train_on(tmp_path):
    check_tags(tagged(tmp_path, "a\tB-PER\nb\tO\nc\tI-X\n"))
    check_tags(tagged(tmp_path, "a\tNOUN\nb\tX\n"))
    with pytest.raises(InputError, match=r"f:3: 'PER' is a tag of another kind than 'B-PER' in line 1"):
        check_tags(tagged(tmp_path, "a\tB-PER\nb\tO\nc\tPER\n"))
    with pytest.raises(InputError, match=r"f:2: 'PER' is no tag of the task; allowed are B-LOC, "):
        check_tags(tagged(tmp_path, "a\tB-PER\nb\tPER\n"), NER)
    with pytest.raises(InputError, match="f: words alone, no tags"):
        check_tags(tagged(tmp_path, "a\nb\n"))


def test_unknown_tags_are_said_once(tmp_path):
    file = tagged(tmp_path, "a\tB-PER\n\nb\tB-GPE\nc\tI-GPE\nd\tB-GPE\n")
    (said,) = unknown_tags(file, NER)
    assert said.startswith(f"{tmp_path / 'f'}:3: words with a tag that is not known: 2 with 'B-GPE', 1 with 'I-GPE'")
    assert unknown_tags(file, [*NER, "B-GPE", "I-GPE"]) == []


def test_predictions_of_another_file_are_refused(tmp_path):
    gold = tagged(tmp_path, "a\tO\nb\tO\n\nc\tO\n", "gold")
    for content, said in {
        "O\nO\n\n": "p:4: no tag, but .*gold:4 has a word",
        "O\n\nO\nO\n": "p:2: no tag, but .*gold:2 has a word",
        "O\nO\nX\nO\n": "p:3: 'X', but .*gold is blank there",
        "O\nO\n\nO\nO\n": "p:5: 'O', but .*gold is blank there or has ended",
    }.items():
        (tmp_path / "p").write_text(content)
        with pytest.raises(InputError, match=said):
            read_predictions(tmp_path / "p", gold)
    (tmp_path / "p").write_text("O\nX\n\nY\n\n\n")
    assert read_predictions(tmp_path / "p", gold) == [["O", "X"], ["Y"]]
    (tmp_path / "p").write_text("a\tO\nb\tX\n\nc\tY\n")
    assert read_predictions(tmp_path / "p", gold) == [["O", "X"], ["Y"]]


def test_tags_alone_are_gold_too(tmp_path):
    (tmp_path / "f").write_text("B-PER\nO\n\nO\n")
    assert read_tag_lines(tmp_path / "f").gold() == [["B-PER", "O"], ["O"]]


def test_no_tag_is_lost_in_writing(tmp_path):
    file = tagged(tmp_path, "a\nb\n")
    with pytest.raises(InputError, match="1 tags in 1 sentences for 2 words in 1"):
        write_tags(tmp_path / "out", file, [["O"]])
    for tag in ("", " ", "a\nb", "a\tb"):
        with pytest.raises(InputError, match="is no tag"):
            write_tags(tmp_path / "out", file, [["O", tag]])
    assert not (tmp_path / "out").exists()


LINE = st.one_of(
    st.sampled_from(
        ["", " ", "\t", "\r", "# x", "#\tO", "-DOCSTART- O", "1\ta\tO", "1-2\ta\tO", "a O", "a b O", "de:a\tO", "\tO"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=8),
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINE, max_size=8), raw=st.one_of(st.none(), st.binary(max_size=40)), end=st.booleans())
def test_no_crash_and_no_lost_line(tmp_path, lines, raw, end):
    content = ("\n".join(lines) + "\n" * end).encode() if raw is None else raw
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_bytes(content)
    try:
        file = read_tagged(path)
    except InputError:
        return
    n_lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    assert file.n_words + len(file.blank) == n_lines
    assert all(sentence.words for sentence in file.sentences)
    write_tags(out, file, [["T"] * len(sentence.words) for sentence in file.sentences])
    assert out.read_bytes().count(b"\n") == n_lines
