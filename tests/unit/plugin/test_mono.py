"""Blocks of monolingual text hold the text: every piece once and in order, and `<s>` before each block."""

import numpy as np
import pytest

from xlm_align_fairseq.bitext.indexed import IndexedWriter
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.pretraining.mono import MonoBlocks


def write(directory, sentences):
    with IndexedWriter(directory / "train", np.uint16) as writer:
        writer.add(np.concatenate(sentences), np.array([len(sentence) for sentence in sentences]))


@pytest.fixture(scope="module")
def sentences():
    generator = np.random.default_rng(3)
    return [np.append(generator.integers(4, 500, n), 2) for n in generator.integers(0, 30, 40)]


@pytest.mark.parametrize("block", [2, 5, 16, 100])
def test_every_piece_once_and_in_order(tmp_path, sentences, block):
    write(tmp_path, sentences)
    blocks = MonoBlocks(tmp_path, "train", block)
    text = np.concatenate(sentences)
    assert len(blocks) == len(text) // (block - 1)
    rows = np.stack([blocks[n] for n in range(len(blocks))])
    assert rows.shape == (len(blocks), block)
    assert rows.dtype == np.int64
    assert (rows[:, 0] == 0).all()
    whole = len(blocks) * (block - 1)
    assert rows[:, 1:].ravel().tolist() == text[:whole].tolist()
    assert len(text) - whole < block - 1  # less than a block is left out


def test_one_block_by_hand(tmp_path):
    write(tmp_path, [np.array([10, 11, 2]), np.array([2]), np.array([12, 13, 14, 15, 2])])
    blocks = MonoBlocks(tmp_path, "train", 5)
    assert [blocks[n].tolist() for n in range(len(blocks))] == [[0, 10, 11, 2, 2], [0, 12, 13, 14, 15]]


def test_a_missing_split_and_too_little_text_are_named(tmp_path):
    with pytest.raises(InputError, match=r"train.idx is missing: make it with `xlm-align binarize --mono`"):
        MonoBlocks(tmp_path, "train", 5)
    write(tmp_path, [np.array([10, 11, 2])])
    with pytest.raises(InputError, match=r"train.bin has 3 pieces: fewer than one block of 5"):
        MonoBlocks(tmp_path, "train", 5)
