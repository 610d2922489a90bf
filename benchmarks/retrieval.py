"""Exact search of the nearest sentences in both directions against faiss: time and peak memory, each in a process of its own.

    OMP_NUM_THREADS=2 python benchmarks/retrieval.py                    # 100,000 by 100,000 vectors of 384, k = 4
    OMP_NUM_THREADS=2 python benchmarks/retrieval.py --sentences 20000

The vectors are random with a common direction, as those of encoders have one; each of the second matrix is one of the first with
noise. `faiss` is IndexFlatIP, an index of either side, and finds the k nearest by cosine; the margin is computed from these, and
is highest among the k nearest, as in LASER. `search` finds the highest margin of all. Memory is that beyond both matrices. CPU
seconds are there for machines with other load. faiss is needed for this alone: pip install faiss-cpu.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from peers import peak_mib

K = 4
WHO = ("search, cosine", "search, margin", "faiss, cosine", "faiss, margin")


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sentences", type=int, default=100_000, help="of either side (default: %(default)s)")
    p.add_argument("--width", type=int, default=384, help="of a vector (default: %(default)s)")
    p.add_argument("--noise", type=float, default=1.0, help="of a translation, as a share of a vector (default: %(default)s)")
    p.add_argument("--only", nargs="+", choices=WHO, default=WHO, help="(default: all)")
    p.add_argument("--job", help=argparse.SUPPRESS)
    return p


def vectors(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return both matrices, (N, C) float32, made without a second copy of them."""
    draw = np.random.default_rng(1)
    x = draw.standard_normal((args.sentences, args.width), np.float32)
    y = np.empty_like(x)
    for n in range(0, len(x), 1000):
        x[n : n + 1000] += 2  # the cosine of unrelated ones is 0.8
        y[n : n + 1000] = x[n : n + 1000]
        y[n : n + 1000] += args.noise * draw.standard_normal(y[n : n + 1000].shape, np.float32)
    return x, y


def ours(x: np.ndarray, y: np.ndarray, margin: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the nearest of each row, in both directions."""
    from xlm_align_fairseq.transfer.retrieval_search import search

    forward, backward = search(x, y, K if margin else None)
    return forward.indices, backward.indices


def theirs(x: np.ndarray, y: np.ndarray, margin: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the same by faiss, the margin among the k nearest."""
    import faiss

    faiss.omp_set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    for side in (x, y):
        faiss.normalize_L2(side)
    found = []
    for asking, searched in ((x, y), (y, x)):
        index = faiss.IndexFlatIP(x.shape[1])
        index.add(searched)  # it keeps a copy
        found.append(index.search(asking, K))
        del index
    if not margin:
        return found[0][1][:, 0], found[1][1][:, 0]
    means = [cosines.mean(1) for cosines, _ in found]
    best = []
    for n, (cosines, indices) in enumerate(found):
        margins = cosines / ((means[n][:, None] + means[1 - n][indices]) / 2)
        best.append(np.take_along_axis(indices, margins.argmax(1)[:, None], 1)[:, 0])
    return best[0], best[1]


def job(args: argparse.Namespace) -> None:
    """Search in this process and print a line of JSON."""
    x, y = vectors(args)
    who, what = args.job.split(", ")
    run = ours if who == "search" else theirs
    run(x[:500].copy(), y[:500].copy(), what == "margin")  # import and warm up
    before, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
    found = run(x, y, what == "margin")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    right = [float((indices == np.arange(len(x))).mean()) for indices in found]
    print(json.dumps({"wall": wall, "cpu": cpu, "mib": max(0.0, peak_mib() - before), "right": right}))


def main() -> None:
    """Run each job in a process of its own, and print a table."""
    args = parser().parse_args()
    if args.job:
        job(args)
        return
    matrices = 2 * args.sentences * args.width * 4 / (1 << 20)
    print(f"{args.sentences} x {args.sentences} x {args.width}, both directions, k = {K}; both matrices {matrices:.0f} MiB")
    print(f"{'':15} {'wall s':>8} {'CPU s':>8} {'MiB more':>9}  {'forward %':>9} {'backward %':>10}")
    for who in args.only:
        flags = ["--sentences", str(args.sentences), "--width", str(args.width), "--noise", str(args.noise), "--job", who]
        done = subprocess.run([sys.executable, __file__, *flags], stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout)
        forward, backward = (100 * share for share in row["right"])
        print(f"{who:15} {row['wall']:8.1f} {row['cpu']:8.1f} {row['mib']:9.0f}  {forward:9.2f} {backward:10.2f}", flush=True)


if __name__ == "__main__":
    main()
