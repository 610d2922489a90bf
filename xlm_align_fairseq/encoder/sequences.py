"""Build and split the sequences that encoders read: the only place that knows the positions of pieces and specials.

`<s> side </s>` is one side alone, `<s> S </s> T </s>` both sides of a pair, as translation language models and word alignment
read it. Late encoding, in which the lower layers read each side alone, has `<s> S </s> <s> T </s>`. Encoders that are fine-tuned
on pairs of sentences read `<s> A </s></s> B </s>` (Conneau et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xlm_align_fairseq.encoder.vocabulary import BOS, EOS, MARK, PAD

# layout of two sides → specials between them
LAYOUTS = {"translation": (EOS,), "late": (EOS, BOS), "classification": (EOS, EOS)}


def sequence(*sides: np.ndarray, layout: str = "translation") -> np.ndarray:
    """Return `<s> side </s>`, or the sequence of two sides: (L,) int64.

    Args:
        sides: one or two, (S,) int pieces without specials.
        layout: of two sides, one of `LAYOUTS`.

    >>> sequence(np.array([7, 8]), np.array([9]), layout="classification").tolist()
    [0, 7, 8, 2, 2, 9, 2]
    """
    parts: list[Sequence[int] | np.ndarray] = [[BOS], sides[0]]
    for side in sides[1:]:
        parts += [LAYOUTS[layout], side]
    return np.concatenate([*parts, [EOS]]).astype(np.int64)


def second_begin(first_length: int, layout: str = "translation") -> int:
    """Return the place at which the second side begins, if the first has so many pieces.

    >>> second_begin(2, "classification")  # of <s> 7 8 </s> </s> 9 </s>
    5
    """
    return 1 + first_length + len(LAYOUTS[layout])


class Sides(NamedTuple):
    """Hidden states of both sides at one layer; values at padding are undefined."""

    source: Tensor  # (B, S, C)
    target: Tensor  # (B, T, C)


class PieceBatch(NamedTuple):
    """The pieces of B pairs, without specials, right-padded with `PAD`."""

    source: Tensor  # (B, S) int64
    target: Tensor  # (B, T) int64
    src_lengths: Tensor  # (B,) int64, 1 or more
    tgt_lengths: Tensor  # (B,) int64, 1 or more

    def cell_mask(self, without: WordMarks | None = None) -> Tensor:
        """Return the (B, S, T) bool mask of cells whose two pieces exist; `without` leaves out those of a lone mark."""
        source, target = self.side_masks(without)
        return source[:, :, None] & target[:, None, :]

    def side_masks(self, without: WordMarks | None = None) -> tuple[Tensor, Tensor]:
        """Return which pieces exist, (B, S) and (B, T) bool; `without` leaves out lone marks."""
        masks = []
        for side, lengths in ((self.source, self.src_lengths), (self.target, self.tgt_lengths)):
            mask = length_mask(lengths, side.size(1))
            masks.append(mask & ~without.lone(side, lengths) if without else mask)
        return masks[0], masks[1]

    def to(self, device: torch.device | str) -> PieceBatch:
        """Move every tensor to a device."""
        return PieceBatch(*(tensor.to(device, non_blocking=True) for tensor in self))


class WordMarks(NamedTuple):
    """What tells, in pieces alone, where words begin.

    Sentencepiece begins the first piece of a word with `▁`. Where the vocabulary has no longer piece, as before many punctuation
    marks, that piece is `▁` alone: it says where the word begins and nothing of what it means.
    """

    mark: int  # id of the piece `▁`, -1 if there is none
    begins_word: Tensor  # (vocabulary,) bool, True for pieces that begin with `▁`

    @classmethod
    def of(cls, pieces: Sequence[str]) -> WordMarks:
        """Return the marks of a vocabulary, its pieces in the order of their ids."""
        mark = pieces.index(MARK) if MARK in pieces else -1
        return cls(mark, torch.tensor([piece.startswith(MARK) for piece in pieces]))

    def lone(self, side: Tensor, lengths: Tensor) -> Tensor:
        """Tell which pieces of one side, (B, S) int64 with (B,) lengths, are `▁` alone in a word of more pieces: (B, S) bool."""
        following = side[:, 1:]
        goes_on = ~self.begins_word.to(side.device)[following] & length_mask(lengths - 1, following.size(1))
        return (side == self.mark) & torch.nn.functional.pad(goes_on, (0, 1))


def length_mask(lengths: Tensor, width: int | None = None) -> Tensor:
    """Return the (B, width) bool mask that is True for the first `lengths[b]` positions; width = the longest by default."""
    width = int(lengths.max()) if width is None else width
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def join_sides(pieces: PieceBatch, layout: str = "translation") -> Tensor:
    """Build the sequences of both sides in a layout: (B, L) int64, padded with `PAD` to the longest pair."""
    source, target, src_lengths, tgt_lengths = pieces
    between = LAYOUTS[layout]
    total = src_lengths + tgt_lengths + 2 + len(between)
    joint = source.new_full((source.size(0), int(total.max())), PAD)
    joint[:, 0] = BOS
    for place, special in enumerate(between, 1):
        joint.scatter_(1, (src_lengths + place)[:, None], special)
    joint.scatter_(1, (total - 1)[:, None], EOS)
    src_mask, tgt_mask = length_mask(src_lengths, source.size(1)), length_mask(tgt_lengths, target.size(1))
    src_rows, src_columns = src_mask.nonzero(as_tuple=True)
    tgt_rows, tgt_columns = tgt_mask.nonzero(as_tuple=True)
    joint[src_rows, src_columns + 1] = source[src_mask]
    joint[tgt_rows, tgt_columns + src_lengths[tgt_rows] + 1 + len(between)] = target[tgt_mask]
    return joint


def late_layout(joint: Tensor, src_lengths: Tensor, value: int) -> Tensor:
    """Turn (B, L) laid out as `translation` into (B, L + 1) laid out as `late`: insert a value before the target side.

    >>> late_layout(torch.tensor([[0, 7, 2, 8, 2]]), torch.tensor([1]), BOS).tolist()
    [[0, 7, 2, 0, 8, 2]]
    """
    places = torch.arange(joint.size(1) + 1, device=joint.device)
    begin = (src_lengths + 2)[:, None]
    longer = joint.gather(1, (places - (places > begin).long()).clamp(max=joint.size(1) - 1))
    return torch.where(places == begin, value, longer)


def wrap_side(pieces: Tensor, lengths: Tensor) -> Tensor:
    """Build `<s> pieces </s>` from one side: (B, S) → (B, S + 2)."""
    wrapped = torch.nn.functional.pad(pieces, (1, 1), value=PAD)
    wrapped[:, 0] = BOS
    return wrapped.scatter(1, (lengths + 1)[:, None], EOS)


def split_sides(
    joint: Tensor, src_lengths: Tensor, tgt_lengths: Tensor, layout: str = "translation", specials: bool = False
) -> tuple[Tensor, Tensor]:
    """Cut a joint tensor into its sides.

    Args:
        joint: (B, L) or (B, L, C), any dtype.
        src_lengths, tgt_lengths: (B,).
        layout: of the sequences, one of `LAYOUTS`.
        specials: whether each side begins with the special before its first piece.

    Returns:
        (B, S[, C]) and (B, T[, C]), S and T the longest of each side; values beyond a side's length are undefined.
    """
    n_source, n_target = int(src_lengths.max()), int(tgt_lengths.max())
    source = joint[:, 1 - specials : n_source + 1]
    columns = torch.arange(-int(specials), n_target, device=joint.device) + src_lengths[:, None] + 1 + len(LAYOUTS[layout])
    columns = columns.clamp(max=joint.size(1) - 1)
    index = columns.view(*columns.shape, *[1] * (joint.dim() - 2)).expand(-1, -1, *joint.shape[2:])
    return source, joint.gather(1, index)


def encode_sides(run: Callable[[Tensor], Tensor], pieces: PieceBatch, encoding: str) -> Sides:
    """Encode both sides of every pair.

    Args:
        run: (B, L) tokens → (B, L, C) hidden states.
        pieces: B pairs.
        encoding: `joint`, `separate`, or `late` for an encoder that is told of the late layer.
    """
    if encoding != "separate":
        layout = "late" if encoding == "late" else "translation"
        states = run(join_sides(pieces, layout))
        return Sides(*split_sides(states, pieces.src_lengths, pieces.tgt_lengths, layout))
    source = run(wrap_side(pieces.source, pieces.src_lengths))[:, 1:-1]
    target = run(wrap_side(pieces.target, pieces.tgt_lengths))[:, 1:-1]
    return Sides(source, target)
