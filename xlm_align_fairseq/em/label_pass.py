"""The E-step over a whole corpus: batches are formed globally and dealt whole to the ranks, and memory does not grow."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.alignment import extraction
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import Teacher, label
from xlm_align_fairseq.bitext.corpus import Corpus, batch_by_tokens
from xlm_align_fairseq.bitext.label_statistics import PairLinks
from xlm_align_fairseq.bitext.labels import LabelStore, LabelWriter, manifest_path, prefix
from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.ranks import gather_arrays, rank_and_size
from xlm_align_fairseq.version import __version__

SLAB = 16384  # sentence pairs that are sorted by length and labelled together; shards are made of whole slabs
Labeler = Callable[[PieceBatch], PairLinks]


def labeler(teacher: Teacher, config: AlignerConfig, autocast: torch.dtype | None = None) -> Labeler:
    """Return the function that labels a batch, on the teacher's device."""
    device = teacher.encoder.embed_tokens.weight.device
    teacher.encoder.eval()

    def run(pieces: PieceBatch) -> PairLinks:
        casting = torch.autocast(device.type, autocast) if autocast else contextlib.nullcontext()
        with torch.inference_mode(), casting:
            labels = label(teacher, pieces.to(device), config)
            links = labels.links
            both = links
            if config.extraction != "argmax" or config.symmetrization != "intersection" or config.also or config.threshold:
                both = extraction.mutual_argmax(labels.plan.rows, labels.plan.columns, labels.mask)
            linked = links.any(2).sum(1) + links.any(1).sum(1)
            columns = links.flatten(1).sum(1), links.nonzero()[:, 1:], linked, both.flatten(1).sum(1)
        return PairLinks(*(column.cpu().numpy() for column in columns))

    return run


def slabs(ids: np.ndarray) -> list[np.ndarray]:
    """Cut ascending ids into the slabs that are labelled one after another."""
    return [ids[begin : begin + SLAB] for begin in range(0, len(ids), SLAB)]


def shard_ids(ids: np.ndarray, num_shards: int, shard_id: int) -> np.ndarray:
    """Return the ids of one shard: whole slabs, so that shards label exactly the batches of an undivided pass."""
    parts = slabs(ids)
    first, last = (len(parts) * k // num_shards for k in (shard_id, shard_id + 1))
    return np.concatenate([ids[:0], *parts[first:last]])


def label_corpus(
    run: Labeler, corpus: Corpus, ids: np.ndarray, batch_tokens: int, title: str | None = "labels"
) -> Iterator[tuple[np.ndarray, PairLinks]]:
    """Label sentence pairs; every rank of a distributed run calls it with the same arguments and gets all results.

    Args:
        run: labels a batch.
        corpus: where the pairs are.
        ids: ascending, each once.
        batch_tokens: pieces of a batch, padding and specials included.
        title: of the progress bar; None: no bar.

    Yields:
        The ids of a slab and their labels, in the order of the ids.
    """
    rank, _ = rank_and_size()
    with tqdm(total=len(ids), desc=title, unit="pair", disable=None if title and rank == 0 else True) as progress:
        for slab in slabs(ids):
            yield slab, _label_slab(run, corpus, slab, batch_tokens)
            progress.update(len(slab))


def _label_slab(run: Labeler, corpus: Corpus, ids: np.ndarray, batch_tokens: int) -> PairLinks:
    rank, size = rank_and_size()
    lengths = corpus.lengths[ids]
    order = np.lexsort((corpus.src_lengths[ids], lengths))
    batches = batch_by_tokens(lengths[order], batch_tokens)
    mine = [run(corpus.pieces(ids[order[batch]])) for batch in batches[rank::size]]
    mine_together = PairLinks.concatenate(mine) if mine else PairLinks.none()
    columns = (gather_arrays(column) for column in mine_together)
    found = PairLinks.concatenate([PairLinks(*parts) for parts in zip(*columns, strict=True)])
    dealt = np.concatenate([order[batch] for r in range(size) for batch in batches[r::size]])
    return found.reordered(np.argsort(dealt))


def write_labels(
    aligner: Aligner, corpus: Corpus, split: str, directory: Path, shard: tuple[int, int] = (1, 0), progress: bool = True
) -> None:
    """Label a corpus, or one shard of it, and write the labels.

    Args:
        aligner: makes the links.
        corpus: what is labelled; all that is usable.
        split: `train`, `valid`, ….
        directory: where to.
        shard: number of shards, and which of them, from 0.
        progress: whether to show a bar.

    Raises:
        InputError: the corpus has pieces that the encoder does not know.
    """
    check_pieces(corpus, aligner.encoder)
    ids = np.flatnonzero(corpus.usable)
    ids = shard_ids(ids, *shard)
    about = origin(aligner.teacher, aligner.config, aligner.autocast, aligner.batch_tokens)
    about["max_positions"] = corpus.max_positions
    run = labeler(aligner.teacher, aligner.config, aligner.autocast)
    with LabelWriter(directory, split, corpus, about | {"shard": list(shard)} if shard[0] > 1 else about) as writer:
        for slab, found in label_corpus(run, corpus, ids, aligner.batch_tokens, "labels" if progress else None):
            writer.add(slab, found)


def check_pieces(corpus: Corpus, encoder: Encoder) -> None:
    """Refuse a corpus that was binarised with a larger dictionary than the encoder's, as far as a look at it tells."""
    rows = encoder.embed_tokens.num_embeddings
    for pair in corpus.pairs:
        for side in (pair.source, pair.target):
            highest = side.highest()
            if highest >= rows:
                raise InputError(f"{side.prefix} has piece {highest}, the encoder knows {rows}: binarise with its dictionary")


def shard_directory(out: Path, num_shards: int, shard_id: int) -> Path:
    """Return where the labels of one shard are."""
    return out / "shards" / f"{shard_id}-of-{num_shards}"


def merge_shards(corpus: Corpus, split: str, out: Path, num_shards: int) -> None:
    """Put the labels of all shards together and remove them.

    Raises:
        InputError: a shard is missing, or it was made with other weights, flags or data than the first, or of other pairs.
    """
    directories = [shard_directory(out, num_shards, shard) for shard in range(num_shards)]
    missing = [str(directory) for directory in directories if not manifest_path(directory, split).is_file()]
    if missing:
        raise InputError(f"{', '.join(missing)}: no labels of {split} there; run `xlm-align label` for these shards first")
    stores = [LabelStore(directory, split, corpus) for directory in directories]
    about = {key: stores[0].manifest[key] for key in ("weights", "aligner", "max_positions")}
    names = [pair.name for pair in corpus.pairs]
    for store in stores:
        if [*store.manifest["pairs"]] != names:
            theirs = ", ".join(store.manifest["pairs"])
            raise InputError(f"{store.directory} has labels of {theirs}, in this order: give the same --lang-pairs")
        if any(store.manifest[key] != value for key, value in about.items()):
            raise InputError(
                f"{store.directory} was made with another model or other flags than {directories[0]}: label it again"
            )
    corpus = Corpus(corpus.pairs, about["max_positions"])  # the ids that were dealt to the shards
    ids = np.flatnonzero(corpus.usable)
    with LabelWriter(out, split, corpus, about) as writer:
        for shard, store in enumerate(stores):
            for slab in slabs(shard_ids(ids, num_shards, shard)):
                counts, cells = store.links(slab)
                writer.add(slab, PairLinks(counts, cells, linked_pieces(counts, cells), np.zeros(len(counts), np.int64)))
        writer.take_agreed([store.manifest for store in stores])
    for directory in directories:  # there may be shards of other splits
        for file in (manifest_path(directory, split), *directory.glob(f"{prefix(split, '*')}.*")):
            file.unlink()
    for directory in (*directories, out / "shards"):
        if not any(directory.iterdir()):
            directory.rmdir()


def linked_pieces(counts: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Count the pieces of both sides that have a link: (n,) int64 for n pairs."""
    rows = np.repeat(np.arange(len(counts)), counts)
    sides = (np.unique((rows << 20) + cells[:, column]) >> 20 for column in (0, 1))
    return np.asarray(sum(np.bincount(side, minlength=len(counts)) for side in sides))


def origin(teacher: Teacher, config: AlignerConfig, autocast: torch.dtype | None, batch_tokens: int) -> dict[str, Any]:
    """Return what a manifest says of how labels are made: all that can change them, but for the data."""
    items = config.signature_items()
    del items["window"]  # the pieces are there already
    items |= {"autocast": str(autocast).removeprefix("torch.").lower(), "batch_tokens": batch_tokens}
    return {
        "weights": weights_fingerprint(teacher, config),
        "aligner": signature(items | {"version": __version__}),
    }


def weights_fingerprint(teacher: Teacher, config: AlignerConfig) -> str:
    """SHA-256 of all weights that links depend on, hexadecimal: up to the label layer, or all layers and the pointer head."""
    encoder, head = teacher.encoder, teacher.pointer if config.needs_pointer() else None
    layer = encoder.config.layers if head is not None else config.align_layer
    digest = hashlib.sha256(f"{encoder.config.heads} heads, epsilon {encoder.config.layer_norm_eps}".encode())
    parts = [
        encoder.embed_tokens,
        encoder.embed_positions,
        encoder.layernorm_embedding,
        *encoder.layers[:layer],
        *([head] if head else []),
    ]
    for part in parts:
        for name, value in part.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
