"""Binarise bitext and monolingual text: streams of lines in; indexed data, the dictionary and a manifest out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import sentencepiece
from pydantic import BaseModel, NonNegativeInt
from tqdm import tqdm

from xlm_align_fairseq.bitext.encode import MONO_REASONS, PAIR_REASONS, ChunkEncoder, Encoded, Options, cut, link_dtype
from xlm_align_fairseq.bitext.indexed import ENDINGS, IndexedWriter, best_dtype
from xlm_align_fairseq.bitext.labels import manifest_path, prefix
from xlm_align_fairseq.encoder.pieces import PieceFiles
from xlm_align_fairseq.encoder.vocabulary import FILE_NAME as DICTIONARY
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.files import encoded, together, write_atomically
from xlm_align_fairseq.system.parallel import ordered_map
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.text.lines import TAB, TextFile, as_text, read_bitext
from xlm_align_fairseq.text.tokenize import describe
from xlm_align_fairseq.version import __version__

FORMAT, VERSION = "xlm-align bitext", 1
PRELOAD = ("xlm_align_fairseq.bitext.encode", "xlm_align_fairseq.encoder.pieces")


@dataclasses.dataclass(frozen=True)
class Binarized:
    """Path and content of the manifest."""

    path: Path
    manifest: dict[str, Any]


def binarize_pairs(
    files: PieceFiles,
    texts: Sequence[TextFile | Path | str],
    languages: tuple[str, str],
    out: Path | str,
    *,
    separator: str = TAB,
    split: str = "train",
    alignments: TextFile | Path | str | None = None,
    options: Options | None = None,
    workers: int = 1,
) -> Binarized:
    """Write `SPLIT.SRC-TGT.{SRC,TGT}.{bin,idx}` and, with alignments, `SPLIT.align.SRC-TGT.{bin,idx}`.

    Memory does not grow with the corpus, and the output is the same for any number of workers. Files appear in
    `out` only when all are complete; existing files of the same split and languages are overwritten.

    Args:
        files: dictionary and sentencepiece model.
        texts: the source and the target file, or one with both.
        languages: codes of source and target: letters, digits and `_`.
        out: directory; created if missing.
        separator: between source and target in one file.
        split: `train`, `valid`, …: letters, digits, `_` and `-`.
        alignments: Pharaoh links of the words of each pair, 0-based; a blank line has no links. Needs `pieces="words"`.
        options: which pairs are kept and how they are encoded.
        workers: processes.

    Raises:
        InputError: input, a name or an option cannot be used, or no pair is left.
    """
    options = options or Options()
    for code in languages:
        _check_name("language", code, "letters, digits and _", "[A-Za-z0-9_]+")
    if languages[0] == languages[1]:
        raise InputError(f"languages {'-'.join(languages)}: source and target need different codes, files are named so")
    if alignments is not None and options.pieces != "words":
        raise InputError("--alignments link words, so words must be encoded one by one; give --pieces words")
    pair = "-".join(languages)
    if len(texts) not in (1, 2):
        raise ValueError(f"{len(texts)} text files; allowed are source and target, or one with both")

    names = ("source", "target") if len(texts) == 2 else ("pairs",)
    sides = [as_text(text, replace_invalid=options.replace_invalid) for text in texts]
    inputs = dict(zip(names, sides, strict=True))
    others = []
    if alignments is not None:
        inputs["alignments"] = as_text(alignments)
        others.append(inputs["alignments"])
    rows = read_bitext(sides, separator if len(sides) == 1 else None, *others)
    prefixes = {language: f"{split}.{pair}.{language}" for language in languages}
    links = prefix(split, pair)
    if alignments is not None:
        prefixes["links"] = links
    job = _Job(files, Path(out), split, pair, inputs, prefixes, options, PAIR_REASONS)
    # Links of an earlier run and the manifest of `xlm-align label` do not match the new pairs: delete them.
    stale = [] if alignments is not None else [Path(out) / f"{links}.{ending}" for ending in ENDINGS]
    stale.append(manifest_path(Path(out), split))
    return job.run(rows, workers, stale)


def binarize_mono(
    files: PieceFiles,
    text: TextFile | Path | str,
    out: Path | str,
    *,
    split: str = "train",
    options: Options | None = None,
    workers: int = 1,
) -> Binarized:
    """Write the lines of monolingual text as `SPLIT.bin` and `SPLIT.idx`; only empty lines are left out.

    Args and errors are those of `binarize_pairs`.
    """
    options = options or Options()
    if "," in options.tokenizer:
        raise InputError(f"--tokenizer {options.tokenizer}: monolingual text has one side; give one name")
    inputs = {"text": as_text(text, replace_invalid=options.replace_invalid)}
    job = _Job(files, Path(out), split, None, inputs, {"text": split}, options, MONO_REASONS)
    return job.run(((line,) for line in inputs["text"]), workers, [])


def manifest_with_links(directory: Path, split: str) -> Path | None:
    """Return the first manifest of a split in a directory that describes given links, `None` if there is none.

    Raises:
        InputError: a manifest cannot be read.
    """
    for path in sorted(directory.glob(f"manifest.{glob.escape(split)}.*.json")):
        if _read_manifest(path).links is not None:
            return path
    return None


class _LinkCounts(BaseModel):
    words: NonNegativeInt
    pieces: NonNegativeInt


class _Manifest(BaseModel):
    """What is read of a manifest; what has a default may be missing."""

    format: Literal["xlm-align bitext"]
    version: Literal[1]
    split: str
    links: _LinkCounts | None = None
    sha256: dict[str, str] = {}


def _read_manifest(path: Path) -> _Manifest:
    return read_json(path, _Manifest, "binarise this text again")


@dataclasses.dataclass
class _Job:
    files: PieceFiles
    out: Path
    split: str
    pair: str | None
    inputs: dict[str, TextFile]
    prefixes: dict[str, str]  # of the output files, by column
    options: Options
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_name("split", self.split, "letters, digits, _ and -", "[A-Za-z0-9_-]+")
        self.name = f"{self.split}.{self.pair}" if self.pair else self.split
        self.dropped: Counter[str] = Counter(dict.fromkeys(self.reasons, 0))
        self.unknown: Counter[str] = Counter()
        self.word_links = 0
        self.writers: dict[str, IndexedWriter] = {}

    def run(self, rows: Iterable[tuple[str, ...]], workers: int, stale: Sequence[Path]) -> Binarized:
        if workers < 1:
            raise InputError(f"--workers {workers}: allowed are 1 and more processes")
        tokenizer = describe(self.options.tokenizer)
        self._check_dictionary()
        path = self.out / f"manifest.{self.name}.json"
        with together(self.out, path, *stale):  # a manifest tells of what is complete: it goes first and comes last
            with contextlib.ExitStack() as stack:
                for column, prefix in self.prefixes.items():
                    dtype = link_dtype(self.options) if column == "links" else best_dtype(len(self.files.vocabulary))
                    self.writers[column] = stack.enter_context(IndexedWriter(self.out / prefix, dtype))
                self._stream(rows, workers)
            manifest = self._manifest(tokenizer)
            write_atomically(self.out / DICTIONARY, lambda file: file.write(self.files.dictionary))
            text = f"{json.dumps(manifest, indent=2, ensure_ascii=False)}\n"
            write_atomically(path, lambda file: file.write(encoded(text)))
        return Binarized(path, manifest)

    def _check_dictionary(self) -> None:
        there = self.out / DICTIONARY
        if there.exists() and there.read_bytes() != self.files.dictionary:
            raise InputError(f"{there} differs from the model's dictionary, its ids mean other pieces; give another --out")
        ours = hashlib.sha256(self.files.sentencepiece).hexdigest()
        for path in sorted(self.out.glob("manifest.*.json")):
            if path.name == f"manifest.{self.name}.json":
                continue  # of what is replaced
            theirs = _read_manifest(path).sha256.get("sentencepiece", ours)
            if theirs != ours:
                raise InputError(
                    f"{path} is of text that another sentencepiece model cut into pieces (SHA-256 {theirs[:16]}…, that of the"
                    f" model is {ours[:16]}…); give another --out"
                )

    def _stream(self, rows: Iterable[tuple[str, ...]], workers: int) -> None:
        alignments = str(self.inputs["alignments"].path) if "alignments" in self.inputs else ""
        files = self.files
        make = functools.partial(ChunkEncoder, files.sentencepiece, files.vocabulary, self.options, alignments)
        results = ordered_map(make, cut(rows), workers, PRELOAD)
        sizes = [text.size() for text in self.inputs.values()]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        progress = tqdm(total=total, desc=self.name, unit="B", unit_scale=True, disable=None)
        with contextlib.closing(results), progress:  # type: ignore[type-var]
            for encoded in results:
                self._add(encoded)
                progress.update(sum(text.bytes_read for text in self.inputs.values()) - progress.n)
        if not self._kept:
            counts = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in self.dropped.items())
            names = ", ".join(str(text.path) for text in self.inputs.values())
            raise InputError(f"{names}: nothing to keep ({counts}); check the files and the limits")

    def _add(self, encoded: Encoded) -> None:
        for (column, writer), items in zip(self.writers.items(), encoded.columns, strict=True):
            writer.add(items.flat, items.sizes)
            if column != "links":
                self.unknown[column] += items.unknown
        self.dropped.update(encoded.dropped)
        self.word_links += encoded.word_links

    @property
    def _kept(self) -> int:
        return next(iter(self.writers.values())).items

    def _manifest(self, tokenizer: str) -> dict[str, Any]:
        hashes = {
            "dictionary": hashlib.sha256(self.files.dictionary).hexdigest(),
            "sentencepiece": hashlib.sha256(self.files.sentencepiece).hexdigest(),
        }
        options = dataclasses.asdict(self.options)
        inputs = {
            name: {"name": text.path.name, "sha256": text.sha256, "lines": text.lines} for name, text in self.inputs.items()
        }
        label = {
            "split": self.name,
            **{name: text.sha256[:16] for name, text in self.inputs.items()},
            **options,
            "tokenizer": tokenizer,
            **{name: value[:16] for name, value in hashes.items()},
            "sentencepiece_version": sentencepiece.__version__,
            "format": VERSION,
            "version": __version__,
        }
        texts = {column: writer for column, writer in self.writers.items() if column != "links"}
        pieces = {column: writer.elements - writer.items for column, writer in texts.items()}
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "signature": signature(label),
            "split": self.split,
            "languages": self.pair,
            "inputs": inputs,
            "lines": next(iter(self.inputs.values())).lines,
            "kept": self._kept,
            "dropped": dict(self.dropped),
            "pieces": pieces,  # without </s>
            "unknown": {column: self.unknown[column] / pieces[column] for column in texts},
            "options": options,
            "sha256": hashes,
            "outputs": {
                writer.path(ending).name: writer.sha256[ending] for writer in self.writers.values() for ending in ENDINGS
            },
        }
        if "links" in self.writers:
            manifest["links"] = {"words": self.word_links, "pieces": self.writers["links"].elements // 2}
        return manifest


def _check_name(what: str, name: str, allowed: str, pattern: str) -> None:
    if not re.fullmatch(pattern, name):
        raise InputError(f"{what} {name!r}: allowed are {allowed}; it becomes part of file names")
