"""Tests of ``xlm-align binarize``: what is printed where, the files, refusals, what is imported."""

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


def test_mono(model, work, capsys):
    assert binarize.main(["--model", str(model), "--mono", "src", "--split", "extra", "--out", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "out/manifest.extra.json\n"
    assert printed.err.startswith("5 lines read\n  kept                          4  80.00 %\n  empty       ")
    assert Path("out/extra.idx").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--src", "src"], "give --src and --tgt, or --tsv, or --mono"),
        ([], "give --src and --tgt, or --tsv, or --mono"),
        (["--tsv", "tsv", "--mono", "src"], "give --src and --tgt, or --tsv, or --mono"),
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
