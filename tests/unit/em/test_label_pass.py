"""Tests of the E-step over a corpus: the same labels as pair by pair, in order, in shards; fingerprints of weights."""

import copy
import io
import json
import shutil
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from signatures import parse_signature
from world import tree

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.alignment import extraction
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import fingerprint
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import IndexedWriter
from xlm_align_fairseq.bitext.label_statistics import PairLinks
from xlm_align_fairseq.bitext.labels import LabelStore
from xlm_align_fairseq.bitext.piece_check import check_pieces
from xlm_align_fairseq.em import shards as pass_shards
from xlm_align_fairseq.em.label_pass import label_corpus, labeler, origin, write_labels
from xlm_align_fairseq.em.labeling import label
from xlm_align_fairseq.em.shards import merge_shards, shard_directory, shard_ids, slabs
from xlm_align_fairseq.encoder.network import Encoder, EncoderAndPointer, EncoderConfig, PointerHead
from xlm_align_fairseq.encoder.sequences import encode_sides
from xlm_align_fairseq.encoder.vocabulary import EOS, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.version import __version__

VOCABULARY = 60
SIZES = {"de-en": 23, "fr-en": 9, "ro-en": 14}
MAX_POSITIONS = 14  # some pairs are longer, others have an empty side
CONFIG = AlignerConfig(align_layer=2, marks="link")  # the pieces of these tests are numbers
OTHER = AlignerConfig(align_layer=1, encoding="separate", similarity="cosine", scaling="entropic", extraction="filter")
OTHER = OTHER.replace(marks="link")


def write_bitext(directory, split="train"):
    """Write random sentences of up to 8 pieces."""
    directory.mkdir(exist_ok=True)
    draw = np.random.default_rng(5)
    for name, size in SIZES.items():
        for lang in name.split("-"):
            lengths = draw.integers(0, 9, size)
            sentences = [[*draw.integers(4, VOCABULARY, length), EOS] for length in lengths]
            with IndexedWriter(directory / f"{split}.{name}.{lang}", np.uint16) as writer:
                writer.add(np.concatenate(sentences), lengths + 1)
    return directory


def random_encoder(seed=1, vocabulary=VOCABULARY):
    """Make an encoder whose similarities are positive and far from each other: a clamp makes no ties that depend on rounding."""
    torch.manual_seed(seed)
    encoder = Encoder(EncoderConfig(vocabulary, layers=3, width=16, heads=2, ffn=32, max_positions=24)).eval()
    for layer in encoder.layers:
        torch.nn.init.ones_(layer.final_layer_norm.bias)
    return encoder


def random_pointer(encoder):
    torch.manual_seed(2)
    return PointerHead(encoder.config).eval()


def aligner(encoder=None, config=CONFIG, batch_tokens=50):
    pieces = types.SimpleNamespace(vocabulary=Vocabulary(()))
    return Aligner(encoder or random_encoder(), pieces, config, batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_bitext(tmp_path_factory.mktemp("bitext") / "data")


@pytest.fixture(scope="module")
def corpus(data):
    return Corpus.open(data, "train", None, MAX_POSITIONS)


@pytest.fixture(scope="module")
def usable(corpus):
    assert 10 < corpus.usable.sum() < len(corpus) - 10
    return np.flatnonzero(corpus.usable)


@pytest.fixture
def small_slabs(monkeypatch):
    monkeypatch.setattr(pass_shards, "SLAB", 5)


def columns(found):
    return [column.tolist() for column in found]


# what pairs get


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize("config", [CONFIG, OTHER, CONFIG.replace(method="pointer")])
def test_pairs_get_what_they_get_one_by_one(corpus, usable, config):
    encoder, ids = random_encoder(), usable
    teacher = EncoderAndPointer(encoder, random_pointer(encoder))
    if config.scaling == "entropic":  # its marginals make all cells of a single piece equal, up to rounding
        ids = ids[np.minimum(corpus.src_lengths[ids], corpus.tgt_lengths[ids]) > 1]
    results = list(label_corpus(labeler(teacher, config), corpus, ids, 50, None))
    assert np.concatenate([part for part, _ in results]).tolist() == ids.tolist()
    alone = []
    for number in ids:
        labels = label(teacher, corpus.pieces(np.array([number])), config)
        links = [tuple(link) for link in labels.links[0].nonzero().tolist()]
        linked = len({i for i, _ in links}) + len({j for _, j in links})
        agreed = extraction.mutual_argmax(labels.plan.rows, labels.plan.columns, labels.mask).sum()
        alone.append((links, linked, int(agreed)))
    found = PairLinks.concatenate([found for _, found in results])
    assert [tuple(link) for link in found.cells.tolist()] == [link for links, _, _ in alone for link in links]
    assert found.counts.tolist() == [len(links) for links, _, _ in alone]
    assert found.linked.tolist() == [linked for _, linked, _ in alone]
    assert found.agreed.tolist() == [agreed for _, _, agreed in alone]
    assert (found.agreed == found.counts).all() == (config.extraction == "argmax")
    assert {column.dtype for column in found} == {np.dtype(np.int64)}


def made_up(pieces):
    """Label a batch with links that identify its pairs."""
    source, target = pieces.src_lengths.numpy(), pieces.tgt_lengths.numpy()
    cells = [(k, m - 1) for n, m in zip(source, target, strict=True) for k in range(n)]
    return PairLinks(source, np.array(cells, np.int64), pieces.source[:, 0].numpy() * 1000 + pieces.target[:, 0].numpy())


@given(st.data(), st.integers(1, 60), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_slabs_and_batches_change_nothing(corpus, usable, data, batch_tokens, slab):
    """Any ids in any slabs and batches, in order; no batch is too large."""
    ids = np.array(sorted(data.draw(st.sets(st.sampled_from(usable.tolist())))), np.int64)
    sizes = []

    def run(pieces):
        sizes.append((len(pieces.source), int((pieces.src_lengths + pieces.tgt_lengths).max()) + 3))
        return made_up(pieces)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_shards, "SLAB", slab)
        results = list(label_corpus(run, corpus, ids, batch_tokens, None))
    assert [part.tolist() for part, _ in results] == [ids[k : k + slab].tolist() for k in range(0, len(ids), slab)]
    for part, found in results:
        assert columns(found) == columns(PairLinks.concatenate([made_up(corpus.pieces(np.array([number]))) for number in part]))
    assert all(pairs == 1 or pairs * longest <= batch_tokens for pairs, longest in sizes)
    assert sum(pairs for pairs, _ in sizes) == len(ids)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_where_it_has_a_title_and_somebody_looks(corpus, usable, monkeypatch):
    for title, stream in ((None, Terminal()), ("E-step", io.StringIO()), ("E-step", Terminal())):
        monkeypatch.setattr("sys.stderr", stream)
        list(label_corpus(made_up, corpus, usable, 50, title))
        shown = stream.getvalue()
        if title and stream.isatty():
            assert "E-step: 100%" in shown
            assert f" {len(usable)}/{len(usable)} " in shown
        else:
            assert shown == ""


def test_labels_are_made_without_dropout_or_gradients(corpus, usable):
    encoder = random_encoder()
    noisy = Encoder(EncoderConfig(VOCABULARY, layers=3, width=16, heads=2, ffn=32, max_positions=24, dropout=0.5)).train()
    noisy.load_state_dict(encoder.state_dict())
    pieces = corpus.pieces(usable)
    found, expected = (labeler(EncoderAndPointer(one), CONFIG)(pieces) for one in (noisy, encoder))
    assert columns(found) == columns(expected)


# shards


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_shards_are_whole_slabs_that_share_the_ids(n, num_shards, slab):
    ids = np.arange(0, 3 * n, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_shards, "SLAB", slab)
        shards = [shard_ids(ids, num_shards, k) for k in range(num_shards)]
        parts = [part.tolist() for shard in shards for part in slabs(shard)]
        assert parts == [part.tolist() for part in slabs(ids)]
    assert np.concatenate(shards).tolist() == ids.tolist()
    counts = [-(-len(shard) // slab) for shard in shards]
    assert max(counts) - min(counts) <= 1


def write_shards(aligner, corpus, out, num_shards, split="train"):
    for k in reversed(range(num_shards)):
        write_labels(aligner, corpus, split, shard_directory(out, num_shards, k), (num_shards, k), progress=False)


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize("num_shards", [1, 2, 3, 5])
def test_merged_shards_are_an_undivided_pass(tmp_path, corpus, num_shards):
    write_labels(aligner(), corpus, "train", tmp_path / "one", progress=False)
    write_shards(aligner(), corpus, tmp_path / "many", num_shards)
    assert len(list((tmp_path / "many" / "shards").iterdir())) == num_shards
    merge_shards(corpus, "train", tmp_path / "many", num_shards)
    assert tree(tmp_path / "many") == tree(tmp_path / "one") != {}
    assert not (tmp_path / "many" / "shards").exists()


@pytest.mark.usefixtures("small_slabs")
def test_merging_needs_no_limit_of_the_encoder(tmp_path, data, corpus):
    """Manifests of shards have `max_positions`, so that merging splits the pairs as labelling did."""
    write_labels(aligner(), corpus, "train", tmp_path / "one", progress=False)
    write_shards(aligner(), corpus, tmp_path / "many", 3)
    merge_shards(Corpus.open(data, "train", None, 512), "train", tmp_path / "many", 3)
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_merging_leaves_shards_of_other_splits(tmp_path, corpus):
    valid = Corpus.open(write_bitext(tmp_path / "data", "valid"), "valid", None, MAX_POSITIONS)
    write_shards(aligner(), corpus, tmp_path / "out", 2)
    write_shards(aligner(), valid, tmp_path / "out", 2, "valid")
    merge_shards(corpus, "train", tmp_path / "out", 2)
    assert {path.name.split(".")[0] for path in (tmp_path / "out" / "shards").rglob("*.idx")} == {"valid"}
    merge_shards(valid, "valid", tmp_path / "out", 2)
    assert not (tmp_path / "out" / "shards").exists()
    for split, bitext in {"train": corpus, "valid": valid}.items():
        counts, _ = LabelStore(tmp_path / "out", split, bitext).links(np.arange(len(bitext)))
        assert ((counts > 0) == bitext.usable).all()


OTHERWISE = "{shards}/1-of-3 was made with another model or other flags than {shards}/0-of-3: label it again"


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "{shards}/1-of-3: no labels of train there; run `xlm-align label` for these shards first"),
        ({"encoder": random_encoder(seed=2)}, OTHERWISE),
        ({"config": OTHER}, OTHERWISE),
        ({"batch_tokens": 60}, OTHERWISE),
        ({"limit": 10}, OTHERWISE),
        ({"pairs": "de-en"}, "{shards}/1-of-3/train.align.fr-en.idx is missing: labels are needed for every language pair"),
    ],
)
def test_shards_that_do_not_fit_are_refused(tmp_path, data, corpus, change, message):
    for k in (0, 1, 2):
        changes = dict(change or {}) if k == 1 else {}
        part = Corpus.open(data, "train", changes.pop("pairs", None), changes.pop("limit", MAX_POSITIONS))
        if k != 1 or change:
            write_labels(aligner(**changes), part, "train", shard_directory(tmp_path, 3, k), (3, k), progress=False)
    before = tree(tmp_path)
    with pytest.raises(InputError) as error:
        merge_shards(corpus, "train", tmp_path, 3)
    assert message.format(shards=tmp_path / "shards") in str(error.value)
    assert tree(tmp_path) == before


def copy_of_the_last(shards):
    shutil.rmtree(shards / "1-of-3")
    shutil.copytree(shards / "2-of-3", shards / "1-of-3")


def exchange(shards):
    (shards / "1-of-3").rename(shards / "x")
    (shards / "2-of-3").rename(shards / "1-of-3")
    (shards / "x").rename(shards / "2-of-3")


def manifest_of_the_second(change):
    def damage(shards):
        path = shards / "1-of-3" / "labels.train.json"
        manifest = json.loads(path.read_text("utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), "utf-8")

    return damage


IS_ANOTHER = (
    "{shards}/1-of-3 holds shard %s, not shard 1 of 3: label with --num-shards 3 --shard-id 1 again, or put the right one"
)
NOT_ITS_PAIRS = "{shards}/1-of-3 has labels of %s sentence pairs, which are not the %s of this shard: label it again"


@pytest.mark.usefixtures("small_slabs")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (copy_of_the_last, IS_ANOTHER % "2 of 3"),
        (exchange, IS_ANOTHER % "2 of 3"),
        (manifest_of_the_second(lambda m: m.update(shard=[4, 1])), IS_ANOTHER % "1 of 4"),
        (manifest_of_the_second(lambda m: m.pop("shard")), IS_ANOTHER % "0 of 1"),
        (
            manifest_of_the_second(lambda m: m.update(shard=[3])),
            "labels.train.json: shard.1 is missing; make the labels again",
        ),
        (
            manifest_of_the_second(lambda m: m.pop("weights")),
            "{shards}/1-of-3: its manifest does not tell weights: label this shard again",
        ),
        (manifest_of_the_second(lambda m: m.update(weights="x")), OTHERWISE),
        (manifest_of_the_second(lambda m: m.update(max_positions=13)), OTHERWISE),
        (manifest_of_the_second(lambda m: m["pairs"]["de-en"].update(labelled=0)), "{shards}/1-of-3 has labels of "),
        (
            manifest_of_the_second(lambda m: m["pairs"]["de-en"].update(data="x")),
            "the labels of de-en belong to other data (SHA-256 x…",
        ),
        (manifest_of_the_second(lambda m: m.update(split="valid")), "labels.train.json: split is 'valid': allowed is 'train'"),
    ],
)
def test_a_shard_that_is_another_is_refused(tmp_path, corpus, damage, message):
    """And nothing is written or removed."""
    write_shards(aligner(), corpus, tmp_path, 3)
    damage(tmp_path / "shards")
    before = tree(tmp_path)
    with pytest.raises(InputError) as error:
        merge_shards(corpus, "train", tmp_path, 3)
    assert message.format(shards=tmp_path / "shards") in str(error.value)
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("small_slabs")
def test_a_shard_of_other_pairs_is_refused(tmp_path, corpus, usable):
    """Its manifest says that it is the right one; its labels are of the first shard, or of all."""
    for of, labelled in (((3, 0), None), ((1, 0), len(usable))):
        out = tmp_path / str(of[0])
        write_shards(aligner(), corpus, out, 3)
        write_labels(aligner(), corpus, "train", shard_directory(out, 3, 1), of, progress=False)
        manifest_of_the_second(lambda m: m.update(shard=[3, 1]))(out / "shards")
        before, expected = tree(out), len(shard_ids(usable, 3, 1))
        labelled = labelled or len(shard_ids(usable, 3, 0))
        with pytest.raises(InputError) as error:
            merge_shards(corpus, "train", out, 3)
        assert NOT_ITS_PAIRS.format(shards=out / "shards") % (labelled, expected) == str(error.value)
        assert tree(out) == before


@pytest.mark.usefixtures("small_slabs")
def test_merged_shards_know_pairs_without_links(tmp_path, corpus):
    """With a threshold that many pairs do not reach, to the bytes of an undivided pass; labels of other pairs stay."""
    high = CONFIG.replace(threshold=0.9)
    write_labels(aligner(config=high), corpus, "train", tmp_path / "one", progress=False)
    write_shards(aligner(config=high), corpus, tmp_path / "many", 3)
    (tmp_path / "many" / "shards" / "0-of-3" / "train.align.pt-en.bin").write_bytes(b"mine")
    merge_shards(corpus, "train", tmp_path / "many", 3)
    merged = tree(tmp_path / "many")
    assert merged.pop("shards/0-of-3/train.align.pt-en.bin") == b"mine"
    assert merged == tree(tmp_path / "one")
    entries = json.loads(merged["labels.train.json"])["pairs"].values()
    assert any("without_links" in entry and entry["links"] for entry in entries)


@pytest.mark.parametrize("names", ["de-en,fr-en", "fr-en,de-en,ro-en"])
def test_shards_of_other_language_pairs_are_refused(tmp_path, data, corpus, names):
    write_shards(aligner(), corpus, tmp_path, 2)
    with pytest.raises(InputError, match="0-of-2 has labels of de-en, fr-en, ro-en, in this order: give the same --lang-pairs"):
        merge_shards(Corpus.open(data, "train", names, MAX_POSITIONS), "train", tmp_path, 2)


@given(st.lists(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6).map(sorted), max_size=6))
@settings(max_examples=60, deadline=None)
def test_linked_pieces_are_those_of_a_loop(links):
    counts = np.array([len(x) for x in links], np.int64)
    cells = np.array([link for x in links for link in x], np.int64).reshape(-1, 2)
    expected = [len({i for i, _ in x}) + len({j for _, j in x}) for x in links]
    assert PairLinks(counts, cells, counts).linked.tolist() == expected


# which pairs are labelled, by which weights


@pytest.mark.usefixtures("small_slabs")
def test_every_usable_pair_is_labelled_and_no_other(tmp_path, corpus, usable):
    write_labels(aligner(), corpus, "train", tmp_path, progress=False)
    store = LabelStore(tmp_path, "train", corpus)
    counts, _ = store.links(np.arange(len(corpus)))
    assert np.flatnonzero(counts).tolist() == usable.tolist()  # the best cell of a pair is always a link
    assert sum(pair["labelled"] for pair in store.manifest["pairs"].values()) == len(usable)
    about = origin(EncoderAndPointer(random_encoder()), CONFIG, None, 50)
    assert {key: store.manifest[key] for key in about} == about
    assert "shard" not in store.manifest


def test_an_origin_tells_all_that_can_change_links():
    encoder = random_encoder()
    signature = parse_signature(origin(EncoderAndPointer(encoder), OTHER, torch.bfloat16, 50)["aligner"])
    assert {key: signature[key] for key in ("autocast", "batch_tokens", "version")} == {
        "autocast": "bfloat16",
        "batch_tokens": "50",
        "version": __version__,
    }
    assert signature.keys() >= OTHER.signature_items().keys() - {"window"}
    assert "window" not in signature  # the text is in pieces
    assert parse_signature(origin(EncoderAndPointer(encoder), CONFIG, None, 50)["aligner"])["autocast"] == "none"
    assert origin(EncoderAndPointer(encoder), CONFIG, None, 50)["weights"] == fingerprint(EncoderAndPointer(encoder), CONFIG)


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("embed_tokens.weight", True),
        ("embed_positions.weight", True),
        ("layernorm_embedding.bias", True),
        ("layers.0.fc1.weight", True),
        ("layers.1.final_layer_norm.bias", True),
        ("layers.2.fc1.weight", False),
    ],
)
def test_a_fingerprint_tells_of_the_weights_that_are_used(name, matters):
    encoder = random_encoder()
    before = fingerprint(EncoderAndPointer(encoder), CONFIG)
    assert fingerprint(EncoderAndPointer(copy.deepcopy(encoder), random_pointer(encoder)), CONFIG) == before
    with torch.no_grad():
        encoder.get_parameter(name).view(-1)[-1] += 1e-3
    assert (fingerprint(EncoderAndPointer(encoder), CONFIG) != before) == matters
    teacher = EncoderAndPointer(encoder)
    assert fingerprint(teacher, CONFIG.replace(align_layer=3)) != fingerprint(teacher, CONFIG)


@pytest.mark.parametrize("name", ["layers.2.fc1.weight", "query.weight", "key.bias"])
def test_where_the_pointer_head_labels_the_fingerprint_tells_of_all_layers_and_of_the_head(name):
    encoder, config = random_encoder(), CONFIG.replace(method="pointer")
    teacher = EncoderAndPointer(encoder, random_pointer(encoder))
    before = fingerprint(teacher, config)
    with torch.no_grad():
        (encoder if name.startswith("layers") else teacher.pointer).get_parameter(name).view(-1)[-1] += 1e-3
    assert fingerprint(teacher, config) != before


@pytest.mark.parametrize("also", ["", "argmax"])
def test_the_pointer_head_labels_by_its_own_distributions(corpus, usable, also):
    """From the last layer, whatever `align_layer` says; a second method reads that one."""
    encoder = random_encoder()
    head, pieces = random_pointer(encoder), corpus.pieces(usable)
    config = CONFIG.replace(method="pointer", encoding="separate", also=also, align_layer=1)
    links = label(EncoderAndPointer(encoder, head), pieces, config).links
    source, target = encode_sides(lambda tokens: encoder(tokens, 3), pieces, "separate")
    mask = pieces.cell_mask()
    rows, columns = (logits.masked_fill(~mask, -torch.inf) for logits in (head(source, target), head(target, source).mT))
    best = (rows == rows.amax(2, keepdim=True)) & (columns == columns.amax(1, keepdim=True)) & mask
    if also:
        best &= label(EncoderAndPointer(encoder), pieces, config.replace(method=also, also="")).links
    assert torch.equal(links, best)
    assert links.any()
    with pytest.raises(InputError, match="asks a pointer head, and there is none"):
        label(EncoderAndPointer(encoder), pieces, config)


def test_pieces_that_the_encoder_does_not_know_are_refused(tmp_path, corpus):
    highest = max(pair.source.highest() for pair in corpus.pairs[:1])
    check_pieces(corpus, VOCABULARY)
    line = next(k for k in range(len(corpus.pairs[0].source)) if highest in corpus.pairs[0].source[k])
    small = random_encoder(vocabulary=highest)
    message = rf"train\.de-en\.de, sentence {line + 1} has piece {highest}, the encoder knows {highest} \(0 to {highest - 1}\)"
    with pytest.raises(InputError, match=message):
        check_pieces(corpus, highest)
    with pytest.raises(InputError, match=message):
        write_labels(aligner(small), corpus, "train", tmp_path / "labels", progress=False)
    assert not list(tmp_path.iterdir())
