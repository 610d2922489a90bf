"""What `xlm-align retrieve` does and reports: vectors, accuracy by layer, the choice of a layer, mined pairs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xlm_align_fairseq.cli.support.model import where_to_compute
from xlm_align_fairseq.cli.support.writing import check_files, write_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.files import write_atomically
from xlm_align_fairseq.transfer.retrieval import DIRECTIONS, FORWARD, distinct, mine, score_lines
from xlm_align_fairseq.transfer.retrieval_files import (
    Candidate,
    candidate_lines,
    read_id_pairs,
    read_identified,
    read_indices,
    read_sentences,
    read_translations,
)
from xlm_align_fairseq.transfer.retrieval_scores import IdPair, above, best_threshold, score_id_pairs, score_indices
from xlm_align_fairseq.transfer.retrieval_search import Hits, K, search
from xlm_align_fairseq.transfer.scores import ScoreTable
from xlm_align_fairseq.transfer.sentence_vectors import Layers, SentenceCounts, SentenceEncoder
from xlm_align_fairseq.version import __version__


def check_flags(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together, before anything is read.

    Raises:
        InputError: says which, and what to give.
    """
    one_way = args.direction != "both"
    needs_target = [f"--{name}" for name in ("gold", "out", "mine", "not-parallel") if getattr(args, name.replace("-", "_"))]
    margin = args.score == "margin" or (args.score is None and args.mine)
    wrong = {
        "--src is missing: give the sentences, or --choose-layer": args.src is None and not args.choose_layer,
        "--tgt is without --src: give both": args.src is None and args.tgt is not None,
        "--tgt is missing: give the sentences of the other side, or --export": args.tgt is None
        and (needs_target or (args.src is not None and not args.export)),
        "--choose-layer has an odd number of files: give SRC TGT for each pair": len(args.choose_layer or ()) % 2,
        "--export is without --src: give the sentences": args.export and args.src is None,
        "--export has too many files: give one for --src, and one for --tgt if there is one": len(args.export or ())
        > 1 + (args.tgt is not None),
        "--threshold is of --mine; leave it out": args.threshold is not None and not args.mine,
        "--k is of --score margin; leave it out": args.k is not None and not margin,
        "--mine needs one layer; leave --all-layers out": args.mine and args.all_layers,
        "--mine searches both ways; leave --direction out": args.mine and one_way,
        "--not-parallel changes nothing with --mine; leave it out": args.mine and args.not_parallel,
        "--mine needs --out for the pairs, or --gold for their score": args.mine and not args.out and not args.gold,
        "--gold and --not-parallel contradict each other; leave one out": args.gold and args.not_parallel,
        "--not-parallel scores nothing: give --out or --export": args.not_parallel and not args.out and not args.export,
        "--gold has the answers of one direction: give --direction forward or backward": args.gold
        and not args.mine
        and not one_way,
        "--out has one line for each line that asks: give --direction forward or backward": args.out
        and not args.mine
        and not one_way,
        "--out needs one layer; leave --all-layers out": args.out and args.all_layers,
    }
    for message, holds in wrong.items():
        if holds:
            raise InputError(message)


def retrieval_report(args: argparse.Namespace) -> dict[str, Any]:
    """Encode, search, score, write what the flags ask for; return what is printed, in percent.

    Args:
        args: the parsed flags of `xlm-align retrieve`, checked.

    Raises:
        InputError: a file or the model cannot be used.
    """
    exports = list(zip(("--export", "--export (second)"), args.export or (), strict=False))
    check_files([args.src, args.tgt, args.gold, *(args.choose_layer or ())], ("--out", args.out), *exports)
    return _Run(args).report()


class _Run:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        score = args.score or ("margin" if args.mine else "cosine")
        self.margin = (K if args.k is None else args.k) if score == "margin" else None
        self.notes: list[str] = []
        self.files: dict[str, dict[str, Any]] = {}
        self.sides, self.ids = self._read()
        development = [args.choose_layer[n : n + 2] for n in range(0, len(args.choose_layer or ()), 2)]
        self.development = [(pair, *_columns(read_translations(*pair))) for pair in development]
        self.device, dtype = where_to_compute(args)
        self.encoder = SentenceEncoder.load(args.model, str(self.device), args.batch_tokens, dtype, not args.without_specials)

    def report(self) -> dict[str, Any]:
        args, encoder = self.args, self.encoder
        found: dict[str, Any] = {}
        layers = encoder.all_layers if args.all_layers else [encoder.default_layer if args.layer is None else args.layer]
        if self.development:
            found["development"] = self._choose()
            layers = [found["development"]["layer"]]
        vectors = [self._encode(path, texts, layers) for path, texts in zip((args.src, args.tgt), self.sides, strict=False)]
        for path, side in zip(args.export or (), vectors, strict=False):
            _export(path, side, args.all_layers)
        if len(vectors) == 2:
            found |= self._mined(*vectors) if args.mine else self._scored(*vectors)
        label = {
            "retrieve": "pairs" if args.mine else "lines",
            "layer": "all" if args.all_layers else layers[0],
            "pooling": "without-specials" if args.without_specials else "with-specials",
            "score": "cosine" if self.margin is None else "margin",
            **({} if self.margin is None else {"k": self.margin}),
            **({"threshold": found["threshold"]} if "threshold" in found else {}),
            "samples": args.samples,
            "seed": args.seed,
            "version": __version__,
        }
        return {
            "format": "xlm-align-retrieve.1",
            "signature": signature(label),
            "model": args.model or "shipped",
            "files": self.files,
            **found,
            "notes": self.notes,
        }

    def _read(self) -> tuple[list[list[str]], list[list[str]]]:
        """Return the texts of both sides, and with --mine their ids."""
        args, paths = self.args, [path for path in (self.args.src, self.args.tgt) if path is not None]
        if not args.mine:
            sides = [read_sentences(path) for path in paths]
            if len(sides) == 2 and not args.gold and not args.not_parallel and len(sides[0]) != len(sides[1]):
                raise InputError(
                    f"{args.tgt}: {len(sides[1])} lines, but {len(sides[0])} in {args.src}, so that line n does not translate"
                    " line n; give files that belong together, --gold, or --not-parallel"
                )
            for path, side in zip(paths, sides, strict=True):
                if not side:
                    raise InputError(f"{path} has no lines; give a file of sentences")
            return sides, []
        read = [distinct(read_identified(path)) for path in paths]
        for path, (_, _, repeated) in zip(paths, read, strict=True):
            if repeated:
                self.notes.append(f"{path}: {repeated} sentences stand there again; each is mined once, under its first id")
        return [texts for _, texts, _ in read], [ids for ids, _, _ in read]

    def _encode(self, path: str, texts: Sequence[str], layers: Sequence[int]) -> Layers:
        counts = self.encoder.counts = SentenceCounts()
        vectors = self.encoder.encode(texts, layers, self.args.quiet, Path(path).name)
        self.files[path] = {"lines": len(texts), "unknown_pieces": 100 * counts.share, "empty": counts.empty, "long": counts.long}
        self.notes += [note for note in counts.notes(path) if note not in self.notes]
        return vectors

    def _search(self, source: Layers, target: Layers, layer: int) -> tuple[Hits, Hits]:
        return search(source[layer], target[layer], self.margin, self.device, self.args.quiet)

    def _choose(self) -> dict[str, Any]:
        """Return the accuracy of every layer on the development pairs, and which layer is best; of equal ones the lowest."""
        layers = self.encoder.all_layers
        sides = {path: texts for pair, *columns in self.development for path, texts in zip(pair, columns, strict=True)}
        vectors = {path: self._encode(path, texts, layers) for path, texts in sides.items()}
        rows: dict[int, list[list[float]]] = {}
        for layer in layers:
            rows[layer] = []
            for (source, target), *columns in self.development:
                tables = score_lines(self._search(vectors[source], vectors[target], layer), *columns)
                rows[layer].append([tables[way].values()["accuracy"] for way in DIRECTIONS])
        means = {layer: float(np.mean(row)) for layer, row in rows.items()}
        best = max(means, key=lambda layer: (means[layer], -layer))
        return {"layer": best, "pairs": [pair for pair, *_ in self.development], "accuracy": rows, "means": means}

    def _scored(self, source: Layers, target: Layers) -> dict[str, Any]:
        args = self.args
        ways = DIRECTIONS if args.direction == "both" else (args.direction,)
        scores: dict[int, dict[str, Any]] = {}
        for layer in source:
            found = dict(zip(DIRECTIONS, self._search(source, target, layer), strict=True))
            if args.out:
                write_text("--out", args.out, (f"{n}\n" for n in found[args.direction].indices.tolist()))
            if not args.not_parallel:
                scores[layer] = {way: self._numbers(self._score(way, found[way])) for way in ways}
        if args.not_parallel:
            self.notes.append(f"{args.src}, {args.tgt}: which line translates which is not known, searched and not scored")
        return {"scores": scores}

    def _score(self, way: str, hits: Hits) -> ScoreTable:
        asked, searched = (self.args.src, self.args.tgt)[:: 1 if way == FORWARD else -1]
        texts = self.sides[1 if way == FORWARD else 0]
        gold: Sequence[int] = range(len(hits.indices))
        if self.args.gold:
            gold = read_indices(self.args.gold)
            if len(gold) != len(hits.indices):
                raise InputError(f"{self.args.gold}: {len(gold)} lines, but {len(hits.indices)} in {asked}; one is for each")
            if max(gold) >= len(texts):
                raise InputError(
                    f"{self.args.gold}:{gold.index(max(gold)) + 1}: the line {max(gold)}; {searched} has 0 to {len(texts) - 1}:"
                    " give the answers of this direction"
                )
        return score_indices(gold, hits.indices.tolist(), texts)

    def _mined(self, source: Layers, target: Layers) -> dict[str, Any]:
        args = self.args
        (layer,) = source
        candidates = mine(self._search(source, target, layer), *self.ids)
        found: dict[str, Any] = {"candidates": len(candidates)}
        gold = read_id_pairs(args.gold) if args.gold else None
        threshold = args.threshold
        if threshold is None and gold is not None:
            threshold = _best(candidates, gold, args.gold)
        if threshold is not None:
            found |= {"threshold": threshold, "pairs": len(above(candidates, threshold))}
        if gold is not None:
            found["scores"] = self._numbers(score_id_pairs(gold, above(candidates, threshold)))
        if args.out and args.threshold is not None:
            write_text("--out", args.out, (f"{a}\t{b}\n" for a, b in above(candidates, threshold)))
        elif args.out:
            write_text("--out", args.out, candidate_lines(candidates))
        return found

    def _numbers(self, table: ScoreTable) -> dict[str, Any]:
        intervals = table.intervals(self.args.samples, self.args.seed)
        scores = {name: {"value": value, "interval": list(intervals[name])} for name, value in table.values().items()}
        return {**scores, "counts": table.sums()}


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [source for source, _ in pairs], [target for _, target in pairs]


def _best(candidates: Sequence[Candidate], gold: Sequence[IdPair], path: str) -> float:
    threshold = best_threshold(candidates, gold)
    if threshold == float("inf"):
        raise InputError(
            f"{path}: no candidate is one of these pairs, so no threshold is best; check that the files belong together"
        )
    return threshold


def _export(path: str, vectors: Layers, several: bool) -> None:
    """Write vectors as a .npy file: (N, C) float32, or (layers, N, C)."""
    shape = next(iter(vectors.values())).shape
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(vectors), *shape) if several else shape}

    def write(stream: Any) -> None:
        np.lib.format.write_array_header_1_0(stream, header)
        for array in vectors.values():
            stream.write(array.astype("<f4", copy=False).data)

    write_atomically(Path(path), write, f"--export {path}")
