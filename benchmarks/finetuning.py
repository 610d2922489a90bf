"""Measure fine-tuning and prediction of tags against transformers' class with the same weights, text, batches and threads.

    OMP_NUM_THREADS=2 python benchmarks/finetuning.py en_ewt-train.tsv --model e5 --updates 60

`bucketed` has batches of 32 sentences of one length, padded to the longest, as this package has them; `padded` pads every
sentence to 128 pieces, as XTREME's scripts do. Time is that of the updates but the first, or of the predictions, without start;
memory is the highest of the process. transformers' Trainer is no more than such a loop (it would need accelerate).
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BATCH, WINDOW = 32, 128
HELP = __doc__.partition("\n")[0]


def batches_of(lengths: np.ndarray, seed: int = 1) -> list[np.ndarray]:
    """Return batches of sentences of about one length, in random order."""
    order = np.argsort(lengths, kind="stable")
    found = [order[n : n + BATCH] for n in range(0, len(order), BATCH)]
    return [found[n] for n in np.random.default_rng(seed).permutation(len(found))]


def of_transformers(directory: str, text: str, padded: bool, training: bool) -> None:
    """Train or predict with transformers' class, and print seconds, pieces and memory as JSON."""
    import torch
    from transformers import AutoModelForTokenClassification

    from xlm_align_fairseq.convert.open import open_model
    from xlm_align_fairseq.encoder.pieces import PieceEncoder
    from xlm_align_fairseq.transfer.encode import encode_words, word_sequences
    from xlm_align_fairseq.transfer.tags import read_tagged

    source = open_model(directory)
    pieces, file = PieceEncoder(source.sentencepiece, source.vocabulary), read_tagged(text)
    number = {tag: n for n, tag in enumerate(sorted({tag for tags in file.gold() for tag in tags}))}
    items = []
    for (words, _), tags in zip(file.sentences, file.gold(), strict=True):
        at = 0
        for one in word_sequences(encode_words(words, pieces), WINDOW):
            items.append((one.tokens, one.first, [number[tag] for tag in tags[at : at + len(one.first)]]))
            at += len(one.first)
    model = AutoModelForTokenClassification.from_pretrained(directory, num_labels=len(number))
    model.train(training)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.0)
    sizes = np.array([len(tokens) for tokens, *_ in items])
    batches, begin = batches_of(sizes), time.perf_counter()
    for number_of, batch in enumerate(batches):
        if training and number_of == 1:
            begin = time.perf_counter()
        width = WINDOW if padded else sizes[batch].max()
        ids, labels = np.full((len(batch), width), 1), np.full((len(batch), width), -100)
        for row, n in enumerate(batch):
            tokens, first, tags = items[n]
            ids[row, : len(tokens)], labels[row, first] = tokens, tags
        tensors = torch.from_numpy(ids), torch.from_numpy(labels)
        with torch.set_grad_enabled(training):
            found = model(input_ids=tensors[0], attention_mask=(tensors[0] != 1).long(), labels=tensors[1] if training else None)
        if training:
            found.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    print_row(time.perf_counter() - begin, int(sizes.sum()) - (int(sizes[batches[0]].sum()) if training else 0))


def of_ours(directory: str, text: str) -> None:
    """Predict with a run, and print seconds, pieces and memory as JSON."""
    from xlm_align_fairseq import Transfer
    from xlm_align_fairseq.transfer.tags import read_tagged

    transfer, file = Transfer.load(directory, "cpu"), read_tagged(text)
    begin = time.perf_counter()
    for _ in transfer.predict([sentence.words for sentence in file.sentences]):
        pass
    print_row(time.perf_counter() - begin, transfer.counts.pieces + 2 * len(file.sentences))


def print_row(seconds: float, pieces: int) -> None:
    """Print what was measured in this process."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "pieces": pieces, "gib": memory}))


def of_fairseq(model: Path, text: Path, run: Path) -> dict[str, float]:
    """Train with fairseq, and return what was measured."""
    command = [
        *[Path(sys.executable).with_name("fairseq-train"), text, "--user-dir", Path(__file__).parents[1] / "xlm_align_fairseq"],
        *[
            "--cpu",
            "--task",
            "token_labeling",
            "--criterion",
            "token_labeling",
            "--arch",
            "xlm_align_small",
            "--cold-start",
            model,
        ],
        *["--optimizer", "adam", "--adam-betas", "(0.9,0.999)", "--clip-norm", "1.0", "--lr", "2e-4", "--lr-scheduler", "fixed"],
        *["--dropout", "0.1", "--attention-dropout", "0.1", "--batch-size", BATCH, "--num-workers", "0", "--max-epoch", "1"],
        *["--disable-validation", "--no-epoch-checkpoints", "--log-format", "json", "--log-interval", "1", "--save-dir", run],
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    logs = [json.loads(line[line.index("{") :]) for line in done.stdout.splitlines() if re.search(r"\| train_inner \| \{", line)]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    seconds = float(logs[-1]["wall"]) - float(logs[0]["wall"])
    return {"seconds": seconds, "pieces": sum(float(log["wpb"]) for log in logs[1:]), "gib": memory}


def measured(*arguments: object) -> dict[str, float]:
    """Run this file again for one measurement."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=HELP)
    parser.add_argument("train", help="a word, a tab and its tag in each line, a blank line between sentences")
    parser.add_argument("--model", required=True, help="encoder of the size of xlm_align_small, whole vocabulary")
    parser.add_argument("--updates", type=int, default=60)
    args = parser.parse_args()
    sentences = Path(args.train).read_text("utf-8").strip().split("\n\n")
    chosen = np.random.default_rng(1).permutation(len(sentences))[: args.updates * BATCH]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        text = work / "train.tsv"
        text.write_text("\n\n".join(sentences[n] for n in chosen) + "\n", "utf-8")
        convert = [sys.executable, "-m", "xlm_align_fairseq.cli.main", "convert", args.model, work / "hf", "--to", "hf"]
        subprocess.run(list(map(str, convert)), check=True, stdout=subprocess.DEVNULL)
        rows = {"training, fairseq": of_fairseq(Path(args.model), text, work / "run")}
        for padded in (0, 1):
            name = "padded" if padded else "bucketed"
            rows[f"training, transformers, {name}"] = measured("transformers", work / "hf", text, padded, 1)
        rows["prediction, Transfer"] = measured("ours", work / "run", text)
        for padded in (0, 1):
            name = "padded" if padded else "bucketed"
            rows[f"prediction, transformers, {name}"] = measured("transformers", work / "hf", text, padded, 0)
    print(f"{len(chosen)} sentences, {os.environ.get('OMP_NUM_THREADS', 'all')} threads")
    print(f"{'':36} {'seconds':>8} {'pieces/s':>9} {'GiB':>6}")
    for name, row in rows.items():
        print(f"{name:36} {row['seconds']:8.1f} {row['pieces'] / row['seconds']:9.0f} {row['gib']:6.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["transformers"]:
        of_transformers(sys.argv[2], sys.argv[3], sys.argv[4] == "1", sys.argv[5] == "1")
    elif sys.argv[1:2] == ["ours"]:
        of_ours(sys.argv[2], sys.argv[3])
    else:
        main()
