"""The links that a pass finds, and additive counts of them: what a manifest and the log say of each language pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xlm_align_fairseq.bitext.indexed import take_ranges


class PairLinks(NamedTuple):
    """The links of n sentence pairs, and how they came about."""

    counts: np.ndarray  # (n,) int64 links of each pair
    cells: np.ndarray  # (links, 2) int64 source and target piece, pair after pair, row-major in each
    agreed: np.ndarray  # (n,) int64 cells that both argmax directions chose

    @classmethod
    def concatenate(cls, parts: list[PairLinks]) -> PairLinks:
        """Put results one behind the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    @classmethod
    def none(cls) -> PairLinks:
        """Return the result for no pairs."""
        return cls(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.int64))

    @property
    def linked(self) -> np.ndarray:
        """Pieces with a link, both sides together: (n,) int64."""
        rows = np.repeat(np.arange(len(self.counts)), self.counts)
        sides = (np.unique((rows << 20) + self.cells[:, column]) >> 20 for column in (0, 1))
        return np.asarray(sum(np.bincount(side, minlength=len(self.counts)) for side in sides))

    def reordered(self, order: np.ndarray) -> PairLinks:
        """Return the pairs in another order: `order[k]` says which comes k-th."""
        begins = np.cumsum(self.counts) - self.counts
        counts = self.counts[order]
        return PairLinks(counts, take_ranges(self.cells, begins[order], counts), self.agreed[order])


class Totals:
    """Additive counts of one language pair, so that shards add up to the very manifest of an undivided pass."""

    def __init__(self) -> None:
        self.labelled = self.links = self.pieces = self.linked = self.agreed = self.shared = self.either = 0

    def add(self, found: PairLinks, pieces: int) -> None:
        """Count what was found in sentence pairs that have so many pieces, both sides together."""
        self.labelled += len(found.counts)
        self.links += len(found.cells)
        self.pieces += pieces
        self.linked += int(found.linked.sum())
        self.agreed += int(found.agreed.sum())

    def compare(self, found: PairLinks, counts: np.ndarray, cells: np.ndarray) -> None:
        """Count shared links over the pairs that had some before."""
        had = counts > 0
        ours, theirs = _keys(found.counts, found.cells, had), np.unique(_keys(counts, cells, had))  # given ones may repeat
        both = np.sort(np.concatenate([ours, theirs]), kind="stable")
        shared = int((both[1:] == both[:-1]).sum())
        self.shared += shared
        self.either += len(both) - shared

    def statistics(self) -> dict[str, Any]:
        """Return counts, and what they come to; `change` is the share of links that changed, None without a comparison."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("shared", "either")},
            "links_per_pair": round(self.links / max(self.labelled, 1), 4),
            "linked_share": round(self.linked / max(self.pieces, 1), 4),
            "agreement": round(self.agreed / max(self.pieces - self.agreed, 1), 4),
            "change": round(1 - self.shared / self.either, 4) if self.either else None,
        }


def _keys(counts: np.ndarray, cells: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Give every link a number that ascends: (links,) int64."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return ((rows << 40) + (cells[:, 0] << 20) + cells[:, 1])[keep[rows]]


def summary(manifest: dict[str, Any]) -> list[str]:
    """Return a line for each language pair of a manifest."""
    where = f"em_iter {manifest['em_iter']} | update {manifest['update']} | " if manifest.get("em_iter") else ""
    lines = []
    for name, about in manifest["pairs"].items():
        change = "" if about["change"] is None else f", {100 * about['change']:.1f} % of links changed"
        lines.append(
            f"{where}{name}: {about['labelled']} pairs labelled,"
            f" {about['links_per_pair']:.2f} links a pair, {100 * about['linked_share']:.1f} % of pieces linked,"
            f" agreement {100 * about['agreement']:.1f} %{change}"
        )
    return lines
