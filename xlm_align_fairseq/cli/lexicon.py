"""Count which words are linked with which: a bilingual lexicon with relative frequencies, from text and its alignments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from xlm_align_fairseq.cli.support.links import add_link_flags, check_min_probability, links_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.cli.support.texts import EPILOG, GIVE, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, write_output
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import read_together


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align lexicon``."""
    command = argparse.ArgumentParser(
        prog="xlm-align lexicon",
        description=__doc__,
        epilog="The lexicon is a TSV file with a header: source, target, count (links between the two), p(target|source)"
        " (count / all links of the source word), p(source|target) and, where every link has a probability, the mean of"
        " those of the count; most links first, then by source, then by target. Tab, carriage return and backslash in a word"
        r" are written as \t, \r and \\. " + EPILOG,
    )
    add = command.add_argument
    group = command.add_argument_group("texts", GIVE)
    add_text_flags(group)
    add_invalid_flag(group)
    add("--lowercase", action="store_true", help="count words in lower case (default: as they are written)")
    add(
        "--min-count",
        type=int,
        default=1,
        metavar="N",
        help="leave out entries of fewer than N links; the frequencies of the others stay (default: %(default)s)",
    )
    add_link_flags(command)
    add_output_flags(command)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    texts = Texts.from_flags(args)
    if args.min_count < 1:
        raise InputError(f"--min-count {args.min_count}: allowed are 1 and more")
    check_min_probability(args.min_probability)
    write_output(args.out, _lines(args, texts), [*texts.inputs, args.alignments])
    return 0


def _lines(args: argparse.Namespace, texts: Texts) -> Iterator[str]:
    """Read the corpus, then yield the lexicon."""
    from xlm_align_fairseq.links.lexicon import Lexicon, format_tsv

    alignments = open_text(args.alignments)
    lexicon = Lexicon()
    total = count_lines(*texts.files, alignments)
    for *lines, links_line in progress(read_together(*texts.files, alignments), total, args.quiet):
        source, target = texts.words(*texts.split(lines))
        links = links_of(alignments, links_line, args.min_probability, len(source), len(target))
        if args.lowercase:
            source, target = ([word.lower() for word in side] for side in (source, target))
        lexicon.add(source, target, links)
    yield from format_tsv(lexicon, args.min_count)


if __name__ == "__main__":
    sys.exit(main())
