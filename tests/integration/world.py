"""What the tests of whole programs share: a random tiny encoder, running programs, training in this process."""

import json
import logging
import os
import subprocess
from pathlib import Path

import torch

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.convert import directory
from xlm_align_fairseq.convert.model import Model
from xlm_align_fairseq.data.vocabulary import Vocabulary
from xlm_align_fairseq.encoder import Encoder, EncoderConfig, init_weights

ROOT = Path(__file__).resolve().parents[2]
USER_DIR = str(ROOT / "xlm_align_fairseq")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def write_random_model(path, spm, seed=0):
    """Write a model directory with a randomly initialised encoder of the size `xlm_align_tiny`."""
    vocabulary = Vocabulary.from_sentencepiece(spm)
    config = EncoderConfig(len(vocabulary), layers=2, width=64, heads=4, ffn=128, max_positions=128)
    torch.manual_seed(seed)
    encoder = Encoder(config).apply(init_weights)
    state = encoder.state_dict(prefix="encoder.")
    aligner = AlignerConfig(encoding="separate", align_layer=1, max_pieces=60)
    directory.write_model(path, Model(config, state, "xlm-roberta", vocabulary, spm, aligner, True))


def run(command, check=True, **options):
    """Run a program, its output captured; its own words stand in the failure."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=ENVIRONMENT, timeout=300, **options)
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def train_flags(world, save_dir, *more, data=None, cold_start=True):
    """Return the arguments of `fairseq-train` for a run of a few seconds; what comes later wins."""
    start = ["--cold-start", str(world / "model")] if cold_start else []
    return [
        *[str(data or world / "data"), "--user-dir", USER_DIR, "--cpu", "--task", "denoising_word_alignment"],
        *["--criterion", "pointer_alignment", "--arch", "xlm_align_tiny", "--max-positions", "128", *start],
        *["--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "1e-3", "--batch-size", "8"],
        *["--required-batch-size-multiple", "1", "--num-workers", "0", "--log-format", "json", "--log-interval", "1"],
        *["--max-update", "6", "--disable-validation", "--no-epoch-checkpoints", "--save-dir", str(save_dir), *more],
    ]


def train(caplog, arguments):
    """Run fairseq's training in this process and return what it logged for each update, as dictionaries of numbers."""
    from fairseq import options
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq_cli.train import main

    caplog.clear()
    parser = options.get_training_parser()
    with caplog.at_level(logging.INFO):
        main(convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments)))
    logs = [json.loads(record.message) for record in caplog.records if record.name == "train_inner"]
    return [{key: float(value) for key, value in log.items()} for log in logs]
