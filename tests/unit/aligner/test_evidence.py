"""Evidence: what is counted is what is read; answers on other text; damaged directories; what is added to similarities."""

import json

import numpy as np
import pytest
import torch
from evidences import counted, write_made

from xlm_align_fairseq.aligner.evidence import LONGEST, Evidence
from xlm_align_fairseq.aligner.evidence_counts import LinkCounts
from xlm_align_fairseq.aligner.evidence_files import LINKS, MANIFEST, REACH, SOURCE, TARGET, normalized
from xlm_align_fairseq.aligner.evidence_prior import LinkedPieces
from xlm_align_fairseq.errors import InputError

SENTENCES = [
    ("der Hund bellt", "the dog barks"),
    ("der Hund schläft", "the dog sleeps"),
    ("die Katze schläft", "the cat sleeps"),
    ("die Katze bellt", "the cat barks"),
]
PAIRS = [(source.split(), target.split()) for source, target in SENTENCES]
DIAGONAL = [[(n, n) for n in range(3)]] * len(PAIRS)


@pytest.fixture
def directory(tmp_path):
    return write_made(tmp_path / "evidence", PAIRS, DIAGONAL)


@pytest.fixture
def evidence(directory):
    return Evidence.load(directory)


def links_of(evidence, source, target):
    (directions,) = evidence.links([(source.split(" "), target.split(" "))])
    return [list(direction) for direction in directions]


def test_counts_are_those_of_the_links():
    pairs = [(["a", "a", "x"], ["b", "c"])]
    tables = counted(pairs, [[(0, 0), (1, 0)]])
    assert (tables.source, tables.target) == (["a", "x"], ["b", "c"])
    assert tables.links.tolist() == [
        [0, 2, 1, 0],  # c from nowhere
        [1, 1, 1, 2],  # b comes from one a; both a come from b
        [2, 0, 0, 1],
    ]
    assert tables.to_target.sum() == 1
    assert tables.to_target[REACH + 2] == 1  # the last of the links, from before the first word to the second
    assert tables.to_source[REACH + 1] == tables.to_source[REACH] == 1


def test_words_of_one_form_are_counted_together_and_what_is_no_word_is_left_out():
    pairs = [(["Haus", "a\u2028b"], ["house", "x"]), (["ＨＡＵＳ"], ["House"])]
    tables = counted(pairs, [[(0, 0), (1, 1)], [(0, 0)]])
    assert (tables.source, tables.target) == (["haus"], ["house", "x"])
    assert tables.links.tolist() == [[1, 1, 2, 2]]
    assert [normalized(word) for word in ("Ǆ", "", " ", "\ud800", "a b")] == ["dž", "", "", "", ""]


def test_many_pairs_are_added_up_as_few(monkeypatch):
    once = counted(PAIRS, DIAGONAL)
    monkeypatch.setattr("xlm_align_fairseq.aligner.evidence_counts.HELD", 4)
    for found, expected in zip(counted(PAIRS, DIAGONAL), once, strict=True):
        assert np.array_equal(found, expected)
    assert LinkCounts().tables({}, {}).links.shape == (0, 4)


def test_answers_on_other_text(evidence):
    assert links_of(evidence, "bellt DER hund", "Barks the dog") == [[(0, 0), (1, 1), (2, 2)]] * 2
    assert links_of(evidence, "der neue Hund", "the new dog") == [[(0, 0), (2, 2)]] * 2  # never seen: no links
    assert links_of(evidence, "Katze", "dog") == [[], []]  # never linked
    assert links_of(evidence, "der  bellt", " the barks") == [[(0, 1), (2, 2)]] * 2
    assert links_of(evidence, "", "the") == [[], []]
    (directions,) = evidence.links([(["der", "der"], ["the"])])
    assert len(directions.to_target) == 1  # a target word comes from one source word …
    assert [j for _, j in directions.to_source] == [0, 0]  # … but a target word may be that of two
    assert all(0.5 < value <= 1 for value in directions.to_target.values())


def test_no_answer_depends_on_the_others(evidence):
    draw = np.random.default_rng(3)
    words = [[*sorted({word for pair in PAIRS for word in pair[side]}), "?"] for side in (0, 1)]
    pairs = [tuple(list(draw.choice(side, draw.integers(0, 30))) for side in words) for _ in range(60)]
    together = evidence.links(pairs)
    assert together == [evidence.links([pair])[0] for pair in pairs]
    assert any(directions.to_target for directions in together)


def test_sides_are_treated_alike(tmp_path, evidence):
    other = Evidence.load(write_made(tmp_path / "other", [pair[::-1] for pair in PAIRS], DIAGONAL))
    (here,), (there,) = (
        one.links([(["der", "Hund"], ["dog", "the"])[:: 1 if one is evidence else -1]]) for one in (evidence, other)
    )
    assert here.to_target == {(i, j): value for (j, i), value in there.to_source.items()} != {}


def test_a_pair_that_is_too_long_has_no_links(evidence):
    assert evidence.links([(["der"] * (LONGEST + 1), ["the"])])[0] == ({}, {})
    assert evidence.links([(["der"] * LONGEST, ["the"])])[0].to_target


def test_it_says_when_it_knows_few_words(evidence):
    assert evidence.stranger() == ""
    evidence.links([(["le", "chien", "der"], ["the", "dog"])])
    assert evidence.stranger().startswith("the evidence knows 33% of the source words alone, and says nothing of others")
    evidence.links(PAIRS)
    assert evidence.stranger() == ""


def test_read_again(directory, evidence):
    tables = counted(PAIRS, DIAGONAL)
    for found, expected in zip(evidence.tables, tables, strict=True):
        assert np.array_equal(found, expected)
    assert (evidence.pairs, evidence.tokenizer) == (4, "none")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    write_made(directory, PAIRS, DIAGONAL)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    write_made(directory, PAIRS[1:], DIAGONAL[1:])
    assert Evidence.load(directory).digest != evidence.digest


def damage(directory, name, change):
    content = change((directory / name).read_bytes())
    (directory / name).write_bytes(content)


def manifested(directory, **changes):
    """Change the manifest so that it agrees with the files: only what they hold can be found wrong."""
    import hashlib

    manifest = json.loads((directory / MANIFEST).read_text())
    for name in (SOURCE, TARGET, LINKS):
        content = (directory / name).read_bytes()
        manifest["sizes"][name], manifest["sha256"][name] = len(content), hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        (LINKS, lambda data: data[:-1], r"links.bin has \d+ bytes, evidence.json tells of \d+: it is damaged; make it again by"),
        (LINKS, lambda data: data[:-1] + b"!", r"links.bin is not the file that evidence.json tells of \(SHA-256\)"),
        (SOURCE, lambda data: data + b"x\n", "source.txt has"),
        (MANIFEST, lambda data: data[:-9], "evidence.json is not JSON"),
        (MANIFEST, lambda data: data.replace(b'"version": 1', b'"version": 2'), "version is 2: allowed is 1"),
        (
            MANIFEST,
            lambda data: data.replace(b'"links": ', b'"links": 9'),
            r"links.bin has \d+ bytes: allowed are \d+, 16 a link",
        ),
        (MANIFEST, lambda data: data.replace(b'"source_words": ', b'"source_words": -'), "source_words is -"),
        (MANIFEST, lambda data: data.replace(b'"to_target": [0', b'"to_target": [-1'), "jumps.to_target.0 is -1"),
        (MANIFEST, lambda data: data.replace(b'"to_target": [0, ', b'"to_target": ['), "jumps.to_target is"),
    ],
)
def test_damaged_files_are_refused(directory, name, change, text):
    damage(directory, name, change)
    with pytest.raises(InputError, match=text):
        Evidence.load(directory)


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        (LINKS, lambda data: data[-16:] + data[16:], "allowed are links that ascend"),
        (LINKS, lambda data: b"\0" * 8 + data[8:], "allowed are links that ascend"),
        (LINKS, lambda data: b"\xff" * 4 + data[4:], "links words that are not there"),
        (SOURCE, lambda data: data.replace(b"\n", b" ", 1), "allowed are 6 words, one a line"),
        (SOURCE, lambda data: data.replace(b"hund", b"katz"), None),
        (SOURCE, lambda data: data.replace(b"hund", b"\xff" * 4), "source.txt is not UTF-8"),
        (TARGET, lambda data: data.replace(b"cat", b"dog"), "target.txt: allowed are 5 words"),
        (TARGET, lambda data: data[:-1] + b"s", "target.txt: allowed are 5 words"),
    ],
)
def test_nothing_that_files_hold_is_believed(directory, name, change, text):
    damage(directory, name, change)
    manifested(directory)
    if text is None:
        assert Evidence.load(directory).numbers("source", ["katz", "hund"]).tolist() == [2, 0]
        return
    with pytest.raises(InputError, match=text):
        Evidence.load(directory)


def test_a_directory_without_evidence_is_refused(tmp_path, directory):
    with pytest.raises(InputError, match=r"has no evidence.json: give a directory that `xlm-align bootstrap --save` wrote"):
        Evidence.load(tmp_path)
    (directory / LINKS).unlink()
    with pytest.raises(InputError, match="cannot read the file"):
        Evidence.load(directory)


def test_what_is_added_to_pieces_is_that_of_their_words(evidence):
    """A loop over the cells gives the same."""
    sentences = [("der Hund bellt", "the dog barks"), ("Katze ? die", "cat the"), ("?", "?")]
    words = [(evidence.numbers("source", s.split()), evidence.numbers("target", t.split())) for s, t in sentences]
    pieces = [
        (np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])),
        (np.array([0, 1, 2]), np.array([0, 1])),
        (np.array([0]), np.array([0])),
    ]
    linked = LinkedPieces.of(evidence, words, pieces)
    counts = linked.counts(np.array([2, 0, 1]), 5, 6)
    expected = torch.zeros(3, 5, 6)
    for row, n in enumerate((2, 0, 1)):
        (directions,) = evidence.links([tuple(side.split() for side in sentences[n])])
        for direction in directions:
            for i, word in enumerate(pieces[n][0]):
                for j, other in enumerate(pieces[n][1]):
                    expected[row, i, j] += (word, other) in direction
    assert torch.equal(counts, expected)
    assert counts.max() == 2
