"""`xlm-align align`: sentence pairs in, Pharaoh links out, exactly one line per input line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from xlm_align_fairseq.alignment.config import CHOICES, MODES

SEPARATOR = " ||| "


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(
        prog="xlm-align align",
        description="Align sentence pairs. Words are what stands between single spaces; links are 0-based source-target pairs. "
        f"Without --src and --tgt, pairs are read from stdin, `source{SEPARATOR}target` a line.",
    )
    p.add_argument("--model", required=True, metavar="DIR", help="directory of a converted encoder or of a training run")
    p.add_argument("--src", metavar="FILE", help="source sentences, one a line")
    p.add_argument("--tgt", metavar="FILE", help="target sentences, one a line")
    p.add_argument("--out", metavar="FILE", default="-", help="where the links go (default: stdout)")
    p.add_argument("--gold", metavar="FILE", help="gold alignments: print AER instead of links")
    p.add_argument("--all-layers", action="store_true", help="with --gold: AER of every layer, from one encoding")
    add_aligner_flags(p)
    add_compute_flags(p)
    return p


def add_aligner_flags(p: argparse.ArgumentParser, max_pieces: bool = True) -> None:
    """Add the flags that change the aligner configuration of the model; without `max_pieces` for text that is in pieces."""
    p.set_defaults(max_pieces=None)
    group = p.add_argument_group("how links are made (default: what the model's aligner.json says)")
    group.add_argument("--mode", choices=MODES, help="what the authors' released code does; other flags change it further")
    for name in CHOICES:
        group.add_argument(f"--{name}", choices=CHOICES[name])
    group.add_argument("--align-layer", type=int, metavar="N", help="layer of the hidden states, 1..n; 0 = embeddings")
    group.add_argument("--sinkhorn-rounds", type=int, metavar="N", dest="rounds", help="rounds of normalisation")
    group.add_argument(
        "--sinkhorn-temperature", type=float, metavar="X", dest="temperature", help="sharpness of entropic scaling"
    )
    group.add_argument("--filter-rounds", type=int, metavar="N", help="rounds of iterative filtering")
    group.add_argument("--filter-alpha", type=float, metavar="X", dest="alpha", help="factor of half-linked cells, 0..1")
    if max_pieces:
        group.add_argument("--max-pieces", type=int, metavar="N", help="pieces of a side that are read")


ALIGNER_FLAGS = ("mode", *CHOICES, "align_layer", "rounds", "temperature", "filter_rounds", "alpha", "max_pieces")


def add_compute_flags(p: argparse.ArgumentParser) -> None:
    """Add the flags that say where and how fast."""
    group = p.add_argument_group("where and how fast")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 … (default: a GPU if there is one)")
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's own, or OMP_NUM_THREADS)")
    group.add_argument("--half", action="store_true", help="compute in bfloat16 (CPU) or float16 (GPU); links can change")
    group.add_argument("--batch-tokens", type=int, default=8192, metavar="N", help="pieces of a batch (default: 8192)")
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def main(argv: Sequence[str] | None = None) -> int:
    """Align what was given and print what could not be aligned, by reason, on stderr."""
    args = parser().parse_args(argv)
    from xlm_align_fairseq.errors import InputError

    if bool(args.src) != bool(args.tgt):
        raise InputError("--src and --tgt go together: give both files, or neither and pairs on stdin")
    if args.all_layers and not args.gold:
        raise InputError("--all-layers needs --gold: it prints the AER of every layer")
    if args.gold and not args.src:
        raise InputError("--gold needs --src and --tgt")
    if args.gold:
        return _score(args)
    _align(args)
    return 0


def _align(args) -> None:
    from tqdm import tqdm

    from xlm_align_fairseq.alignment.links import format_pharaoh
    from xlm_align_fairseq.data import lines
    from xlm_align_fairseq.errors import InputError

    if args.out != "-" and _is_input(args.out, [args.src, args.tgt] if args.src else [0]):
        raise InputError(f"--out {args.out} is one of the inputs: it would be emptied before it is read; give another file")
    missing: Counter = Counter()
    pairs: Iterator[tuple[str, ...]] = _from_stdin(missing)
    total = None
    if args.src:
        texts = [lines.TextFile(file, replace_invalid=True) for file in (args.src, args.tgt)]
        pairs = lines.read_together(*texts)
        if None not in [text.size() for text in texts]:  # no pipes: different lengths are refused before the work, not after
            total = sum(1 for _ in lines.read_together(*texts))
    aligner = open_aligner(args, aligner_changes(args))
    with contextlib.ExitStack() as stack:
        out = sys.stdout
        if args.out != "-":
            out = stack.enter_context(_open_output(args.out))
        for links in tqdm(aligner.align_corpus(pairs), total=total, unit=" pairs", disable=args.quiet, file=sys.stderr):
            out.write(format_pharaoh(links) + "\n")
        out.flush()
    aligner.warnings.update(+missing)
    report(aligner)


def _is_input(path: str, inputs: Sequence[str | int]) -> bool:
    """Say whether a file is one of the inputs, under whatever name; 0 is stdin."""
    if not os.path.isfile(path):
        return False
    return any(os.path.samestat(os.stat(path), os.stat(file)) for file in inputs if isinstance(file, int) or os.path.exists(file))


def _open_output(path: str) -> TextIO:
    from xlm_align_fairseq.errors import InputError

    try:
        return open(path, "w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"--out {path}: cannot write the file ({error.strerror}); check the path") from error


def _from_stdin(missing: Counter) -> Iterator[tuple[str, str]]:
    for line in sys.stdin.buffer:  # bytes: split on "\n" alone
        source, separator, target = line.removesuffix(b"\n").decode("utf-8", "replace").partition(SEPARATOR)
        missing[f"of these lines have no {SEPARATOR!r} between source and target"] += not separator
        yield source, target


def report(aligner) -> None:
    """Print the counted warnings of an aligner."""
    for reason, number in aligner.warnings.items():
        print(f"warning: {number} {reason}", file=sys.stderr)


def aligner_changes(args) -> dict:
    """Return the fields of the aligner configuration that the flags change."""
    return {flag: getattr(args, flag) for flag in ALIGNER_FLAGS if getattr(args, flag) is not None}


def open_aligner(args, changes: dict):
    """Load the model that the flags name, with some fields of its aligner configuration changed."""
    import torch

    from xlm_align_fairseq.aligner import Aligner
    from xlm_align_fairseq.errors import InputError

    if args.threads is not None:
        if args.threads < 1:
            raise InputError(f"--threads {args.threads}: allowed are 1 and more")
        torch.set_num_threads(args.threads)
    device = args.device if args.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"--device {device}: {reason}; allowed are cpu and, where torch finds a GPU, cuda, cuda:1 …") from error
    dtype = (torch.bfloat16 if device.startswith("cpu") else torch.float16) if args.half else None
    return Aligner.load(args.model, device, changes, batch_tokens=args.batch_tokens, autocast=dtype)


def _score(args) -> int:
    from xlm_align_fairseq.alignment.metrics import bootstrap
    from xlm_align_fairseq.alignment.signature import signature
    from xlm_align_fairseq.data.gold_set import read_gold_set
    from xlm_align_fairseq.version import __version__

    gold_set = read_gold_set(f"{args.src},{args.tgt},{args.gold}")
    aligner = open_aligner(args, aligner_changes(args))
    if args.all_layers:
        layers = dict(enumerate(aligner.score_variants(gold_set, aligner.layers())))
    else:
        layers = {aligner.config.align_layer: aligner.score(gold_set)}
    print(f"{'layer':>5}  {'AER %':>6}  {'95 % interval':>15}  {'precision':>9}  {'recall':>6}  {'links':>7}")
    for layer, counts in layers.items():
        total, (low, high) = sum(counts), bootstrap(counts)
        measures = f"{100 * total.precision:>9.1f}  {100 * total.recall:>6.1f}  {total.hypothesis:>7}"
        print(f"{layer:>5}  {100 * total.aer:>6.2f}  {f'{100 * low:.2f} … {100 * high:.2f}':>15}  {measures}")
    items = aligner.config.signature_items()
    if args.all_layers:
        del items["align_layer"]
    print(signature({"aer": gold_set.name, "sentences": len(gold_set.gold), **items, "version": __version__}))
    report(aligner)
    return 0
