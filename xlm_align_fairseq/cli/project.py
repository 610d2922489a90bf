"""Carry labels or inline markup of source sentences over links to the target sentences."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.cli.support.links import add_link_flags, check_min_probability, links_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.cli.support.texts import EPILOG, FLAGS, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, write_output
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile, read_together
from xlm_align_fairseq.text.tokenize import split_words

if TYPE_CHECKING:
    from xlm_align_fairseq.links.projection import Links

LABELS_ONLY, MARKUP_ONLY = ("column",), ("keep_empty", "strict")


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align project``."""
    from xlm_align_fairseq.links.projection import MAX_GAP

    command = argparse.ArgumentParser(
        prog="xlm-align project",
        description=__doc__ + " Every sentence comes out, with what could be carried; what could not is counted on standard"
        " error.",
        epilog="A span or an element goes to the target words linked with its words, joined over gaps and cut to the longest"
        " piece; see --max-gap. Align the text that --plain-source writes: its words are those that links count. " + EPILOG,
    )
    kinds = command.add_argument_group("what is carried", "Give --labels or --markup.")
    kinds.add_argument(
        "--labels",
        metavar="FILE",
        help="source words and their BIO labels: one word a line, columns separated by a tab or a single space, the word first;"
        " every sentence ends with a blank line, and one without words is just that. The output has the target words in the"
        " same form, word<TAB>label",
    )
    kinds.add_argument("--column", type=int, metavar="N", help="column of --labels with the label, from 1 (default: the last)")
    kinds.add_argument(
        "--markup",
        metavar="FILE",
        help="source sentences with tags, one a line, well formed in itself: <b>two <i>cats</i></b> .<br/>; a tag within a word"
        " applies to all of it. The output has the target sentences with the tags put in, well formed and otherwise unchanged;"
        " what looks like a tag in them already is text, its < becomes &lt;",
    )
    kinds.add_argument(
        "--keep-empty",
        action="store_true",
        help="put elements of --markup that have no target words as empty ones, <b></b>, after what is linked with the words"
        " before (default: leave them out)",
    )
    kinds.add_argument(
        "--strict",
        action="store_true",
        help="a line of --markup that is not well formed, or a target with what looks like a tag, is an error (default: the"
        " target goes without markup, or with &lt;; both are counted)",
    )
    where = command.add_argument_group(
        "where to",
        "Give --alignments, and --tgt alone or the text that was aligned: --src and --tgt, --tsv, or --pairs, with the source"
        " sentences that --plain-source writes. - is standard input. With --plain-source nothing of it is needed.",
    )
    add_text_flags(where, "; with --labels only, whose words the source's must leave as they are")
    add_link_flags(where, required=False)
    where.add_argument(
        "--max-gap",
        type=int,
        default=MAX_GAP,
        metavar="N",
        help="most words without a link to a span that may stand between two that have one; beyond it the longest piece is"
        " kept (default: %(default)s)",
    )
    command.add_argument(
        "--plain-source",
        action="store_true",
        help="write the source sentences without labels or markup, one a line, for `xlm-align align`, and nothing else",
    )
    add_invalid_flag(command)
    add_output_flags(command)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    if (args.labels is None) == (args.markup is None):
        command.error("give --labels or --markup")
    text = [getattr(args, flag) for flag in FLAGS]
    if not args.plain_source and (text == [None] * len(FLAGS) or args.alignments is None):
        command.error("give --tgt and --alignments, or --plain-source")
    for flag in MARKUP_ONLY if args.markup is None else LABELS_ONLY:
        if getattr(args, flag):
            command.error(f"--{flag.replace('_', '-')} belongs to {'--markup' if args.markup is None else '--labels'}")
    if args.column is not None and args.column < 1:
        raise InputError(f"--column {args.column}: allowed are 1 and more")
    if args.max_gap < 0:
        raise InputError(f"--max-gap {args.max_gap}: allowed are 0 and more")
    check_min_probability(args.min_probability)
    warnings: list[str] = []
    carry = _plain(args) if args.plain_source else _carried(args, warnings)
    write_output(args.out, carry, [args.labels, args.markup, *text, args.alignments])
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _carried(args: argparse.Namespace, warnings: list[str]) -> Iterator[str]:
    texts = Texts.from_flags(args, alone="tgt")
    if args.labels is not None:
        return _carry_labels(args, texts, warnings)
    if set(texts.tokenizers) != {"none"}:
        raise InputError(
            f"--tokenizer {args.tokenizer} with --markup: tags are put into the target sentences as they are, between words that"
            " single spaces separate; give --markup and target tokenised, and the links of their words"
        )
    return _carry_markup(args, texts, warnings)


def _plain(args: argparse.Namespace) -> Iterator[str]:
    from xlm_align_fairseq.links.markup import remove_markup
    from xlm_align_fairseq.text.conll import read_conll

    if args.labels is not None:
        for sentence in read_conll(open_text(args.labels, args.replace_invalid), args.column):
            yield " ".join(sentence.words) + "\n"
    else:
        for line in open_text(args.markup, args.replace_invalid):
            yield remove_markup(line) + "\n"


def _carry_labels(args: argparse.Namespace, texts: Texts, warnings: list[str]) -> Iterator[str]:
    from xlm_align_fairseq.links.projection import project_spans, read_bio, write_bio
    from xlm_align_fairseq.text.conll import read_conll

    labels, alignments = open_text(args.labels, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(*texts.files, alignments)
    if total is not None and labels.size() is not None:  # no pipes: refuse different numbers of lines before the work
        sentences = sum(1 for _ in read_conll(labels, args.column))
        if sentences != total:
            raise _unequal(labels, sentences, target, total)
    lost, repaired = _Lost(), 0
    pairs = enumerate(itertools.zip_longest(read_conll(labels, args.column), read_together(*texts.files, alignments)))
    for n, (sentence, row) in progress(pairs, total, args.quiet):
        if sentence is None or row is None:
            longer = n + 1 + sum(1 for _ in pairs)
            raise _unequal(labels, n if sentence is None else longer, target, n if row is None else longer)
        *lines, links_line = row
        source, words = texts.words(*texts.split(lines, source=" ".join(sentence.words)))
        _check_source(texts, source, sentence.words, f"{labels.path}:{sentence.line}")
        if any("\t" in word for word in words):
            raise InputError(f"{target.path}:{target.lines}: a word has a tab within, which ends it in the output; remove it")
        links = links_of(alignments, links_line, args.min_probability, len(sentence.words), len(words))
        spans, invalid = read_bio(sentence.labels, str(labels.path), sentence.line)
        repaired += invalid
        projected = project_spans(spans, links, args.max_gap)
        for span, carried in zip(spans, projected, strict=True):
            lost.add(span.words, carried, links)
        column = write_bio([span for span in projected if span is not None], len(words))
        yield "".join(f"{word}\t{label}\n" for word, label in zip(words, column, strict=True)) + "\n"
    if repaired:
        warnings.append(f"{repaired} labels I-X continue no span of X and were read as the beginning of one")
    warnings += lost.report("spans", "left out")


def _unequal(labels: TextFile, sentences: int, target: TextFile, lines: int) -> InputError:
    return InputError(
        f"{labels.path}: {sentences} sentences, but {lines} lines in {target.path}; sentence n and line n of the others are a"
        " sentence pair, and every sentence ends with one blank line; check that the files belong together"
    )


def _check_source(texts: Texts, given: Sequence[str], own: Sequence[str], where: str) -> None:
    """Refuse a text whose source words, which the links index, differ from the words of the labels or the markup."""
    if " ".join(given) == " ".join(own):
        return
    n, pair = next((n, pair) for n, pair in enumerate(itertools.zip_longest(given, own), 1) if pair[0] != pair[1])
    one, other = ("missing" if word is None else repr(word[:40]) for word in pair)
    place = texts.where if texts.has_source else f"--tokenizer {','.join(dict.fromkeys(texts.tokenizers))}"
    raise InputError(
        f"{place}: source word {n} is {one}, but {other} in {where}; links count the words of the text, which must be those that"
        " --plain-source writes: align that text, with the tokeniser none on its side"
    )


def _carry_markup(args: argparse.Namespace, texts: Texts, warnings: list[str]) -> Iterator[str]:
    from xlm_align_fairseq.links.markup import MarkupError, escape_tags, insert_markup, place_elements, read_markup, remove_markup

    source, alignments = open_text(args.markup, args.replace_invalid), open_text(args.alignments)
    target = texts.files[-1]
    total = count_lines(source, *texts.files, alignments)
    lost, broken, escaped = _Lost(), 0, 0
    first = ""
    for marked, *lines, links_line in progress(read_together(source, *texts.files, alignments), total, args.quiet):
        own = remove_markup(marked)
        given, line = texts.split(lines, source=own)
        _check_source(texts, split_words(given), split_words(own), f"{source.path}:{source.lines}")
        links = links_of(alignments, links_line, args.min_probability, len(split_words(own)), len(split_words(line)))
        try:
            elements = read_markup(marked)
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
                    f"{target.path}:{target.lines}: the target has what looks like a tag; it is plain text, where < is written"
                    " &lt; before a name; correct the line, or leave out --strict and it is written so"
                )
            escaped += 1
        placed = place_elements(elements, links, args.max_gap)
        for element, carried in zip(elements, placed, strict=True):
            if element.words:  # a point always has a place
                lost.add(element.words, carried, links)
        yield insert_markup(plain, elements, placed, links, args.keep_empty) + "\n"
    if broken:
        warnings.append(
            f"{broken} of {source.lines} lines have markup that is not well formed and went without it; the first is {first}"
        )
    if escaped:
        warnings.append(f"{escaped} of {target.lines} target lines have what looks like a tag; its < was written &lt;")
    warnings += lost.report("elements", "kept empty" if args.keep_empty else "left out")


class _Lost:
    """Count the source spans, and those without a target span."""

    def __init__(self) -> None:
        self.all = self.without_link = self.without_place = 0

    def add(self, words: range, carried: object, links: Links) -> None:
        self.all += 1
        if not carried:
            linked = any(i in words for i, _ in links)
            self.without_place += linked
            self.without_link += not linked

    def report(self, things: str, fate: str) -> list[str]:
        reasons = {"have no link": self.without_link, "lost their linked words to others": self.without_place}
        return [f"{count} of {self.all} {things} {reason} and were {fate}" for reason, count in reasons.items() if count]


if __name__ == "__main__":
    sys.exit(main())
