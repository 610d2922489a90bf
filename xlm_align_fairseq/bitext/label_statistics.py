"""Links of a labelling pass, and additive counts of them for the manifest and the log of each language pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xlm_align_fairseq.bitext.indexed import take_ranges


class PairLinks(NamedTuple):
    """The links of n sentence pairs, and how many cells both directions chose."""

    counts: np.ndarray  # (n,) int64 links of each pair
    cells: np.ndarray  # (links, 2) int64 source and target piece, pair after pair, row-major in each
    agreed: np.ndarray  # (n,) int64 cells that both argmax directions chose

    @classmethod
    def concatenate(cls, parts: list[PairLinks]) -> PairLinks:
        """Concatenate results."""
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
        """Return the pairs in another order: pair `order[k]` becomes pair k."""
        begins = np.cumsum(self.counts) - self.counts
        counts = self.counts[order]
        return PairLinks(counts, take_ranges(self.cells, begins[order], counts), self.agreed[order])


class Totals:
    """Additive counts of one language pair, so that shards add up to the same manifest as an undivided pass."""

    def __init__(self) -> None:
        self.labelled = self.links = self.pieces = self.linked = self.agreed = self.shared = self.either = 0

    def add(self, links: PairLinks, pieces: int) -> None:
        """Add the links of sentence pairs, which have `pieces` pieces on both sides together."""
        self.labelled += len(links.counts)
        self.links += len(links.cells)
        self.pieces += pieces
        self.linked += int(links.linked.sum())
        self.agreed += int(links.agreed.sum())

    def compare(self, links: PairLinks, counts: np.ndarray, cells: np.ndarray) -> None:
        """Count links shared with the labels before (`counts`, `cells`), over the pairs that had links."""
        had = counts > 0
        ours, theirs = _keys(links.counts, links.cells, had), np.unique(_keys(counts, cells, had))  # given links may repeat
        both = np.sort(np.concatenate([ours, theirs]), kind="stable")
        shared = int((both[1:] == both[:-1]).sum())
        self.shared += shared
        self.either += len(both) - shared

    def statistics(self) -> dict[str, Any]:
        """Return counts and rates; `change` is the share of links that changed, None without a comparison."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("shared", "either")},
            "links_per_pair": round(self.links / max(self.labelled, 1), 4),
            "linked_share": round(self.linked / max(self.pieces, 1), 4),
            "agreement": round(self.agreed / max(self.pieces - self.agreed, 1), 4),
            "change": round(1 - self.shared / self.either, 4) if self.either else None,
        }


def _keys(counts: np.ndarray, cells: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return a sortable key of each link of the pairs to keep: (links,) int64."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return ((rows << 40) + (cells[:, 0] << 20) + cells[:, 1])[keep[rows]]


def summary(manifest: dict[str, Any]) -> list[str]:
    """Return a line for each language pair of a manifest."""
    where = f"em_iter {manifest['em_iter']} | update {manifest['update']} | " if manifest.get("em_iter") else ""
    lines = []
    for name, statistics in manifest["pairs"].items():
        change = "" if statistics["change"] is None else f", {100 * statistics['change']:.1f} % of links changed"
        lines.append(
            f"{where}{name}: {statistics['labelled']} pairs labelled,"
            f" {statistics['links_per_pair']:.2f} links a pair, {100 * statistics['linked_share']:.1f} % of pieces linked,"
            f" agreement {100 * statistics['agreement']:.1f} %{change}"
        )
    return lines
