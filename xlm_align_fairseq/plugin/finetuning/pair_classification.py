"""The fairseq task and criterion `pair_classification`: classes of pairs of texts, or of texts, at `<s>`."""

import logging
from dataclasses import dataclass, field
from typing import Optional, get_args

import numpy as np
from fairseq.criterions import register_criterion
from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task
from omegaconf import MISSING

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.base_config import plain
from xlm_align_fairseq.plugin.finetuning.base import FineTuningConfig, FineTuningTask
from xlm_align_fairseq.plugin.finetuning.criterion import FineTuningCriterionConfig, LabelCriterion
from xlm_align_fairseq.plugin.finetuning.dataset import Labeled, LabeledDataset
from xlm_align_fairseq.transfer.encode import PieceCounts, pair_sequence
from xlm_align_fairseq.transfer.pairs import PairFile, Quoting, read_pairs
from xlm_align_fairseq.transfer.settings import ClassSettings

logger = logging.getLogger(__name__)

NAME = "pair_classification"


@dataclass
class PairClassificationConfig(FineTuningConfig):
    data: str = field(
        default=MISSING,
        metadata={"help": "training text: first text, tab, second text, tab, class in each line, or columns that a header names"},
    )
    window: int = field(
        default=128,
        metadata={
            "help": "longest sequence in pieces, specials included; of longer pairs the end is cut off, of the longer text"
            " first, and how many is said"
        },
    )
    tsv_quoting: Optional[ChoiceEnum(list(get_args(Quoting)))] = field(  # type: ignore[valid-type]
        default=None,
        metadata={"help": "csv unquotes texts; none: quotes are text (default: csv where all lines end in CRLF)"},
    )


@register_task(NAME, dataclass=PairClassificationConfig)
class PairClassificationTask(FineTuningTask):
    name = NAME

    @classmethod
    def read(cls, cfg, path):
        return read_pairs(path, quoting=plain(cfg.tsv_quoting))

    @classmethod
    def settings_for(cls, cfg, file, window, text):
        classes = classes_of(file)
        logger.info(f"{file.path}: {len(classes)} classes: {' '.join(classes)}")
        return ClassSettings(window, text, classes)

    def items(self, file, training, split):
        return pair_dataset(file, self.pieces, self.settings.labels, self.settings.window, self.cfg.seed, training, split)


@register_criterion(NAME, dataclass=FineTuningCriterionConfig)
class PairClassificationCriterion(LabelCriterion):
    pass


def classes_of(file: PairFile) -> tuple[str, ...]:
    """Return the classes of a file of training, sorted.

    Raises:
        InputError: it has no pairs, pairs without classes, or fewer than two classes.
    """
    if not file.pairs:
        raise InputError(f"{file.path}:1: no pairs, there is nothing to train on; give a file of pairs with their classes")
    gold = file.gold()
    for line, one in zip(file.lines, gold, strict=True):
        if not one.strip():
            raise InputError(f"{file.path}:{line}: the class is empty; allowed is a name: correct the line")
    classes = tuple(sorted(set(gold)))
    if len(classes) < 2:
        raise InputError(
            f"{file.path}:{file.lines[0]}: all pairs are of the class {classes[0]!r}; allowed are two classes and more"
        )
    return classes


def pair_dataset(file, pieces, classes, window, seed=1, shuffle=False, split="train"):
    """Return the data set of a file of pairs, each an item.

    Args:
        file: pairs with their classes.
        pieces: encodes text.
        classes: that the model knows; others have numbers above theirs.
        window: longest sequence in pieces, specials included.
        seed, shuffle, split: as `LabeledDataset` has them.

    Raises:
        InputError: the file has no pairs, or no classes.
    """
    gold = file.gold()
    if not gold:
        raise InputError(f"{file.path}:1: no pairs; give a file of pairs with their classes, or --disable-validation")
    names = [*classes, *sorted(set(gold) - set(classes))]
    number = {one: np.array([n]) for n, one in enumerate(names)}
    counts, place = PieceCounts(), np.zeros(1, np.int64)
    items = [
        Labeled(pair_sequence(pair.first, pair.second, pieces, window, counts), place, number[of])
        for pair, of in zip(file.pairs, gold, strict=True)
    ]
    logger.info(f"{file.path}: {len(items)} pairs; {counts.cut} are longer than {window} pieces and were cut; {counts}")
    if counts.many:
        logger.warning(f"{file.path}: {counts}")
    for message in file.notes():
        logger.info(message)
    for other in names[len(classes) :]:
        logger.warning(f"{file.path}: {gold.count(other)} pairs of the class {other!r}, not known; they count as not found")
    return LabeledDataset(items, names, seed, shuffle, split)
