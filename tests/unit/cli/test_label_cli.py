"""Tests of ``xlm-align label``: the labels of binarised text, at once or in shards; output; refusals."""

import io
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from signatures import parse_signature
from world import ROOT, SHIPPED, tree, write_random_model

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.label_statistics import summary
from xlm_align_fairseq.bitext.labels import LabelStore
from xlm_align_fairseq.cli import label, main
from xlm_align_fairseq.em import shards as pass_shards
from xlm_align_fairseq.em.labeling import label as label_pairs
from xlm_align_fairseq.errors import InputError

SENTENCES = {"de-en": 40, "fr-en": 25}
ENCODER_LIMIT = 80  # pieces; some pairs are longer


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make `place / model`, a random tiny encoder, and `place / data`, shipped sentences binarised for it."""
    place = tmp_path_factory.mktemp("place")
    trained = io.BytesIO()
    text = {pair: (SHIPPED / pair / "train.tsv").read_text("utf-8").splitlines()[:n] for pair, n in SENTENCES.items()}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([side for rows in text.values() for row in rows for side in row.split("\t")]),
        model_writer=trained,
        vocab_size=300,
        minloglevel=2,
        num_threads=1,
    )
    (place / "model").mkdir()
    write_random_model(place / "model", trained.getvalue(), max_positions=ENCODER_LIMIT)
    for pair, rows in text.items():
        (place / pair).write_text("".join(f"{row}\n" for row in rows), "utf-8")
        for split in ("train", "valid")[: 1 + (pair == "de-en")]:
            flags = ["--tsv", place / pair, "--lang-pair", pair, "--split", split, "--out", place / "data"]
            assert main.main(["binarize", "--model", *map(str, [place / "model", *flags])]) == 0
    return place


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    """Return a function that labels into a directory of the test; slabs are small, so that every shard has some."""
    monkeypatch.setattr(pass_shards, "SLAB", 8)

    def command(*flags, out="labels", model="model"):
        start = ["--model", str(place / model)] if model else []
        return label.main([*start, "--data", str(place / "data"), "--out", str(tmp_path / out), "--device", "cpu", *flags])

    return command


@pytest.fixture(scope="module")
def corpus(place):
    corpus = Corpus.open(place / "data", "train", None, ENCODER_LIMIT)
    assert 20 < corpus.usable.sum() < len(corpus)
    return corpus


def test_labels_are_those_of_the_model(run, place, tmp_path, corpus, capsys):
    assert run("--quiet") == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path}/labels/labels.train.json\n"
    store = LabelStore(tmp_path / "labels", "train", corpus)
    used = [int(corpus.usable[begin:end].sum()) for begin, end in itertools.pairwise(corpus.starts)]
    longer = {name: n - kept for (name, n), kept in zip(SENTENCES.items(), used, strict=True)}
    left_out = [f"{name}: left out: 0 empty, {n} longer than {ENCODER_LIMIT} pieces" for name, n in longer.items() if n]
    assert printed.err.splitlines() == [*summary(store.manifest), *left_out]
    assert left_out
    assert {name: pair["sentences"] for name, pair in store.manifest["pairs"].items()} == SENTENCES
    assert sum(pair["labelled"] for pair in store.manifest["pairs"].values()) == corpus.usable.sum()
    aligner = Aligner.load(place / "model")
    for number in np.flatnonzero(corpus.usable)[::7]:
        ids = np.array([number])
        links = label_pairs(aligner.weights, corpus.pieces(ids), aligner.config).links[0].nonzero()
        assert store.links(ids)[1].tolist() == links.tolist() != []
    assert store.links(np.flatnonzero(~corpus.usable))[0].sum() == 0


def test_labels_may_stand_beside_the_text(place, tmp_path, run, monkeypatch):
    """Labels in the data directory are not read as text by the next pass."""
    data = tmp_path / "both"
    data.mkdir()
    for path in (place / "data").iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    run("--quiet", "--data", str(data), out="both")
    first = tree(data)
    run("--quiet", "--data", str(data), out="both")
    assert tree(data) == first
    run("--quiet")
    assert tree(tmp_path / "labels").items() <= first.items()


def test_given_links_are_not_overwritten(place, tmp_path, run):
    data = tmp_path / "given"
    (tmp_path / "links").write_text("0-0\n" * SENTENCES["de-en"])
    flags = ["--tsv", place / "de-en", "--lang-pair", "de-en", "--out", data, "--pieces", "words"]
    flags += ["--alignments", tmp_path / "links"]
    assert main.main(["binarize", "--model", *map(str, [place / "model", *flags])]) == 0
    before = tree(data)
    for more in ([], ["--merge"]):
        with pytest.raises(InputError, match=r"manifest\.train\.de-en\.json tells of given links, which"):
            run("--quiet", "--data", str(data), *more, out="given")
    assert tree(data) == before
    assert run("--quiet", "--data", str(data)) == 0
    (data / "manifest.train.de-en.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.train\.de-en\.json is not JSON: EOF"):
        run("--quiet", "--data", str(data), out="given")


def test_flags_that_change_nothing(run):
    for flags, said in [
        (["--method", "itermax", "--symmetrization", "union"], "--symmetrization union: changes nothing with scaling none and"),
        (["--method", "argmax", "--sinkhorn-temperature", "0.1", "--cutoff", "1"], "--sinkhorn-temperature 0.1, --cutoff 1.0: "),
        (["--combine", "union"], "--combine union: changes nothing with .* without --also; leave it out, or give another"),
    ]:
        with pytest.raises(InputError, match=said):
            run("--quiet", *flags)
    assert run("--quiet", "--method", "softmax", "--sinkhorn-temperature", "0.1", "--also", "argmax", "--combine", "union") == 0


def test_flags_arrive(run, tmp_path, capsys):
    flags = ["--lang-pairs", "de-en", "--split", "valid", "--extraction", "filter", "--align-layer", "2", "--max-positions", "40"]
    assert run(*flags, "--batch-tokens", "300", "--half", "--quiet") == 0
    manifest = json.loads(Path(capsys.readouterr().out.strip()).read_text("utf-8"))
    assert (manifest["split"], list(manifest["pairs"]), manifest["max_positions"]) == ("valid", ["de-en"], 40)
    signature = parse_signature(manifest["aligner"])
    expected = {"extraction": "filter", "align_layer": "2", "batch_tokens": "300", "autocast": "bfloat16", "encoding": "separate"}
    assert {key: signature[key] for key in expected} == expected
    assert set(tree(tmp_path / "labels")) == {"labels.valid.json", "valid.align.de-en.bin", "valid.align.de-en.idx"}


def test_merged_shards_are_an_undivided_pass(run, tmp_path, capsys):
    """Also if the encoder's limit is below `--max-positions`, which merging does not know."""
    run("--quiet")
    undivided = capsys.readouterr()
    for shard in range(3):
        assert run("--num-shards", "3", "--shard-id", str(shard), "--quiet", out="parts") == 0
        assert capsys.readouterr().out == f"{tmp_path}/parts/shards/{shard}-of-3/labels.train.json\n"
        assert not (tmp_path / "parts" / "labels.train.json").exists()
    assert run("--num-shards", "3", "--merge", out="parts", model=None) == 0
    merged = capsys.readouterr()
    assert (merged.out, merged.err) == (f"{tmp_path}/parts/labels.train.json\n", undivided.err)
    assert tree(tmp_path / "parts") == tree(tmp_path / "labels") != {}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num-shards", "0"], "--shard-id 0 --num-shards 0: allowed are parts 0 to num-shards - 1"),
        (["--shard-id", "1"], "--shard-id 1 --num-shards 1: allowed are parts 0 to num-shards - 1"),
        (["--num-shards", "3", "--shard-id", "3"], "--shard-id 3 --num-shards 3: allowed are parts 0 to num-shards - 1"),
        (["--num-shards", "3", "--shard-id", "-1"], "--shard-id -1 --num-shards 3: allowed are parts 0 to num-shards - 1"),
        (["--extraction", "threshold"], "invalid choice: 'threshold'"),
    ],
)
def test_flags_that_cannot_be_used(run, capsys, flags, message):
    with pytest.raises(SystemExit, match="2"):
        run(*flags, model=None)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "nowhere"], "--data nowhere: no such directory of binarised bitext; `xlm-align binarize` makes one"),
        (["--split", "test"], "/data has no test bitext for any pair: it has none"),
        (["--lang-pairs", "de-en,en-de"], "/data has no train bitext for en-de: it has de-en, fr-en"),
        (["--lang-pairs", "de-en,de-en"], "--lang-pairs de-en,de-en: name each language pair once"),
        (["--align-layer", "3"], "--align-layer 3: this encoder has layers 1..2 (0 = embeddings)"),
        (["--device", "nowhere"], "--device nowhere: "),
        (["--merge"], "/shards/0-of-1: no labels of train there; run `xlm-align label` for these shards first"),
        (["--merge", "--num-shards", "2"], "/shards/0-of-2, {out}/shards/1-of-2: no labels of train there; run"),
        (["--out", __file__], f"{__file__}: cannot make the directory (File exists); give another one"),
    ],
)
def test_what_can_be_mended_is_one_line(place, tmp_path, capsys, flags, message):
    start = ["label", "--model", str(place / "model"), "--data", str(place / "data"), "--out", str(tmp_path / "out"), "--quiet"]
    assert main.main([*start, "--device", "cpu", *flags]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("xlm-align label: error: ")
    assert message.format(out=tmp_path / "out") in line
    assert printed.out == ""
    assert not list(tmp_path.iterdir())


def test_help_needs_neither_torch_nor_fairseq():
    code = (
        "import sys\nfrom xlm_align_fairseq.cli import label\n"
        "try: label.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit([m for m in ('torch', 'fairseq', 'numpy') if m in sys.modules].__repr__())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
    assert "labels.SPLIT.json" in done.stdout
