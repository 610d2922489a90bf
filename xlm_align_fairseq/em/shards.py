"""Split a labelling pass into shards for several processes, and merge their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.label_statistics import PairLinks
from xlm_align_fairseq.bitext.labels import LabelStore, LabelWriter, manifest_path, prefix
from xlm_align_fairseq.errors import InputError

SLAB = 16384  # sentence pairs that are sorted by length and labelled together; shards are made of whole slabs


def slabs(ids: np.ndarray) -> list[np.ndarray]:
    """Cut ascending ids into the slabs that are labelled one after another."""
    return [ids[begin : begin + SLAB] for begin in range(0, len(ids), SLAB)]


def shard_ids(ids: np.ndarray, num_shards: int, shard_id: int) -> np.ndarray:
    """Return the ids of one shard: whole slabs, so that shards label exactly the batches of an undivided pass."""
    parts = slabs(ids)
    first, last = (len(parts) * k // num_shards for k in (shard_id, shard_id + 1))
    return np.concatenate([ids[:0], *parts[first:last]])


def shard_directory(out: Path, num_shards: int, shard_id: int) -> Path:
    """Return the directory of the labels of one shard."""
    return out / "shards" / f"{shard_id}-of-{num_shards}"


def merge_shards(corpus: Corpus, split: str, out: Path, num_shards: int) -> None:
    """Merge the labels of all shards, then delete the shards.

    Raises:
        InputError: a shard is missing, or it was made with other weights, flags or data than the first, or of other pairs.
    """
    directories = [shard_directory(out, num_shards, shard) for shard in range(num_shards)]
    missing = [str(directory) for directory in directories if not manifest_path(directory, split).is_file()]
    if missing:
        raise InputError(f"{', '.join(missing)}: no labels of {split} there; run `xlm-align label` for these shards first")
    stores = [LabelStore(directory, split, corpus) for directory in directories]
    provenance = {key: stores[0].manifest[key] for key in ("weights", "aligner", "max_positions")}
    names = [pair.name for pair in corpus.pairs]
    for store in stores:
        if [*store.manifest["pairs"]] != names:
            theirs = ", ".join(store.manifest["pairs"])
            raise InputError(f"{store.directory} has labels of {theirs}, in this order: give the same --lang-pairs")
        if any(store.manifest[key] != value for key, value in provenance.items()):
            raise InputError(
                f"{store.directory} was made with another model or other flags than {directories[0]}: label it again"
            )
    corpus = Corpus(corpus.pairs, provenance["max_positions"])  # usable ids as the shards counted them
    ids = np.flatnonzero(corpus.usable)
    with LabelWriter(out, split, corpus, provenance) as writer:
        for shard, store in enumerate(stores):
            for slab in slabs(shard_ids(ids, num_shards, shard)):
                counts, cells = store.links(slab)
                writer.add(slab, PairLinks(counts, cells, np.zeros(len(counts), np.int64)))
        writer.take_agreed([store.manifest for store in stores])
    for directory in directories:  # there may be shards of other splits
        for file in (manifest_path(directory, split), *directory.glob(f"{prefix(split, '*')}.*")):
            file.unlink()
    for directory in (*directories, out / "shards"):
        if not any(directory.iterdir()):
            directory.rmdir()
