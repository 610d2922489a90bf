"""Carry labels or inline markup of source sentences over links to the target sentences."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from xlm_align_fairseq.cli.support.carrying import carry_labels, carry_markup, plain_source
from xlm_align_fairseq.cli.support.links import add_link_flags, check_min_probability
from xlm_align_fairseq.cli.support.texts import EPILOG, FLAGS, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, write_output
from xlm_align_fairseq.errors import InputError

LABELS_ONLY, MARKUP_ONLY = ("column", "spans"), ("keep_empty", "strict")


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align project``."""
    from xlm_align_fairseq.links.projection import MAX_GAP

    command = argparse.ArgumentParser(
        prog="xlm-align project",
        description=__doc__ + " Every sentence comes out, with what could be carried; what could not is counted on standard"
        " error.",
        epilog="A span or an element goes to the target words linked with its words, joined over gaps and cut to the longest"
        " piece; see --max-gap. Align the text that --plain-source writes, with the same --tokenizer: its words are those that"
        " links count. " + EPILOG,
    )
    kinds = command.add_argument_group("what is carried", "Give --labels or --markup.")
    kinds.add_argument(
        "--labels",
        metavar="FILE",
        help="source words and their labels (BIO, IOB1, BIOES or BILOU): one word a line, columns separated by a tab or a single"
        " space, the word first; every sentence ends with a blank line, and one without words is just that. Lines that are # or"
        " begin with '# ' before a sentence are comments; -DOCSTART- lines and CoNLL-U are read, too. The output has the target"
        " words, word<TAB>label in BIO",
    )
    kinds.add_argument("--column", type=int, metavar="N", help="column of --labels with the label, from 1 (default: the last)")
    kinds.add_argument(
        "--spans",
        action="store_true",
        help="write labels as spans of the untouched target sentence, a JSON object a line: its text, and of every span the"
        " start and the end in characters from 0 and the label (default: a word a line)",
    )
    kinds.add_argument(
        "--markup",
        metavar="FILE",
        help="source sentences with tags, one a line, well formed in itself: <b>two <i>cats</i></b> .<br>; a tag within a word"
        " applies to that part of the target word which is left when the same characters before and behind are taken off both,"
        " else to all of it. The output has the target sentences with the tags put in, well formed and otherwise unchanged;"
        " what looks like a tag in them already, or begins one, is text, its < becomes &lt;",
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
    add_text_flags(where, "; tags go into the untouched target, and of --labels the source's must leave the words as they are")
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
    carried: Iterable[str]
    if args.plain_source:
        carried = plain_source(args, warnings)
    else:
        texts = Texts.from_flags(args, alone="tgt")
        carried = (carry_markup if args.labels is None else carry_labels)(args, texts, warnings)
    write_output(args.out, carried, [args.labels, args.markup, *text, args.alignments])
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
