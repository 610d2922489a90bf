"""Tests of ``xlm-align project``: projected labels and markup, reports, refusals."""

import gzip
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlm_align_fairseq.cli import main, project
from xlm_align_fairseq.errors import InputError

ROOT = Path(__file__).resolve().parents[3]

NER = "Frau\tO\nAngela\tB-PER\nMerkel\tI-PER\nin\tO\nBerlin\tB-LOC\n\n\nBonn\tI-LOC\n\n"
FILES = {
    "ner": NER,
    "ner.tgt": "In Berlin , Angela Merkel\n\nin Bonn\n",
    "ner.align": "1-3 2-4 3-0 4-1\n\n0-1\n",
    "markup": "I have <b>two <i>cats</i></b> .<br/>\n\na <b>b\n<s>no</s> <b>link</b>\n",
    "markup.tgt": "tengo dos gatos .\n\nA B\nlien\n",
    "markup.align": "1-0 2-1 3-2 4-3\n\n0-0 1-1\n1-0\n",
    "broken": "Berlin\tB-LOC\n\n\nBonn\tM-LOC\n\n",
    "tab.tgt": "In\tBerlin\n\nBonn\n",
    "short": "\n",
    "wide": "5-0\n\n\n",
    "wide4": "\n\n2-0\n\n",
}
LABELS = ["--labels", "ner", "--tgt", "ner.tgt", "--alignments", "ner.align"]
MARKUP = ["--markup", "markup", "--tgt", "markup.tgt", "--alignments", "markup.align"]
PROJECTED = "In\tO\nBerlin\tB-LOC\n,\tO\nAngela\tB-PER\nMerkel\tI-PER\n\n\nin\tO\nBonn\tB-LOC\n\n"
MARKED = "tengo <b>dos <i>gatos</i></b> .<br/>\n\nA B\n<b>lien</b>\n"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *argv):
    assert main.main(["project", *argv, "--quiet"]) == 0
    return capsys.readouterr()


def write(**files):
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")


def test_labels(capsys):
    done = run(capsys, *LABELS)
    assert done.out == PROJECTED
    assert done.err == "warning: 1 labels I-X continue no span of X and were read as the beginning of one\n"


def test_forms_of_labelled_words_give_what_their_words_give(capsys):
    """Comments, -DOCSTART- lines, other columns, other schemes, ids: the output is that of the plain file, and all is counted."""
    words = ["In", "Berlin", ",", "Angela", "Merkel", "in", "Bonn"]
    bio, bioes = (
        ["O", "B-LOC", "O", *person, "O", mark] for person, mark in ((["B-PER", "I-PER"], "B-LOC"), (["B-PER", "E-PER"], "S-LOC"))
    )
    bioes[1] = "S-LOC"
    write(tgt="In Berlin , Angela Merkel in Bonn\n", align=" ".join(f"{n}-{n}" for n in range(7)) + "\n")

    def carried(lines, *flags):
        write(form="".join(f"{line}\n" for line in lines))
        done = run(capsys, "--labels", "form", "--tgt", "tgt", "--alignments", "align", *flags)
        assert run(capsys, "--labels", "form", "--plain-source", *flags).out == " ".join(words) + "\n"
        return done

    expected = carried([f"{word} {label}" for word, label in zip(words, bio, strict=True)])
    assert expected.out == "".join(f"{word}\t{label}\n" for word, label in zip(words, bio, strict=True)) + "\n"
    assert expected.err == ""
    rows = [f"{word} {label} " for word, label in zip(words, bioes, strict=True)]
    done = carried(["-DOCSTART- O", "", "# sample O", "#", *rows, ""])
    assert done.out == expected.out
    assert done.err == (
        "warning: 2 comment lines, 1 -DOCSTART- lines were passed over\nwarning: the labels are BIOES, the output is BIO\n"
    )
    rows = [f"{n}\t{word}\t{label}\t-" for n, (word, label) in enumerate(zip(words, bio, strict=True), 1)]
    rows[4:4] = ["5-6\tMerkelin\tO\t-", "5.1\tx\tO\t-"]
    done = carried(["# text = In Berlin\t…", *rows], "--column", "3")
    assert done.out == expected.out
    assert done.err == (
        "warning: the labels are in a file of the form of CoNLL-U: words are in its second column\n"
        "warning: 1 comment lines, 1 multiword tokens, 1 empty nodes were passed over\n"
    )


def test_the_line_of_a_label_is_its_own(capsys):
    write(form="# a\n# b\n1\tx\tO\n2-3\tyz\tO\n2\ty\tX\n3\tz\tO\n", tgt="a\n", align="\n")
    assert main.main(["project", "--labels", "form", "--tgt", "tgt", "--alignments", "align", "--quiet"]) == 2
    assert "error: form:5: 'X' is not a BIO label; allowed are B-X, I-X and O, for any X, with E-X" in capsys.readouterr().err


def test_what_was_written_is_read_again(capsys):
    write(again=run(capsys, *LABELS).out, align="0-0 1-1 2-2 3-3 4-4\n\n0-0 1-1\n")
    assert run(capsys, "--labels", "again", "--tgt", "ner.tgt", "--alignments", "align") == (PROJECTED, "")


def test_spans_that_are_lost_are_counted(capsys):
    write(ner="a B-X\nb B-X\nc B-X\nd O\n\n", tgt="A B\n", align="0-0 1-0 3-1\n")
    done = run(capsys, "--labels", "ner", "--tgt", "tgt", "--alignments", "align")
    assert done.out == "A\tB-X\nB\tO\n\n"
    assert done.err == (
        "warning: 1 of 3 spans have no link and were left out\n"
        "warning: 1 of 3 spans lost their linked words to others and were left out\n"
    )


def test_column_gap_and_probabilities(capsys):
    write(ner="a B-X O\nb B-Y O\n\n", tgt="A x A\n", align="0-0:0.9 0-2:0.9 1-2:0.95 1-1:0.1\n")
    argv = ["--labels", "ner", "--tgt", "tgt", "--alignments", "align"]
    assert run(capsys, *argv).out == "A\tO\nx\tO\nA\tO\n\n"
    argv += ["--column", "2"]
    assert run(capsys, *argv).out == "A\tB-X\nx\tB-Y\nA\tI-Y\n\n"
    assert run(capsys, *argv, "--min-probability", "0.93").out == "A\tO\nx\tO\nA\tB-Y\n\n"
    write(align="0-0 0-2\n")
    assert run(capsys, *argv, "--max-gap", "0").out == "A\tB-X\nx\tO\nA\tO\n\n"


def test_markup(capsys):
    done = run(capsys, *MARKUP)
    assert done.out == MARKED
    assert done.err == (
        "warning: 1 of 4 lines have markup that is not well formed and went without it; the first is markup:3: <b> is not"
        " closed\n"
        "warning: 1 of 4 elements have no link and were left out\n"
    )


def test_keep_empty(capsys):
    done = run(capsys, *MARKUP, "--keep-empty")
    assert done.out == MARKED.replace("<b>lien", "<s></s><b>lien")
    assert done.err.endswith("warning: 1 of 4 elements have no link and were kept empty\n")


def test_elements_that_others_leave_nothing(capsys):
    write(m="<b>a</b> <i>b</i>\n", t="A B C\n", a="0-0 0-1 0-2 1-1 1-2\n")
    argv = ["--markup", "m", "--tgt", "t", "--alignments", "a"]
    assert run(capsys, *argv) == ("<b>A <i>B C</i></b>\n", "")
    write(m="<b><s>a</s> b</b> <i>c</i>\n", a="0-0 0-1 1-2 2-1\n")
    assert run(capsys, *argv) == ("<b><s>A <i>B</i></s> C</b>\n", "")
    write(m="<b>a b <i>c</i></b>\n", t="A B . . C\n", a="0-0 1-1 2-4\n")
    assert run(capsys, *argv) == (
        "<b>A B</b> . . C\n",
        "warning: 1 of 2 elements lost their linked words to others and were left out\n",
    )


def test_strict(capsys):
    with pytest.raises(InputError) as error:
        project.main([*MARKUP, "--strict", "--out", "out"])
    assert str(error.value) == (
        "markup:3: <b> is not closed; allowed are elements that are properly nested and closed in their line, empty ones as"
        " <br/>; correct the line, or leave out --strict and its target goes without markup"
    )
    assert not Path("out").exists()


def test_a_target_with_what_looks_like_a_tag(capsys):
    write(m="Das <b>Haus</b> x\na\n", t="The house </b> <i <b>>\n1 < 2\n", a="0-0 1-1 2-3\n\n")
    flags = ["--markup", "m", "--tgt", "t", "--alignments", "a"]
    assert run(capsys, *flags) == (
        "The <b>house</b> &lt;/b> &lt;i &lt;b>>\n1 < 2\n",
        "warning: 1 of 2 target lines have what looks like a tag; its < was written &lt;\n",
    )
    with pytest.raises(InputError, match=r"^t:1: the target has what looks like a tag"):
        project.main([*flags, "--strict", "--quiet"])


def test_plain_source_has_the_words_that_links_count(capsys):
    assert run(capsys, "--labels", "ner", "--plain-source") == ("Frau Angela Merkel in Berlin\n\nBonn\n", "")
    assert run(capsys, "--markup", "markup", "--plain-source") == ("I have two cats .\n\na b\nno link\n", "")


def test_packed_files_and_standard_input(capsys, monkeypatch):
    for name in ("ner", "ner.tgt", "markup"):
        Path(f"{name}.gz").write_bytes(gzip.compress(FILES[name].encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILES["ner.align"].encode())))
    assert run(capsys, "--labels", "ner.gz", "--tgt", "ner.tgt.gz", "--alignments", "-").out == PROJECTED
    assert run(capsys, "--markup", "markup.gz", *MARKUP[2:]).out == MARKED


def test_out_and_progress(capsys):
    assert main.main(["project", *LABELS, "--out", "out"]) == 0
    done = capsys.readouterr()
    assert done.out == ""
    assert "3/3" in done.err
    assert Path("out").read_bytes() == PROJECTED.encode()


@given(data=st.data())
def test_sentences_in_are_sentences_out(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("project")
    sizes = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
    links = [
        data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, m - 1)), max_size=3)) if n and m else []
        for n, m in sizes
    ]
    label = st.sampled_from(["O", "B-X", "I-X"])
    texts = {
        "ner": "".join("".join(f"w\t{data.draw(label)}\n" for _ in range(n)) + "\n" for n, _ in sizes),
        "markup": "".join("<b>" + " ".join("w" * n) + "</b>\n" for n, _ in sizes),
        "tgt": "".join(" ".join("v" * m) + "\n" for _, m in sizes),
        "align": "".join(" ".join(f"{i}-{j}" for i, j in row) + "\n" for row in links),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    common = ["--tgt", str(directory / "tgt"), "--alignments", str(directory / "align"), "--quiet"]
    assert project.main(["--labels", str(directory / "ner"), *common, "--out", str(directory / "labels")]) == 0
    assert project.main(["--markup", str(directory / "markup"), *common, "--out", str(directory / "marked")]) == 0
    out = (directory / "labels").read_text()
    argv = ["--labels", str(directory / "labels"), "--plain-source", "--out", str(directory / "words")]
    assert project.main(argv) == 0
    assert (directory / "words").read_text() == texts["tgt"]
    assert out.count("\n") == sum(m + 1 for _, m in sizes)
    assert re.sub("</?b>", "", (directory / "marked").read_text()) == texts["tgt"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (
            [*LABELS, "--tgt", "short", "--alignments", "short"],
            "ner: 3 sentences, but 1 lines in short; sentence n and line n of",
        ),
        ([*LABELS, "--labels", "short"], "short: 1 sentences, but 3 lines in ner.tgt; sentence n and line n of the others"),
        ([*LABELS, "--alignments", "short"], "short: 1 lines, but 3 lines in ner.tgt"),
        ([*LABELS, "--alignments", "wide"], "wide:1: link 5-0 (0-based) is out of range: 5 source words and 5 target words"),
        ([*LABELS, "--column", "1", "--alignments", "empty"], "ner:1: 'Frau' is not a BIO label"),
        ([*LABELS, "--labels", "broken", "--alignments", "empty"], "broken:4: 'M-LOC' is not a BIO label; allowed are B-X, I-X"),
        ([*LABELS, "--tgt", "tab.tgt"], "tab.tgt:1: a word has a tab within"),
        ([*LABELS, "--column", "3"], "ner:1: 'Frau\\tO' has 2 column(s), 3 are needed"),
        ([*LABELS, "--column", "0"], "--column 0: allowed are 1 and more"),
        ([*LABELS, "--max-gap", "-1"], "--max-gap -1: allowed are 0 and more"),
        ([*LABELS, "--min-probability", "-1"], "--min-probability -1.0: allowed are 0 to 1"),
        ([*LABELS, "--min-probability", "0.5"], "ner.align:1: link 1-3 (0-based) has no probability"),
        ([*LABELS, "--out", "ner"], "--out ner is one of the inputs"),
        ([*LABELS, "--out", "no/where"], "--out no/where: cannot write the file (No such file or directory); check the path"),
        ([*MARKUP, "--tgt", "short"], "short: 1 lines, but 4 lines in markup"),
        ([*MARKUP, "--alignments", "wide4"], "wide4:3: link 2-0 (0-based) is out of range: 2 source words and 2 target words"),
        ([*MARKUP, "--markup", "gone"], "gone: cannot read the file"),
        ([*MARKUP, "--out", "markup.align"], "--out markup.align is one of the inputs"),
    ],
)
def test_refusals(argv, text):
    write(empty="\n\n\n")
    with pytest.raises(InputError, match="^" + re.escape(text)):
        project.main([*argv, "--quiet"])


@pytest.mark.parametrize(
    ("tgt", "align", "text"),
    [
        ("x\n", "\n", "ner: 3 sentences, but 1 lines in tgt; sentence n and line n of the others are a sentence pair"),
        ("x\n" * 5, "\n" * 5, "ner: 3 sentences, but 5 lines in tgt; sentence n and line n of the others are a sentence pair"),
        ("x\n" * 5, "\n" * 3, "<stdin>: 3 lines, but 5 lines in tgt"),
    ],
)
def test_different_numbers_are_found_in_pipes_too(tgt, align, text, monkeypatch):
    write(tgt=tgt)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(align.encode())))
    with pytest.raises(InputError, match="^" + re.escape(text)):
        project.main(["--labels", "ner", "--tgt", "tgt", "--alignments", "-"])


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([], "give --labels, --markup or --squad, one of them"),
        ([*LABELS, "--markup", "markup"], "give --labels, --markup or --squad, one of them"),
        (["--labels", "ner", "--tgt", "ner.tgt"], "give --tgt and --alignments, or --plain-source"),
        ([*LABELS, "--strict"], "--strict belongs to --markup"),
        ([*LABELS, "--keep-empty"], "--keep-empty belongs to --markup"),
        ([*MARKUP, "--column", "2"], "--column belongs to --labels"),
        ([*MARKUP, "--score", "ner"], "--score belongs to --labels and --squad"),
        ([*LABELS, "--contexts", "ner"], "--contexts belongs to --squad"),
        ([*LABELS, "--model", "ner"], "--model belongs to --squad"),
        (["--squad", "ner", "--contexts", "ner", "--tgt", "ner"], "--tgt belongs to --labels and --markup"),
        (["--squad", "ner", "--alignments", "ner"], "give --contexts, or --plain-source"),
        (["--squad", "a", "--contexts", "b", "--alignments", "c", "--device", "cpu"], "--device is of the model that aligns"),
        ([*LABELS, "--each-word", "--spans"], "--spans is of spans of words; leave it or --each-word out"),
        ([*LABELS, "--each-word", "--max-gap", "2"], "--max-gap is of spans of words; leave it or --each-word out"),
        ([*LABELS, "--json"], "--json needs --score"),
        ([*LABELS, "--samples", "10"], "--samples needs --score"),
        (["--labels", "ner", "--plain-source", "--score", "ner"], "--plain-source carries nothing that --score could score"),
    ],
)
def test_flags_that_do_not_go_together(argv, text, capsys):
    with pytest.raises(SystemExit) as stop:
        project.main(argv)
    assert stop.value.code == 2
    assert text in capsys.readouterr().err


def test_nothing_heavy_is_imported():
    code = "import sys; from xlm_align_fairseq.cli.main import main\n"
    code += f"main(['project', *{LABELS!r}]); main(['project', *{MARKUP!r}])\n"
    code += "print([m for m in ('torch', 'numpy', 'fairseq') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == PROJECTED + MARKED + "[]\n"
