"""Detect labels that link words instead of pieces: training would use them without an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlm_align_fairseq.bitext.labels import LabelStore, prefix
from xlm_align_fairseq.errors import InputError


def refuse_words(store: LabelStore, symbols: Sequence[str]) -> None:
    """Refuse labels that seem to link words.

    Args:
        store: labels from elsewhere.
        symbols: the dictionary; pieces that begin a word begin with `▁`.

    Raises:
        InputError: the labels seem to link words.
    """
    pair = looks_like_words(store, np.array([symbol.startswith("▁") for symbol in symbols]))
    if pair:
        raise InputError(
            f"{store.directory / prefix(store.split, pair)}: no link reaches beyond the number of words, so these seem to link"
            " words: labels link pieces; `xlm-align binarize --pieces words --alignments` makes them of word links"
        )


def looks_like_words(store: LabelStore, starts_word: np.ndarray, sample: int = 5000) -> str | None:
    """Find a language pair whose given labels seem to link words instead of pieces.

    In sentences of n words and more than n pieces, some piece labels have positions of n or more; word labels never do.

    Args:
        store: labels from elsewhere.
        starts_word: (vocabulary,) bool, True for pieces that begin a word.
        sample: number of sentence pairs to check in each language pair.

    Returns:
        The language pair, or None.
    """
    for pair, start in zip(store.corpus.pairs, store.corpus.starts[:-1], strict=True):
        ids = np.arange(start, start + min(sample, len(pair.source)))
        counts, cells = store.links(ids)
        rows = np.repeat(np.arange(len(ids)), counts)
        for column, side, lengths in ((0, pair.source, store.corpus.src_lengths), (1, pair.target, store.corpus.tgt_lengths)):
            flat, sizes = side.gather(ids - start)
            words = np.bincount(np.repeat(np.arange(len(ids)), sizes), starts_word[flat], len(ids)).astype(np.int64)
            telling = (words[rows] < lengths[ids][rows]) & (words[rows] > 0)
            reached = (cells[telling, column] >= words[rows][telling]).any()
            if not reached and len(np.unique(rows[telling])) >= 50:
                return pair.name
    return None
