"""The fairseq task and criterion `span_extraction`: answers to questions, as the first and the last piece in a document."""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.logging import metrics
from fairseq.tasks import register_task
from omegaconf import MISSING

from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin.base_criterion import log_loss, total
from xlm_align_fairseq.plugin.finetuning.base import FineTuningConfig, FineTuningTask
from xlm_align_fairseq.plugin.finetuning.criterion import FineTuningCriterion, FineTuningCriterionConfig
from xlm_align_fairseq.plugin.finetuning.dataset import Labeled, LabeledDataset
from xlm_align_fairseq.transfer.answer_search import LONGEST
from xlm_align_fairseq.transfer.question_sequences import (
    QuestionCounts,
    QuestionLimits,
    answer_pieces,
    answer_places,
    encode_questions,
)
from xlm_align_fairseq.transfer.questions import check_answers, read_questions
from xlm_align_fairseq.transfer.settings import AnswerSettings

logger = logging.getLogger(__name__)

NAME = "span_extraction"
PARTS = ("start", "end", "document_begin", "document_end")  # names of the labels of a sequence, which are its places


@dataclass
class SpanExtractionConfig(FineTuningConfig):
    data: str = field(default=MISSING, metadata={"help": "training text: a JSON file of the form of SQuAD v1.1"})
    window: int = field(default=384, metadata={"help": "longest sequence in pieces, question and specials included"})
    window_step: int = field(
        default=128,
        metadata={
            "help": "pieces of the document from the begin of one window to that of the next, not their overlap; refused where"
            " it would leave text out"
        },
    )
    question_pieces: int = field(default=64, metadata={"help": "longest question in pieces; of a longer one the first are read"})
    answer_pieces: int = field(default=LONGEST, metadata={"help": "longest answer in pieces that is predicted"})
    drop_bad_answers: bool = field(
        default=False,
        metadata={"help": "leave out answers that do not stand at their place (default: refuse them)"},
    )


@register_task(NAME, dataclass=SpanExtractionConfig)
class SpanExtractionTask(FineTuningTask):
    name = NAME

    @classmethod
    def read(cls, cfg, path):
        file, notes = check_answers(read_questions(path), cfg.drop_bad_answers)
        for note in notes:
            logger.warning(note)
        return file

    @classmethod
    def settings_for(cls, cfg, file, window, text):
        if not file.questions:
            raise InputError(f"{file.path}: no questions with answers, there is nothing to train on; give a file with answers")
        QuestionLimits(window, cfg.question_pieces, cfg.window_step)
        if cfg.answer_pieces < 1:
            raise InputError(f"--answer-pieces {cfg.answer_pieces}: allowed are 1 and more")
        return AnswerSettings(window, text, cfg.question_pieces, cfg.window_step, cfg.answer_pieces)

    def items(self, file, training, split):
        return answer_dataset(file, self.pieces, self.settings, self.cfg.seed, training, split)


class AnswerDataset(LabeledDataset):
    """Windows of questions with their documents, each with the places of its answer and of its part of the document."""

    def collater(self, samples):
        """Merge items: `tokens` (B, L), `answers` (B, 2) first and last, `allowed` (B, L) whether it is `<s>` or document."""
        batch = super().collater(samples)
        if not batch:
            return batch
        places = torch.from_numpy(np.stack([sample["places"] for sample in samples]))  # (B, 4)
        at = torch.arange(batch["tokens"].size(1))
        allowed = (at >= places[:, 2:3]) & (at < places[:, 3:4])
        allowed[:, 0] = True
        return {**batch, "answers": places[:, :2], "allowed": allowed}


@register_criterion(NAME, dataclass=FineTuningCriterionConfig)
class SpanExtractionCriterion(FineTuningCriterion):
    """Loss = float32 sum over windows of the mean of two cross-entropies, of the first and of the last piece of the answer.

    Both are over `<s>`, which stands for no answer in this window, and the pieces of the document; the sample size is the number
    of windows.
    """

    def forward(self, model, sample, reduce=True):
        """Return the loss, the sample size and what to log for one batch."""
        tokens, allowed, answers = sample["tokens"], sample["allowed"], sample["answers"]
        there = tokens != PAD
        with self.task.autocast():
            found = model(tokens, there)
        logits = found.new_full((*tokens.shape, 2), -torch.inf, dtype=torch.float32)
        logits[there] = found.float()
        logits = logits.masked_fill(~allowed[..., None], -torch.inf).transpose(1, 2)  # (B, 2, L)
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), answers.reshape(-1), reduction="sum") / 2
        log = {
            "loss": loss.detach(),
            "exact": (logits.argmax(-1) == answers).all(1).sum(),
            "sample_size": len(tokens),
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
        }
        return loss, len(tokens), log

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log the loss, in bits a window, and the share of windows whose answer is exactly right, in percent."""
        log_loss(logging_outputs)
        if size := total(logging_outputs, "sample_size"):
            metrics.log_scalar("exact", total(logging_outputs, "exact") / size * 100, size, round=2)


def answer_dataset(file, pieces, settings, seed=1, shuffle=False, split="train"):
    """Return the data set of a file of questions: each window of a document is an item; of several answers the first is learned.

    Args:
        file: questions with answers.
        pieces: encodes text.
        settings: how much is read at once.
        seed, shuffle, split: as `LabeledDataset` has them.

    Raises:
        InputError: no question has a document with text.
    """
    counts, limits, items, lost = QuestionCounts(), settings.limits(), [], 0
    for question, encoded in zip(file.questions, encode_questions(file.questions, pieces, limits, counts), strict=True):
        span = answer_pieces(encoded.document, question.answers[0])
        lost += span is None
        for one, (start, end) in zip(encoded.sequences, answer_places(span, encoded.sequences).tolist(), strict=True):
            places = np.array([start, end, one.window.begin + one.shift, one.window.end + one.shift])
            items.append(Labeled(one.tokens, places, np.arange(len(PARTS))))
    if not items:
        raise InputError(f"{file.path}: no question has a document with text; give a file of questions and their documents")
    logger.info(
        f"{file.path}: {counts.questions} questions; {counts.windowed} have a document that is read in windows of {limits.window}"
        f" pieces, there are {counts.sequences} sequences; {counts}"
    )
    for note in [*file.notes(), *counts.notes(limits)]:
        logger.info(note)
    if lost:
        logger.warning(f"{file.path}: the answers to {lost} questions have no piece of their own; they are learned as no answer")
    if counts.many:
        logger.warning(f"{file.path}: {counts}")
    return AnswerDataset(items, PARTS, seed, shuffle, split)
