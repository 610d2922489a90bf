"""The fairseq task and criterion `token_labeling`: tags of words, each at the first piece of its word."""

import logging
from dataclasses import dataclass, field

import numpy as np
from fairseq.criterions import register_criterion
from fairseq.logging import metrics
from fairseq.tasks import register_task
from omegaconf import MISSING

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.base_criterion import total
from xlm_align_fairseq.plugin.finetuning.base import FineTuningConfig, FineTuningTask
from xlm_align_fairseq.plugin.finetuning.criterion import FineTuningCriterionConfig, LabelCriterion
from xlm_align_fairseq.plugin.finetuning.dataset import Labeled, LabeledDataset
from xlm_align_fairseq.transfer.encode import PieceCounts, encode_words, word_sequences
from xlm_align_fairseq.transfer.settings import TagSettings
from xlm_align_fairseq.transfer.tag_checks import check_tags, unknown_tags
from xlm_align_fairseq.transfer.tag_scores import has_seqeval, is_bio, score_ner, score_pos
from xlm_align_fairseq.transfer.tags import TaggedFile, read_tagged

logger = logging.getLogger(__name__)

NAME = "token_labeling"
SPANS = ("correct", "predicted", "gold")  # counts that F1 is made of


@dataclass
class TokenLabelingConfig(FineTuningConfig):
    data: str = field(
        default=MISSING,
        metadata={"help": "training text: a word, a tab and its tag in each line, a blank line between sentences"},
    )
    window: int = field(
        default=128,
        metadata={
            "help": "longest sequence in pieces, <s> and </s> included; a longer sentence is read in half-overlapping windows,"
            " each word is judged where it has most context"
        },
    )


@register_task(NAME, dataclass=TokenLabelingConfig)
class TokenLabelingTask(FineTuningTask):
    name = NAME

    @classmethod
    def read(cls, cfg, path):
        return read_tagged(path)

    @classmethod
    def settings_for(cls, cfg, file, window, text):
        tags = tags_of(file)
        logger.info(f"{file.path}: {len(tags)} tags: {' '.join(tags)}")
        return TagSettings(window, text, tags)

    def items(self, file, training, split):
        return tag_dataset(file, self.pieces, self.settings.labels, self.settings.window, self.cfg.seed, training, split)


@register_criterion(NAME, dataclass=FineTuningCriterionConfig)
class TokenLabelingCriterion(LabelCriterion):
    def __init__(self, task):
        super().__init__(task)
        self.f1 = has_seqeval()
        if not self.f1:
            logger.info('f1 is not validated: seqeval is not installed; pip install "xlm-align-fairseq[transfer]"')

    def counts(self, predicted, wanted, sample):
        """Return the counts of spans: of BIO tags those of seqeval, of other tags the runs of one tag."""
        if not self.f1:
            return {}
        names, lengths = sample["names"], wanted.sum(1).tolist()
        gold, found = (
            [[names[n] for n in row.tolist()] for row in numbers.split(lengths)]
            for numbers in (sample["targets"][wanted], predicted)
        )
        sums = (score_ner if is_bio(names) else score_pos)(gold, found).sums()
        return {f"spans_{name}": sums[name] for name in SPANS}

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log also F1, in percent, where a batch was validated."""
        super().reduce_metrics(logging_outputs)
        if any(f"spans_{SPANS[0]}" in log for log in logging_outputs):
            for name in SPANS:
                metrics.log_scalar_sum(f"_{name}", total(logging_outputs, f"spans_{name}"))
            metrics.log_derived("f1", _f1)


def _f1(meters):
    correct, predicted, gold = (meters[f"_{name}"].sum for name in SPANS)
    return round(200 * correct / (predicted + gold), 2) if predicted + gold else 0.0


def tags_of(file: TaggedFile) -> tuple[str, ...]:
    """Return the tags of a file of training, sorted.

    Raises:
        InputError: it has no words, no tags, or tags of two kinds.
    """
    if not file.n_words:
        raise InputError(f"{file.path}:1: no words, there is nothing to train on; give a file of words with their tags")
    check_tags(file)
    return tuple(sorted({tag for tags in file.gold() for tag in tags}))


def tag_dataset(file, pieces, tags, window, seed=1, shuffle=False, split="train"):
    """Return the data set of a file of words with tags: a sentence is an item, a long one is several.

    Args:
        file: words and tags.
        pieces: encodes words.
        tags: that the model knows; others have numbers above theirs.
        window: longest sequence in pieces, specials included.
        seed, shuffle, split: as `LabeledDataset` has them.

    Raises:
        InputError: the file has no words.
    """
    gold = file.gold()
    names = [*tags, *sorted({tag for row in gold for tag in row} - set(tags))]
    number = {tag: n for n, tag in enumerate(names)}
    counts, items, n_windowed = PieceCounts(), [], 0
    for (words, _), row in zip(file.sentences, gold, strict=True):
        sequences = word_sequences(encode_words(words, pieces, counts), window)
        ids = np.fromiter((number[tag] for tag in row), np.int64, len(row))
        ends = np.cumsum([len(one.first) for one in sequences])
        labels = np.split(ids, ends[:-1])
        items += [Labeled(one.tokens, one.first, of) for one, of in zip(sequences, labels, strict=bool(sequences))]
        n_windowed += len(sequences) > 1
    if not items:
        raise InputError(f"{file.path}:1: no words; give a file of words with their tags, or --disable-validation")
    logger.info(
        f"{file.path}: {len(file.sentences)} sentences, {file.n_words} words; {n_windowed} sentences are longer"
        f" than {window} pieces, with windows there are {len(items)} sequences; {counts}"
    )
    if counts.many:
        logger.warning(f"{file.path}: {counts}")
    for message in unknown_tags(file, tags):
        logger.warning(message)
    return LabeledDataset(items, names, seed, shuffle, split)
