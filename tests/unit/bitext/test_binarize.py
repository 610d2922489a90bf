"""Tests of binarising: the bytes that fairseq would write, what is left out, links, the manifest, runs that fail."""

import dataclasses
import gzip
import hashlib
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from fairseq.data import Dictionary, data_utils
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from signatures import parse_signature

from xlm_align_fairseq.alignment.words import piece_links
from xlm_align_fairseq.bitext import binarize as binarize_module
from xlm_align_fairseq.bitext import encode as chunks
from xlm_align_fairseq.bitext.binarize import binarize_mono, binarize_pairs, manifest_with_links
from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.encode import Options
from xlm_align_fairseq.bitext.labels import LabelStore
from xlm_align_fairseq.encoder.pieces import PieceFiles
from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.pretraining.dataset import BitextDataset, StreamConfig
from xlm_align_fairseq.plugin.pretraining.mono import MonoBlocks
from xlm_align_fairseq.text.lines import BARS, LONGEST_SIDE

ODD = "eins\u2028zwei\u00a0drei\x85vier\rfünf"  # one line
ALL, WORDS = Options(max_ratio=1e6), Options(pieces="words", max_ratio=1e6)  # made-up pairs differ in length
N_LINES = 300


@pytest.fixture(scope="module")
def text():
    draw = random.Random(7)
    words = ["".join(draw.choices("abcdefgäöü", k=draw.randint(1, 9))) for _ in range(150)]
    lines = [" ".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(2 * N_LINES)]
    return lines[:N_LINES], lines[N_LINES:]


@pytest.fixture(scope="module")
def model(tmp_path_factory, text):
    """The directory of a tiny model; its dictionary lacks some pieces, which become `<unk>`."""
    directory = tmp_path_factory.mktemp("model")
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*text[0], *text[1]]), model_writer=trained, vocab_size=80, minloglevel=2, num_threads=1
    )
    (directory / "sentencepiece.bpe.model").write_bytes(trained.getvalue())
    whole = Vocabulary.from_sentencepiece(trained.getvalue())
    Vocabulary(whole.pieces[4:-1:1][:-9]).write(directory / "dict.txt")
    return directory


@pytest.fixture(scope="module")
def files(model):
    return PieceFiles.read(model / "dict.txt", model / "sentencepiece.bpe.model")


@pytest.fixture
def corpus(tmp_path, text):
    """Write a corpus; a key word replaces a file."""

    def write(**changes):
        contents = {"de": text[0], "en": text[1], **changes}
        paths = {}
        for name, lines in contents.items():
            paths[name] = tmp_path / f"corpus.{name}"
            paths[name].write_bytes("".join(f"{line}\n" for line in lines).encode())
        return paths

    return write


def run(files, paths, out, workers=1, options=None, alignments=None, split="train"):
    return binarize_pairs(
        files,
        [paths["de"], paths["en"]],
        ("de", "en"),
        out,
        split=split,
        alignments=alignments,
        options=options,
        workers=workers,
    )


def contents(directory):
    return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


def load(prefix):
    read = data_utils.load_indexed_dataset(str(prefix), None)
    return [read[i].tolist() for i in range(len(read))]


def test_the_bytes_are_those_of_fairseq(files, model, corpus, text, tmp_path):
    out = tmp_path / "out"
    run(files, corpus(), out, options=ALL)
    dictionary = Dictionary.load(str(model / "dict.txt"))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model / "sentencepiece.bpe.model"))
    for language, lines in zip(("de", "en"), text, strict=True):
        builder = MMapIndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.uint16)
        for line in lines:
            encoded = " ".join(pieces.encode(line, out_type=str))
            builder.add_item(dictionary.encode_line(encoded, add_if_not_exist=False, append_eos=True).long())
        builder.finalize(str(tmp_path / "theirs.idx"))
        for ending in ("bin", "idx"):
            ours = out / f"train.de-en.{language}.{ending}"
            assert ours.read_bytes() == (tmp_path / f"theirs.{ending}").read_bytes()
    assert (out / "dict.txt").read_bytes() == (model / "dict.txt").read_bytes()


def test_the_stream_of_training_has_the_joint_sequences(files, corpus, tmp_path):
    out = tmp_path / "out"
    alignments = corpus(align=["0-0"] * N_LINES)["align"]
    run(files, corpus(), out, options=WORDS, alignments=alignments)
    sides = [data_utils.load_indexed_dataset(str(out / f"train.de-en.{lang}"), None) for lang in ("de", "en")]
    links = data_utils.load_indexed_dataset(str(out / "train.align.de-en"), None)
    config = StreamConfig(seed=1, mask_id=len(files.vocabulary) - 1, both_orders=False, shuffle=False)
    corpus_read = Corpus.open(out, "train", None, 512)
    stream, labels = BitextDataset(corpus_read, config), LabelStore(out, "train", corpus_read)
    for n in (0, 1, N_LINES - 1):
        source, target = (side[n].tolist() for side in sides)
        assert source[-1] == target[-1] == 2
        assert 0 not in source + target
        assert 1 not in source + target
        assert stream[n]["joint"].tolist() == [0, *source, *target]
        counts, cells = labels.links(np.array([n]))
        assert cells.tolist() == links[n].reshape(-1, 2).tolist()
        assert counts.tolist() == [len(cells)] >= [1]


@pytest.mark.parametrize("kind", ["running", "aligned"])
def test_any_number_of_workers_gives_the_same(files, corpus, text, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 17)
    changes = {"de": list(text[0]), "align": ["0-0"] * N_LINES}
    for n in range(0, N_LINES, 23):
        changes["de"][n], changes["align"][n] = "", ""
    paths = corpus(**changes)
    options, alignments = (WORDS, paths["align"]) if kind == "aligned" else (None, None)
    one = run(files, paths, tmp_path / "one", 1, options, alignments)
    run(files, paths, tmp_path / "three", 3, options, alignments)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    assert one.manifest["dropped"]["empty_source"] == len(range(0, N_LINES, 23))
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 1000)
    run(files, paths, tmp_path / "large", 1, options, alignments)
    assert contents(tmp_path / "one") == contents(tmp_path / "large")


def reason(source, target, options):
    """Implement the rules for leaving out pairs a second time, independently."""
    if source == 0:
        return "empty_source"
    if target == 0:
        return "empty_target"
    if source > options.max_pieces or target > options.max_pieces or 1 + source + 1 + target + 1 > options.max_positions:
        return "too_long"
    if max(source, target) > 10 and max(source, target) / min(source, target) > options.max_ratio:
        return "mismatched_lengths"
    return None


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(max_pieces=20),
        Options(max_positions=40),
        Options(max_ratio=1.5),
        Options(max_pieces=30, max_positions=44, max_ratio=2.0, pieces="words", tokenizer="13a"),
    ],
)
def test_what_is_read_is_kept_or_left_out_for_a_reason(files, corpus, text, tmp_path, options):
    source, target = list(text[0]), list(text[1])
    source[3], target[4], source[5], target[5], source[6] = "", "", "", "", " \u00a0 "
    source[7] = target[8] = " ".join(["aä"] * 260)
    done = run(files, corpus(de=source, en=target), tmp_path / "out", options=options)
    pieces = open_sentencepiece(files.sentencepiece)

    def length(line):
        if options.pieces == "running":
            return len(pieces.encode(line))
        return sum(len(pieces.encode(word)) for word in line.split())  # these lines have no punctuation

    expected = [reason(length(a), length(b), options) for a, b in zip(source, target, strict=True)]
    manifest = done.manifest
    assert manifest["dropped"] == {name: expected.count(name) for name in chunks.PAIR_REASONS}
    assert manifest["kept"] == expected.count(None)
    assert manifest["kept"] + sum(manifest["dropped"].values()) == manifest["lines"] == N_LINES
    for language, lines in (("de", source), ("en", target)):
        kept = [length(line) for line, why in zip(lines, expected, strict=True) if why is None]
        assert [len(item) - 1 for item in load(tmp_path / "out" / f"train.de-en.{language}")] == kept
        assert manifest["pieces"][language] == sum(kept)


def test_lengths_up_to_ten_always_match():
    encoder = object.__new__(chunks.ChunkEncoder)
    encoder.options = Options(max_ratio=2.0)
    assert encoder._reason([10, 1]) is None
    assert encoder._reason([11, 1]) == encoder._reason([1, 11]) == "mismatched_lengths"
    assert encoder._reason([12, 6]) is None
    assert encoder._reason([13, 6]) == "mismatched_lengths"
    encoder.options = Options()
    assert encoder._reason([250, 250]) is None  # 503 positions
    assert encoder._reason([251, 250]) == "too_long"
    encoder.options = Options(max_pieces=500)
    assert encoder._reason([255, 254]) is None
    assert encoder._reason([255, 255]) == "too_long"


def test_odd_characters_do_not_end_a_line(files, corpus, tmp_path):
    done = run(files, corpus(de=[ODD, "a"], en=["x", ODD]), tmp_path / "out", options=ALL)
    assert done.manifest["lines"] == done.manifest["kept"] == 2


def test_links_of_words_become_links_of_pieces(files, corpus, text, tmp_path):
    draw = random.Random(3)
    source, target = list(text[0]), list(text[1])
    source[0], target[1] = "ab  cd", "\u00a0 ab"  # an empty word, a word without pieces
    alignments = []
    for a, b in zip(source, target, strict=True):
        cells = [(i, j) for i in range(len(a.split(" "))) for j in range(len(b.split(" ")))]
        alignments.append(draw.sample(cells, draw.randint(0, min(6, len(cells)))))
    alignments[0] = [(1, 0), (2, 0), (0, 0)]
    alignments[1] = [(0, 0)]
    source[9], alignments[9] = "", []  # left out: items and links still belong together
    paths = corpus(de=source, en=target, align=[" ".join(f"{i}-{j}" for i, j in links) for links in alignments])
    done = run(files, paths, tmp_path / "out", options=WORDS, alignments=paths["align"])
    pieces = open_sentencepiece(files.sentencepiece)
    expected = []
    for n, (a, b, links) in enumerate(zip(source, target, alignments, strict=True)):
        if n == 9:
            continue
        owners = [[w for w, word in enumerate(side.split(" ")) for _ in pieces.encode(word)] for side in (a, b)]
        cells = [(p, q) for p, i in enumerate(owners[0]) for q, j in enumerate(owners[1]) if (i, j) in links]
        expected.append([x for cell in cells for x in cell])
    found = load(tmp_path / "out" / "train.align.de-en")
    assert found == expected
    assert [] in found
    assert found[1] == []
    word_links = sum(len(links) for n, links in enumerate(alignments) if n != 9)
    assert done.manifest["links"] == {"words": word_links, "pieces": sum(map(len, expected)) // 2}


def test_piece_links_worked_by_hand():
    links = piece_links([(2, 0), (0, 1), (1, 1)], np.array([0, 0, 2]), np.array([0, 1, 1]))
    assert links.tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [2, 0]]
    assert piece_links([], np.array([0]), np.array([0])).shape == (0, 2)


def test_pairs_without_any_link_can_be_read(files, corpus, tmp_path):
    paths = corpus(align=[""] * N_LINES)
    run(files, paths, tmp_path / "out", options=WORDS, alignments=paths["align"])
    assert load(tmp_path / "out" / "train.align.de-en") == [[]] * N_LINES


@pytest.mark.parametrize("workers", [1, 2])
def test_links_out_of_range_name_the_line(files, corpus, text, tmp_path, workers, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 8)
    source = list(text[0])
    source[20] = ""  # left out, but its wrong links are still an error
    paths = corpus(de=source, align=["0-0"] * N_LINES)
    message = rf"^{paths['align']}:21: link 0-0 \(0-based\) is out of range: 0 source words and \d target words"
    with pytest.raises(InputError, match=message):
        run(files, paths, tmp_path / "out", workers, WORDS, paths["align"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0-0"] * (N_LINES - 1), rf"corpus.align: {N_LINES - 1} lines, but {N_LINES} lines in .*corpus.de; line n of"),
        (
            ["0-0"] * 5 + ["0:0"] + ["0-0"] * (N_LINES - 6),
            r"corpus.align:6: '0:0' is not a link; allowed are links like",
        ),
    ],
)
def test_alignments_that_do_not_fit(files, corpus, tmp_path, lines, message):
    paths = corpus(align=lines)
    with pytest.raises(InputError, match=message):
        run(files, paths, tmp_path / "out", options=WORDS, alignments=paths["align"])
    assert not (tmp_path / "out").exists()


def test_links_of_an_earlier_run_do_not_stay(files, corpus, tmp_path):
    paths = corpus(align=["0-0"] * N_LINES)
    run(files, paths, tmp_path / "out", options=WORDS, alignments=paths["align"])
    assert (tmp_path / "out" / "train.align.de-en.idx").exists()
    (tmp_path / "out" / "labels.train.json").write_text("what `xlm-align label` says of links that are there no longer")
    run(files, paths, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*align*"))
    assert not list((tmp_path / "out").glob("labels*"))


def test_unequal_sides_name_both_files_and_counts(files, corpus, tmp_path):
    paths = corpus(en=["a"] * 7)
    with pytest.raises(InputError, match=rf"^{paths['en']}: 7 lines, but {N_LINES} lines in {paths['de']}; line n of"):
        run(files, paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tsv_and_packed_text_give_the_same_data(files, corpus, text, tmp_path):
    alignments = corpus(align=["0-0"] * N_LINES)["align"]
    run(files, corpus(), tmp_path / "two", options=WORDS, alignments=alignments)
    tsv = tmp_path / "corpus.tsv.gz"
    tsv.write_bytes(gzip.compress("".join(f"{a}\t{b}\n" for a, b in zip(*text, strict=True)).encode()))
    for name, given in (("tsv", None), ("aligned", alignments)):
        done = binarize_pairs(files, [tsv], ("de", "en"), tmp_path / name, options=WORDS, alignments=given)
        assert done.manifest["inputs"]["pairs"] == {
            "name": "corpus.tsv.gz",
            "sha256": hashlib.sha256(tsv.read_bytes()).hexdigest(),
            "lines": N_LINES,
        }
        two, one = contents(tmp_path / "two"), contents(tmp_path / name)
        assert len(one) == (8 if given else 6)
        assert all(two[file] == data for file, data in one.items() if not file.startswith("manifest"))
    bars = tmp_path / "corpus.bars"
    bars.write_bytes("".join(f"{a} ||| {b}\n" for a, b in zip(*text, strict=True)).encode())
    binarize_pairs(files, [bars], ("de", "en"), tmp_path / "bars", separator=BARS, options=WORDS, alignments=alignments)
    assert contents(tmp_path / "bars").keys() == two.keys()
    assert all(two[file] == data for file, data in contents(tmp_path / "bars").items() if not file.startswith("manifest"))
    bad = tmp_path / "bad.tsv"
    bad.write_text("a\tb\na b\n", encoding="utf-8")
    for given in (None, alignments):
        with pytest.raises(InputError, match=r"bad\.tsv:2: no tab; allowed are source and target"):
            binarize_pairs(files, [bad], ("de", "en"), tmp_path / "bad", options=WORDS, alignments=given)


def test_the_manifest(files, model, corpus, text, tmp_path):
    paths = corpus()
    done = run(files, paths, tmp_path / "out", split="valid")
    assert done.path == tmp_path / "out" / "manifest.valid.de-en.json"
    manifest = json.loads(done.path.read_text(encoding="utf-8"))
    assert manifest == done.manifest
    assert (manifest["format"], manifest["version"]) == ("xlm-align bitext", 1)
    assert manifest["inputs"]["source"] == {
        "name": "corpus.de",
        "sha256": hashlib.sha256(paths["de"].read_bytes()).hexdigest(),
        "lines": N_LINES,
    }
    assert manifest["sha256"] == {
        "dictionary": hashlib.sha256((model / "dict.txt").read_bytes()).hexdigest(),
        "sentencepiece": hashlib.sha256((model / "sentencepiece.bpe.model").read_bytes()).hexdigest(),
    }
    written = {name: data for name, data in contents(tmp_path / "out").items() if name.startswith("valid.")}
    assert manifest["outputs"] == {name: hashlib.sha256(data).hexdigest() for name, data in written.items()}
    for language in ("de", "en"):
        ids = [piece for item in load(tmp_path / "out" / f"valid.de-en.{language}") for piece in item[:-1]]
        assert manifest["pieces"][language] == len(ids)
        assert manifest["unknown"][language] == ids.count(3) / len(ids) > 0
    label = parse_signature(manifest["signature"])
    assert label["pieces"] == "running"
    assert label["max_ratio"] == "9.0"
    assert label["split"] == "valid.de-en"
    assert str(tmp_path) not in done.path.read_text(encoding="utf-8")


def test_the_signature_tells_of_everything_that_changes_the_output(files, corpus, text, tmp_path):
    def sign(options=None, **changes):
        return run(files, corpus(**changes), tmp_path / "out", options=options).manifest["signature"]

    variants = [
        sign(),
        sign(WORDS),
        sign(Options(pieces="words", tokenizer="13a")),
        sign(Options(max_pieces=9)),
        sign(Options(max_ratio=2.0)),
        sign(Options(max_positions=500)),
        sign(Options(replace_invalid=True)),
        sign(de=text[1]),
        sign(en=text[0]),
    ]
    assert len(set(variants)) == len(variants)
    assert sign() == variants[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_leaves_what_was_there(files, corpus, text, tmp_path, workers, monkeypatch):
    paths = corpus()
    run(files, paths, tmp_path / "out")
    before = contents(tmp_path / "out")

    def interrupted(*_):
        yield from zip(text[1][:50], text[0][:50], strict=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(chunks, "CHUNK_ROWS", 8)
    monkeypatch.setattr(binarize_module, "read_bitext", interrupted)
    for out in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            run(files, paths, out, workers)
    assert contents(tmp_path / "out") == before
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_what_was_there(files, corpus, text, tmp_path, monkeypatch):
    run(files, corpus(), tmp_path / "out")
    before = contents(tmp_path / "out")
    finished = []

    def finish(writer, original=binarize_module.IndexedWriter.finish):
        if len(finished) == 1:
            raise OSError(28, "No space left on device")
        finished.append(original(writer))

    monkeypatch.setattr(binarize_module.IndexedWriter, "finish", finish)
    with pytest.raises(OSError, match="No space left"):
        run(files, corpus(de=text[1]), tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_another_dictionary_is_refused_before_anything_is_read(files, corpus, tmp_path, monkeypatch):
    run(files, corpus(), tmp_path / "out")
    other = tmp_path / "dict.txt"
    other.write_bytes(files.dictionary + b"neu 1\n")
    (tmp_path / "spm").write_bytes(files.sentencepiece)
    before = contents(tmp_path / "out")
    monkeypatch.setattr(binarize_module, "cut", lambda *_: pytest.fail("read"))
    with pytest.raises(InputError, match=r"out/dict\.txt differs from the model's dictionary.*give another --out"):
        run(PieceFiles.read(other, tmp_path / "spm"), corpus(), tmp_path / "out", split="valid")
    assert contents(tmp_path / "out") == before


def test_several_splits_and_languages_share_a_directory(files, corpus, text, tmp_path):
    paths = corpus()
    for split in ("train", "valid"):
        for languages in (("de", "en"), ("fr", "zh_Hans")):
            binarize_pairs(files, [paths["de"], paths["en"]], languages, tmp_path / "out", split=split)
    binarize_mono(files, paths["de"], tmp_path / "out")
    assert len(list((tmp_path / "out").glob("manifest.*.json"))) == 5
    assert len(list((tmp_path / "out").glob("*.idx"))) == 9


def test_nothing_left_is_an_error(files, corpus, tmp_path):
    message = "nothing to keep .0 empty source, 3 empty target, 0 too long, 0 mismatched lengths.; check the files"
    with pytest.raises(InputError, match=message):
        run(files, corpus(de=["a"] * 3, en=[""] * 3), tmp_path / "out")
    with pytest.raises(InputError, match="nothing to keep"):
        run(files, corpus(de=[], en=[]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [ALL, WORDS, Options(max_pieces=1 << 30, max_positions=1 << 30, max_ratio=1e9)])
def test_a_line_that_is_too_long_for_any_options_is_left_out_and_counted(files, corpus, tmp_path, options):
    """Pieces are not made of it: that takes some 250 bytes a character."""
    long = "x" * (LONGEST_SIDE + 1)
    paths = corpus(de=["a", long, "b", "a"], en=["a", "b", long, "b"], links=["0-0", "0-0", "", "0-0"])
    alignments = paths["links"] if options is WORDS else None
    done = run(files, paths, tmp_path / "out", options=options, alignments=alignments)
    assert (done.manifest["lines"], done.manifest["kept"], done.manifest["dropped"]["too_long"]) == (4, 2, 2)
    mono = binarize_mono(files, paths["en"], tmp_path / "mono", options=Options())
    assert (mono.manifest["lines"], mono.manifest["kept"], mono.manifest["dropped"]) == (4, 3, {"empty": 0, "too_long": 1})


@pytest.mark.parametrize("workers", [1, 2])
def test_monolingual_lines_become_blocks(files, corpus, text, tmp_path, workers):
    lines = [*text[0][:5], "", ODD, " ".join(["a"] * 600)]
    done = binarize_mono(files, corpus(de=lines)["de"], tmp_path / "out", workers=workers)
    assert sorted(contents(tmp_path / "out")) == ["dict.txt", "manifest.train.json", "train.bin", "train.idx"]
    assert done.manifest["dropped"] == {"empty": 1}
    assert done.manifest["kept"] == 7
    assert done.manifest["lines"] == 8
    assert done.manifest["languages"] is None
    items = load(tmp_path / "out" / "train")
    assert items[6][-1] == 2
    assert len(items[6]) > 512
    blocks = MonoBlocks(tmp_path / "out", "train", 16)
    flat = [piece for item in items for piece in item]
    assert blocks[0].tolist() == [0, *flat[:15]]
    assert blocks[1].tolist() == [0, *flat[15:30]]


@pytest.mark.parametrize(
    ("languages", "split", "message"),
    [
        (("de", "zh-Hans"), "train", r"language 'zh-Hans': allowed are letters, digits and _; it becomes part of file"),
        (("../de", "en"), "train", r"language '../de': allowed are letters"),
        (("de", "de"), "train", r"languages de-de: source and target need different codes"),
        (("de", "en"), "train.1", r"split 'train.1': allowed are letters, digits, _ and -"),
    ],
)
def test_names_that_would_not_be_found_again(files, corpus, tmp_path, languages, split, message):
    paths = corpus()
    with pytest.raises(InputError, match=message):
        binarize_pairs(files, [paths["de"], paths["en"]], languages, tmp_path / "out", split=split)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pieces": "bytes"}, "--pieces bytes: allowed are running, words"),
        ({"tokenizer": "13a"}, "--tokenizer 13a: --pieces running has no words; give --pieces words"),
        ({"max_pieces": 0}, "--max-pieces 0: allowed are 1 and more pieces"),
        ({"max_ratio": 0.5}, "--max-ratio 0.5: allowed are 1 and more"),
        ({"max_ratio": float("inf")}, "--max-ratio inf: allowed are 1 and more; a large number keeps all"),
        ({"max_ratio": float("nan")}, "--max-ratio nan"),
        ({"max_positions": 4}, "--max-positions 4: allowed are 5 and more pieces"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        Options(**options)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", ": the content is []: allowed is an object"),
        ('["links"]', ": the content is ['links']: allowed is an object"),
        ('"links"', ": the content is 'links': allowed is an object"),
        ("{}", ": format is missing"),
        ("{", " is not JSON: EOF while parsing an object"),
        ("\xff", " is not JSON: "),
        ("[" * 100_000, " is not JSON: recursion limit exceeded"),
        ('{"a":' * 100_000, " is not JSON: recursion limit exceeded"),
        ('{"format": ["a"], "version": 1}', ": format is ['a']: allowed is 'xlm-align bitext'"),
        ('{"format": "xlm-align bitext", "version": 9}', ": version is 9: allowed is 1"),
        ('{"format": "xlm-align bitext", "version": 1}', ": split is missing"),
        ('{"format": "xlm-align bitext", "version": 1, "split": "train", "links": 3}', ": links is 3: allowed is an object"),
        (
            '{"format": "xlm-align bitext", "version": 1, "split": "a", "sha256": {"b": 1}}',
            ": sha256.b is 1: allowed is a valid string",
        ),
    ],
)
def test_manifests_that_are_none(tmp_path, text, fault):
    (tmp_path / "manifest.train.de-en.json").write_text(text, "latin-1")
    with pytest.raises(InputError) as error:
        manifest_with_links(tmp_path, "train")
    assert f"manifest.train.de-en.json{fault}" in str(error.value)
    assert str(error.value).endswith("; binarise this text again")
    assert manifest_with_links(tmp_path, "valid") is None


def test_more_refusals(files, model, corpus, tmp_path):
    paths = corpus(align=["0-0"] * N_LINES)
    with pytest.raises(InputError, match=r"--alignments link words, .* give --pieces words"):
        run(files, paths, tmp_path / "out", alignments=paths["align"])
    with pytest.raises(InputError, match="--workers 0: allowed are 1 and more processes"):
        run(files, paths, tmp_path / "out", workers=0)
    with pytest.raises(InputError, match="tokeniser 'flores200' makes pieces"):
        run(files, paths, tmp_path / "out", options=Options(pieces="words", tokenizer="flores200"))
    with pytest.raises(InputError, match=r"cannot make the directory \(Not a directory\)"):
        run(files, paths, paths["de"] / "out")
    with pytest.raises(InputError, match=r"nowhere: cannot read the dictionary"):
        PieceFiles.read(tmp_path / "nowhere", model / "sentencepiece.bpe.model")
    paths["de"].write_bytes(b"gut\n\xffgut\n")
    with pytest.raises(InputError, match=rf"{paths['de']}:2: byte 0xff \(byte 1 of the line\) is not UTF-8"):
        run(files, paths, tmp_path / "out")
    paths["en"].write_bytes(b"gut\nx\n")
    done = run(files, paths, tmp_path / "out", options=Options(replace_invalid=True))
    assert done.manifest["kept"] == 2


def test_the_vocabulary_decides_the_item_type(files, corpus, tmp_path):
    many = "".join(f"x{n} 1\n" for n in range(70_000)).encode()
    (tmp_path / "dict.txt").write_bytes(many)
    (tmp_path / "spm").write_bytes(files.sentencepiece)
    run(PieceFiles.read(tmp_path / "dict.txt", tmp_path / "spm"), corpus(), tmp_path / "out")
    read = data_utils.load_indexed_dataset(str(tmp_path / "out" / "train.de-en.de"), None)
    assert read._index.dtype == np.uint32
    assert read[0].dtype == torch.int64


def test_another_sentencepiece_model_in_one_directory_is_refused(files, corpus, tmp_path):
    """The dictionary can be the same: train and valid would be cut into pieces in two ways. What is replaced does not matter."""
    from sentencepiece import sentencepiece_model_pb2

    paths, out = corpus(), tmp_path / "out"
    run(files, paths, out)
    run(files, paths, out, split="valid")
    before = contents(out)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(files.sentencepiece)
    proto.pieces[20].score -= 1
    other = dataclasses.replace(files, sentencepiece=proto.SerializeToString())
    message = r"manifest\.train\.de-en\.json is of text that another sentencepiece model cut into pieces \(SHA-256 .{16}…, that"
    with pytest.raises(InputError, match=message):
        run(other, paths, out, split="valid")
    assert contents(out) == before
    for file in out.glob("*valid*"):
        file.unlink()
    run(other, paths, out)  # all that is there is made anew
