"""Tests of labels on disk: round trip, counts, atomic writing, a check of the data, readable by fairseq."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import zlib

import numpy as np
import pytest
import sentencepiece
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import SHIPPED, tree

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import IndexedWriter
from xlm_align_fairseq.bitext.label_manifest import pack_lines, unpack_lines
from xlm_align_fairseq.bitext.label_statistics import PairLinks, summary
from xlm_align_fairseq.bitext.labels import LabelStore, LabelWriter, ids_hash
from xlm_align_fairseq.bitext.word_check import looks_like_words
from xlm_align_fairseq.encoder.vocabulary import EOS, Vocabulary
from xlm_align_fairseq.errors import InputError

SIZES = {"de-en": [(3, 2), (1, 5), (4, 4), (2, 1)], "fr-en": [(2, 2)], "ro-en": [(5, 3), (1, 1), (3, 6)]}
PAIR_OF = [name for name, sizes in SIZES.items() for _ in sizes]  # of every id
SIZES_OF = [pair for sizes in SIZES.values() for pair in sizes]
LINKS = [[(0, 1), (2, 0)], None, [(0, 0), (0, 1), (3, 3)], [], [(1, 1)], [(4, 2)], [(0, 0)], None]  # None: skipped


def write_items(prefix, items, dtype=np.uint16):
    with IndexedWriter(prefix, dtype) as writer:
        writer.add(np.concatenate([np.zeros(0, np.int64), *map(np.ravel, items)]), np.array([np.size(item) for item in items]))


def write_bitext(directory, sizes=SIZES, first=4):
    """Write bitext of sentences of given lengths; every piece is another one, counted from `first`."""
    directory.mkdir()
    pieces = iter(range(first, 1000))
    for name, pairs in sizes.items():
        for k, lang in enumerate(name.split("-")):
            write_items(directory / f"train.{name}.{lang}", [[*(next(pieces) for _ in range(pair[k])), EOS] for pair in pairs])
    return directory


def write_given(directory, links, dtype=np.uint16):
    """Write labels as other tools do: no manifest."""
    directory.mkdir()
    for name in SIZES:
        items = [links[i] for i, pair in enumerate(PAIR_OF) if pair == name]
        write_items(directory / f"train.align.{name}", items, dtype)
    return directory


def read(data, max_positions=64):
    return Corpus.open(data, "train", None, max_positions)


def found(links):
    """Return the result of a pass that found these links; `agreed` is made up."""
    counts = np.array([len(x) for x in links], np.int64)
    cells = np.array([link for x in links for link in x], np.int64).reshape(-1, 2)
    return PairLinks(counts, cells, (counts + 1) // 2)


def write(directory, corpus, links=LINKS, slab=3, previous=None, **about):
    """Write the links of every id in slabs, and open them."""
    ids = np.array([i for i, x in enumerate(links) if x is not None], np.int64)
    with LabelWriter(directory, "train", corpus, about, previous) as writer:
        for begin in range(0, len(ids), slab):
            part = ids[begin : begin + slab]
            writer.add(part, found([links[i] for i in part]))
    return LabelStore(directory, "train", corpus)


def stored(store):
    """Return the links of every id, as lists of pairs."""
    counts, cells = store.links(np.arange(len(store.corpus)))
    return [list(map(tuple, part.tolist())) for part in np.split(cells, np.cumsum(counts)[:-1])]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_bitext(tmp_path_factory.mktemp("bitext") / "data")


@pytest.fixture(scope="module")
def corpus(data):
    return read(data)


def cells_of(n_source, n_target):
    return st.sets(st.tuples(st.integers(0, n_source - 1), st.integers(0, n_target - 1)), max_size=8).map(sorted)


some_links = st.tuples(*(st.none() | cells_of(*sizes) for sizes in SIZES_OF))
in_one_directory = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# written and read


@in_one_directory
@given(some_links, st.integers(1, 8), st.lists(st.integers(0, len(SIZES_OF) - 1), max_size=20))
def test_what_is_written_is_read(tmp_path, corpus, links, slab, ids):
    """Written in any portions, with gaps; looked up in any order, also repeated, also none."""
    store = write(tmp_path, corpus, links, slab)
    assert stored(store) == [x or [] for x in links]
    counts, cells = store.links(np.array(ids, np.int64))
    assert counts.tolist() == [len(links[i] or []) for i in ids]
    assert [tuple(cell) for cell in cells.tolist()] == [link for i in ids for link in links[i] or []]
    assert cells.shape == (counts.sum(), 2)
    assert (counts.dtype, cells.dtype) == (np.int64, np.int64)


@in_one_directory
@given(some_links, some_links, st.integers(1, 8))
def test_the_manifest_counts_what_a_loop_counts(tmp_path, corpus, before, now, slab):
    previous = write(tmp_path / "before", corpus, before)
    manifest = write(tmp_path / "now", corpus, now, slab, previous).manifest
    assert list(manifest["pairs"]) == list(SIZES)
    for name, about in manifest["pairs"].items():
        ids = [i for i, pair in enumerate(PAIR_OF) if pair == name and now[i] is not None]
        pieces = sum(sum(SIZES_OF[i]) for i in ids)
        links = sum(len(now[i]) for i in ids)
        linked = sum(len({link[side] for link in now[i]}) for i in ids for side in (0, 1))
        agreed = sum((len(now[i]) + 1) // 2 for i in ids)
        compared = [(set(before[i]), set(now[i])) for i in ids if before[i]]
        either = sum(len(old | new) for old, new in compared)
        expected = {"labelled": len(ids), "links": links, "pieces": pieces, "linked": linked, "agreed": agreed}
        assert {key: about[key] for key in expected} == expected
        assert about["sentences"] == len(SIZES[name])
        assert about["links_per_pair"] == round(links / max(len(ids), 1), 4)
        assert about["linked_share"] == round(linked / max(pieces, 1), 4)
        assert about["agreement"] == round(agreed / max(pieces - agreed, 1), 4)
        assert about["change"] == (round(1 - sum(len(old & new) for old, new in compared) / either, 4) if either else None)


def test_given_labels_may_repeat_a_link_and_have_any_order(tmp_path, corpus):
    given = [[(2, 0), (1, 1), (2, 0)], *[[]] * 7]
    previous = LabelStore(write_given(tmp_path / "given", given), "train", corpus)
    now = [[(0, 0), (2, 0)], *[[(0, 0)]] * 7]
    assert write(tmp_path / "now", corpus, now, previous=previous).manifest["pairs"]["de-en"]["change"] == round(2 / 3, 4)


def test_the_manifest_says_what_is_there(tmp_path, corpus):
    store = write(tmp_path, corpus, em_iter=3, update=70)
    text = (tmp_path / "labels.train.json").read_text("utf-8")
    assert json.loads(text) == store.manifest
    head = {key: value for key, value in store.manifest.items() if key != "pairs"}
    assert head == {"format": "xlm-align labels", "version": 1, "split": "train", "em_iter": 3, "update": 70}
    names = {f"train.align.{name}.{ending}" for name in SIZES for ending in ("bin", "idx")}
    assert set(tree(tmp_path)) == {"labels.train.json", *names}
    for pair in corpus.pairs:
        about = store.manifest["pairs"][pair.name]
        assert about["data"] == pair.fingerprint
        assert about["sha256"] == {
            ending: hashlib.sha256((tmp_path / f"train.align.{pair.name}.{ending}").read_bytes()).hexdigest()
            for ending in ("bin", "idx")
        }


def test_the_same_labels_are_the_same_bytes_and_digest(tmp_path, corpus):
    first, second = (write(tmp_path / name, corpus, slab=slab) for name, slab in (("a", 1), ("b", 8)))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    other = write(tmp_path / "c", corpus, [*LINKS[:-1], [(0, 0)]])
    assert first.digest == second.digest != other.digest


@pytest.mark.parametrize(("max_positions", "dtype"), [(64, np.uint16), (65499, np.uint16), (65500, np.uint32)])
def test_positions_decide_the_item_type(tmp_path, data, max_positions, dtype):
    store = write(tmp_path, read(data, max_positions))
    assert {reader.dtype for reader in store.readers.values()} == {np.dtype(dtype)}


# labelled without a link, and not labelled


def em_labels(directory, corpus, links, **changes):
    """Write labels as a pass of training does, which foresaw some pairs."""
    ids = np.array([i for i, x in enumerate(links) if x is not None], np.int64)
    return write(directory, corpus, links, em_iter=1, update=0, ids=ids_hash(ids), **changes)


@in_one_directory
@given(some_links)
def test_no_links_are_told_from_no_labels(tmp_path, corpus, links):
    """By labels of training, whatever the pass foresaw; where each pair labelled has links, the manifest is as it ever was."""
    store = em_labels(tmp_path, corpus, links)
    ids = np.arange(len(corpus))[::-1]
    assert store.labelled(ids).tolist() == [links[i] is not None for i in ids]
    for name in SIZES:
        empty = any(links[i] == [] for i, pair in enumerate(PAIR_OF) if pair == name)
        assert ("without_links" in store.manifest["pairs"][name]) == empty
    assert write(tmp_path, corpus, links).labelled(ids).all()  # of `xlm-align label`: what has no links shall have none


def old_manifest(directory):
    """Make it one of 0.1.0."""
    change_manifest(directory, lambda m: [about.pop("without_links", None) for about in m["pairs"].values()] and None)


def test_old_labels_tell_what_they_can(tmp_path, corpus):
    """All with links, or all that is usable: it is known; else a pair without links counts as passed over, as it did."""
    whole = [x or [] for x in LINKS]
    linked = [x or None for x in LINKS]
    for name, links, expected in (
        ("whole", whole, [True] * 8),
        ("linked", linked, [x is not None for x in linked]),
        ("unknown", LINKS, [bool(x) for x in LINKS]),
    ):
        em_labels(tmp_path / name, corpus, links)
        old_manifest(tmp_path / name)
        assert LabelStore(tmp_path / name, "train", corpus).labelled(np.arange(8)).tolist() == expected, name


def test_labels_of_some_language_pairs(tmp_path, data, corpus):
    """A run that goes on with fewer of them counts ids otherwise, and still knows."""
    em_labels(tmp_path, corpus, LINKS)
    fewer = Corpus.open(data, "train", "ro-en,de-en", 64)
    expected = [x is not None for x in [*LINKS[5:], *LINKS[:4]]]
    assert LabelStore(tmp_path, "train", fewer).labelled(np.arange(7)).tolist() == expected


NOT_THOSE = "{d}/labels.train.json: the pairs that were labelled are not those that it tells of: make the labels again"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about.update(without_links="?"), ": without_links of de-en cannot be read (Only base64 data is allowed)"),
        (
            lambda about: about.update(without_links="eHh4"),
            ": without_links of de-en cannot be read (Error -3 while decompressing",
        ),
        (
            lambda about: about.update(without_links=pack_lines(np.ones(9, bool))),
            ": without_links of de-en cannot be read (it is not of 4",
        ),
        (
            lambda about: about.update(without_links=pack_lines(np.ones(4, bool))),
            ": without_links of de-en lists pairs that have some",
        ),
        (lambda about: about.update(without_links=pack_lines(np.zeros(4, bool))), NOT_THOSE),
        (lambda about: about.update(labelled=4), NOT_THOSE),
        (lambda about: about.pop("without_links"), NOT_THOSE),
    ],
)
def test_lists_of_pairs_without_links_that_are_refused(tmp_path, corpus, change, message):
    links = [*LINKS[:7], []]  # ro-en has such a pair, too: that the list of de-en is missing shows
    em_labels(tmp_path, corpus, links)
    change_manifest(tmp_path, lambda m: change(m["pairs"]["de-en"]) and None)
    with pytest.raises(InputError, match=re.escape(message.format(d=tmp_path))):
        LabelStore(tmp_path, "train", corpus)


@given(st.integers(0, 100), st.data())
def test_packed_lines(n, data):
    marked = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    assert unpack_lines(pack_lines(marked), n).tolist() == marked.tolist()


def test_packed_lines_are_small():
    for share, most in ((0.0, 2000), (1e-6, 2000), (0.05, 61_000), (1.0, 2000)):
        marked = np.random.default_rng(1).random(1_000_000) < share
        assert len(pack_lines(marked)) < most
    bomb = base64.b64encode(zlib.compress(bytes(1 << 26))).decode()
    with pytest.raises(ValueError, match="it is not of 80 lines"):
        unpack_lines(bomb, 80)


def test_a_summary_is_a_line_for_each_language_pair(tmp_path, corpus):
    first = write(tmp_path / "1", corpus)
    assert summary(first.manifest) == [
        "de-en: 3 pairs labelled, 1.67 links a pair, 56.2 % of pieces linked, agreement 23.1 %",
        "fr-en: 1 pairs labelled, 1.00 links a pair, 50.0 % of pieces linked, agreement 33.3 %",
        "ro-en: 2 pairs labelled, 1.00 links a pair, 40.0 % of pieces linked, agreement 25.0 %",
    ]
    second = write(tmp_path / "2", corpus, [[(0, 1)], *LINKS[1:]], previous=first, em_iter=2, update=9)
    assert summary(second.manifest)[0] == (
        "em_iter 2 | update 9 | de-en: 3 pairs labelled, 1.33 links a pair, 43.8 % of pieces linked, agreement 23.1 %,"
        " 20.0 % of links changed"
    )


# atomic writing


class Broken(Exception):
    """Raised where a test wants writing to end."""


def break_at(monkeypatch, owner, name, call):
    """Make a function fail when it is called for the `call`-th time."""
    original, calls = getattr(owner, name), []

    def counted(*args, **kwargs):
        calls.append(args)
        if len(calls) == call:
            raise Broken
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)


def block_fails(monkeypatch):
    break_at(monkeypatch, LabelWriter, "add", 2)


def opening_fails(monkeypatch):
    break_at(monkeypatch, IndexedWriter, "__enter__", 2)


def completing_fails(monkeypatch):
    break_at(monkeypatch, IndexedWriter, "finish", 2)


@pytest.mark.parametrize("fail", [block_fails, opening_fails, completing_fails])
def test_labels_that_are_not_complete_do_not_appear(tmp_path, corpus, monkeypatch, fail):
    """Neither in an empty directory nor over existing labels, which are unchanged."""
    write(tmp_path / "old", corpus, [[(0, 0)]] * 8)
    before = tree(tmp_path / "old")
    for directory in (tmp_path / "new", tmp_path / "old"):
        with monkeypatch.context() as patch:
            fail(patch)
            with pytest.raises(Broken):
                write(directory, corpus)
    assert tree(tmp_path / "new") == {}
    assert tree(tmp_path / "old") == before
    assert stored(LabelStore(tmp_path / "old", "train", corpus)) == [[(0, 0)]] * 8


def test_no_manifest_tells_of_a_mixture(tmp_path, corpus, monkeypatch):
    """If not all files could be renamed, the old manifest is deleted; so are temporary files."""
    write(tmp_path, corpus, [[(0, 0)]] * 8)
    names = {name for name in tree(tmp_path) if name != "labels.train.json"}
    with monkeypatch.context() as patch:
        break_at(patch, os, "replace", 3)
        with pytest.raises(Broken):
            write(tmp_path, corpus)
    assert set(tree(tmp_path)) < names
    assert stored(write(tmp_path, corpus)) == [x or [] for x in LINKS]


def test_no_place_for_labels(tmp_path, corpus):
    (tmp_path / "file").touch()
    message = rf"{tmp_path}/file/labels: cannot make the directory \(Not a directory\); give another one"
    with pytest.raises(InputError, match=message), LabelWriter(tmp_path / "file" / "labels", "train", corpus, {}):
        pass


# refusals


def change_manifest(directory, change):
    path = directory / "labels.train.json"
    manifest = json.loads(path.read_text("utf-8"))
    path.write_text(change(manifest) or json.dumps(manifest), "utf-8")


def flip(path):
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


BIN, IDX = "train.align.de-en.bin", "train.align.de-en.idx"
MANIFEST = "{d}/labels.train.json"
AGAIN = "; make the labels again"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: flip(d / BIN), MANIFEST + ": the labels of de-en are not those that it tells of: make them again"),
        (lambda d: flip(d / IDX), f"{{d}}/{BIN} is shorter than {{d}}/{IDX} says: write both again"),
        (
            lambda d: (d / IDX).unlink(),
            f"{{d}}/{IDX} is missing: labels are needed for every language pair; make them with `xlm-align label`,"
            " `xlm-align binarize --alignments` or fairseq-preprocess --align-suffix",
        ),
        (lambda d: change_manifest(d, lambda m: m["pairs"].pop("ro-en") and None), MANIFEST + ": the labels of ro-en are not"),
        (lambda d: change_manifest(d, lambda m: m.update(version=2)), f"{MANIFEST}: version is 2: allowed is 1{AGAIN}"),
        (
            lambda d: change_manifest(d, lambda m: m.update(format="x")),
            f"{MANIFEST}: format is 'x': allowed is 'xlm-align labels'{AGAIN}",
        ),
        (
            lambda d: change_manifest(d, lambda m: m.pop("version") and None),
            f"{MANIFEST}: version is missing{AGAIN}",
        ),
        (lambda d: change_manifest(d, lambda m: "[]"), f"{MANIFEST}: the content is []: allowed is an object{AGAIN}"),
        (
            lambda d: change_manifest(d, lambda m: "{"),
            f"{MANIFEST} is not JSON: EOF while parsing an object at line 1 column 1{AGAIN}",
        ),
        *(
            (lambda d, key=key, value=value: change_manifest(d, lambda m: m["pairs"]["ro-en"].update({key: value})), message)
            for key, value, message in (
                ("links", True, f"{MANIFEST}: pairs.ro-en.links is True: allowed is a valid integer{AGAIN}"),
                ("links", 2.0, f"{MANIFEST}: pairs.ro-en.links is 2.0: allowed is a valid integer{AGAIN}"),
                ("links", "2", f"{MANIFEST}: pairs.ro-en.links is '2': allowed is a valid integer{AGAIN}"),
                ("links", -1, f"{MANIFEST}: pairs.ro-en.links is -1: allowed is greater than or equal to 0{AGAIN}"),
                ("change", float("inf"), f"{MANIFEST}: pairs.ro-en.change is inf: allowed is a finite number{AGAIN}"),
                ("agreement", None, f"{MANIFEST}: pairs.ro-en.agreement is None: allowed is a valid number{AGAIN}"),
                ("sha256", {"bin": ""}, f"{MANIFEST}: pairs.ro-en.sha256.idx is missing{AGAIN}"),
                ("sha256", 1, f"{MANIFEST}: pairs.ro-en.sha256 is 1: allowed is an object{AGAIN}"),
            )
        ),
        (lambda d: change_manifest(d, lambda m: m.update(update=1)), f"{MANIFEST}: em_iter and update belong together"),
    ],
)
def test_labels_that_are_refused(tmp_path, corpus, damage, message):
    write(tmp_path, corpus)
    damage(tmp_path)
    with pytest.raises(InputError, match=re.escape(message.format(d=tmp_path))):
        LabelStore(tmp_path, "train", corpus)


VALUES = [None, True, -1, 1.5, 7, "x", [], [1], {}, {"x": 1}]


def keys_of(value, path=()):
    """Yield where every value of a JSON object is."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from keys_of(inner, (*path, key))


def refusal(directory, corpus):
    """Return why labels are refused; use all that is read of their manifest where they are not."""
    try:
        store = LabelStore(directory, "train", corpus)
    except InputError as error:
        return str(error)
    assert len(summary(store.manifest)) == 3
    assert store.labelled(np.arange(8)).dtype == bool
    return ""


def test_manifests_that_lack_a_key_or_have_another_type(tmp_path, corpus):
    """Every key in turn left out and of every other type: it is refused in one line, or nothing that is read was wrong."""
    em_labels(tmp_path, corpus, LINKS, weights="w", aligner="a", max_positions=64, shard=[3, 1])
    path = tmp_path / "labels.train.json"
    good = path.read_text("utf-8")
    refused = 0
    for where in keys_of(json.loads(good)):
        for value in (*VALUES, KeyError):
            manifest = json.loads(good)
            inner = manifest
            for key in where[:-1]:
                inner = inner[key]
            if value is KeyError:
                del inner[where[-1]]
            else:
                inner[where[-1]] = value
            path.write_text(json.dumps(manifest), "utf-8")
            said = refusal(tmp_path, corpus)
            assert "\n" not in said
            refused += bool(said)
    assert refused > 500
    for text in (
        "[" * 100_000,
        '{"pairs": ' * 100_000,
        good.replace("0.5", "NaN", 1),
        good[:-20],
        good.replace('"train"', '"valid"'),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(InputError, match=rf"^{re.escape(str(path))}.*{AGAIN}$"):
            LabelStore(tmp_path, "train", corpus)


def test_an_odd_number_of_positions_is_refused(tmp_path):
    data = Corpus.open(write_bitext(tmp_path / "data"), "train", None, 64)
    links = [np.array([0, 0, 1]) if i == 2 else [] for i in range(len(SIZES_OF))]
    with pytest.raises(InputError, match=r"train.align.de-en, sentence pair 3: 3 numbers; links are two each"):
        LabelStore(write_given(tmp_path / "given", links), "train", data)


def test_labels_of_other_words(tmp_path, corpus):
    write(tmp_path / "labels", corpus)
    other = read(write_bitext(tmp_path / "data", first=5))
    ours, theirs = (part.pairs[0].fingerprint[:16] for part in (other, corpus))
    message = rf"labels of de-en belong to other data \(SHA-256 {theirs}…, here {ours}…\): give the data they were made for"
    with pytest.raises(InputError, match=message):
        LabelStore(tmp_path / "labels", "train", other)


def test_labels_of_more_sentences(tmp_path, corpus):
    write(tmp_path / "labels", corpus)
    other = read(write_bitext(tmp_path / "data", {**SIZES, "ro-en": SIZES["ro-en"][:2]}))
    with pytest.raises(InputError, match=r"train\.align\.ro-en: labels of 3 sentence pairs, the data has 2: label this data"):
        LabelStore(tmp_path / "labels", "train", other)


@pytest.mark.parametrize(
    ("number", "link", "place"),
    [
        (2, (4, 0), r"train\.align\.de-en, sentence pair 3: link 4-0 is outside its \[4, 4\] pieces: labels are 0-based pos"),
        (2, (0, 4), r"train\.align\.de-en, sentence pair 3: link 0-4 is outside its \[4, 4\] pieces"),
        (5, (5, 0), r"train\.align\.ro-en, sentence pair 1: link 5-0 is outside its \[5, 3\] pieces"),
        (7, (0, -1), r"train\.align\.ro-en, sentence pair 3: link 0--1 is outside its \[3, 6\] pieces"),
    ],
)
def test_a_link_beyond_the_pieces_names_its_pair_and_line(tmp_path, corpus, number, link, place):
    given = [[(0, 0)] for _ in SIZES_OF]
    given[number].append(link)
    store = LabelStore(write_given(tmp_path / "labels", given, np.int64), "train", corpus)
    assert store.manifest == {}
    others = [i for i in range(len(SIZES_OF)) if i != number]
    assert len(store.links(np.array(others))[1]) == len(others)
    with pytest.raises(InputError, match=place):
        store.links(np.array([*reversed(others), number]))


# fairseq


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_fairseq_reads_them_as_alignments(tmp_path, data, corpus):
    """Its translation data set has our links, and a batch of it the pieces that they join."""
    from fairseq.data import Dictionary
    from fairseq.tasks.translation import load_langpair_dataset

    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    write(tmp_path, corpus)
    words = Dictionary()
    for n in range(4, 100):
        words.add_symbol(f"x{n}")
    dataset = load_langpair_dataset(
        *(str(tmp_path), "train", "de", words, "en", words, False, None, 1, True, False, 64, 64), load_alignments=True
    )
    items = [dataset[i] for i in range(len(SIZES["de-en"]))]
    assert [item["alignment"].view(-1, 2).tolist() for item in items] == [list(map(list, x or [])) for x in LINKS[:4]]
    batch = dataset.collater(items)
    source, target = batch["net_input"]["src_tokens"], batch["target"]
    joined = {
        (int(source[column // target.size(1), row]), int(target.view(-1)[column])) for row, column in batch["alignments"].tolist()
    }
    assert joined == {
        (int(item["source"][i]), int(item["target"][j])) for item, x in zip(items, LINKS, strict=False) for i, j in x or []
    }
    assert len(joined) == 5


N_LINES = 120


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A directory with `dict.txt` and the pieces of shipped sentences: `train.de-en.de`, `train.de-en.en`."""
    directory = tmp_path_factory.mktemp("pieces")
    rows = [line.split("\t") for line in (SHIPPED / "de-en" / "train.tsv").read_text("utf-8").splitlines()[:N_LINES]]
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([side for row in rows for side in row]),
        model_writer=trained,
        vocab_size=300,
        minloglevel=2,
        num_threads=1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    Vocabulary.from_sentencepiece(trained.getvalue()).write(directory / "dict.txt")
    for lang, sentences in zip(("de", "en"), zip(*rows, strict=True), strict=True):
        encoded = processor.encode(list(sentences), out_type=str)
        (directory / f"train.de-en.{lang}").write_text("".join(" ".join(row) + "\n" for row in encoded), "utf-8")
    return directory


def word_links(n_source, n_target):
    """Link word k to the word at the same relative position."""
    return [(i, i * n_target // n_source) for i in range(n_source)]


@pytest.fixture
def preprocess(pieces, tmp_path):
    """Return a function that runs fairseq-preprocess on links of pieces or words; it returns the data directory and the links."""
    from fairseq import options
    from fairseq_cli.preprocess import main

    def make(src_level, tgt_level, pair="de-en"):
        levels, links = (src_level, tgt_level), []
        sides = [(pieces / f"train.de-en.{lang}").read_text("utf-8").splitlines() for lang in ("de", "en")]
        for rows in zip(*(map(str.split, side) for side in sides), strict=True):
            of_words = [[k for k, piece in enumerate(row) if piece.startswith("▁")] for row in rows]  # first piece of each
            numbers = [range(len(firsts)) if level == "words" else firsts for firsts, level in zip(of_words, levels, strict=True)]
            links.append([(numbers[0][i], numbers[1][j]) for i, j in word_links(*map(len, of_words))])
        links[2] = []
        name = tmp_path / f"train.{pair}"
        for lang, text in zip(pair.split("-"), sides, strict=True):
            name.with_name(f"{name.name}.{lang}").write_text("\n".join(text) + "\n", "utf-8")
        pharaoh = [" ".join(f"{i}-{j}" for i, j in row) for row in links]
        name.with_name(f"{name.name}.links").write_text("\n".join(pharaoh) + "\n", "utf-8")
        out = tmp_path / "data"
        dictionaries = [f"--{side}dict={pieces / 'dict.txt'}" for side in ("src", "tgt")]
        languages = [f"--{flag}-lang={lang}" for flag, lang in zip(("source", "target"), pair.split("-"), strict=True)]
        flags = [*dictionaries, *languages, "--trainpref", str(name), "--align-suffix", "links", "--destdir", str(out)]
        main(options.get_preprocessing_parser().parse_args(flags))
        return out, links

    return make


def test_labels_of_fairseq_preprocess(preprocess):
    out, links = preprocess("pieces", "pieces")
    store = LabelStore(out, "train", read(out, 512))
    assert stored(store) == links
    assert sum(map(len, links)) > 5 * N_LINES
    assert store.manifest == {}
    assert len(store.digest) == 64


def test_words_are_told_from_pieces(preprocess, pieces):
    """On either side, in any language pair, if there are enough sentences to detect it."""
    from fairseq.data import Dictionary

    starts_word = np.array([symbol.startswith("▁") for symbol in Dictionary.load(str(pieces / "dict.txt")).symbols])
    preprocess("pieces", "pieces")
    for levels, answer in {
        ("pieces", "pieces"): None,
        ("words", "words"): "fr-en",
        ("words", "pieces"): "fr-en",
        ("pieces", "words"): "fr-en",
    }.items():
        out, _ = preprocess(*levels, pair="fr-en")
        store = LabelStore(out, "train", read(out, 512))
        assert looks_like_words(store, starts_word) == answer, levels
        assert looks_like_words(store, starts_word, sample=40) is None
        assert looks_like_words(store, torch.ones(len(starts_word)).bool().numpy()) is None  # every piece is a word
