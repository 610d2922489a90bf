"""Layout of joint sequences, and piece links to word links, against plain Python."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.alignment.spans import BOS, EOS, PAD, PieceBatch, join_sides, length_mask, split_sides, wrap_side
from xlm_align_fairseq.alignment.words import NO_WORD, word_links

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


@given(st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_word_links_equal_plain_python(seed):
    random = np.random.default_rng(seed)
    n_batch, n_source, n_target = random.integers(1, 5), random.integers(1, 7), random.integers(1, 7)
    src_words = np.sort(random.integers(NO_WORD, 4, (n_batch, n_source)))
    tgt_words = np.sort(random.integers(NO_WORD, 9, (n_batch, n_target)))
    links = torch.from_numpy(random.random((n_batch, n_source, n_target)) < 0.3)
    expected = [
        sorted(
            {
                (int(src_words[b, i]), int(tgt_words[b, j]))
                for i, j in links[b].nonzero().tolist()
                if src_words[b, i] != NO_WORD and tgt_words[b, j] != NO_WORD
            }
        )
        for b in range(n_batch)
    ]
    assert word_links(links, src_words, tgt_words) == expected


def test_no_links_at_all():
    assert word_links(torch.zeros(2, 3, 3, dtype=torch.bool), np.zeros((2, 3), int), np.zeros((2, 3), int)) == [[], []]
