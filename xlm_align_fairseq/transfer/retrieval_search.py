"""Search for the nearest sentence, exactly: by cosine, or by the ratio margin over the k nearest of either side.

With NN the k nearest neighbours by cosine among the sentences of the other side::

    margin(x, y) = cos(x, y) / (sum of cos(x, z), z in NN(x), / 2k + sum of cos(y, z), z in NN(y), / 2k)

Both directions come from one product of the vectors, block by block; nothing as large as all pairs is held. The margin is
highest among all sentences, not among the k nearest alone, which LASER and XTREME look at. Where a bound on those further away
shows that none of them can win, they are not looked at again.

Of equal ones the lower index wins, and 0 / 0 never does. A vector of zeros has the cosine 0 with everything.

Reference: Artetxe & Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings", 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from xlm_align_fairseq.errors import InputError

Vectors = npt.NDArray[Any]  # (N, C), any float type
K = 4  # neighbours of the ratio margin, as XTREME has it
_ROWS, _COLUMNS = 4096, 1024  # of a block of cosines, which stays in the caches of a CPU
_GROUP = 32  # columns whose highest cosine is looked at before they are
_LOW = (1 << 32) - 1  # the lower half of a key
_NONE = -0x7F800001 << 32  # a key of minus infinity, below all that have an index
_SLACK = 1e-5  # of rounding, in a bound on margins


class Hits(NamedTuple):
    """Hold the nearest of each query.

    Args:
        indices: (N,) int64, of the other side.
        scores: (N,) float32, cosines or margins.
    """

    indices: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


def nearest(queries: Vectors, others: Vectors, margin: int | None = None) -> npt.NDArray[np.int64]:
    """Return for each query the index of the nearest of the others.

    Args:
        queries: (N, C), any float type.
        others: (M, C).
        margin: the number k of neighbours of the ratio margin; `None` for the cosine.

    Returns:
        (N,), of equal vectors the lower index.

    Raises:
        InputError: as for `search`.

    >>> nearest(np.array([[1.0, 0.1]]), np.array([[0.0, 1.0], [2.0, 0.0], [2.0, 0.0]])).tolist()
    [1]
    """
    return search(queries, others, margin)[0].indices


def search(
    queries: Vectors, others: Vectors, margin: int | None = None, device: torch.device | str = "cpu", quiet: bool = True
) -> tuple[Hits, Hits]:
    """Return the nearest of each query among the others, and the nearest query of each of the others.

    Beside both matrices some 200 MB are used, and 100 bytes for each sentence.

    Args:
        queries: (N, C), any float type.
        others: (M, C).
        margin: the number k of neighbours of the ratio margin; `None` for the cosine.
        device: where to compute, in float32.
        quiet: show no progress bar.

    Raises:
        InputError: no sentences, other widths, a vector that is not finite, or no such number of neighbours.
    """
    x, y = _Side(queries, device), _Side(others, device)
    if queries.shape[1] != others.shape[1]:
        raise InputError(f"vectors of {queries.shape[1]} and of {others.shape[1]} numbers: give both from one model")
    if margin is not None and not 1 <= margin <= min(len(queries), len(others)):
        raise InputError(
            f"{margin} neighbours of {min(len(queries), len(others))} sentences; allowed is 1 to the number of sentences,"
            f" {K} is usual"
        )
    forward, backward = _neighbours(x, y, margin or 1, quiet)
    if margin is None:
        return _hits(forward[:, 0], y), _hits(backward[:, 0], x)
    mean_x, mean_y = _values(forward).mean(1), _values(backward).mean(1)
    return (
        _hits(_highest_margins(x, y, forward, mean_x, mean_y, quiet), y),
        _hits(_highest_margins(y, x, backward, mean_y, mean_x, quiet), x),
    )


class _Side:
    """The vectors of one side, of which blocks are brought to length 1 when they are read."""

    def __init__(self, vectors: Vectors, device: torch.device | str):
        if not len(vectors):
            raise InputError("no sentences to search among; give one or more")
        self.vectors, self.device = vectors, device
        self.lengths = np.concatenate([np.linalg.norm(rows, axis=1) for rows in self._blocks()])
        if not np.isfinite(self.lengths).all():
            raise InputError(
                f"the vector of sentence {int(np.argmin(np.isfinite(self.lengths))) + 1} is not finite: the weights are damaged,"
                " or the precision is too low"
            )

    def __len__(self) -> int:
        return len(self.vectors)

    def block(self, begin: int, end: int) -> Tensor:
        """Return some rows at length 1, (end - begin, C) float32."""
        return self.at(np.arange(begin, min(end, len(self))))

    def at(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return rows by index, as `block` does."""
        lengths = self.lengths[rows, None]
        unit = np.divide(self.vectors[rows], np.where(lengths > 0, lengths, 1), dtype=np.float64)
        return torch.from_numpy(unit.astype(np.float32)).to(self.device)

    def first_equal(self) -> npt.NDArray[np.int64]:
        """Return for each row the first row that is equal to it: (N,)."""
        factors = np.random.default_rng(0).integers(1 << 63, size=self.vectors.shape[1], dtype=np.uint64) * 2 + 1
        bits = [self.block(n, n + _COLUMNS).cpu().numpy() + 0.0 for n in range(0, len(self), _COLUMNS)]
        sums = np.concatenate([(rows.view(np.uint32) * factors).sum(1, dtype=np.uint64) for rows in bits])
        _, first, which = np.unique(sums, return_index=True, return_inverse=True)
        return first[which]

    def _blocks(self) -> Iterator[Vectors]:
        return (np.asarray(self.vectors[n : n + _COLUMNS], np.float64) for n in range(0, len(self.vectors), _COLUMNS))


def _neighbours(x: _Side, y: _Side, k: int, quiet: bool) -> tuple[Tensor, Tensor]:
    """Return the keys of the k nearest by cosine in both directions, descending: (N, k) and (M, k)."""
    forward, backward = (torch.full((len(side), k), _NONE, device=x.device) for side in (x, y))
    with torch.inference_mode():
        for i in tqdm(range(0, len(x), _ROWS), desc="search", unit=" blocks", disable=True if quiet else None):
            rows = x.block(i, i + _ROWS)
            for j in range(0, len(y), _COLUMNS):
                cosines = rows @ y.block(j, j + _COLUMNS).T
                _keep_highest(forward[i : i + _ROWS], cosines, j)
                _keep_highest(backward[j : j + _COLUMNS], cosines.T, i)
    return forward, backward


def _keep_highest(kept: Tensor, block: Tensor, offset: int) -> None:
    """Put the highest of a block among those that are kept, in place.

    The k highest of a row stand in the k groups with the highest maxima: each of these has one that comes before all of any
    other group. Rows without one that comes before the last that is kept are not looked at further.

    Args:
        kept: (R, k) keys, descending; of columns below `offset`.
        block: (R, columns).
        offset: index of the first column.
    """
    k = kept.size(1)
    if missing := -block.size(1) % _GROUP:
        block = F.pad(block, (0, missing), value=-torch.inf)
    maxima = _maxima(block)  # (R, groups)
    rows = (maxima.amax(1) > _values(kept[:, -1])).nonzero()[:, 0]
    if not len(rows):
        return
    n_groups = maxima.size(1)
    found = _keys(maxima[rows], torch.arange(n_groups, device=block.device)).topk(min(k, n_groups), 1).values
    groups = _indices(found)  # (rows, k)
    columns = groups[:, :, None] * _GROUP + torch.arange(_GROUP, device=block.device)
    keys = _keys(block.unflatten(1, (-1, _GROUP))[rows[:, None], groups], columns + offset).flatten(1)
    kept[rows] = torch.cat([kept[rows], keys], 1).topk(k, 1).values


def _maxima(block: Tensor) -> Tensor:
    """Return the maximum of each group of columns; a transposed block is read along its memory, in a thirtieth of the time."""
    if block.is_contiguous():
        return block.unflatten(1, (-1, _GROUP)).amax(2)
    return block.T.unflatten(0, (-1, _GROUP)).amax(1).T


def _highest_margins(x: _Side, y: _Side, neighbours: Tensor, mean_x: Tensor, mean_y: Tensor, quiet: bool) -> Tensor:
    """Return the key of the highest margin of each row of `x`, (N,), from the keys of its nearest by cosine.

    Args:
        x, y: (N, C) and (M, C).
        neighbours: (N, k) keys.
        mean_x, mean_y: (N,) and (M,) mean cosines of the k nearest.
        quiet: show no progress bar.
    """
    indices, cosines = _indices(neighbours), _values(neighbours)
    best = _keys(_margins(cosines, mean_x[:, None], mean_y[indices]), indices).amax(1)
    if neighbours.size(1) == len(y):
        return best
    lowest = mean_x + mean_y.min()
    bound = 2 * cosines[:, -1].clamp(min=0) / lowest  # no other is nearer than the last neighbour
    closed = (lowest > 0) & (_values(best) > bound * (1 + _SLACK))
    open_rows = (~closed).nonzero()[:, 0]
    with torch.inference_mode():
        for rows in tqdm(open_rows.split(_ROWS), desc="margins", unit=" blocks", disable=True if quiet else None):
            queries = x.at(rows.cpu().numpy())
            for j in range(0, len(y), _COLUMNS):
                cosines = queries @ y.block(j, j + _COLUMNS).T
                margins = _margins(cosines, mean_x[rows, None], mean_y[None, j : j + _COLUMNS])
                columns = margins.argmax(1)  # the first of equal ones
                found = _keys(margins.gather(1, columns[:, None])[:, 0], columns + j)
                best[rows] = torch.maximum(best[rows], found)
    return best


def _margins(cosines: Tensor, mean_x: Tensor, mean_y: Tensor) -> Tensor:
    return (cosines / ((mean_x + mean_y) / 2)).nan_to_num_(-torch.inf, torch.inf, -torch.inf)


def _hits(keys: Tensor, others: _Side) -> Hits:
    """Return what keys say; equal vectors need not have equal products, and count as the first of them."""
    return Hits(others.first_equal()[_indices(keys).cpu().numpy()], _values(keys).cpu().numpy())


# A key is a score and an index in one number: a higher score is higher, and of equal scores the lower index is.


def _keys(scores: Tensor, indices: Tensor) -> Tensor:
    """Return keys, int64, of float32 scores without NaN and of indices below 2**32, of shapes that broadcast."""
    bits = (scores + 0.0).view(torch.int32)  # -0.0 becomes 0.0
    return (_ordered(bits).long() << 32) | (_LOW - indices)


def _values(keys: Tensor) -> Tensor:
    """Return the scores of keys."""
    return _ordered((keys >> 32).int()).view(torch.float32)


def _indices(keys: Tensor) -> Tensor:
    return _LOW - (keys & _LOW)


def _ordered(bits: Tensor) -> Tensor:
    """Turn the bits of floats into integers of the same order, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
