"""Tests of ``xlm-align project`` on running text: nothing of the target is changed or becomes a tag, tags are at the words."""

import html.parser
import json
import random
import re
from collections import Counter
from pathlib import Path

import lxml.html
import pytest

from xlm_align_fairseq.cli import main, project
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.tokenize import split_words, tokenizer

CASES = 10_000
SCRIPTS = {  # words, what is between two of them
    "latin": (["Hannover", "café", "l'eau", "3.5", "e-mail", "don't", "ö", "A"], [" ", " ", ", ", "; ", " — ", "", ". "]),
    "han": (["我", "爱", "你", "汉诺威", "ok", "𠀀", "3"], ["", "", "", "，", "。", " ", "“"]),
    "cyrillic": (["Ганновер", "мы", "едем", "в", "«да»", "№", "ё"], [" ", " ", ", ", "!", " – ", "\u00a0", "  "]),
}
TOKENIZERS = {"latin": "13a", "han": "zh", "cyrillic": "intl"}
HOSTILE = [
    "<img src=x onerror=alert(1) z",
    "</b>",
    "<b>",
    "<!-- ",
    "-->",
    "<script>",
    "a<b",
    "<?",
    "<![CDATA[",
    "]]>",
    "'",
    '"',
    ">",
]
HOSTILE += ["&lt;i>", "&euro;", "<3", "< ", "&amp;", "&#60;u>", "=", "</", "<"]
ELEMENTS = [("<b>", "</b>"), ("<I>", "</i>"), ('<a href="x?a=b&amp;c">', "</a>"), ("<u class=k>", "</u>")]
POINTS = [
    "<br>",
    "<br/>",
    "<hr>",
    '<img src=y alt="a > b">',
    "<wbr>",
    "<!-- <s>c</s> -->",
    "<x id='1'/>",
    "<script>a<b</script>",
    "<s></s>",
]
BROKEN = ["<b>", "</a>", "<!-- ", "<script/>"]
TAGS = [*(tag for pair in ELEMENTS for tag in pair), *POINTS]
TAGS += [f'<{name}x id="{n}"/>' for name in "be" for n in range(100)]


def run(capsys, *argv):
    assert main.main(["project", *argv, "--quiet"]) == 0
    return capsys.readouterr()


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(**files):
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")


# what always holds


def draw_text(draw, script, more, chance):
    """Draw words with what is between them, and something else here and there."""
    words, between = SCRIPTS[script]
    parts = []
    for _ in range(draw.randrange(9)):
        parts += [draw.choice(words), draw.choice(between)]
        if draw.random() < chance:
            parts.append(draw.choice(more))
    return "".join(parts)


def draw_marked(draw, script, depth=3):
    parts = []
    for _ in range(draw.randrange(4)):
        parts.append(draw_text(draw, script, ["&euro;", "&lt;", *POINTS], 0.2))
        if depth and draw.random() < 0.6:
            begin, end = draw.choice(ELEMENTS)
            parts += [begin, draw_marked(draw, script, depth - 1), end]
    if draw.random() < 0.2:
        n = draw.randrange(100)
        for at, name in zip(sorted(draw.randrange(len(parts) + 1) for _ in "be"), "be", strict=True):
            parts.insert(at + (name == "e"), f'<{name}x id="{n}"/>')
    return "".join(parts)


class Reader(html.parser.HTMLParser):
    """Note every element with its attributes, every end tag and every comment."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def handle_starttag(self, tag, attrs):
        self.found[tag, tuple(attrs)] += 1

    def handle_endtag(self, tag):
        self.found["/", tag] += 1

    def handle_comment(self, data):
        self.found["!", data] += 1

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(line):
    reader = Reader()
    reader.feed(line)
    reader.close()
    return reader.found


def read_otherwise(line):
    return {
        (str(e.tag), tuple(sorted(e.attrib.items()))) for e in lxml.html.fragment_fromstring(line, create_parent="div").iter()
    }


def check_balanced(result):
    stack = []
    ends = {begin: end for begin, end in ELEMENTS}
    for tag in re.findall("|".join(map(re.escape, [*POINTS, *(tag for pair in ELEMENTS for tag in pair)])), result):
        if tag in ends:
            stack.append(ends[tag])
        elif tag not in POINTS:
            assert stack, result
            assert stack.pop() == tag, result
    assert not stack, result


@pytest.mark.parametrize(("source", "target"), [("latin", "han"), ("han", "cyrillic"), ("cyrillic", "latin")])
def test_running_text_of_three_scripts(source, target, capsys):
    """Whatever is linked: the text is unchanged, tags are balanced, a reader of HTML finds no more than in the source."""
    draw = random.Random(f"{source} {target}")
    names = TOKENIZERS[source], TOKENIZERS[target]
    n_lines = CASES // 3 + 1
    marked = [draw_marked(draw, source) + draw.choice(BROKEN) * (draw.random() < 0.03) for _ in range(n_lines)]
    targets = [draw_text(draw, target, HOSTILE, draw.choice([0, 0, 0.5])) for _ in range(n_lines)]
    write(marked="".join(f"{line}\n" for line in marked), tgt="".join(f"{line}\n" for line in targets))
    plain = run(capsys, "--markup", "marked", "--plain-source").out.split("\n")[:-1]
    with open("links", "w") as file:
        for sides in zip(plain, targets, strict=True):
            n, m = (len(split_words(tokenizer(name)(line))) for name, line in zip(names, sides, strict=True))
            links = {(draw.randrange(n), draw.randrange(m)) for _ in range(draw.randrange(2 * n + 1))} if n and m else set()
            file.write(" ".join(f"{i}-{j}" for i, j in sorted(links)) + "\n")
    flags = ["--markup", "marked", "--tgt", "tgt", "--alignments", "links", "--tokenizer", ",".join(names)]
    results = run(capsys, *flags, *draw.choice([[], ["--keep-empty"]])).out.split("\n")[:-1]
    carried = 0
    ours = re.compile("|".join(map(re.escape, sorted(TAGS, key=len, reverse=True))))
    for line, text, result in zip(marked, targets, results, strict=True):
        assert ours.sub("", result).replace("&lt;", "<") == text.replace("&lt;", "<"), (line, text, result)
        check_balanced(result)
        found, there = read(result), read(line)
        assert found <= there, (line, text, result)
        assert read_otherwise(result) <= {("div", ()), *read_otherwise(line)}, (line, text, result)
        carried += bool(found)
    assert carried > n_lines // 2


# examples


@pytest.mark.parametrize(
    ("names", "marked", "target", "links", "result"),
    [
        (
            "13a",
            "Wir fahren nach <b>Hannover</b>, dann …",
            "We go to Hanover, then …",
            "0-0 1-1 2-2 3-3 4-4 5-5 6-6",
            "We go to <b>Hanover</b>, then …",
        ),
        ("13a,zh", "Wir fahren nach <b>Hannover</b>.", "我们去汉诺威。", "0-0 0-1 1-2 3-3 3-4 3-5 4-6", "我们去<b>汉诺威</b>。"),
        ("intl", "«<i>Да</i>»,  да", " “Yes”,\u00a0yes ", "1-1 2-2 4-4", " “<i>Yes</i>”,\u00a0yes "),
        ("char,none", "<b>a</b>b", "A  B", "0-0 1-2", "<b>A</b>  B"),
        ("13a", "A &amp; <b>B</b>", "a &amp; b &quot;", "0-0 1-1 2-2", "a &amp; <b>b</b> &quot;"),
        ("intl", "5 <b>&euro;</b>", "&euro;5", "0-3 1-1", "<b>&euro;</b>5"),
        ("13a", "<b>a</b>", "x <img src=x onerror=alert(1) z", "0-12", "x &lt;img src=x onerror=alert(1) <b>z</b>"),
    ],
)
def test_tags_are_put_at_the_words_of_the_untouched_target(names, marked, target, links, result, capsys):
    write(marked=f"{marked}\n", tgt=f"{target}\n", links=f"{links}\n")
    flags = ["--markup", "marked", "--tgt", "tgt", "--alignments", "links", "--tokenizer", names]
    assert run(capsys, *flags).out == f"{result}\n"


def test_links_count_the_words_of_the_tokenisers():
    write(marked="<b>Ja</b>, gut\n", tgt="Yes, good\n", links="3-0\n")
    flags = ["--markup", "marked", "--tgt", "tgt", "--alignments", "links", "--quiet"]
    with pytest.raises(InputError, match=r"^links:1: link 3-0 \(0-based\) is out of range: 3 source words and 3 target words"):
        project.main([*flags, "--tokenizer", "13a"])
    with pytest.raises(InputError, match=r"^links:1: link 3-0 \(0-based\) is out of range: 2 source words and 2 target words"):
        project.main(flags)


def test_the_text_that_was_aligned_must_have_the_words(capsys):
    write(marked="<b>Ja</b>, gut\n", tgt="Yes, good\n", links="0-0\n", src="Ja , gut\n")
    flags = ["--markup", "marked", "--src", "src", "--tgt", "tgt", "--alignments", "links", "--tokenizer", "13a"]
    assert run(capsys, *flags) == ("<b>Yes</b>, good\n", "")
    write(src="Ja; gut\n")
    with pytest.raises(InputError) as error:
        project.main([*flags, "--quiet"])
    assert str(error.value) == (
        "src:1: source word 2 is ';', but ',' in marked:1; links count the words of the text, which must be those that"
        " --plain-source writes: align that text, with the tokeniser 13a on its side"
    )


def test_what_is_no_tag_in_the_target_and_what_is(capsys):
    write(marked="a\n" * 3, tgt="I <3 x\n<!-- x\n1 < 2\n", links="\n" * 3)
    flags = ["--markup", "marked", "--tgt", "tgt", "--alignments", "links"]
    done = run(capsys, *flags)
    assert done.out == "I <3 x\n&lt;!-- x\n1 < 2\n"
    assert done.err == "warning: 1 of 3 target lines have what looks like a tag; its < was written &lt;\n"
    with pytest.raises(InputError) as error:
        project.main([*flags, "--strict", "--quiet"])
    assert str(error.value) == (
        "tgt:2: the target has what looks like a tag or begins one; it is plain text, where < before a name, /, ! or ? is"
        " written &lt;; correct the line, or leave out --strict and it is written so"
    )


def test_what_is_not_well_formed_is_counted_and_what_people_write_is_not(capsys):
    write(
        marked="a<br>b <B>c</b>\n<!-- a\n<bx id=1/>a<ex id=1/> <i>b</i>\n<script/>a\n",
        tgt="A B C\nA\nA B\nA\n",
        links="0-0 1-1 2-2\n0-0\n\n0-0\n",
    )
    done = run(capsys, "--markup", "marked", "--tgt", "tgt", "--alignments", "links")
    assert done.out == "A<br> B <B>C</b>\nA\n<bx id=1/><ex id=1/>A B\nA\n"
    assert done.err == (
        "warning: 2 of 4 lines have markup that is not well formed and went without it; the first is marked:2: <!-- is not"
        " closed\nwarning: 1 of 2 elements have no link and were left out\n"
    )


def test_plain_source_is_text_a_line_for_each(capsys):
    write(marked="a<br>b &lt;i&gt; 5&euro;\nx&#10;y<!-- c -->\n\n<p>A</p><p>B</p>\n")
    assert run(capsys, "--markup", "marked", "--plain-source").out == "a b <i> 5€\nx y\n\nA B\n"


# labels

LABELS = "Wir\tO\nfahren\tO\nnach\tO\nHannover\tB-LOC\n,\tO\nFrau\tB-PER\nMerkel\tI-PER\n\n\nBonn\tB-LOC\n\n"


def test_labels_as_spans_of_the_untouched_target(capsys):
    write(ner=LABELS, tgt="Mrs  Merkel,\twe go to “Hanover”.\n\n𠀀波恩\n", links="3-6 5-0 6-1\n\n0-1 0-2\n")
    flags = ["--labels", "ner", "--tgt", "tgt", "--alignments", "links", "--tokenizer", "none,13a"]
    write(links="5-0 6-1 3-6\n\n0-0\n")
    rows = [json.loads(line) for line in run(capsys, *flags, "--spans").out.splitlines()]
    assert [row["text"] for row in rows] == Path("tgt").read_text("utf-8").split("\n")[:-1]
    assert [[(row["text"][s["start"] : s["end"]], s["label"]) for s in row["spans"]] for row in rows] == [
        [("Mrs  Merkel", "PER"), ("“Hanover”", "LOC")],
        [],
        [("𠀀波恩", "LOC")],
    ]
    assert "Merkel\tI-PER\n,\tO\nwe\tO\n" in run(capsys, *flags).out


def test_spans_are_those_of_the_labels(capsys):
    """Spans and labels a word a line say the same."""
    draw = random.Random(1)
    targets = [draw_text(draw, "cyrillic", HOSTILE, 0.2).replace("\t", " ") for _ in range(200)]
    sources = [[draw.choice(["O", "B-X", "I-X", "B-Y"]) for _ in range(draw.randrange(8))] for _ in targets]
    write(
        ner="".join("".join(f"w\t{label}\n" for label in labels) + "\n" for labels in sources),
        tgt="".join(f"{line}\n" for line in targets),
    )
    with open("links", "w") as file:
        for labels, line in zip(sources, targets, strict=True):
            n, m = len(labels), len(split_words(tokenizer("intl")(line)))
            links = {(draw.randrange(n), draw.randrange(m)) for _ in range(2 * n)} if n and m else []
            file.write(" ".join(f"{i}-{j}" for i, j in sorted(links)) + "\n")
    flags = ["--labels", "ner", "--tgt", "tgt", "--alignments", "links", "--tokenizer", "none,intl"]
    rows = [json.loads(line) for line in run(capsys, *flags, "--spans").out.splitlines()]
    sentences = run(capsys, *flags).out.split("\n\n")
    assert [row["text"] for row in rows] == targets
    found = 0
    blank = "".join("".join(f"{word}\n" for word in split_words(tokenizer("intl")(line))) + "\n" for line in targets)
    assert re.sub("\t.*", "", run(capsys, *flags).out) == blank
    begun = sum(len(re.findall("\tB-", sentence)) for sentence in sentences)
    for row in rows:
        ends = [at for span in row["spans"] for at in (span["start"], span["end"])]
        assert ends == sorted(ends)
        found += len(row["spans"])
    assert found == begun > 50


def test_spans_belong_to_labels(capsys):
    with pytest.raises(SystemExit) as stop:
        project.main(["--markup", "m", "--tgt", "t", "--alignments", "a", "--spans"])
    assert stop.value.code == 2
    assert "--spans belongs to --labels" in capsys.readouterr().err


def test_a_tab_within_a_word_is_no_matter_to_spans(capsys):
    write(ner="a\tB-X\n\n", tgt="x\ty\n", links="0-0\n")
    flags = ["--labels", "ner", "--tgt", "tgt", "--alignments", "links"]
    assert json.loads(run(capsys, *flags, "--spans").out)["spans"] == [{"start": 0, "end": 3, "label": "X"}]
    with pytest.raises(InputError, match="a word has a tab within"):
        project.main([*flags, "--quiet"])
