"""What `xlm-align project` does with markup, and what its other kinds share: plain source text, counts of what is lost."""

from __future__ import annotations

import argparse
import itertools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.cli.support.links import links_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.cli.support.texts import Texts
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile, read_together
from xlm_align_fairseq.text.words import word_maker

if TYPE_CHECKING:
    from xlm_align_fairseq.links.projection import Links


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

    if args.squad is not None:
        from xlm_align_fairseq.transfer.paragraphs import one_line, read_paragraphs

        for paragraph in read_paragraphs(args.squad):
            yield one_line(paragraph.context) + "\n"
    elif args.labels is not None:
        passed_over = PassedOver()
        for sentence in read_conll(open_text(args.labels, args.replace_invalid), args.column, passed_over):
            yield " ".join(sentence.words) + "\n"
        warnings += passed_over.report()
    else:
        for line in open_text(args.markup, args.replace_invalid):
            yield remove_markup(line) + "\n"


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
    from xlm_align_fairseq.links.projection import MAX_GAP
    from xlm_align_fairseq.links.tags import escape_places, escape_tags, keep_references_whole

    source, alignments = open_text(args.markup, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(source, *texts.files, alignments)
    lost, broken, escaped = Lost(), 0, 0
    first = ""
    of_source, of_target = map(word_maker, texts.tokenizers)
    for marked, *lines, links_line in progress(read_together(source, *texts.files, alignments), total, args.quiet):
        own = remove_markup(marked)
        given, line = texts.split(lines, source=own)
        source_words, target_words = of_source(own), of_target(line)
        if given != own:
            one, other = ([word.text for word in words] for words in (of_source(given), source_words))
            check_source(texts, one, other, f"{source.path}:{source.lines}", texts.tokenizers[0])
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
        placed = place_elements(elements, links, MAX_GAP if args.max_gap is None else args.max_gap)
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


def unequal(labels: TextFile, sentences: int, target: TextFile, lines: int) -> InputError:
    """Return the error that says that a file of labels has not as many sentences as the text has lines."""
    return InputError(
        f"{labels.path}: {sentences} sentences, but {lines} lines in {target.path}; sentence n and line n of the others are a"
        " sentence pair, and every sentence ends with one blank line; check that the files belong together"
    )


def check_source(texts: Texts, given: Sequence[str], own: Sequence[str], where: str, tokenizer: str) -> None:
    """Refuse source words of the text, which links count, that are not those to carry something from.

    Args:
        texts: the text.
        given: its source words.
        own: the words that have something to carry.
        where: `file:line` of the latter, for the text of an error.
        tokenizer: that should have made the words of the text.

    Raises:
        InputError: the words differ.
    """
    if list(given) == list(own):
        return
    n, pair = next((n, pair) for n, pair in enumerate(itertools.zip_longest(given, own), 1) if pair[0] != pair[1])
    one, other = ("missing" if word is None else repr(word[:40]) for word in pair)
    place = texts.where if texts.has_source else f"--tokenizer {','.join(dict.fromkeys(texts.tokenizers))}"
    raise InputError(
        f"{place}: source word {n} is {one}, but {other} in {where}; links count the words of the text, which must be those that"
        f" --plain-source writes: align that text, with the tokeniser {tokenizer} on its side"
    )


class Lost:
    """Count what was to be carried, and what has no place in the target."""

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
        """Return what is to be said.

        Args:
            things: what was to be carried, in the plural.
            fate: what became of those without a place.
        """
        reasons = {"have no link": self.without_link, "lost their linked words to others": self.without_place}
        return [f"{count} of {self.all} {things} {reason} and were {fate}" for reason, count in reasons.items() if count]
