"""The labels of a corpus on disk: piece links in the format of fairseq's binarised alignments, and a manifest.

`SPLIT.align.SRC-TGT.{bin,idx}` hold, for each sentence pair of the data, source and target piece of every link in turn: 0-based
positions within each side, specials not counted, in row-major order. `labels.SPLIT.json` says how they were made, for which data.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xlm_align_fairseq.bitext.corpus import Corpus, Pair
from xlm_align_fairseq.bitext.indexed import ENDINGS, IndexedReader, IndexedWriter, best_dtype
from xlm_align_fairseq.bitext.label_manifest import FORMAT, VERSION, manifest_path, pack_lines, read_manifest, unpack_lines
from xlm_align_fairseq.bitext.label_statistics import PairLinks, Totals
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import sha256_of, together, write_text_atomically

logger = logging.getLogger(__name__)


def prefix(split: str, pair: str) -> str:
    """Return the name of a pair's label files without their endings: that of fairseq's alignments."""
    return f"{split}.align.{pair}"


class LabelStore:
    """Read the labels of a corpus; memory-mapped.

    Args:
        directory: with `SPLIT.align.SRC-TGT.{bin,idx}` for every pair, and a manifest unless they come from elsewhere.
        split: `train`, `valid`, ….
        corpus: the corpus that they label.

    Attributes:
        manifest: content of `labels.SPLIT.json`; empty for labels from elsewhere.
        digest: SHA-256 of all files, hexadecimal.

    Raises:
        InputError: labels are missing, damaged, of another version, or belong to other data.
    """

    def __init__(self, directory: Path, split: str, corpus: Corpus):
        self.directory, self.split, self.corpus = directory, split, corpus
        self.readers = {pair.name: self._open(pair) for pair in corpus.pairs}
        hashes = {name: file_hashes(reader.prefix) for name, reader in self.readers.items()}
        self.digest = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
        self.manifest = read_manifest(directory, split)
        if self.manifest:
            self._check(hashes)
        self._labelled = self._read_labelled() if self.is_self_labelled else None

    @property
    def is_self_labelled(self) -> bool:
        """Whether the labels are of an EM iteration, which may have skipped pairs."""
        return bool(self.manifest.get("em_iter"))

    def _open(self, pair: Pair) -> IndexedReader:
        path = self.directory / prefix(self.split, pair.name)
        if not path.with_name(f"{path.name}.idx").is_file():
            raise InputError(
                f"{path}.idx is missing: labels are needed for every language pair; make them with `xlm-align label`,"
                " `xlm-align binarize --alignments` or fairseq-preprocess --align-suffix"
            )
        reader = IndexedReader(path)
        if len(reader) != len(pair.source):
            raise InputError(f"{path}: labels of {len(reader)} sentence pairs, the data has {len(pair.source)}: label this data")
        odd = np.flatnonzero(reader.sizes % 2)
        if len(odd):
            raise InputError(
                f"{path}, sentence pair {odd[0] + 1}: {reader.sizes[odd[0]]} numbers; links are two each, source and target piece"
            )
        return reader

    def _check(self, hashes: Mapping[str, Mapping[str, str]]) -> None:
        path = manifest_path(self.directory, self.split)
        for pair in self.corpus.pairs:
            entry = self.manifest["pairs"].get(pair.name)
            if entry is None or entry["sha256"] != hashes[pair.name]:
                raise InputError(f"{path}: the labels of {pair.name} are not those that it tells of: make them again")
            if entry["data"] != pair.fingerprint:
                raise InputError(
                    f"{self.directory}: the labels of {pair.name} belong to other data (SHA-256 {entry['data'][:16]}…, here"
                    f" {pair.fingerprint[:16]}…): give the data they were made for, or label this data"
                )

    def _read_labelled(self) -> np.ndarray:
        """Return which sentence pairs were labelled: (ids,) bool; their number and hash are in the manifest.

        A pair with links was, and one that the manifest lists as without. Manifests of 0.1.0 have no such list: there the
        hash tells whether all usable pairs were labelled; if not, a pair without links counts as passed over.
        """
        corpus, path = self.corpus, manifest_path(self.directory, self.split)
        marked = np.concatenate([self.readers[pair.name].sizes > 0 for pair in corpus.pairs])
        listed, exact = any("without_links" in entry for entry in self.manifest["pairs"].values()), True
        for pair, begin in zip(corpus.pairs, corpus.starts[:-1], strict=True):
            entry, part = self.manifest["pairs"][pair.name], marked[begin : begin + len(pair.source)]
            try:
                without = unpack_lines(entry["without_links"], len(part)) if "without_links" in entry else np.zeros_like(part)
            except ValueError as error:
                raise InputError(
                    f"{path}: without_links of {pair.name} cannot be read ({error}): make the labels again"
                ) from error
            if (part & without).any():
                raise InputError(f"{path}: without_links of {pair.name} lists pairs that have some: make the labels again")
            part |= without
            exact &= int(part.sum()) == entry["labelled"]
        hashed = [*self.manifest["pairs"]] == [pair.name for pair in corpus.pairs] and "ids" in self.manifest  # else others
        if exact and (not hashed or ids_hash(np.flatnonzero(marked)) == self.manifest["ids"]):
            return marked
        if exact or listed:
            raise InputError(f"{path}: the pairs that were labelled are not those that it tells of: make the labels again")
        if hashed and ids_hash(np.flatnonzero(corpus.usable)) == self.manifest["ids"]:
            return corpus.usable
        logger.info(f"{path} is of version 0.1.0, which did not list pairs without links: these are labelled when they are read")
        return marked

    def labelled(self, ids: np.ndarray) -> np.ndarray:
        """Say which sentence pairs have labels, be it that they have no links: (n,) bool.

        All pairs do, but for those that the pass of an EM iteration did not foresee.
        """
        return np.ones(len(ids), bool) if self._labelled is None else self._labelled[ids]

    def links(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look up the links of some sentence pairs.

        Args:
            ids: (n,) of the corpus.

        Returns:
            (n,) int64 number of links of each, and (links, 2) int64 source and target pieces, pair after pair.

        Raises:
            InputError: a link points outside its sentences.
        """
        counts = np.zeros(len(ids), np.int64)
        parts, order = [], []
        for pair, where, lines in self.corpus.parts(ids):
            flat, sizes = self.readers[pair.name].gather(lines)
            counts[where] = sizes // 2
            cells = flat.astype(np.int64).reshape(-1, 2)
            self._check_range(pair, ids[where], lines, counts[where], cells)
            parts.append(cells)
            order.append(np.repeat(where, counts[where]))
        cells = np.concatenate([np.zeros((0, 2), np.int64), *parts])
        if len(parts) > 1:
            cells = cells[np.argsort(np.concatenate(order), kind="stable")]
        return counts, cells

    def _check_range(self, pair: Pair, ids: np.ndarray, lines: np.ndarray, counts: np.ndarray, cells: np.ndarray) -> None:
        corpus = self.corpus
        limits = np.stack([corpus.src_lengths[ids], corpus.tgt_lengths[ids]], 1).repeat(counts, 0)
        outside = np.flatnonzero(((cells >= limits) | (cells < 0)).any(1))
        if len(outside):
            row = int(np.repeat(np.arange(len(ids)), counts)[outside[0]])
            raise InputError(
                f"{self.readers[pair.name].prefix}, sentence pair {int(lines[row]) + 1}: link"
                f" {'-'.join(map(str, cells[outside[0]].tolist()))} is outside its {limits[outside[0]].tolist()} pieces:"
                " labels are 0-based positions of pieces, not of words"
            )


def ids_hash(ids: np.ndarray) -> str:
    """Return the SHA-256 of sentence ids, hexadecimal."""
    return hashlib.sha256(ids.astype(np.int64).tobytes()).hexdigest()


def file_hashes(path: Path) -> dict[str, str]:
    """Return the SHA-256 of `PATH.bin` and `PATH.idx` by ending."""
    return {ending: sha256_of(path.with_name(f"{path.name}.{ending}")) for ending in ENDINGS}


class LabelWriter:
    """Write the labels of a corpus as a stream; a context manager.

    Files appear in the directory only when all are complete, the manifest last.

    Args:
        directory: created if missing.
        split: `train`, `valid`, ….
        corpus: what is labelled.
        provenance: entries of the manifest on where the labels come from (em_iter, update, weights, aligner, …).
        previous: the labels of the iteration before, to count changed links.
    """

    def __init__(
        self,
        directory: Path,
        split: str,
        corpus: Corpus,
        provenance: Mapping[str, Any],
        previous: LabelStore | None = None,
    ):
        self.directory, self.split, self.corpus = directory, split, corpus
        self.provenance, self.previous = provenance, previous
        self.totals = {pair.name: Totals() for pair in corpus.pairs}
        self._without = {pair.name: np.zeros(len(pair.source), bool) for pair in corpus.pairs}
        self._stack = self._inner = contextlib.ExitStack()
        self._writers: dict[str, IndexedWriter] = {}

    def __enter__(self) -> LabelWriter:
        dtype = best_dtype(self.corpus.max_positions)
        with contextlib.ExitStack() as stack:
            # A manifest tells of what is complete: it goes first and comes last.
            stack.enter_context(together(self.directory, manifest_path(self.directory, self.split)))
            self._inner = stack.enter_context(contextlib.ExitStack())
            for pair in self.corpus.pairs:
                path = self.directory / prefix(self.split, pair.name)
                self._writers[pair.name] = self._inner.enter_context(IndexedWriter(path, dtype))
            self._stack = stack.pop_all()
        return self

    def add(self, ids: np.ndarray, links: PairLinks) -> None:
        """Append labels; ids ascend over all calls, and skipped pairs get no labels."""
        for pair, where, lines in self.corpus.parts(ids):
            part = links.reordered(where) if len(where) < len(ids) else links
            writer, totals = self._writers[pair.name], self.totals[pair.name]
            sizes = np.zeros(int(lines[-1]) + 1 - writer.items, np.int64)
            sizes[lines - writer.items] = 2 * part.counts
            writer.add(part.cells.reshape(-1), sizes)
            self._without[pair.name][lines[part.counts == 0]] = True
            totals.add(part, int((self.corpus.src_lengths[ids[where]] + self.corpus.tgt_lengths[ids[where]]).sum()))
            if self.previous is not None:
                totals.compare(part, *self.previous.links(ids[where]))

    def take_agreed(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Add up the `agreed` counts from the manifests of shards; stored links do not contain them."""
        for name, totals in self.totals.items():
            totals.agreed = sum(manifest["pairs"][name]["agreed"] for manifest in manifests)

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:  # discards all files if completing one fails
            for pair in self.corpus.pairs:
                writer = self._writers[pair.name]
                while writer.items < len(pair.source):
                    writer.add(np.zeros(0, writer.dtype), np.zeros(min(1 << 20, len(pair.source) - writer.items), np.int64))
                writer.finish()
            self._inner.close()
            self._write_manifest()

    def _write_manifest(self) -> None:
        pairs = {
            pair.name: {"data": pair.fingerprint, "sentences": len(pair.source), **self.totals[pair.name].statistics()}
            | {"sha256": dict(self._writers[pair.name].sha256)}
            for pair in self.corpus.pairs
        }
        for name, without in self._without.items():
            if without.any():
                pairs[name]["without_links"] = pack_lines(without)
        manifest = {"format": FORMAT, "version": VERSION, "split": self.split, **self.provenance, "pairs": pairs}
        text = json.dumps(manifest, indent=2) + "\n"
        write_text_atomically(manifest_path(self.directory, self.split), text)
