"""What `xlm-align project` does with a sentence pair: read its labels or tags, carry them over the links, count what is lost."""

from __future__ import annotations

import argparse
import itertools
import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.cli.support.links import links_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.cli.support.texts import Texts
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile, read_together
from xlm_align_fairseq.text.words import Word, word_maker

if TYPE_CHECKING:
    from xlm_align_fairseq.links.projection import Links, Span


def plain_source(args: argparse.Namespace, warnings: list[str]) -> Iterator[str]:
    """Yield the source sentences without what is to be carried.

    Args:
        args: the flags.
        warnings: what is to be said at the end is added to them.

    Raises:
        InputError: the source cannot be read.
    """
    from xlm_align_fairseq.links.markup import remove_markup
    from xlm_align_fairseq.text.conll import PassedOver, read_conll

    if args.labels is not None:
        passed_over = PassedOver()
        for sentence in read_conll(open_text(args.labels, args.replace_invalid), args.column, passed_over):
            yield " ".join(sentence.words) + "\n"
        warnings += passed_over.report()
    else:
        for line in open_text(args.markup, args.replace_invalid):
            yield remove_markup(line) + "\n"


def carry_labels(args: argparse.Namespace, texts: Texts, warnings: list[str]) -> Iterator[str]:
    """Yield the target sentences with their labels.

    Args:
        args: the flags.
        texts: the sentence pairs.
        warnings: what is to be said at the end is added to them.

    Raises:
        InputError: a file cannot be used.
    """
    from xlm_align_fairseq.links.projection import TagReader, project_spans
    from xlm_align_fairseq.text.conll import PassedOver, read_conll

    labels, alignments = open_text(args.labels, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(*texts.files, alignments)
    if total is not None and labels.size() is not None:  # no pipes: different numbers are refused before the work, not after
        sentences = sum(1 for _ in read_conll(labels, args.column))
        if sentences != total:
            raise _unequal(labels, sentences, target, total)
    lost, passed_over, reader = _Lost(), PassedOver(), TagReader(str(labels.path))
    of_source, of_target = map(word_maker, texts.tokenizers)
    sentences_read = read_conll(labels, args.column, passed_over)
    pairs = enumerate(itertools.zip_longest(sentences_read, read_together(*texts.files, alignments)))
    for n, (sentence, row) in progress(pairs, total, args.quiet):
        if sentence is None or row is None:
            longer = n + 1 + sum(1 for _ in pairs)
            raise _unequal(labels, n if sentence is None else longer, target, n if row is None else longer)
        *lines, links_line = row
        given, line = texts.split(lines, source=" ".join(sentence.words))
        source, words = of_source(given), of_target(line)
        _check_source(texts, [word.text for word in source], sentence.words, f"{labels.path}:{sentence.line}", "none")
        if not args.spans and any("\t" in word.text for word in words):
            raise InputError(f"{target.path}:{target.lines}: a word has a tab within, which ends it in the output; remove it")
        links = links_of(alignments, links_line, args.min_probability, len(sentence.words), len(words))
        spans = reader.spans(sentence.tags, sentence.lines)
        projected = project_spans(spans, links, args.max_gap)
        lost.add([span.words for span in spans], projected, links)
        yield _write_labels(line, words, [span for span in projected if span is not None], args.spans)
    warnings += passed_over.report() + reader.report() + lost.report("spans", "left out")


def _write_labels(line: str, words: Sequence[Word], spans: Sequence[Span], as_spans: bool) -> str:
    """Return a sentence with its labels: a word a line, or the untouched text with the places of the spans."""
    from xlm_align_fairseq.links.projection import write_bio

    if not as_spans:
        column = write_bio(spans, len(words))
        return "".join(f"{word.text}\t{label}\n" for word, label in zip(words, column, strict=True)) + "\n"
    places = [
        {"start": words[span.words.start].begin, "end": words[span.words.stop - 1].end, "label": span.tag}
        for span in sorted(spans, key=lambda span: span.words.start)
    ]
    return json.dumps({"text": line, "spans": places}, ensure_ascii=False) + "\n"


def carry_markup(args: argparse.Namespace, texts: Texts, warnings: list[str]) -> Iterator[str]:
    """Yield the target sentences with their markup.

    Args:
        args: the flags.
        texts: the sentence pairs.
        warnings: what is to be said at the end is added to them.

    Raises:
        InputError: a file cannot be used.
    """
    from xlm_align_fairseq.links.markup import MarkupError, read_markup, remove_markup
    from xlm_align_fairseq.links.placing import insert_markup, place_elements
    from xlm_align_fairseq.links.tags import escape_places, escape_tags, keep_references_whole

    source, alignments = open_text(args.markup, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(source, *texts.files, alignments)
    lost, broken, escaped = _Lost(), 0, 0
    first = ""
    of_source, of_target = map(word_maker, texts.tokenizers)
    for marked, *lines, links_line in progress(read_together(source, *texts.files, alignments), total, args.quiet):
        own = remove_markup(marked)
        given, line = texts.split(lines, source=own)
        source_words, target_words = of_source(own), of_target(line)
        if given != own:
            one, other = ([word.text for word in words] for words in (of_source(given), source_words))
            _check_source(texts, one, other, f"{source.path}:{source.lines}", texts.tokenizers[0])
        links = links_of(alignments, links_line, args.min_probability, len(source_words), len(target_words))
        try:
            elements = read_markup(marked, source_words)
        except MarkupError as error:
            fault = f"{source.path}:{source.lines}: {error}"
            if args.strict:
                raise InputError(
                    f"{fault}; allowed are elements that are properly nested and closed in their line, empty ones as <br/>;"
                    " correct the line, or leave out --strict and its target goes without markup"
                ) from error
            elements, broken, first = [], broken + 1, first or fault
        plain = escape_tags(line)
        if plain != line:
            if args.strict:
                raise InputError(
                    f"{target.path}:{target.lines}: the target has what looks like a tag or begins one; it is plain text, where"
                    " < before a name, /, ! or ? is written &lt;; correct the line, or leave out --strict and it is written so"
                )
            escaped += 1
        words, numbers = keep_references_whole(line, target_words)
        if len(words) < len(target_words):
            links = {(i, numbers[j]): probability for (i, j), probability in links.items()}
        placed = place_elements(elements, links, args.max_gap)
        # a point is never lost, nor a pair of them
        counted = [k for k, element in enumerate(elements) if element.words and (placed[k] or not element.kept)]
        lost.add([elements[k].words for k in counted], [placed[k] for k in counted], links)
        yield insert_markup(plain, elements, placed, links, args.keep_empty, escape_places(line, words)) + "\n"
    if broken:
        warnings.append(
            f"{broken} of {source.lines} lines have markup that is not well formed and went without it; the first is {first}"
        )
    if escaped:
        warnings.append(f"{escaped} of {target.lines} target lines have what looks like a tag; its < was written &lt;")
    warnings += lost.report("elements", "kept empty" if args.keep_empty else "left out")


def _unequal(labels: TextFile, sentences: int, target: TextFile, lines: int) -> InputError:
    return InputError(
        f"{labels.path}: {sentences} sentences, but {lines} lines in {target.path}; sentence n and line n of the others are a"
        " sentence pair, and every sentence ends with one blank line; check that the files belong together"
    )


def _check_source(texts: Texts, given: Sequence[str], own: Sequence[str], where: str, tokenizer: str) -> None:
    """Refuse source words of the text, which links count, that are not those to carry something from."""
    if list(given) == list(own):
        return
    n, pair = next((n, pair) for n, pair in enumerate(itertools.zip_longest(given, own), 1) if pair[0] != pair[1])
    one, other = ("missing" if word is None else repr(word[:40]) for word in pair)
    place = texts.where if texts.has_source else f"--tokenizer {','.join(dict.fromkeys(texts.tokenizers))}"
    raise InputError(
        f"{place}: source word {n} is {one}, but {other} in {where}; links count the words of the text, which must be those that"
        f" --plain-source writes: align that text, with the tokeniser {tokenizer} on its side"
    )


class _Lost:
    """Count the spans that were to be carried, and those without a place in the target."""

    def __init__(self) -> None:
        self.all = self.without_link = self.without_place = 0

    def add(self, spans: Sequence[range], carried: Sequence[object], links: Links) -> None:
        """Count the spans of source words of one sentence, and what became of each."""
        self.all += len(spans)
        if all(carried):
            return
        linked = sorted({i for i, _ in links})
        for words, done in zip(spans, carried, strict=True):
            if not done:
                n = bisect_left(linked, words.start)
                has_link = n < len(linked) and linked[n] < words.stop
                self.without_place += has_link
                self.without_link += not has_link

    def report(self, things: str, fate: str) -> list[str]:
        """Return what is to be said."""
        reasons = {"have no link": self.without_link, "lost their linked words to others": self.without_place}
        return [f"{count} of {self.all} {things} {reason} and were {fate}" for reason, count in reasons.items() if count]
