"""Where the two sides stand in a joint sequence `<s> S </s> T </s>`, and batches of one side."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BOS, PAD, EOS = 0, 1, 2  # as in every XLM-R vocabulary
SPECIALS = 3  # of a joint sequence


class PieceBatch(NamedTuple):
    """The pieces of B pairs, without specials, right-padded with `PAD`."""

    source: Tensor  # (B, S) int64
    target: Tensor  # (B, T) int64
    src_lengths: Tensor  # (B,) int64, 1 or more
    tgt_lengths: Tensor  # (B,) int64, 1 or more

    def cell_mask(self) -> Tensor:
        """Return the (B, S, T) bool mask of cells whose two pieces exist."""
        src_mask = length_mask(self.src_lengths, self.source.size(1))
        return src_mask[:, :, None] & length_mask(self.tgt_lengths, self.target.size(1))[:, None, :]

    def to(self, device: torch.device | str) -> PieceBatch:
        """Move every tensor to a device."""
        return PieceBatch(*(tensor.to(device, non_blocking=True) for tensor in self))


def length_mask(lengths: Tensor, width: int | None = None) -> Tensor:
    """Return the (B, width) bool mask that is True for the first `lengths[b]` positions; width = the longest by default."""
    width = int(lengths.max()) if width is None else width
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def join_sides(pieces: PieceBatch) -> Tensor:
    """Build the joint sequences `<s> S </s> T </s>`: (B, L) int64, padded with `PAD` to the longest pair."""
    source, target, src_lengths, tgt_lengths = pieces
    total = src_lengths + tgt_lengths + SPECIALS
    joint = source.new_full((source.size(0), int(total.max())), PAD)
    joint[:, 0] = BOS
    joint.scatter_(1, (src_lengths + 1)[:, None], EOS)
    joint.scatter_(1, (total - 1)[:, None], EOS)
    src_mask, tgt_mask = length_mask(src_lengths, source.size(1)), length_mask(tgt_lengths, target.size(1))
    src_rows, src_columns = src_mask.nonzero(as_tuple=True)
    tgt_rows, tgt_columns = tgt_mask.nonzero(as_tuple=True)
    joint[src_rows, src_columns + 1] = source[src_mask]
    joint[tgt_rows, tgt_columns + src_lengths[tgt_rows] + 2] = target[tgt_mask]
    return joint


def wrap_side(pieces: Tensor, lengths: Tensor) -> Tensor:
    """Build `<s> pieces </s>` from one side: (B, S) → (B, S + 2)."""
    wrapped = torch.nn.functional.pad(pieces, (1, 1), value=PAD)
    wrapped[:, 0] = BOS
    return wrapped.scatter(1, (lengths + 1)[:, None], EOS)


def split_sides(joint: Tensor, src_lengths: Tensor, tgt_lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a joint tensor into its sides.

    Args:
        joint: (B, L) or (B, L, C), any dtype, laid out as `join_sides` does.
        src_lengths, tgt_lengths: (B,).

    Returns:
        (B, S[, C]) and (B, T[, C]), S and T the longest of each side; what stands behind a side's length is of no meaning.
    """
    n_source, n_target = int(src_lengths.max()), int(tgt_lengths.max())
    source = joint[:, 1 : n_source + 1]
    columns = torch.arange(n_target, device=joint.device) + src_lengths[:, None] + 2
    columns = columns.clamp(max=joint.size(1) - 1)
    index = columns.view(*columns.shape, *[1] * (joint.dim() - 2)).expand(-1, -1, *joint.shape[2:])
    return source, joint.gather(1, index)


def swap_links(links: Tensor, swapped: Tensor, n_source: int, n_target: int) -> Tensor:
    """Exchange source and target in the links of some pairs.

    Args:
        links: (B, S, T) bool.
        swapped: (B,) bool, True for pairs whose sides change places.
        n_source, n_target: longest side of each kind afterwards.

    Returns:
        (B, n_source, n_target) bool.
    """
    size = max(links.shape[1:])
    square = torch.nn.functional.pad(links, (0, size - links.size(2), 0, size - links.size(1)))
    return torch.where(swapped[:, None, None], square.transpose(1, 2), square)[:, :n_source, :n_target]
