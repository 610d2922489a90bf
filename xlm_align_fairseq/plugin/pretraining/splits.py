"""The data sets of training: directories of bitext, of which there may be one for each epoch in turn, and monolingual text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from fairseq.data import Dictionary
from fairseq.utils import split_paths

from xlm_align_fairseq.bitext.corpus import Corpus
from xlm_align_fairseq.bitext.piece_check import check_pieces, check_reader
from xlm_align_fairseq.em.em import SPLIT
from xlm_align_fairseq.encoder.vocabulary import MASK
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.dictionary import load_dictionary
from xlm_align_fairseq.plugin.pretraining import dataset as bitext
from xlm_align_fairseq.plugin.pretraining import mono

logger = logging.getLogger(__name__)

KNOWS = "its dictionary has"


def directories(data: str) -> list[Path]:
    """Return the directories of `DATA` or `DATA:DATA2`, as fairseq divides them."""
    return [Path(part) for part in split_paths(data)]


def shared_dictionary(data: str) -> Dictionary:
    """Read the dictionary that all directories share.

    Raises:
        InputError: there is none in one of them, or it differs.
    """
    first, *others = directories(data)
    dictionary = load_dictionary(first)
    for other in others:
        if load_dictionary(other).symbols != dictionary.symbols:
            raise InputError(f"{other}: its dictionary is not that of {first}; binarise both with one model")
    return dictionary


def load_split(cfg: Any, split: str, dictionary: Dictionary, longest: int) -> bitext.BitextDataset:
    """Load every `SPLIT.SRC-TGT`, or those of --lang-pairs, of the first directory; for training, of all.

    Args:
        cfg: the task's configuration.
        split: `train`, `valid`, ….
        dictionary: of the data.
        longest: pieces of a sequence.

    Raises:
        InputError: data is missing, has pieces that the dictionary lacks, or nothing that can be used.
    """
    training = split == SPLIT
    config = bitext.StreamConfig(
        seed=cfg.seed,
        mask_id=dictionary.index(MASK),
        mask_probability=cfg.mask_prob,
        leave_unmasked=cfg.leave_unmasked_prob,
        random_piece=cfg.random_token_prob,
        exponent=cfg.sampling_exponent,
        block=min(256, longest),
        both_orders=training and not cfg.one_order,
        shuffle=training,
        mono_tokens=cfg.mono_tokens,
    )
    blocks = _load_mono(cfg, split, dictionary, config) if cfg.mono else None
    data = directories(cfg.data)
    corpus = Corpus.open(data if training and len(data) > 1 else data[0], split, cfg.lang_pairs, longest)
    check_pieces(corpus, len(dictionary), KNOWS)
    if corpus.directory is not None:
        for number, directory in enumerate(data):
            if not corpus.usable[corpus.directory == number].any():
                raise InputError(f"{directory} has no {split} pair of --lang-pairs that can be used: an epoch would be empty")
    loaded = bitext.BitextDataset(corpus, config, blocks, split)
    if not training and not _predicts(loaded):
        raise InputError(
            f"{data[0]}, {split}: no piece of its {int(corpus.usable.sum())} pairs is masked with --seed {cfg.seed} --mask-prob"
            f" {cfg.mask_prob}, so there is no loss: give more pairs, a higher --mask-prob, or --disable-validation"
        )
    return loaded


def _load_mono(cfg: Any, split: str, dictionary: Dictionary, config: bitext.StreamConfig) -> mono.MonoBlocks | None:
    directory = Path(cfg.mono)
    if split != SPLIT and not mono.has_split(directory, split):
        return None
    if cfg.mono_tokens < config.block:
        raise InputError(f"--mono-tokens {cfg.mono_tokens}: allowed is one block of {config.block} pieces or more")
    blocks = mono.MonoBlocks(directory, split, config.block)
    if load_dictionary(directory).symbols != dictionary.symbols:
        raise InputError(f"--mono {directory}: its dictionary is not that of {cfg.data}; binarise both with one model")
    check_reader(blocks.sentences, len(dictionary), KNOWS)
    logger.info(
        f"{directory}, {split}: {len(blocks)} blocks of {config.block} pieces; left out: {blocks.left_out} pieces at the end"
    )
    return blocks


def _predicts(dataset: bitext.BitextDataset) -> bool:
    """Tell whether any pair has a piece to predict; masks of validation are always those of the first epoch."""
    return any(dataset[index]["predict"].any() for index in np.flatnonzero(dataset.corpus.usable))
