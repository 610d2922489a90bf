"""Split a labelling pass into shards for several processes, and merge their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.indexed import ENDINGS
from xlm_align_fairseq.bitext.label_statistics import PairLinks
from xlm_align_fairseq.bitext.labels import LabelStore, LabelWriter, manifest_path, prefix
from xlm_align_fairseq.errors import InputError

SLAB = 16384  # sentence pairs that are sorted by length and labelled together; shards are made of whole slabs

PROVENANCE = ("weights", "aligner", "max_positions")  # what a manifest says of how all shards were made


def slabs(ids: np.ndarray) -> list[np.ndarray]:
    """Cut ascending ids into the slabs that are labelled one after another."""
    return [ids[begin : begin + SLAB] for begin in range(0, len(ids), SLAB)]


def shard_ids(ids: np.ndarray, num_shards: int, shard_id: int) -> np.ndarray:
    """Return the ids of one shard: whole slabs, so that shards label exactly the batches of an undivided pass."""
    n_slabs = -(-len(ids) // SLAB)
    first, last = (n_slabs * k // num_shards * SLAB for k in (shard_id, shard_id + 1))
    return ids[first:last]


def shard_directory(out: Path, num_shards: int, shard_id: int) -> Path:
    """Return the directory of the labels of one shard."""
    return out / "shards" / f"{shard_id}-of-{num_shards}"


def merge_shards(corpus: Corpus, split: str, out: Path, num_shards: int) -> None:
    """Merge the labels of all shards, then delete the shards.

    Raises:
        InputError: a shard is missing, is another one than its directory says, was made with other weights, flags or data than
            the first, or of other pairs. Nothing was written or removed.
    """
    directories = [shard_directory(out, num_shards, shard) for shard in range(num_shards)]
    missing = [str(directory) for directory in directories if not manifest_path(directory, split).is_file()]
    if missing:
        raise InputError(f"{', '.join(missing)}: no labels of {split} there; run `xlm-align label` for these shards first")
    stores = [LabelStore(directory, split, corpus) for directory in directories]
    provenance = _common_provenance(stores, corpus)
    corpus = Corpus(corpus.pairs, provenance["max_positions"])  # the ids that were dealt to the shards
    usable = np.flatnonzero(corpus.usable)
    ids = [shard_ids(usable, num_shards, shard) for shard in range(num_shards)]
    for store, part in zip(stores, ids, strict=True):
        _check_pairs(store, corpus, part)
    with LabelWriter(out, split, corpus, provenance) as writer:
        for store, part in zip(stores, ids, strict=True):
            for slab in slabs(part):
                counts, cells = store.links(slab)
                writer.add(slab, PairLinks(counts, cells, np.zeros(len(counts), np.int64)))
        writer.take_agreed([store.manifest for store in stores])
    for directory in directories:  # there may be shards of other splits
        for path in (directory / prefix(split, pair.name) for pair in corpus.pairs):
            for ending in ENDINGS:
                path.with_name(f"{path.name}.{ending}").unlink()
        manifest_path(directory, split).unlink()
    for directory in (*directories, out / "shards"):
        if not any(directory.iterdir()):
            directory.rmdir()


def _common_provenance(stores: list[LabelStore], corpus: Corpus) -> dict[str, Any]:
    """Check that each store is the shard that its directory says, made as the first was; return what made them."""
    names, first = [pair.name for pair in corpus.pairs], stores[0]
    for shard, store in enumerate(stores):
        manifest, expected = store.manifest, [len(stores), shard]
        number, found = manifest.get("shard", [1, 0])
        if [number, found] != expected:
            raise InputError(
                f"{store.directory} holds shard {found} of {number}, not shard {shard} of {len(stores)}: label with --num-shards"
                f" {len(stores)} --shard-id {shard} again, or put the right one there"
            )
        lacking = [key for key in PROVENANCE if key not in manifest]
        if lacking:
            raise InputError(f"{store.directory}: its manifest does not tell {', '.join(lacking)}: label this shard again")
        if [*manifest["pairs"]] != names:
            theirs = ", ".join(manifest["pairs"])
            raise InputError(f"{store.directory} has labels of {theirs}, in this order: give the same --lang-pairs")
        if any(manifest[key] != first.manifest[key] for key in PROVENANCE):
            raise InputError(
                f"{store.directory} was made with another model or other flags than {first.directory}: label it again"
            )
    return {key: first.manifest[key] for key in PROVENANCE}


def _check_pairs(store: LabelStore, corpus: Corpus, ids: np.ndarray) -> None:
    """Check that a store has labels of these sentence pairs, as many as it says, and of no others."""
    others = np.setdiff1d(np.arange(len(corpus)), ids, assume_unique=True)
    counts = np.bincount(corpus.owners(ids), minlength=len(corpus.pairs))
    labelled = [store.manifest["pairs"][pair.name]["labelled"] for pair in corpus.pairs]
    if labelled != counts.tolist() or store.links(others)[0].any():
        raise InputError(
            f"{store.directory} has labels of {sum(labelled)} sentence pairs, which are not the {len(ids)} of this shard:"
            " label it again"
        )
