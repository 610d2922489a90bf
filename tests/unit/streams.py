"""Training streams of a few made-up sentences."""

import tempfile
from pathlib import Path

import numpy as np

from xlm_align_fairseq.bitext.corpus import Corpus, Pair
from xlm_align_fairseq.bitext.indexed import IndexedReader, IndexedWriter
from xlm_align_fairseq.plugin.pretraining.dataset import BitextDataset, StreamConfig

MASK = 900


def side(*sentences):
    """Write a binarised side: items that end with `</s>`."""
    with tempfile.TemporaryDirectory() as directory:
        prefix = Path(directory) / "side"
        with IndexedWriter(prefix, np.uint16) as writer:
            for pieces in sentences:
                writer.add(np.array([*pieces, 2]), np.array([len(pieces) + 1]))
        return IndexedReader(prefix)  # the files stay mapped


def stream(pairs, mono=None, max_positions=64, **changes):
    return BitextDataset(Corpus(pairs, max_positions), StreamConfig(**{"seed": 1, "mask_id": MASK, **changes}), mono)


def random_pair(name, n, seed=0, low=1, high=12):
    generator = np.random.default_rng(seed)
    sentences = [[generator.integers(4, MASK, k) for k in generator.integers(low, high, n)] for _ in "st"]
    return Pair(name, *(side(*part) for part in sentences))
