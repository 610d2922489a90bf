"""Fixture of the tests of whole programs: shipped sentences, a sentencepiece model of them, a random tiny encoder."""

import pytest
import sentencepiece
import torch
from world import SHIPPED, train_flags, write_random_model

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


@pytest.fixture
def build(world, tmp_path):
    """Return a function that makes task, model, criterion and trainer as fairseq-train does, with the training data loaded."""
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq.trainer import Trainer

    def make(*more):
        torch.set_num_threads(1)
        flags = train_flags(world, tmp_path, "--optimizer", "sgd", "--lr", "0.1", *more)
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), flags))
        torch.manual_seed(cfg.common.seed)
        task = tasks.setup_task(cfg.task)
        model = task.build_model(cfg.model)
        trainer = Trainer(cfg, task, model, task.build_criterion(cfg.criterion))
        trainer.get_train_iterator(epoch=1)
        trainer.begin_epoch(1)
        return task, model, trainer

    return make
