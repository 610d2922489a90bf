"""Carry labels or inline markup of source sentences over links to the target sentences."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xlm_align_fairseq.cli.support import streams
from xlm_align_fairseq.errors import InputError

if TYPE_CHECKING:
    from xlm_align_fairseq.links.projection import Links
    from xlm_align_fairseq.text.lines import TextFile

LABELS_ONLY, MARKUP_ONLY = ("column",), ("keep_empty", "strict")


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align project``."""
    from xlm_align_fairseq.links.projection import MAX_GAP

    new = argparse.ArgumentParser(
        prog="xlm-align project",
        description=__doc__ + " Every sentence comes out, with what could be carried; what could not is counted on standard"
        " error.",
        epilog="A span or an element goes to the target words linked with its words, joined over gaps and cut to the longest"
        " piece; see --max-gap. Align the text that --plain-source writes: its words are those that links count. "
        + streams.EPILOG,
    )
    kinds = new.add_argument_group("what is carried", "Give --labels or --markup.")
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
    where = new.add_argument_group("where to", "Needed, except with --plain-source.")
    where.add_argument("--tgt", metavar="FILE", help="target sentences, one a line")
    streams.add_link_flags(where, required=False)
    where.add_argument(
        "--max-gap",
        type=int,
        default=MAX_GAP,
        metavar="N",
        help="most words without a link to a span that may stand between two that have one; beyond it the longest piece is"
        " kept (default: %(default)s)",
    )
    new.add_argument(
        "--plain-source",
        action="store_true",
        help="write the source sentences without labels or markup, one a line, for `xlm-align align`, and nothing else",
    )
    streams.add_invalid_flag(new)
    streams.add_output_flags(new)
    return new


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    if (args.labels is None) == (args.markup is None):
        command.error("give --labels or --markup")
    if not args.plain_source and (args.tgt is None or args.alignments is None):
        command.error("give --tgt and --alignments, or --plain-source")
    for flag in MARKUP_ONLY if args.markup is None else LABELS_ONLY:
        if getattr(args, flag):
            command.error(f"--{flag.replace('_', '-')} belongs to {'--markup' if args.markup is None else '--labels'}")
    if args.column is not None and args.column < 1:
        raise InputError(f"--column {args.column}: allowed are 1 and more")
    if args.max_gap < 0:
        raise InputError(f"--max-gap {args.max_gap}: allowed are 0 and more")
    streams.check_min_probability(args.min_probability)
    streams.refuse_output(args.out, [args.labels, args.markup, args.tgt, args.alignments])
    warnings: list[str] = []
    carry = _plain if args.plain_source else _carry_labels if args.labels is not None else _carry_markup
    streams.write_output(args.out, carry(args, warnings))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _plain(args: argparse.Namespace, _: list[str]) -> Iterator[str]:
    from xlm_align_fairseq.links.markup import remove_markup
    from xlm_align_fairseq.text.conll import read_conll

    if args.labels is not None:
        for sentence in read_conll(_text(args, "labels"), args.column):
            yield " ".join(sentence.words) + "\n"
    else:
        for line in _text(args, "markup"):
            yield remove_markup(line) + "\n"


def _carry_labels(args: argparse.Namespace, warnings: list[str]) -> Iterator[str]:
    from xlm_align_fairseq.links.projection import project_spans, read_bio, write_bio
    from xlm_align_fairseq.text.conll import read_conll
    from xlm_align_fairseq.text.lines import read_together
    from xlm_align_fairseq.text.tokenize import split_words

    labels, target, alignments = _text(args, "labels"), _text(args, "tgt"), streams.open_alignments(args.alignments)
    total = streams.count_lines(target, alignments)
    if total is not None and labels.size() is not None:  # no pipes: different numbers are refused before the work, not after
        sentences = sum(1 for _ in read_conll(labels, args.column))
        if sentences != total:
            raise _unequal(labels, sentences, target, total)
    lost, repaired = _Lost(), 0
    pairs = enumerate(itertools.zip_longest(read_conll(labels, args.column), read_together(target, alignments)))
    for n, (sentence, row) in _progress(pairs, total, args):
        if sentence is None or row is None:
            longer = n + 1 + sum(1 for _ in pairs)
            raise _unequal(labels, n if sentence is None else longer, target, n if row is None else longer)
        words = split_words(row[0])
        if "\t" in row[0]:
            raise InputError(f"{target.path}:{target.lines}: a word has a tab within, which ends it in the output; remove it")
        links = _links(args, alignments, row[1], len(sentence.words), len(words))
        spans, invalid = read_bio(sentence.labels, str(labels.path), sentence.line)
        repaired += invalid
        projected = project_spans(spans, links, args.max_gap)
        for span, found in zip(spans, projected, strict=True):
            lost.add(span.words, found, links)
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


def _carry_markup(args: argparse.Namespace, warnings: list[str]) -> Iterator[str]:
    from xlm_align_fairseq.links.markup import MarkupError, escape_tags, insert_markup, place_elements, read_markup, remove_markup
    from xlm_align_fairseq.text.lines import read_together
    from xlm_align_fairseq.text.tokenize import split_words

    source, target, alignments = _text(args, "markup"), _text(args, "tgt"), streams.open_alignments(args.alignments)
    total = streams.count_lines(source, target, alignments)
    lost, broken, escaped = _Lost(), 0, 0
    first = ""
    for marked, line, links_line in _progress(read_together(source, target, alignments), total, args):
        links = _links(args, alignments, links_line, *(len(split_words(text)) for text in (remove_markup(marked), line)))
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
        for element, found in zip(elements, placed, strict=True):
            if element.words:  # a point is never lost
                lost.add(element.words, found, links)
        yield insert_markup(plain, elements, placed, links, args.keep_empty) + "\n"
    if broken:
        warnings.append(
            f"{broken} of {source.lines} lines have markup that is not well formed and went without it; the first is {first}"
        )
    if escaped:
        warnings.append(f"{escaped} of {target.lines} target lines have what looks like a tag; its < was written &lt;")
    warnings += lost.report("elements", "kept empty" if args.keep_empty else "left out")


def _text(args: argparse.Namespace, flag: str) -> TextFile:
    from xlm_align_fairseq.text.lines import TextFile

    return TextFile(getattr(args, flag), replace_invalid=args.replace_invalid)


def _links(args: argparse.Namespace, alignments: TextFile, line: str, n_source: int, n_target: int) -> Links:
    from xlm_align_fairseq.links.pharaoh import check_range

    where = f"{alignments.path}:{alignments.lines}"
    links = streams.parse_links(line, where, args.min_probability)
    check_range(links, n_source, n_target, where)
    return links


def _progress(pairs: Iterable[Any], total: int | None, args: argparse.Namespace) -> Iterable[Any]:
    from tqdm import tqdm

    return tqdm(pairs, total=total, unit=" pairs", disable=args.quiet, file=sys.stderr)


class _Lost:
    """Count the spans that were to be carried, and those without a place in the target."""

    def __init__(self) -> None:
        self.all = self.without_link = self.without_place = 0

    def add(self, words: range, found: object, links: Links) -> None:
        self.all += 1
        if not found:
            linked = any(i in words for i, _ in links)
            self.without_place += linked
            self.without_link += not linked

    def report(self, things: str, fate: str) -> list[str]:
        reasons = {"have no link": self.without_link, "lost their linked words to others": self.without_place}
        return [f"{count} of {self.all} {things} {reason} and were {fate}" for reason, count in reasons.items() if count]


if __name__ == "__main__":
    sys.exit(main())
