"""The aligner from Python: one pair, a stream, every method, long pairs; without fairseq."""

import functools
import itertools
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from world import ENVIRONMENT, SHIPPED

from xlm_align_fairseq import Aligner, Alignment
from xlm_align_fairseq.alignment.config import CHOICES
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.em.labeling import label
from xlm_align_fairseq.encoder.network import PointerHead
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model

PLACE = SHIPPED / "ro-en"
PAIRS = list(zip(*(PLACE.joinpath(f"test.{side}").read_text("utf-8").splitlines()[:40] for side in ("ro", "en")), strict=True))
ODD = [("", "a b"), ("a", ""), ("", ""), ("a", "b"), ("  a", "b  "), ("x " * 90, "y " * 70), ("x", "y " * 300)]
ODD.append(("a \ud800 b", "a b"))


@pytest.fixture(scope="module")
def model(world, tmp_path_factory):
    """The random model with a pointer head."""
    found = open_model(world / "model")
    torch.manual_seed(1)
    head = PointerHead(found.config)
    found.state |= {f"pointer.{key}": value for key, value in head.state_dict().items()}
    path = tmp_path_factory.mktemp("pointer")
    write_model(path, found)
    return path


def test_one_pair(world):
    aligner = Aligner.load(world / "model")
    found = aligner.align("Ein kleines Haus .", "A small house .")
    assert isinstance(found, Alignment)
    assert found == aligner.align(["Ein", "kleines", "Haus", "."], ["A", "small", "house", "."])
    assert found == aligner.align("Ein kleines Haus .\n", "A small house .\n")  # lines of open files
    assert found.source == ["Ein", "kleines", "Haus", "."]
    assert found.links == sorted(found.links)
    assert found.links
    assert all(0 <= i < 4 and 0 <= j < 4 for i, j in found.links)
    assert all(0 < value <= 1 for value in found.probabilities.values())
    assert found.flags == ()
    assert found.details is None


def test_details(world):
    aligner = Aligner.load(world / "model")
    found = aligner.align("Ein kleines Haus .", "A small house .", details=True)
    details = found.details
    assert "".join(details.source_pieces).replace("\u2581", " ").split() == found.source
    assert details.source_words.max() == details.target_words.max() == 3
    assert details.similarity.shape == (len(details.source_pieces), len(details.target_pieces))
    assert np.isfinite(details.similarity).all()


@pytest.mark.parametrize("encoding", ["separate", "joint"])
@pytest.mark.parametrize("batch_tokens", [1, 300, 100_000])
def test_neighbours_do_not_matter_to_the_last_bit(world, encoding, batch_tokens):
    aligner = Aligner.load(world / "model", changes={"encoding": encoding}, batch_tokens=batch_tokens)
    pairs = [*PAIRS, *ODD]
    together = list(aligner.align_corpus(pairs))
    assert len(together) == len(pairs)
    for pair, found in zip(pairs, together, strict=True):
        assert found == aligner.align(*pair)
    backwards = list(aligner.align_corpus(pairs[::-1]))
    assert backwards[::-1] == together


def near_tie(scores, i, j):
    """Return whether a cell is within 1e-5, relative, of the border between best and not best of its row and column."""
    rivals = [np.delete(scores[i], j), np.delete(scores[:, j], i)]
    best = max(side.max(initial=-np.inf) for side in rivals)
    return abs(scores[i, j] - best) <= 1e-5 * abs(best)


@pytest.mark.parametrize("other", ["2 threads", "float64", "cuda"])
def test_other_arithmetic_differs_at_near_ties_alone(world, other, record_property):
    """Another number of threads, another device, or float64 changes links at near ties only."""
    if other == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    threads = torch.get_num_threads()
    changes = {"method": "argmax", "window": 120}
    aligners = [
        Aligner.load(world / "model", changes=changes),
        Aligner.load(
            world / "model", "cuda" if other == "cuda" else "cpu", changes, dtype=torch.float64 if other == "float64" else None
        ),
    ]
    different = compared = rounded = 0
    try:
        for pair in PAIRS:
            torch.set_num_threads(1)
            one = aligners[0].align(*pair, details=True)
            torch.set_num_threads(2)
            two = aligners[1].align(*pair, details=True)
            links = [plain_argmax(found.details.similarity) for found in (one, two)]
            for i, j in links[0] ^ links[1]:
                different += 1
                assert near_tie(one.details.similarity, i, j)
            compared += len(links[0])
            rounded += int((one.details.similarity != two.details.similarity).sum())
            assert one.links == two.links or links[0] != links[1]
    finally:
        torch.set_num_threads(threads)
    assert compared > 500
    assert rounded > 1000 or other != "float64"
    print(f"{other}: {different} of {compared} links differ, all at near-ties; {rounded} similarities differ")
    record_property("links at near-ties that differ", f"{different} of {compared}")


def test_flags_are_counted(world):
    aligner = Aligner.load(world / "model")
    found = list(aligner.align_corpus([*PAIRS, *ODD]))
    assert [alignment.flags for alignment in found[len(PAIRS) :]] == [("blank",)] * 3 + [()] * 2 + [("windows",)] * 2 + [()]
    assert aligner.flagged["blank"] == 3
    assert aligner.flagged["windows"] == 2 + sum("windows" in alignment.flags for alignment in found[: len(PAIRS)])
    assert all(bool(alignment.links) == ("blank" not in alignment.flags) for alignment in found)


def test_what_the_pairs_raise_comes_through(world):
    def pairs():
        yield "a", "b"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(Aligner.load(world / "model").align_corpus(pairs()))


# methods


def cosine(details):
    return details.similarity.astype(np.float64)


def plain_argmax(scores):
    return {(i, j) for i in range(len(scores)) for j in [scores[i].argmax()] if scores[:, j].argmax() == i}


def plain_itermax(scores, rounds=2):
    """Link by SimAlign's itermax, as its paper describes it (Jalili Sabet et al. 2020, section 3.2)."""
    links = plain_argmax(scores)
    if min(scores.shape) <= 2:
        return links
    for _ in range(rounds - 1):
        rows, columns = {i for i, _ in links}, {j for _, j in links}
        if len(rows) == len(scores) or len(columns) == scores.shape[1]:
            break
        weights = np.array(
            [[0.0 if i in rows and j in columns else 0.9 if i in rows or j in columns else 1.0 for j in range(scores.shape[1])]
             for i in range(len(scores))]
        )  # fmt: skip
        links = links | {(i, j) for i, j in plain_argmax(scores * weights) if weights[i, j]}
    return links


def plain_softmax(scores, cutoff=1e-3):
    """Link as awesome-align does (Dou & Neubig 2021, section 2.2)."""
    forward, backward = np.exp(scores - scores.max(1, keepdims=True)), np.exp(scores - scores.max(0, keepdims=True))
    forward, backward = forward / forward.sum(1, keepdims=True), backward / backward.sum(0, keepdims=True)
    return {(int(i), int(j)) for i, j in zip(*np.nonzero((forward > cutoff) & (backward > cutoff)), strict=True)}


@pytest.mark.parametrize(
    ("method", "plain"),
    [
        ("argmax", lambda scores: plain_argmax((1 + scores) / 2)),
        ("itermax", lambda scores: plain_itermax((1 + scores) / 2)),
        ("softmax", plain_softmax),
    ],
)
def test_the_methods_of_others_equal_their_descriptions(world, method, plain):
    aligner = Aligner.load(world / "model", changes={"method": method, "window": 120, "marks": "link"})
    checked = 0
    for pair in PAIRS:
        found = aligner.align(*pair, details=True)
        words = found.details.source_words.tolist(), found.details.target_words.tolist()
        expected = {(words[0][i], words[1][j]) for i, j in plain(cosine(found.details))}
        assert set(found.links) == expected
        checked += len(expected)
    assert checked > 100


@pytest.mark.parametrize("method", METHODS)
def test_every_method_aligns(model, method):
    aligner = Aligner.load(model, changes={"method": method})
    found = list(aligner.align_corpus(PAIRS))
    assert sum(bool(alignment.links) for alignment in found) > len(PAIRS) // 2
    assert all(0 <= value <= 1 for alignment in found for value in alignment.probabilities.values())
    values = [value for alignment in found for value in alignment.probabilities.values()]
    middle = sorted(values)[len(values) // 2]
    fewer = Aligner.load(model, changes={"method": method, "threshold": middle}).align_corpus(PAIRS)
    for alignment, kept in zip(found, fewer, strict=True):
        assert kept.probabilities == {link: value for link, value in alignment.probabilities.items() if value >= middle}


def links_of_whole_pairs(model, **changes):
    """Align PAIRS except those in windows, where links of two methods do not combine: a target piece keeps one window."""
    found = [a for a in Aligner.load(model, changes=changes).align_corpus(PAIRS) if "windows" not in a.flags]
    assert len(found) > 20
    return [set(alignment.links) for alignment in found]


def test_symmetrization_from_few_to_many(world):
    found = {how: links_of_whole_pairs(world / "model", symmetrization=how) for how in CHOICES["symmetrization"]}
    for n in range(len(found["union"])):
        for final in ("grow-diag-final-and", "grow-diag-final"):
            by_size = [found[how][n] for how in ("intersection", "grow-diag", final, "union")]
            assert all(few <= many for few, many in itertools.pairwise(by_size))
        assert found["union"][n] == found["forward"][n] | found["backward"][n]
    assert len({str(found[how]) for how in found}) == len(found)


def test_matching_is_one_to_one_over_pieces(world):
    aligner = Aligner.load(world / "model", changes={"method": "matching", "marks": "link"})
    found = aligner.align("a b c", "x y z w")
    assert len(found.links) <= 4
    assert len(found.links) >= 3


@pytest.mark.parametrize("combine", ["intersection", "union"])
def test_a_second_method(model, combine):
    links = functools.partial(links_of_whole_pairs, model)

    both = links(method="softmax", also="pointer", combine=combine)
    one, other = links(method="softmax"), links(method="pointer")
    if combine == "union":
        assert both == [a | b for a, b in zip(one, other, strict=True)]
    else:  # methods are combined on pieces; each may link a word by other pieces
        assert all(c <= a & b for a, b, c in zip(one, other, both, strict=True))
        assert any(both)


def test_a_method_that_the_model_cannot_do(world):
    with pytest.raises(InputError, match="has no pointer head, which the method pointer asks"):
        Aligner.load(world / "model", changes={"method": "pointer"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": {"bogus": 1}}, "no field 'bogus'"),
        ({"device": "cuda:93"}, "--device cuda:93: "),
        ({"batch_tokens": 0}, "allowed are 1 and more pieces"),
    ],
)
def test_options_that_are_refused(world, options, message):
    with pytest.raises(InputError, match=message):
        Aligner.load(world / "model", **options)


# states that are not finite


@pytest.mark.parametrize("encoding", ["separate", "joint"])
def test_pairs_with_states_that_are_not_finite_are_flagged_and_have_no_links(world, encoding):
    """One piece has a damaged embedding: the pairs that read it, whole or in windows, and no others."""
    aligner = Aligner.load(world / "model", changes={"encoding": encoding})
    long = [" ".join(side) for side in zip(*PAIRS[:12], strict=True)]
    pairs = [*PAIRS[:20], tuple(long), ("Haus", "house")]
    before = list(aligner.align_corpus(pairs))
    piece = int(aligner.pieces.words(PAIRS[3][1].split(" "))[0][0])
    with torch.no_grad():
        aligner.encoder.embed_tokens.weight[piece, 5] = float("nan")
    reads = [any(piece in aligner.pieces.words(side.split(" "))[0] for side in pair) for pair in pairs]
    assert 0 < sum(reads[:20]) < 20
    aligner.flagged.clear()
    for bad, sound, alignment in zip(reads, before, aligner.align_corpus(pairs), strict=True):
        assert ("not-finite" in alignment.flags) == bad
        assert alignment.probabilities == ({} if bad else sound.probabilities)
        assert json.loads(alignment.format("jsonl"), parse_constant=pytest.fail)["score"] == round(alignment.score, 4)
    assert aligner.flagged["not-finite"] == sum(reads)


def test_labels_of_states_that_are_not_finite_are_refused(world):
    aligner = Aligner.load(world / "model")
    with torch.no_grad():
        aligner.encoder.layers[0].fc1.bias[3] = float("inf")
    ids = torch.tensor([aligner.pieces.words(["Haus"])[0].tolist()])
    batch = PieceBatch(ids, ids, *[torch.tensor([ids.size(1)])] * 2)
    with pytest.raises(InputError, match=r"the hidden states of layer 1 are not finite, so no links can be made of them"):
        label(aligner.weights, batch, aligner.config)


# marks of a word's beginning


def lone_marks(pieces, words):
    """Return the pieces that are `▁` alone in a word of more pieces."""
    return {k for k, (piece, word) in enumerate(zip(pieces, words, strict=True)) if piece == "▁" and list(words).count(word) > 1}


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"pointer"}))
def test_a_mark_alone_makes_no_link(world, method):
    """What is left out is exactly what only such pieces link."""
    skipping, linking = (Aligner.load(world / "model", changes={"method": method, "marks": marks}) for marks in ("skip", "link"))
    counts = Counter()
    for source, target in PAIRS:
        alone, among = skipping.align(source, target), linking.align(source, target, details=True)
        if "windows" in among.flags:  # there a target piece has the links of one window, which may be another one
            continue
        assert all(probability <= among.probabilities[link] for link, probability in alone.probabilities.items())
        details = among.details
        sides = (details.source_pieces, details.source_words), (details.target_pieces, details.target_words)
        marked = [{words[k] for k in lone_marks(pieces, words)} for pieces, words in sides]
        for i, j in set(among.links) - set(alone.links):
            assert i in marked[0] or j in marked[1]
            counts["left out"] += 1
        counts["marks"] += len(marked[0])
    assert counts["marks"] > 20
    assert counts["left out"] > 0


@pytest.mark.parametrize("method", ["argmax", "softmax"])
def test_labels_are_without_links_of_marks_too(world, method):
    """From pieces alone, as training has them."""
    aligner = Aligner.load(world / "model", changes={"method": method})
    ids = [[aligner.pieces.words(side.split(" "))[0] for side in pair] for pair in PAIRS]
    source, target = (torch.nn.utils.rnn.pad_sequence([torch.tensor(p[k]) for p in ids], True, 1) for k in (0, 1))
    batch = PieceBatch(source, target, *(torch.tensor([len(pair[k]) for pair in ids]) for k in (0, 1)))
    links = label(aligner.weights, batch, aligner.config).links
    every = label(aligner.weights, batch, aligner.config.replace(marks="link")).links
    for n, (source, target) in enumerate(PAIRS):
        details = aligner.align(source, target, details=True).details
        rows, columns = (
            lone_marks(details.source_pieces, details.source_words),
            lone_marks(details.target_pieces, details.target_words),
        )
        cells = [(i, j) for i, j in every[n].nonzero().tolist() if i not in rows and j not in columns]
        assert links[n].nonzero().tolist() == [list(cell) for cell in cells]
    assert links.sum() < every.sum()


# long pairs


@pytest.mark.parametrize("encoding", ["separate", "joint"])
def test_a_long_pair_is_aligned_in_windows(world, encoding):
    source, target = (" ".join(side) for side in zip(*PAIRS, strict=True))
    aligner = Aligner.load(world / "model", changes={"encoding": encoding})
    found = aligner.align(source, target, details=True)
    assert found.flags[-1] == "windows"
    assert max(i for i, _ in found.links) > 0.9 * len(found.source)
    assert max(j for _, j in found.links) > 0.9 * len(found.target)
    cells = found.details.similarity
    assert np.isfinite(cells).any(1).all()
    assert np.isnan(cells).any()
    rows = np.isin(found.details.source_words, [i for i, _ in found.links])
    assert np.isfinite(cells[rows]).any(1).all()


@pytest.mark.parametrize("encoding", ["separate", "joint"])
def test_a_long_pair_whose_words_moved_far_is_aligned_whole(world, encoding):
    """Within what the encoder reads at once; the flag says so, and other pairs of the chunk stay in windows."""
    source = " ".join(source for source, _ in PAIRS).split(" ")
    aligner = Aligner.load(world / "model", changes={"encoding": encoding, "window": 30})
    size = next(size for size in range(len(source), 0, -2) if len(aligner.pieces.words(source[:size])[0]) <= 60)
    words = source[:size]
    moved = [*words[size // 2 :], *words[: size // 2]]
    double = " ".join([*words, *words, *words]), " ".join([*moved, *moved, *moved])  # too long for the encoder
    found = list(aligner.align_corpus([(words, words), (words, moved), double]))
    assert ["windows" in alignment.flags for alignment in found] == [True, False, True]
    assert aligner.flagged["windows"] == 2
    whole = Aligner.load(world / "model", changes={"encoding": encoding, "window": 62})
    assert found[1].probabilities == whole.align(words, moved).probabilities
    assert found[0].probabilities != whole.align(words, words).probabilities


def test_details_of_a_pair_with_a_blank_side(world):
    found = Aligner.load(world / "model").align("", "the house", details=True)
    assert (found.links, found.flags) == ([], ("blank",))
    assert found.details.similarity.shape == (0, len(found.details.target_pieces))
    assert set(found.details.target_words) == {0, 1}


def test_a_short_target_of_a_long_source_is_linked_once(world):
    """Windows that overlap in the target link each target piece once: matching stays one-to-one."""
    source, target = (" ".join(side) for side in (zip(*PAIRS, strict=True)))
    aligner = Aligner.load(world / "model", changes={"method": "matching"})
    found = aligner.align(source, " ".join(target.split(" ")[:60]), details=True)
    assert found.flags[-1] == "windows"
    pieces = Counter(found.details.target_words.tolist())
    links = Counter(j for _, j in found.links)
    assert links
    assert all(count <= pieces[j] for j, count in links.items())


def test_layers_at_once_are_layers_one_by_one(world):
    """Windows of long pairs are found in the states of the layer that links, whatever other layers are requested."""
    source, target = (" ".join(side) for side in zip(*PAIRS, strict=True))
    pairs = [(source, target), *PAIRS[:3], ("", "x"), (" ".join(source.split(" ")[:150]), target)]
    aligner = Aligner.load(world / "model")
    together = list(zip(*aligner.align_variants(pairs, aligner.layers()), strict=True))
    for config, found in zip(aligner.layers(), together, strict=True):
        aligner.config = config
        assert [alignment.probabilities for alignment in found] == [
            alignment.probabilities for alignment in aligner.align_corpus(pairs)
        ]


@pytest.mark.parametrize("form", ["fairseq", "hf"])
def test_no_fairseq(world, tmp_path, form):
    """The aligner works where fairseq, hydra and omegaconf are not installed."""
    model = world / "model"
    if form == "hf":
        model = tmp_path / "hf"
        assert xlm_align(["convert", str(world / "model"), "--to", "hf", str(model)]) == 0
    code = (
        "import sys\n"
        "for name in ('fairseq', 'hydra', 'omegaconf'): sys.modules[name] = None\n"
        "from xlm_align_fairseq import Aligner\n"
        f"print(Aligner.load({str(model)!r}).align('a b', 'a b').links != [])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
