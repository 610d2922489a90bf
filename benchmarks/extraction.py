"""What a pair costs from its similarities to its links: ours in batches, and the authors' two procedures pair by pair.

    python benchmarks/extraction.py            # about a minute

One thread, and its CPU time: the wall time of an idle machine. The encoder and the similarities are not in it.
The peers are written here from the description of the authors' released code; they must give our links, and those of the parity
oracle where it is at hand. How their loops read a cell is not described, so each runs twice: from lists and from the tensor.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.extraction import agreement, iterative_filter, mutual_argmax
from xlm_align_fairseq.alignment.similarity import similarity
from xlm_align_fairseq.alignment.sinkhorn import entropic_plan, reference_plan
from xlm_align_fairseq.encoder.sequences import length_mask

ORACLE = Path(__file__).resolve().parents[2] / "shared" / "parity"
WIDTH, WARM_UP = 384, 4
BATCHES = 4  # several, so that the branch predictor cannot learn the data
SINGLES = 8  # pairs that are timed pair by pair: the first of the first batch
LABEL, ALIGN = AlignerConfig.named("reference-label"), AlignerConfig.named("reference-align")
ENTROPIC = AlignerConfig(similarity="cosine", scaling="entropic", rounds=8, temperature=0.05)
ALPHA = float(np.float32(LABEL.alpha))  # so that a product in Python rounds to the float32 one

Links = set[tuple[int, int]]


def states(pairs: int, source: int, target: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw hidden states like a multilingual encoder's: a direction common to all pieces, so that products are positive, and
    translations a little closer than chance, so that the mutual argmax leaves about a fifth of the pieces to the filter.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator)
    h, k = draw(pairs, source, WIDTH), draw(pairs, target, WIDTH)
    order = torch.rand(pairs, target, generator=generator).argsort(1)[:, :source, None].expand(-1, -1, WIDTH)
    k = k.scatter_add(1, order, 0.15 * h[:, : order.size(1)])
    common = draw(WIDTH) * 1.5
    return h + common, k + common


def label(scores: Tensor, mask: Tensor) -> Tensor:
    """Link by the method `reference-label`."""
    return iterative_filter(reference_plan(scores, mask, LABEL.rounds, LABEL.clamp).rows, mask, LABEL.filter_rounds, LABEL.alpha)


def align(scores: Tensor, mask: Tensor) -> Tensor:
    """Link by the method `reference-align`."""
    plan = reference_plan(scores, mask, ALIGN.rounds, ALIGN.clamp)
    return mutual_argmax(plan.rows, plan.columns, mask)


def entropic(scores: Tensor, mask: Tensor) -> Tensor:
    """Link by entropic transport and mutual argmax."""
    plan = entropic_plan(scores, mask, ENTROPIC.rounds, ENTROPIC.temperature)
    return mutual_argmax(plan.rows, plan.columns, mask)


def normalised(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last row-normalised and the last column-normalised matrix of one pair after two rounds."""
    rows = scores
    for _ in range(2):
        columns = rows / rows.sum(0, keepdim=True)
        rows = columns / columns.sum(1, keepdim=True)
    return rows, columns


def as_rows(matrix: Tensor, read: str) -> list:
    """Return rows whose cells a loop reads one by one: floats, or tensors of one element."""
    return matrix.tolist() if read == "lists" else list(matrix)


def mutual(rows: Tensor, columns: Tensor) -> list[tuple[int, int]]:
    """Return the cells that are the best of their row and of their column."""
    forward, backward = rows.argmax(1).tolist(), columns.argmax(0).tolist()
    return [(i, j) for i, j in enumerate(forward) if backward[j] == i]


def training_labeller(scores: Tensor, read: str, rounds: int = 2) -> Links:
    """Label one pair as the authors' training does: two rounds of scaling, then a filter that weighs cell by cell."""
    rows, _ = normalised(scores.clamp(min=LABEL.clamp))
    links = dict.fromkeys(mutual(rows, rows), 1)
    n_source, n_target = rows.shape
    for number in range(2, rounds + 1 if min(n_source, n_target) > 2 else 2):
        sources, targets = {i: j for i, j in links}, {j: i for i, j in links}
        if len(sources) == n_source or len(targets) == n_target:
            break
        shut, weighted = {}, as_rows(rows.clone(), read)
        for i in range(n_source):
            for j in range(n_target):
                if i in sources and j in targets:
                    weighted[i][j], shut[i, j] = 0.0, True
                elif i in sources or j in targets:
                    weighted[i][j] *= ALPHA
        left = torch.tensor(weighted) if read == "lists" else torch.stack(weighted)
        added = [cell for cell in mutual(left, left) if cell not in shut]
        if not added:
            break
        links.update(dict.fromkeys(added, number))
    return set(links)  # the authors then keep one target per piece, the last


def aligner(scores: Tensor, read: str) -> Links:
    """Link one pair as the authors' aligner does: loop over the cells and link those that are best in both directions."""
    rows, columns = normalised(scores)
    forward = torch.zeros_like(rows).scatter_(1, rows.argmax(1, keepdim=True), 1.0)
    backward = torch.zeros_like(rows).scatter_(0, columns.argmax(0, keepdim=True), 1.0)
    both = as_rows(forward * backward, read)
    return {(i, j) for i, j in product(range(rows.size(0)), range(rows.size(1))) if both[i][j] > 0}


PEERS = {"the authors' training labeller": (training_labeller, label), "the authors' aligner": (aligner, align)}


def check_oracle() -> str:
    """Compare the peers with the results of the authors' code, if available."""
    if not ORACLE.is_dir():
        return "peers: the parity oracle is not here"
    cases, arrays = json.loads((ORACLE / "links.json").read_text())["cases"], np.load(ORACLE / "similarities.npz")
    as_links = lambda links: {tuple(link) for link in links}  # noqa: E731
    for case in cases:
        scores = torch.from_numpy(arrays[f"sim{case['id']}"])
        for rounds, expected in case["training_labels"].items():
            assert training_labeller(scores, "lists", int(rounds)) == as_links(expected), (case["id"], rounds)
        assert aligner(scores, "lists") == as_links(case["aligner"]), case["id"]
    return f"peers: the same links as the parity oracle in {len(cases)} of {len(cases)} cases"


def one_by_one(scores: Tensor, mask: Tensor) -> list[Tensor]:
    """Cut a batch into its pairs, without padding."""
    return [one[: cells.any(1).sum(), : cells.any(0).sum()].contiguous() for one, cells in zip(scores, mask, strict=True)]


def check_ours(scores: Tensor, mask: Tensor) -> None:
    """Compare every peer with our links on the timed pairs."""
    for peer, ours in PEERS.values():
        for one, links in zip(one_by_one(scores, mask), ours(scores, mask), strict=True):
            for read in ("lists", "tensor"):
                assert peer(one, read) == {(i, j) for i, j in links.nonzero().tolist()}


def each(way: Callable, inputs: list[tuple]) -> None:
    """Run a method on each input in turn."""
    for arguments in inputs:
        way(*arguments)


def table(lengths: Callable[[int], tuple[Tensor, Tensor]], pairs: int, source: int, target: int, repeats: int) -> None:
    """Time the methods in turn, so that noise affects all alike, and print one line each."""
    dots, cosines = [], []
    for seed in range(BATCHES):
        h, k = states(pairs, source, target, seed)
        rows, columns = lengths(seed)
        mask = length_mask(rows, source)[:, :, None] & length_mask(columns, target)[:, None]
        dots.append((similarity(h, k, "dot"), mask))
        cosines.append((similarity(h, k, "cosine"), mask))
    plans = [(*reference_plan(scores, mask), mask) for scores, mask in dots]
    check_ours(*dots[0])
    singles = one_by_one(*dots[0])[:SINGLES]
    cells, count = torch.cat([scores[mask] for scores, mask in dots]), pairs * BATCHES
    first = sum(int(mutual_argmax(rows, rows, mask).sum()) for rows, _, mask in plans) / count
    links = sum(int(label(*batch).sum()) for batch in dots) / count
    print(f"dot products {cells.min():.0f} to {cells.max():.0f}; {first:.1f} links a pair in round 1, {links:.1f} after round 2")

    ours: dict[str, tuple[Callable, list[tuple]]] = {
        "reference-label": (label, dots),
        "reference-align": (align, dots),
        "entropic, 8 rounds, argmax": (entropic, cosines),
        "agreement of a plan": (agreement, plans),
    }
    whole = [(one[None], torch.ones(1, *one.shape, dtype=torch.bool)) for one in singles]
    alone = {"reference-label, pair by pair": partial(each, label, whole)}
    for (name, (peer, _)), read in product(PEERS.items(), ("lists", "tensor")):
        alone[f"{name}, cells from {read}"] = partial(each, partial(peer, read=read), [(one,) for one in singles])

    times: dict[str, list[float]] = {name: [] for name in [*ours, *alone]}
    for n in range(-WARM_UP, repeats):
        batched = {name: (partial(way, *inputs[n % BATCHES]), pairs) for name, (way, inputs) in ours.items()}
        for name, (run, size) in {**batched, **{name: (run, len(singles)) for name, run in alone.items()}}.items():
            start = time.thread_time()
            run()
            if n >= 0:
                times[name].append((time.thread_time() - start) / size * 1e6)
    base = times["reference-label"]
    print(f"{'µs a pair':<54} {'min':>8} {'median':>8} {'× reference-label (min, median)':>32}")
    for name, found in times.items():
        ratios = f"{min(found) / min(base):.1f} {statistics.median(found) / statistics.median(base):>8.1f}"
        print(f"{name:<54} {min(found):>8.1f} {statistics.median(found):>8.1f} {ratios:>32}", flush=True)


def main() -> None:
    """Print one table for pairs of one size and one for padded pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=64, help="pairs in a batch of ours (default: %(default)s)")
    parser.add_argument("--source", type=int, default=30, help="source pieces of the longest pair (default: %(default)s)")
    parser.add_argument("--target", type=int, default=32, help="target pieces of the longest pair (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=300, help="times each way is run (default: %(default)s)")
    arguments = parser.parse_args()
    pairs, source, target = arguments.pairs, arguments.source, arguments.target
    if min(pairs, source, target, arguments.repeats) < 1:
        parser.error("every number is 1 or more")

    def full(seed: int) -> tuple[Tensor, Tensor]:
        return torch.full((pairs,), source), torch.full((pairs,), target)

    def mixed(seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        draw = lambda size: torch.randint((2 * size + 2) // 3, size + 1, (pairs,), generator=generator)  # noqa: E731
        return draw(source), draw(target)

    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread of {os.cpu_count()} CPUs, float32; ours in batches of {pairs}")
    print(check_oracle())
    with torch.inference_mode():
        for name, lengths in {"every pair": full, "padded, from two thirds of": mixed}.items():
            print(f"\n{name} {source}×{target}")
            table(lengths, pairs, source, target, arguments.repeats)


if __name__ == "__main__":
    main()
