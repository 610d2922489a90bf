"""Tests of ``xlm-align binarize``: what is printed where, the files, refusals, what is imported."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece

from xlm_align_fairseq.cli import binarize, main
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError

SOURCE = ["der Hund bellt", "", "die Katze schläft", "ein Haus", "rot"]
TARGET = ["the dog barks", "nothing", "the cat sleeps", "a house", "red " * 300]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SOURCE, *TARGET] * 3),
        model_writer=trained,
        vocab_size=38,
        minloglevel=2,
        num_threads=1,
    )
    (directory / "sentencepiece.bpe.model").write_bytes(trained.getvalue())
    Vocabulary.from_sentencepiece(trained.getvalue()).write(directory / "dict.txt")
    return directory


@pytest.fixture
def work(tmp_path, monkeypatch):
    def write(name, lines):
        (tmp_path / name).write_bytes("".join(f"{line}\n" for line in lines).encode())

    write("src", SOURCE)
    write("tgt", TARGET)
    write("tsv", [f"{a}\t{b}" for a, b in zip(SOURCE, TARGET, strict=True)])
    write("align", ["0-0 1-1 2-2", "", "0-0 1-1", "1-1", "0-0"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


PAIR = ["--lang-pair", "de-en", "--src", "src", "--tgt", "tgt"]


def test_pairs(model, work, capsys):
    assert binarize.main(["--model", str(model), *PAIR, "--out", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "out/manifest.train.de-en.json\n"
    table = printed.err.splitlines()
    assert table[:6] == [
        "5 pairs read",
        "  kept                          3  60.00 %",
        "  empty source                  1  20.00 %",
        "  empty target                  0   0.00 %",
        "  too long                      1  20.00 %",
        "  mismatched lengths            0   0.00 %",
    ]
    manifest = json.loads(Path("out/manifest.train.de-en.json").read_text(encoding="utf-8"))
    assert table[6:] == [f"  pieces {lang:<11} {manifest['pieces'][lang]:>12}, 0.00 % of them <unk>" for lang in ("de", "en")]
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "dict.txt",
        "manifest.train.de-en.json",
        *(f"train.de-en.{lang}.{ending}" for lang in ("de", "en") for ending in ("bin", "idx")),
    ]


def test_flags_arrive(model, work, capsys):
    flags = ["--tsv", "tsv", "--lang-pair", "de-en", "--alignments", "align", "--pieces", "words", "--tokenizer", "13a"]
    flags += ["--max-pieces", "2000", "--max-positions", "4000", "--max-ratio", "99999", "--split", "valid"]
    flags += ["--replace-invalid", "--workers", "2"]
    assert binarize.main(["--model", str(model), *flags, "--out", "out"]) == 0
    printed = capsys.readouterr()
    manifest = json.loads(Path(printed.out.strip()).read_text(encoding="utf-8"))
    assert manifest["options"] == {
        "pieces": "words", "tokenizer": "13a", "max_pieces": 2000, "max_ratio": 99999.0, "max_positions": 4000,
        "replace_invalid": True,
    }  # fmt: skip
    assert manifest["kept"] == 4
    assert manifest["split"] == "valid"
    assert f"  links                         7 of words, {manifest['links']['pieces']} of pieces" in printed.err


def same_data(one, other):
    """Compare all files but the manifests, which name the input files, and return the manifests."""
    names = sorted(path.name for path in Path(one).iterdir())
    assert names == sorted(path.name for path in Path(other).iterdir())
    for name in names:
        if not name.startswith("manifest"):
            assert (Path(one) / name).read_bytes() == (Path(other) / name).read_bytes()
    return [json.loads((Path(path) / "manifest.train.de-en.json").read_text("utf-8")) for path in (one, other)]


def test_every_form_of_pairs_gives_the_same_data(model, work, monkeypatch):
    bars = "".join(f"{a} ||| {b}\n" for a, b in zip(SOURCE, TARGET, strict=True)).encode()
    Path("pairs.gz").write_bytes(gzip.compress(bars))
    words = ["--model", str(model), "--lang-pair", "de-en", "--pieces", "words"]
    links = ["--alignments", "align"]
    assert binarize.main([*words, *PAIR[2:], *links, "--out", "two"]) == 0
    for name, flags in {"tsv": ["--tsv", "tsv"], "bars": ["--pairs", "pairs.gz"]}.items():
        assert binarize.main([*words, *flags, *links, "--out", f"of-{name}"]) == 0
        same_data("two", f"of-{name}")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bars)))
    assert binarize.main([*words, "--pairs", "-", *links, "--out", "stdin"]) == 0
    _, manifest = same_data("two", "stdin")
    assert manifest["inputs"]["pairs"] == {"name": "<stdin>", "sha256": hashlib.sha256(bars).hexdigest(), "lines": 5}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("align").read_bytes())))
    assert binarize.main([*words, *PAIR[2:], "--alignments", "-", "--out", "links"]) == 0
    same_data("two", "links")


def test_a_tokeniser_for_each_side(model, work):
    words = ["--model", str(model), "--lang-pair", "de-en", "--pieces", "words", "--workers", "2"]
    Path("raw").write_text("".join(f"{line.replace(' ', '')}\n" for line in SOURCE), "utf-8")
    Path("split").write_text("".join(f"{' '.join(line.replace(' ', ''))}\n" for line in SOURCE), "utf-8")
    assert binarize.main([*words, "--src", "raw", "--tgt", "tgt", "--tokenizer", "char,none", "--out", "raw-out"]) == 0
    assert binarize.main([*words, "--src", "split", "--tgt", "tgt", "--out", "split-out"]) == 0
    raw, split = same_data("raw-out", "split-out")
    assert raw["options"]["tokenizer"] == "char,none"
    assert "|tokenizer:char-sacrebleu-" in raw["signature"]
    assert "+none|" in raw["signature"]
    assert "|tokenizer:none|" in split["signature"]


def test_mono(model, work, capsys):
    assert binarize.main(["--model", str(model), "--mono", "src", "--split", "extra", "--out", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "out/manifest.extra.json\n"
    assert printed.err.startswith("5 lines read\n  kept                          4  80.00 %\n  empty       ")
    assert Path("out/extra.idx").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tsv", "tsv"], "pairs need --lang-pair, such as de-en"),
        (["--mono", "src", "--lang-pair", "de-en"], "--lang-pair belongs to pairs: leave it out with --mono"),
        (["--mono", "src", "--alignments", "align"], "--alignments belongs to pairs: leave it out with --mono"),
        (["--tsv", "tsv", "--pieces", "bytes"], "invalid choice: 'bytes'"),
    ],
)
def test_flags_that_do_not_go_together(model, work, capsys, flags, message):
    with pytest.raises(SystemExit, match="2"):
        binarize.main(["--model", str(model), *flags, "--out", "out"])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--src", "src"], "--src: allowed are --src and --tgt together, --tsv, --pairs, or --mono alone"),
        ([], "no text: allowed are --src and --tgt together, --tsv, --pairs, or --mono alone"),
        (["--tsv", "tsv", "--mono", "src"], "--tsv --mono: allowed are --src and --tgt together, --tsv, --pairs, or --mono"),
        (["--mono", "src", "--pieces", "words", "--tokenizer", "zh,13a"], "--tokenizer zh,13a: monolingual text has one side"),
        ([*PAIR, "--pieces", "words", "--tokenizer", "a,b,c"], "--tokenizer a,b,c: allowed are one name for both sides, or two"),
        (["--lang-pair", "de-en", "--pairs", "tsv"], r"tsv:1: no \|\|\| between source and target"),
        (
            ["--lang-pair", "de-en", "--pairs", "-", "--pieces", "words", "--alignments", "-"],
            r"- \(standard input\) is given 2 times, but is there once; write the others to files",
        ),
        (["--lang-pair", "deen", "--tsv", "tsv"], "--lang-pair 'deen': allowed are two codes and one - between them"),
        (["--lang-pair", "zh-Hans-en", "--tsv", "tsv"], "--lang-pair 'zh-Hans-en': allowed are .* zh_Hans-en"),
        ([*PAIR, "--tokenizer", "zh"], "--tokenizer zh: --pieces running has no words; give --pieces words"),
        ([*PAIR, "--tokenizer", "moses", "--pieces", "words"], "no tokeniser 'moses'; allowed are none, 13a"),
        ([*PAIR, "--alignments", "align"], "--alignments link words"),
        (["--mono", "nowhere"], "nowhere: cannot read the file .No such file or directory.; check the path"),
    ],
)
def test_what_can_be_mended_is_one_line(model, work, capsys, flags, message):
    with pytest.raises(InputError, match=message):
        binarize.main(["--model", str(model), *flags, "--out", "out"])
    assert main.main(["binarize", "--model", str(model), *flags, "--out", "out"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("xlm-align binarize: error: ")


def test_a_directory_that_is_no_model(work):
    with pytest.raises(InputError, match=r"no config\.json \(Hugging Face\): `xlm-align convert SOURCE --to fairseq DIR"):
        binarize.main(["--model", ".", *PAIR, "--out", "out"])


def test_help_needs_neither_torch_nor_fairseq(work):
    code = (
        "import sys\nfrom xlm_align_fairseq.cli import binarize\n"
        "try: binarize.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit([m for m in ('torch', 'fairseq', 'sacrebleu') if m in sys.modules].__repr__())"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
    assert done.stdout.count("default:") == 7
