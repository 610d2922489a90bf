"""Layout of joint sequences, and piece links to word links, against plain Python."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.alignment.words import word_links
from xlm_align_fairseq.encoder.sequences import PieceBatch, join_sides, length_mask, split_sides, wrap_side
from xlm_align_fairseq.encoder.vocabulary import BOS, EOS, PAD

side = st.lists(st.integers(4, 99), min_size=1, max_size=6)


def batch(pairs):
    def pad(rows):
        return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)

    sources, targets = zip(*pairs, strict=True)
    lengths = [torch.tensor([len(row) for row in rows]) for rows in (sources, targets)]
    return PieceBatch(pad(sources), pad(targets), *lengths)


@given(st.lists(st.tuples(side, side), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_join_wrap_and_split(pairs):
    pieces = batch(pairs)
    joint = join_sides(pieces)
    source, target = split_sides(joint, pieces.src_lengths, pieces.tgt_lengths)
    wide, _ = split_sides(torch.stack([joint, joint + 1], 2), pieces.src_lengths, pieces.tgt_lengths)
    wrapped = wrap_side(pieces.source, pieces.src_lengths)
    for b, (src, tgt) in enumerate(pairs):
        row = [BOS, *src, EOS, *tgt, EOS]
        assert joint[b].tolist() == row + [PAD] * (joint.size(1) - len(row))
        assert source[b, : len(src)].tolist() == src
        assert target[b, : len(tgt)].tolist() == tgt
        assert wide[b, : len(src), 1].tolist() == [piece + 1 for piece in src]
        assert wrapped[b, : len(src) + 2].tolist() == [BOS, *src, EOS]
        assert wrapped[b, len(src) + 2 :].eq(PAD).all()
        assert pieces.cell_mask()[b].sum() == len(src) * len(tgt)


def test_length_mask():
    assert length_mask(torch.tensor([2, 0]), 3).tolist() == [[True, True, False], [False, False, False]]


piece_link = st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5), st.integers(0, 8).map(lambda n: n / 8))


@given(st.lists(piece_link, max_size=30))
def test_word_links_equal_plain_python(links):
    best = {}
    for *link, probability in links:
        best[tuple(link)] = max(probability, best.get(tuple(link), 0.0))
    columns = [np.array([link[k] for link in links], np.int64 if k < 3 else np.float32) for k in range(4)]
    found = word_links(*columns)
    assert list(zip(*(column.tolist() for column in found[:3]), strict=True)) == sorted(best)
    assert found.probability.tolist() == [best[link] for link in sorted(best)]
