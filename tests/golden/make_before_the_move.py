"""Make tests/golden/before_the_move: files of the code at 7668ba6, which later code must still read.

    python tests/golden/make_before_the_move.py CHECKOUT

CHECKOUT is a checkout of that commit. The directory is written anew. Everything runs with one thread and relative paths, so that
no checkpoint holds a path of the machine it was made on.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "examples" / "quickstart" / "data"
HERE = Path(__file__).resolve().with_name("before_the_move")
PAIRS = ("de-en", "fr-en")
KEPT = 20  # sentence pairs that are aligned
NOISE = 1e-4  # of the weights, relative: far more than the arithmetic of another CPU changes
LINKS = {  # the file of the links: the model, its flags
    "links.model": ("model", []),
    "links.run": ("run", []),
    "links.pointer": ("run", ["--method", "pointer"]),
    "links.joint": ("run", ["--encoding", "joint", "--method", "argmax", "--align-layer", "2"]),
}
FLAGS = [
    *["data", "--cpu", "--task", "denoising_word_alignment", "--criterion", "pointer_alignment", "--arch", "xlm_align_tiny"],
    *["--max-positions", "64", "--cold-start", "model", "--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "1e-3"],
    *["--batch-size", "6", "--required-batch-size-multiple", "1", "--num-workers", "0", "--log-format", "json"],
    *["--log-interval", "1", "--disable-validation", "--no-epoch-checkpoints", "--seed", "3"],
]
EM = [*FLAGS, "--label-schedule", "updates:4", "--save-dir", "run"]
GIVEN = ["--label-schedule", "fixed", "--initial-labels", "labels"]
RUNS = {
    "resumed": [*EM, "--max-update", "10", "--save-interval-updates", "1"],
    "fixed": [*FLAGS, *GIVEN, "--save-dir", "fixed", "--max-update", "4", "--save-interval-updates", "1"],
}


def main():
    """Make everything in a working directory, then copy what is kept."""
    checkout = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        Path("checkout").symlink_to(checkout)
        os.environ |= {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        make()
        shutil.rmtree(HERE, ignore_errors=True)
        for kept in ("model", "data", "run", "labels", *LINKS, "text.src", "text.tgt"):
            (shutil.copytree if Path(kept).is_dir() else shutil.copyfile)(kept, make_parent(HERE / kept))
        record = {"commit": commit(checkout), "links": LINKS, "flags": RUNS, "losses": {}, "logs": {}}
        for run, flags in RUNS.items():
            record["logs"][run] = train(flags)
            record["losses"][run] = losses(Path(flags[flags.index("--save-dir") + 1]))
        (HERE / "record.json").write_text(json.dumps(record, indent=1) + "\n")


def make():
    """Make model, data, a run with periodic labels, labels and links."""
    for pair in PAIRS:
        lines = [line.split("\t") for line in (SHIPPED / pair / "train.tsv").read_text("utf-8").splitlines()[:80]]
        # whole sentences have more pieces of so small a vocabulary than the encoder reads
        cut = ["\t".join(" ".join(side.split(" ")[:5]) for side in line) for line in lines]
        Path(f"{pair}.tsv").write_text("".join(f"{line}\n" for line in cut), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(str(SHIPPED / pair / "train.tsv") for pair in PAIRS),
        model_prefix="spm",
        vocab_size=200,
        num_threads=1,
        minloglevel=2,
        normalization_rule_name="identity",  # the table of the usual one is larger than all else of the model
    )
    new = ["--arch", "xlm_align_tiny", "--max-positions", "64", "--encoding", "separate", "--align-layer", "1", "--seed", "5"]
    xlm_align("new", "spm.model", "model", *new)
    for pair in PAIRS:
        pieces = ["--max-positions", "64", "--max-pieces", "40"]
        xlm_align("binarize", "--model", "model", "--lang-pair", pair, "--tsv", f"{pair}.tsv", "--out", "data", *pieces)
    fairseq_train([*EM, "--max-update", "6"])
    xlm_align("label", "--model", "model", "--data", "data", "--out", "labels", "--align-layer", "2", "--quiet")
    write_texts()
    for out, (model, flags) in LINKS.items():
        align(model, flags, out)


def write_texts():
    """Write the first sentence pairs whose links do not depend on the last digits: noise in the weights changes none."""
    pairs = []
    for pair in PAIRS:
        source, target = ((SHIPPED / pair / f"test.{lang}").read_text("utf-8").splitlines() for lang in pair.split("-"))
        pairs += zip(source, target, strict=True)
    write_pairs(pairs)
    stable = set(range(len(pairs)))
    for model, flags in LINKS.values():
        clean = align(model, flags, "clean")
        for seed in range(5):
            add_noise(model, seed)
            stable &= {k for k, line in enumerate(align("noisy", flags, "links")) if line == clean[k]}
    print(f"{len(stable)} of {len(pairs)} sentence pairs keep their links under noise")
    write_pairs([pairs[k] for k in sorted(stable)[:KEPT]])


def write_pairs(pairs):
    """Write the two sides of sentence pairs."""
    for k, side in enumerate(("src", "tgt")):
        Path(f"text.{side}").write_text("".join(f"{pair[k]}\n" for pair in pairs), "utf-8")


def add_noise(model, seed):
    """Copy a model to `noisy`, its weights changed a little."""
    shutil.rmtree("noisy", ignore_errors=True)
    shutil.copytree(model, "noisy", ignore=shutil.ignore_patterns("labels"))
    (path,) = Path("noisy").glob("*.pt")
    content = torch.load(path, weights_only=True)
    generator = torch.Generator().manual_seed(seed)
    for value in content["model"].values():
        value *= 1 + NOISE * torch.randn(value.shape, generator=generator)
    torch.save(content, path)


def align(model, flags, out):
    """Align the text and return the links, line by line."""
    xlm_align("align", "--model", model, "--src", "text.src", "--tgt", "text.tgt", "--out", out, "--quiet", *flags)
    return Path(out).read_text().splitlines()


def xlm_align(*arguments):
    """Run a command."""
    subprocess.run([sys.executable, "-m", "xlm_align_fairseq.cli.main", *arguments], check=True)


def fairseq_train(flags):
    """Train and return what it printed."""
    program = Path(sys.executable).with_name("fairseq-train")
    done = subprocess.run([program, *flags, "--user-dir", "checkout/xlm_align_fairseq"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return done.stdout + done.stderr


def train(flags):
    """Train and return what it logged for each update, but for clocks."""
    clocks = ("wps", "ups", "wall", "train_wall")
    found = [line.split(" | train_inner | ")[1] for line in fairseq_train(flags).splitlines() if " | train_inner | " in line]
    return [{k: float(v) for k, v in json.loads(log).items() if k not in clocks and v is not None} for log in found]


def losses(save_dir):
    """Return the losses of the updates that left a checkpoint, not rounded."""
    found = {}
    for path in save_dir.glob("checkpoint_*_*.pt"):
        meters = torch.load(path, weights_only=True)["extra_state"]["metrics"]["train"]
        found[int(path.stem.rsplit("_", 1)[1])] = {name: float(m["val"]) for _, name, _, m in meters if name.endswith("loss")}
    return dict(sorted(found.items()))


def commit(checkout):
    """Return the commit of a checkout."""
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()


def make_parent(path):
    """Return the path, in a directory that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()
