"""Fixture of the tests of whole programs: shipped sentences, a sentencepiece model of them, a random tiny encoder."""

import pytest
import sentencepiece
from world import SHIPPED, write_random_model

from xlm_align_fairseq.cli.main import main

PAIRS = ("de-en", "fr-en")
SENTENCES = 120


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Make text, model directory and binarised data, once: `world / text`, `world / model`, `world / data`."""
    world = tmp_path_factory.mktemp("world")
    text, model, data = (world / name for name in ("text", "model", "data"))
    for path in (text, model, data):
        path.mkdir()
    for pair in PAIRS:
        rows = [line.split("\t") for line in (SHIPPED / pair / "train.tsv").read_text("utf-8").splitlines()[:SENTENCES]]
        for k, lang in enumerate(pair.split("-")):
            (text / f"train.{pair}.{lang}").write_text("".join(f"{row[k]}\n" for row in rows[20:]), "utf-8")
            (text / f"valid.{pair}.{lang}").write_text("".join(f"{row[k]}\n" for row in rows[:20]), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(map(str, sorted(text.iterdir()))),
        model_prefix=str(world / "spm"),
        vocab_size=600,
        minloglevel=2,
    )
    write_random_model(model, (world / "spm.model").read_bytes())
    for pair in PAIRS:
        for split in ("train", "valid"):
            source, target = (str(text / f"{split}.{pair}.{lang}") for lang in pair.split("-"))
            arguments = ["binarize", "--model", str(model), "--lang-pair", pair, "--src", source, "--tgt", target]
            assert main([*arguments, "--split", split, "--out", str(data)]) == 0
    return world
