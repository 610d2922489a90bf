"""The ablations of the paper: one short training for each choice, AER on the test sets, one table.

    python run.py --model OUT/e5-trimmed --data OUT/data --gold GOLD --out outputs/ablation   # OUT: that of ../one_hour/run.sh

Every row trains the same number of updates on the same batches and differs from the first one in what its name says. The layer
of each encoding is chosen on the five XL-WA development sets, for each row anew, and fixed for the test sets. Rows that are
done are not run again, so the script can be stopped and started; with no row left it prints the table alone.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROWS = {
    "DWA alone (the base of all rows)": "",
    "DWA and translation LM": "--tlm-weight 1",
    "translation LM alone (no DWA)": "--tlm-weight 1 --dwa-weight 0",
    "filter, 1 round": "--extraction filter --filter-rounds 1",
    "filter, 2 rounds": "--extraction filter --filter-rounds 2",
    "filter, 3 rounds": "--extraction filter --filter-rounds 3",
    "labels of layer 5": "--align-layer 5",
    "labels of layer 9": "--align-layer 9",
    "joint labels, layer 7": "--encoding joint --align-layer 7",
    "entropic labels, cosine, temperature 0.1": "--scaling entropic --similarity cosine --sinkhorn-temperature 0.1"
    " --sinkhorn-rounds 8",
    "periodic labels, every 50 updates": "--label-schedule updates:50",
    "periodic labels, every 150 updates": "--label-schedule updates:150",
    "labels of one pass before training": "--label-schedule updates:{updates}",
    "labels of an EMA teacher, decay 0.99": "--store-ema --ema-decay 0.99 --label-teacher ema",
}
DEV = ("bg", "es", "it", "nl", "pt")
TEST = ("de-en", "en-fr", "ro-en")
ENCODINGS = ("joint", "separate")


def parser() -> argparse.ArgumentParser:
    """Build the parser."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--model", required=True, type=Path, help="directory of the encoder to start from")
    new.add_argument("--data", required=True, type=Path, help="binarised bitext")
    new.add_argument("--gold", required=True, type=Path, help="directory of the gold sets")
    new.add_argument("--out", required=True, type=Path, help="where trainings, logs and results go")
    new.add_argument("--updates", type=int, default=300, help="updates of each training (default: %(default)s)")
    new.add_argument("--batch-size", type=int, default=16, help="sentence pairs of an update (default: %(default)s)")
    new.add_argument("--arch", default="xlm_align_small", help="architecture of the encoder (default: %(default)s)")
    new.add_argument("--print", action="store_true", help="print the table of what is done and train nothing")
    return new


def run(*command: object, log: Path | None = None) -> str:
    """Run a command; its standard output is returned, or goes to a log with the errors."""
    words = list(map(str, command))
    if log:
        with open(log, "w") as file:
            done = subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, text=True)
    else:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed" + (f", see {log}" if log else ""))
    return done.stdout or ""


def train(args: argparse.Namespace, flags: str, save_dir: Path) -> None:
    """Train with the flags of one row; later flags win."""
    user_dir = run("xlm-align", "user-dir").strip()
    run(
        *["fairseq-train", args.data, "--user-dir", user_dir, "--task", "denoising_word_alignment"],
        *["--criterion", "pointer_alignment", "--arch", args.arch, "--cold-start", args.model],
        *["--label-method", "optimal-transport", "--encoding", "separate", "--align-layer", "7"],
        *["--autocast", "bfloat16", "--tlm-weight", "0"],
        *["--optimizer", "adam", "--adam-betas", "(0.9, 0.98)", "--adam-eps", "1e-6", "--weight-decay", "0.01"],
        *["--clip-norm", "1.0", "--lr", "1e-4", "--lr-scheduler", "polynomial_decay", "--warmup-updates", "30"],
        *["--total-num-update", args.updates, "--max-update", args.updates, "--batch-size", args.batch_size],
        *["--num-workers", "0", "--disable-validation", "--no-epoch-checkpoints", "--log-format", "simple"],
        *["--log-interval", "25", "--save-dir", save_dir, *([] if torch.cuda.is_available() else ["--cpu"])],
        *flags.format(updates=args.updates).split(),
        log=save_dir.with_suffix(".log"),
    )


def measure(args: argparse.Namespace, model: Path) -> dict:
    """Choose the layer of each encoding on the development sets and score the test sets with it."""
    sets = [
        ",".join(str(args.gold / f"en-{lang}.xlwa-dev" / name) for name in ("test.en", f"test.{lang}", "gold")) for lang in DEV
    ]
    results = {}
    for encoding in ENCODINGS:
        flags = ["--encoding", encoding, "--methods", "optimal-transport", "--dry-run", "--quiet", "--gold-set", *sets]
        printed = run("xlm-align", "choose", "--model", model, *flags)
        ((layer, dev),) = re.findall(r"layer (\d+),.*mean AER ([\d.]+)", printed)
        scores: dict[str, Any] = {}
        for pair in TEST:
            src, tgt = (args.gold / pair / f"test.{lang}" for lang in pair.split("-"))
            flags = ["--encoding", encoding, "--align-layer", layer, "--method", "reference-align", "--quiet"]
            out = run(
                "xlm-align", "align", "--model", model, "--src", src, "--tgt", tgt, "--gold", args.gold / pair / "gold", *flags
            )
            scores[pair] = out.splitlines()[1].split()[1:5]  # AER, low, …, high
            scores["signature"] = out.splitlines()[2]
        results[encoding] = {"layer": int(layer), "dev": float(dev), **scores}
    return results


def table(results: dict[str, dict]) -> str:
    """Write the results as Markdown, the lowest AER of each column bold."""
    lines = []
    for encoding in ENCODINGS:
        best = {pair: min((float(row[encoding][pair][0]) for row in results.values()), default=0) for pair in TEST}
        lines += [
            "",
            f"**{encoding} encoding**",
            "",
            f"| training | layer | dev | {' | '.join(TEST)} |",
            f"|---|---|---|{'---|' * len(TEST)}",
        ]
        for name, row in results.items():
            found = row[encoding]
            cells = []
            for pair in TEST:
                aer, low, _, high = found[pair]
                number = f"**{aer}**" if float(aer) == best[pair] else aer
                cells.append(f"{number} [{low}, {high}]")
            lines.append(f"| {name} | {found['layer']} | {found['dev']:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is not done yet and print the table."""
    args = parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, flags in {"no training": None, **ROWS}.items():
        slug = re.sub(r"\W+", "-", name).strip("-")
        result, save_dir = args.out / f"{slug}.json", args.out / slug
        if not result.is_file() and not args.print:
            print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr)
            shutil.rmtree(save_dir, ignore_errors=True)
            if flags is not None:
                train(args, flags, save_dir)
            measured = measure(args, args.model if flags is None else save_dir)
            result.write_text(json.dumps({"flags": flags, "updates": args.updates, **measured}, indent=2) + "\n")
            shutil.rmtree(save_dir, ignore_errors=True)  # half a gigabyte
        if result.is_file():
            results[name] = json.loads(result.read_text())
    print(table(results))


if __name__ == "__main__":
    main()
