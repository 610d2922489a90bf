"""What `xlm-align project --labels --score` reads and reports: gold labels of the target words, how many are projected."""

from __future__ import annotations

import argparse
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from xlm_align_fairseq.cli.support.carrying import unequal
from xlm_align_fairseq.cli.support.score_tables import scores_of
from xlm_align_fairseq.cli.support.streams import open_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.projection import MAX_GAP, Span, TagReader
from xlm_align_fairseq.signature import Value, signature
from xlm_align_fairseq.text.conll import PassedOver, Sentence, read_conll
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.text.tokenize import describe
from xlm_align_fairseq.text.words import Word
from xlm_align_fairseq.transfer.projection_scores import SpanScores, WordScores
from xlm_align_fairseq.transfer.scores import ScoreTable
from xlm_align_fairseq.version import __version__

MEANINGS = {
    "f1": "of spans and their types",
    "ceiling": "F1 that perfect links could reach: both sides are not labelled alike",
    "f1_without_types": "of spans alone",
    "accuracy": "of all words; those without a link are wrong",
    "accuracy_linked": "of words with a link",
    "linked": "words with a link",
}


class GoldLabels(ABC):
    """Read gold labels, sentence by sentence, and count what is projected.

    Args:
        args: the flags.
    """

    projected = ""  # what is projected, in the plural

    def __init__(self, args: argparse.Namespace) -> None:
        self.file, self.column = open_text(args.score, args.replace_invalid), args.score_column
        self._passed_over = PassedOver()
        self._sentences: Iterator[Sentence] | None = None
        self._read = 0
        self._args = args

    def next(self, words: Sequence[Word], target: TextFile) -> Sentence:
        """Return the next sentence.

        Args:
            words: of the target line that was just read, which must be its words.
            target: the file of that line.

        Raises:
            InputError: there is none, or it has other words.
        """
        if self._sentences is None:
            self._sentences = read_conll(self.file, self.column, self._passed_over)
        sentence = next(self._sentences, None)
        if sentence is None:
            raise unequal(self.file, self._read, target, target.lines)
        self._read += 1
        if sentence.words != [word.text for word in words]:
            pairs = itertools.zip_longest(sentence.words, (word.text for word in words))
            n, (gold, own) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
            line = sentence.lines[n] if n < len(sentence.lines) else (sentence.lines or [sentence.line])[-1]
            one, other = ("no word" if word is None else repr(word[:40]) for word in (gold, own))
            raise InputError(
                f"{self.file.path}:{line}: word {n + 1} is {one}, but {other} in {target.path}:{target.lines}; allowed are the"
                " words of the target text as --tokenizer makes them: give gold labels of this text, or as --tgt the text that"
                f" `xlm-align project --labels {self.file.path} --plain-source` writes"
            )
        return sentence

    def finish(self, target: TextFile) -> None:
        """Refuse sentences that are left.

        Raises:
            InputError: there are some.
        """
        if more := sum(1 for _ in self._sentences or read_conll(self.file, self.column)):
            raise unequal(self.file, self._read + more, target, self._read)

    def report(self) -> dict[str, Any]:
        """Return all that is printed, in percent.

        Raises:
            InputError: there are no sentences, or numbers of samples that are not allowed.
        """
        args = self._args
        table = self._table()
        label = {
            "projected": self.projected,
            **self._label(),
            **({} if args.min_probability is None else {"min_probability": args.min_probability}),
            "tokenizers": describe(args.tokenizer),
            "sentences": len(table.rows),
            "samples": args.samples,
            "seed": args.seed,
            "version": __version__,
        }
        return {
            "format": "xlm-align-projection.1",
            "signature": signature(label),
            "projected": self.projected,
            "gold": args.score,
            **scores_of(table, MEANINGS, args.samples, args.seed),
            "types": {name: {**one.values(), **one.sums()} for name, one in self._types().items()},
            "notes": [f"{self.file.path}: {note}" for note in self._notes()],
        }

    @abstractmethod
    def _table(self) -> ScoreTable:
        """Return the scores of all sentences."""

    def _types(self) -> dict[str, ScoreTable]:
        return {}

    def _label(self) -> dict[str, Value]:
        return {}

    def _notes(self) -> list[str]:
        return self._passed_over.report()


class GoldSpans(GoldLabels):
    """Read gold spans, and count those that are projected."""

    projected = "spans"

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self._reader, self._scores = TagReader(str(self.file.path)), SpanScores()

    def add(self, source: Sequence[Span], projected: Sequence[Span], gold: Sentence) -> None:
        """Count the spans of a sentence."""
        self._scores.add(source, projected, self._reader.spans(gold.tags, gold.lines))

    def _table(self) -> ScoreTable:
        return self._scores.table()

    def _types(self) -> dict[str, ScoreTable]:
        return self._scores.by_type()

    def _label(self) -> dict[str, Value]:
        return {"max_gap": MAX_GAP if self._args.max_gap is None else self._args.max_gap}

    def _notes(self) -> list[str]:
        return super()._notes() + self._reader.report()


class GoldWords(GoldLabels):
    """Read the gold labels of words, and count those that are projected."""

    projected = "words"

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args)
        self._scores = WordScores()

    def add(self, projected: Sequence[str | None], gold: Sentence) -> None:
        """Count the labels of the words of a sentence."""
        self._scores.add(projected, gold.tags)

    def _table(self) -> ScoreTable:
        return self._scores.table()
