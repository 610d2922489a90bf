"""The E-step over a whole corpus: batches are formed globally and dealt whole to the ranks, and memory does not grow."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from tqdm import tqdm

from xlm_align_fairseq.alignment import extraction
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.spans import PieceBatch
from xlm_align_fairseq.data.corpus import Corpus, batch_by_tokens
from xlm_align_fairseq.data.labels import Found
from xlm_align_fairseq.distributed import gather_arrays, rank_and_size
from xlm_align_fairseq.encoder import Encoder
from xlm_align_fairseq.labeling import label

WINDOW = 16384  # sentence pairs that are sorted by length and labelled together; shards are made of whole windows
Labeler = Callable[[PieceBatch], Found]


def labeler(encoder: Encoder, config: AlignerConfig, autocast: torch.dtype | None = None) -> Labeler:
    """Return the function that labels a batch with an encoder, on the encoder's device."""
    device = encoder.embed_tokens.weight.device
    encoder.eval()

    def run(pieces: PieceBatch) -> Found:
        casting = torch.autocast(device.type, autocast) if autocast else contextlib.nullcontext()
        with torch.inference_mode(), casting:
            labels = label(encoder, pieces.to(device), config)
            links = labels.links
            agreement = extraction.agreement(labels.plan.rows, labels.plan.columns, labels.mask)
            linked = links.any(2).sum(1) + links.any(1).sum(1)
        cells = links.nonzero()[:, 1:]
        return Found(links.flatten(1).sum(1).cpu().numpy(), cells.cpu().numpy(), linked.cpu().numpy(), agreement.cpu().numpy())

    return run


def windows(ids: np.ndarray) -> list[np.ndarray]:
    """Cut ascending ids into the parts that are labelled one after another."""
    return [ids[begin : begin + WINDOW] for begin in range(0, len(ids), WINDOW)]


def shard_ids(ids: np.ndarray, num_shards: int, shard_id: int) -> np.ndarray:
    """Return the ids of one shard: whole windows, so that shards label exactly the batches of an undivided pass."""
    parts = windows(ids)
    first, last = (len(parts) * k // num_shards for k in (shard_id, shard_id + 1))
    return np.concatenate([ids[:0], *parts[first:last]])


def label_corpus(
    run: Labeler, corpus: Corpus, ids: np.ndarray, batch_tokens: int, title: str = "labels"
) -> Iterator[tuple[np.ndarray, Found]]:
    """Label sentence pairs; every rank of a distributed run calls it with the same arguments and gets all results.

    Args:
        run: labels a batch.
        corpus: where the pairs are.
        ids: ascending, each once.
        batch_tokens: pieces of a batch, padding and specials included.
        title: of the progress bar.

    Yields:
        The ids of a window and their labels, in the order of the ids.
    """
    rank, _ = rank_and_size()
    with tqdm(total=len(ids), desc=title, unit="pair", disable=None if rank == 0 else True) as progress:
        for window in windows(ids):
            yield window, _label_window(run, corpus, window, batch_tokens)
            progress.update(len(window))


def _label_window(run: Labeler, corpus: Corpus, ids: np.ndarray, batch_tokens: int) -> Found:
    rank, size = rank_and_size()
    lengths = corpus.lengths[ids]
    order = np.lexsort((corpus.src_lengths[ids], lengths))
    batches = batch_by_tokens(lengths[order], batch_tokens)
    mine = [run(corpus.pieces(ids[order[batch]])) for batch in batches[rank::size]]
    mine_together = Found.concatenate(mine) if mine else Found.none()
    columns = (gather_arrays(column) for column in mine_together)
    found = Found.concatenate([Found(*parts) for parts in zip(*columns, strict=True)])
    dealt = np.concatenate([order[batch] for r in range(size) for batch in batches[r::size]])
    return found.reordered(np.argsort(dealt))


def weights_fingerprint(encoder: Encoder, layer: int) -> str:
    """SHA-256 of the weights that hidden states up to a layer depend on, hexadecimal."""
    digest = hashlib.sha256()
    parts = [encoder.embed_tokens, encoder.embed_positions, encoder.layernorm_embedding, *encoder.layers[:layer]]
    for part in parts:
        for name, value in part.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
