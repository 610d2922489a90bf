"""What `xlm-align project --labels` does with a sentence pair: carry its labels over the links, count what is lost and right."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from xlm_align_fairseq.cli.support.carrying import Lost, check_source, unequal
from xlm_align_fairseq.cli.support.links import links_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.cli.support.texts import Texts
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.projection import MAX_GAP, Links, Span, TagReader, project_labels, project_spans, write_bio
from xlm_align_fairseq.text.conll import PassedOver, Sentence, read_conll
from xlm_align_fairseq.text.lines import read_together
from xlm_align_fairseq.text.words import Word, word_maker

if TYPE_CHECKING:
    from xlm_align_fairseq.cli.support.gold_labels import GoldLabels, GoldSpans, GoldWords

UNLINKED = "_"  # the label of a target word without a link


class Carrier(Protocol):
    """Carry the labels of a sentence; `gold`, if there is some, counts what is right."""

    @property
    def gold(self) -> GoldLabels | None:
        """The gold labels of the target."""

    def carry(self, sentence: Sentence, links: Links, line: str, words: Sequence[Word], right: Sentence | None) -> str:
        """Return the target sentence with its labels, as text."""

    def report(self) -> list[str]:
        """Return what is to be said at the end."""


def label_carrier(args: argparse.Namespace) -> Carrier:
    """Return what carries the labels that the flags ask for: spans, or the label of each word.

    Raises:
        InputError: there is no gold to read.
    """
    if args.score is None:
        return _Words(None) if args.each_word else _Spans(args, None)
    from xlm_align_fairseq.cli.support.gold_labels import GoldSpans, GoldWords  # numpy is imported for scores alone

    return _Words(GoldWords(args)) if args.each_word else _Spans(args, GoldSpans(args))


def carry_labels(args: argparse.Namespace, texts: Texts, warnings: list[str], carrier: Carrier) -> Iterator[str]:
    """Yield the target sentences with their labels.

    Args:
        args: the flags.
        texts: the sentence pairs.
        warnings: what is to be said at the end is added to them.
        carrier: carries the labels of each.

    Raises:
        InputError: a file cannot be used.
    """
    gold = carrier.gold
    labels, alignments = open_text(args.labels, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(*texts.files, alignments)
    for file, column in ((labels, args.column), *([(gold.file, gold.column)] if gold else [])):
        if total is not None and file.size() is not None:  # no pipes: different numbers are refused before the work, not after
            sentences = sum(1 for _ in read_conll(file, column))
            if sentences != total:
                raise unequal(file, sentences, target, total)
    passed_over = PassedOver()
    of_source, of_target = map(word_maker, texts.tokenizers)
    sentences_read = read_conll(labels, args.column, passed_over)
    pairs = enumerate(itertools.zip_longest(sentences_read, read_together(*texts.files, alignments)))
    for n, (sentence, row) in progress(pairs, total, args.quiet):
        if sentence is None or row is None:
            longer = n + 1 + sum(1 for _ in pairs)
            raise unequal(labels, n if sentence is None else longer, target, n if row is None else longer)
        *lines, links_line = row
        given, line = texts.split(lines, source=" ".join(sentence.words))
        source, words = of_source(given), of_target(line)
        check_source(texts, [word.text for word in source], sentence.words, f"{labels.path}:{sentence.line}", "none")
        if not args.spans and any("\t" in word.text for word in words):
            raise InputError(f"{target.path}:{target.lines}: a word has a tab within, which ends it in the output; remove it")
        links = links_of(alignments, links_line, args.min_probability, len(sentence.words), len(words))
        right = gold.next(words, target) if gold else None
        yield carrier.carry(sentence, links, line, words, right)
    if gold:
        gold.finish(target)
    warnings += passed_over.report() + carrier.report()


class _Spans:
    """Carry spans, the labels of which are BIO and its kin."""

    def __init__(self, args: argparse.Namespace, gold: GoldSpans | None) -> None:
        self.max_gap = MAX_GAP if args.max_gap is None else args.max_gap
        self.as_spans, self.gold = args.spans, gold
        self.reader, self.lost = TagReader("<stdin>" if args.labels == "-" else args.labels), Lost()

    def carry(self, sentence: Sentence, links: Links, line: str, words: Sequence[Word], right: Sentence | None) -> str:
        spans = self.reader.spans(sentence.tags, sentence.lines)
        projected = project_spans(spans, links, self.max_gap)
        self.lost.add([span.words for span in spans], projected, links)
        kept = [span for span in projected if span is not None]
        if self.gold and right:
            self.gold.add(spans, kept, right)
        if not self.as_spans:
            return _lines(words, write_bio(kept, len(words)))
        places = [
            {"start": words[span.words.start].begin, "end": words[span.words.stop - 1].end, "label": span.tag}
            for span in sorted(kept, key=_first_word)
        ]
        return json.dumps({"text": line, "spans": places}, ensure_ascii=False) + "\n"

    def report(self) -> list[str]:
        return self.reader.report() + self.lost.report("spans", "left out")


class _Words:
    """Carry the label of each word."""

    def __init__(self, gold: GoldWords | None) -> None:
        self.gold = gold
        self.words = self.unlinked = self.without_probabilities = 0

    def carry(self, sentence: Sentence, links: Links, line: str, words: Sequence[Word], right: Sentence | None) -> str:
        labels = project_labels(sentence.tags, links, len(words))
        self.words += len(words)
        self.unlinked += labels.count(None)
        self.without_probabilities += any(probability is None for probability in links.values())
        if self.gold and right:
            self.gold.add(labels, right)
        return _lines(words, [UNLINKED if label is None else label for label in labels])

    def report(self) -> list[str]:
        said = []
        if self.without_probabilities:
            said.append(
                f"{self.without_probabilities} sentence pairs have links without probabilities: a word with several has the label"
                " of the first; `xlm-align align --format probabilities` writes them"
            )
        if self.unlinked:
            said.append(f"{self.unlinked} of {self.words} target words have no link and are labelled {UNLINKED}")
        return said


def _first_word(span: Span) -> int:
    return span.words.start


def _lines(words: Sequence[Word], labels: Sequence[str]) -> str:
    return "".join(f"{word.text}\t{label}\n" for word, label in zip(words, labels, strict=True)) + "\n"
