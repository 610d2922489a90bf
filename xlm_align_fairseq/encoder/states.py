"""Encode many sequences of different lengths, and gather their hidden states into batches of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.sequences import Sides
from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.system.device import lower_precision

STEP = 4  # lengths are padded to multiples of it
SHORTEST = 8  # pieces of a sequence, padded
ROWS = 16  # from so many rows on, a row of a matrix product does not depend on their number; of one thread, on all CPUs seen


def padded(lengths: np.ndarray) -> np.ndarray:
    """Return the padded length of each sequence: a function of its length alone, so that results do not depend on the batch."""
    return np.maximum(-(-lengths // STEP) * STEP, SHORTEST)


def buckets(keys: np.ndarray, sizes: np.ndarray, capacity: int) -> Iterator[np.ndarray]:
    """Yield batches of item indices: items with equal keys, as many as fit.

    Args:
        keys: (N,) or (N, columns) int64; items with equal keys share a batch.
        sizes: (N,) size of each item, equal where keys are equal.
        capacity: maximum total size of a batch; a larger item forms a batch of its own.
    """
    if not len(keys):
        return
    keys = keys.reshape(len(keys), -1)
    order = np.lexsort(keys.T[::-1])
    changes = np.flatnonzero((keys[order][1:] != keys[order][:-1]).any(1)) + 1
    for group in np.split(order, changes):
        count = max(1, capacity // max(1, int(sizes[group[0]])))
        yield from (group[first : first + count] for first in range(0, len(group), count))


class States:
    """Hidden states of sequences, concatenated without padding.

    Args:
        encoder: in evaluation mode.
        sequences: ids of pieces, specials included; each at most as long as the encoder reads.
        layers: layers whose states are kept; nothing is computed above the highest of them.
        batch_tokens: maximum pieces of a batch, padding included.
        autocast: dtype to compute in, `None` for the encoder's own.
        late_layer: as for `Encoder.at_layers`.
    """

    def __init__(
        self,
        encoder: Encoder,
        sequences: Sequence[np.ndarray],
        layers: Sequence[int],
        batch_tokens: int,
        autocast: torch.dtype | None = None,
        late_layer: int = 0,
    ):
        device = encoder.device
        lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
        widths = np.minimum(padded(lengths), encoder.config.max_positions * (2 if late_layer else 1))
        self.begins = np.concatenate([[0], np.cumsum(lengths)])
        self.layers: dict[int, Tensor] = {}
        with torch.inference_mode(), lower_precision(device, autocast):
            for batch in buckets(widths, widths, batch_tokens):
                width = widths[batch[0]]
                tokens = np.full((max(len(batch), -(-ROWS // width)), width), PAD, np.int64)
                exists = np.zeros(tokens.shape, bool)
                exists[: len(batch)] = np.arange(width) < lengths[batch, None]
                tokens[exists] = np.concatenate([sequences[n] for n in batch])
                tokens[len(batch) :] = tokens[0]  # few short sequences are computed more than once
                places = np.repeat(self.begins[batch] - np.cumsum(lengths[batch]) + lengths[batch], lengths[batch])
                where = torch.from_numpy(places + np.arange(len(places))).to(device)
                rows = torch.from_numpy(exists.reshape(-1)).to(device)
                outputs = encoder.at_layers(torch.from_numpy(tokens).to(device), layers, late_layer)
                for layer, states in zip(layers, outputs, strict=True):
                    if layer not in self.layers:
                        self.layers[layer] = states.new_empty(int(self.begins[-1]), states.size(-1))
                    self.layers[layer][where] = states.flatten(0, 1)[rows]

    def finite(self, layer: int) -> np.ndarray:
        """Tell which sequences have finite states: (sequences,) bool; damaged weights or too low a precision make others."""
        places = self.layers[layer].isfinite().all(1).cpu().numpy()
        return np.logical_and.reduceat(places, self.begins[:-1]) if len(places) else np.zeros(0, bool)

    def gather(self, layer: int, first: np.ndarray, lengths: np.ndarray, width: int) -> Tensor:
        """Return (B, width, C) states: those of `lengths` (B,) positions from `first` (B,) on; undefined at padding."""
        places = first[:, None] + np.minimum(np.arange(width), lengths[:, None] - 1)
        states = self.layers[layer]
        return states[torch.from_numpy(places).to(states.device)]

    def sides(self, layer: int, source: tuple[np.ndarray, np.ndarray, int], target: tuple[np.ndarray, np.ndarray, int]) -> Sides:
        """Gather both sides of pairs; each side is given by the arguments of `gather` after the layer."""
        return Sides(self.gather(layer, *source), self.gather(layer, *target))
