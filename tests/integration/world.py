"""Helpers of the tests of whole programs: a random tiny encoder, running programs, training in this process."""

import json
import logging
import os
import subprocess
from pathlib import Path

import torch

import xlm_align_fairseq
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, init_weights
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.model import directory
from xlm_align_fairseq.model.record import Model

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "examples" / "quickstart" / "data"
USER_DIR = str(Path(xlm_align_fairseq.__file__).resolve().parent)
CLOCK = {f"{split}{name}" for split in ("", "train_", "valid_") for name in ("wps", "ups", "wall", "train_wall")}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def write_random_model(path, spm, seed=0, max_positions=128):
    """Write a model directory with a randomly initialised encoder of the size `xlm_align_tiny`."""
    vocabulary = Vocabulary.from_sentencepiece(spm)
    config = EncoderConfig(len(vocabulary), layers=2, width=64, heads=4, ffn=128, max_positions=max_positions)
    torch.manual_seed(seed)
    encoder = Encoder(config).apply(init_weights)
    state = encoder.state_dict(prefix="encoder.")
    aligner = AlignerConfig(encoding="separate", align_layer=1, window=60)
    directory.write_model(path, Model(config, state, "xlm-roberta", vocabulary, spm, aligner, True))


def run(command, check=True, **options):
    """Run a program and capture its output, which a failure shows."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=ENVIRONMENT, timeout=300, **options)
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def train_flags(world, save_dir, *more, data=None, cold_start=True):
    """Return the arguments of `fairseq-train` for a run of a few seconds; later flags win."""
    start = ["--cold-start", str(world / "model")] if cold_start else []
    return [
        *[str(data or world / "data"), "--user-dir", USER_DIR, "--cpu", "--task", "denoising_word_alignment"],
        *["--criterion", "pointer_alignment", "--arch", "xlm_align_tiny", "--max-positions", "128", *start],
        *["--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "1e-3", "--batch-size", "8"],
        *["--required-batch-size-multiple", "1", "--num-workers", "0", "--log-format", "json", "--log-interval", "1"],
        *["--max-update", "6", "--disable-validation", "--no-epoch-checkpoints", "--save-dir", str(save_dir), *more],
    ]


def train(caplog, arguments):
    """Run fairseq's training in this process and return what it logged for each update, as dictionaries of numbers.

    One thread, as in programs that are started with `ENVIRONMENT`: the numbers are the same to the last bit.
    """
    from fairseq import checkpoint_utils, options
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq_cli.train import main

    caplog.clear()
    torch.set_num_threads(1)
    vars(checkpoint_utils.save_checkpoint).pop("best", None)  # fairseq keeps the best score of the process there
    parser = options.get_training_parser()
    with caplog.at_level(logging.INFO):
        main(convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments)))
    return logged(caplog, "train_inner")


def logged(caplog, name):
    """Return what fairseq logged as JSON under a name: `train_inner` (updates), `train` (epochs), `valid`.

    A language pair that an interval had none of is null there and left out here.
    """
    logs = [json.loads(record.message) for record in caplog.records if record.name == name]
    return [{k: float(v) for k, v in log.items() if k not in CLOCK and not (v is None and "-" in k)} for log in logs]


def parameters(checkpoint):
    """Return the weights that a checkpoint holds."""
    return torch.load(checkpoint, weights_only=True)["model"]


def assert_same_parameters(first, second):
    """Check that two checkpoints hold the same weights, bit by bit."""
    first, second = parameters(first), parameters(second)
    assert first.keys() == second.keys()
    assert not [key for key in first if not torch.equal(first[key], second[key])]


def tree(directory):
    """Return the bytes of every file below a directory, by path."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
