"""The E-step over a whole corpus: batches are formed globally and distributed whole to the ranks; memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.alignment import extraction
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import fingerprint
from xlm_align_fairseq.bitext.corpus import Corpus, batch_by_tokens
from xlm_align_fairseq.bitext.label_statistics import PairLinks
from xlm_align_fairseq.bitext.labels import LabelWriter
from xlm_align_fairseq.bitext.piece_check import check_pieces
from xlm_align_fairseq.em.evidence import CorpusEvidence
from xlm_align_fairseq.em.labeling import label
from xlm_align_fairseq.em.shards import shard_ids, slabs
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.device import lower_precision
from xlm_align_fairseq.system.ranks import gather_arrays, rank_and_size
from xlm_align_fairseq.version import __version__

Labeler = Callable[..., PairLinks]  # of a `PieceBatch` and, with evidence, what `CorpusEvidence.directions` says of it


def labeler(teacher: EncoderAndPointer, config: AlignerConfig, autocast: torch.dtype | None = None) -> Labeler:
    """Return the function that labels a batch, on the teacher's device."""
    device = teacher.encoder.device
    teacher.encoder.eval()

    def run(pieces: PieceBatch, directions: Tensor | None = None) -> PairLinks:
        with torch.inference_mode(), lower_precision(device, autocast):
            prior = None if directions is None else config.evidence_weight * directions.to(device)
            labels = label(teacher, pieces.to(device), config, prior)
            links = labels.links
            both = extraction.mutual_argmax(labels.plan.rows, labels.plan.columns, labels.mask)
            columns = links.flatten(1).sum(1), links.nonzero()[:, 1:], both.flatten(1).sum(1)
        return PairLinks(*(column.cpu().numpy() for column in columns))

    return run


def label_corpus(
    run: Labeler,
    corpus: Corpus,
    ids: np.ndarray,
    batch_tokens: int,
    title: str | None = "labels",
    evidence: CorpusEvidence | None = None,
) -> Iterator[tuple[np.ndarray, PairLinks]]:
    """Label sentence pairs; every rank of a distributed run calls it with the same arguments and gets all results.

    Args:
        run: labels a batch.
        corpus: where the pairs are.
        ids: ascending, each once.
        batch_tokens: pieces of a batch, padding and specials included.
        title: of the progress bar; None: no bar.
        evidence: that has a part in the labels.

    Yields:
        The ids of a slab and their labels, in the order of the ids.
    """
    rank, _ = rank_and_size()
    with tqdm(total=len(ids), desc=title, unit="pair", disable=None if title and rank == 0 else True) as progress:
        for slab in slabs(ids):
            yield slab, _label_slab(run, corpus, slab, batch_tokens, evidence)
            progress.update(len(slab))


def _label_slab(run: Labeler, corpus: Corpus, ids: np.ndarray, batch_tokens: int, evidence: CorpusEvidence | None) -> PairLinks:
    rank, size = rank_and_size()
    lengths = corpus.lengths[ids]
    order = np.lexsort((corpus.src_lengths[ids], lengths))
    batches = batch_by_tokens(lengths[order], batch_tokens)
    mine = [_label_batch(run, corpus, ids[order[batch]], evidence) for batch in batches[rank::size]]
    mine_together = PairLinks.concatenate(mine) if mine else PairLinks.none()
    columns = (gather_arrays(column) for column in mine_together)
    links = PairLinks.concatenate([PairLinks(*parts) for parts in zip(*columns, strict=True)])
    dealt = np.concatenate([order[batch] for r in range(size) for batch in batches[r::size]])
    return links.reordered(np.argsort(dealt))


def _label_batch(run: Labeler, corpus: Corpus, ids: np.ndarray, evidence: CorpusEvidence | None) -> PairLinks:
    pieces = corpus.pieces(ids)
    return run(pieces, evidence.directions(pieces, corpus.names(ids))) if evidence else run(pieces)


def write_labels(
    aligner: Aligner,
    corpus: Corpus,
    split: str,
    directory: Path,
    shard: tuple[int, int] = (1, 0),
    progress: bool = True,
    evidence: CorpusEvidence | None = None,
) -> None:
    """Label a corpus, or one shard of it, and write the labels.

    Args:
        aligner: makes the links.
        corpus: the corpus; all usable pairs are labelled.
        split: `train`, `valid`, ….
        directory: output directory.
        shard: number of shards, and which of them, from 0.
        progress: whether to show a bar.
        evidence: that has a part in the labels.

    Raises:
        InputError: the corpus has pieces that the encoder does not know.
    """
    check_pieces(corpus, aligner.encoder.embed_tokens.num_embeddings)
    ids = np.flatnonzero(corpus.usable)
    ids = shard_ids(ids, *shard)
    provenance = origin(aligner.weights, aligner.config, aligner.autocast, aligner.batch_tokens, evidence)
    provenance["max_positions"] = corpus.max_positions
    run = labeler(aligner.weights, aligner.config, aligner.autocast)
    with LabelWriter(directory, split, corpus, provenance | {"shard": list(shard)} if shard[0] > 1 else provenance) as writer:
        title = "labels" if progress else None
        for slab, links in label_corpus(run, corpus, ids, aligner.batch_tokens, title, evidence):
            writer.add(slab, links)


def origin(
    teacher: EncoderAndPointer,
    config: AlignerConfig,
    autocast: torch.dtype | None,
    batch_tokens: int,
    evidence: CorpusEvidence | None = None,
) -> dict[str, Any]:
    """Return the manifest entries on how labels are made: all that can change them, except the data."""
    items = config.signature_items(evidence.name if evidence else None)
    del items["window"]  # a pass cuts no windows
    items |= {"autocast": str(autocast).removeprefix("torch.").lower(), "batch_tokens": batch_tokens}
    return {
        "weights": fingerprint(teacher, config),
        "aligner": signature(items | {"version": __version__}),
    }
