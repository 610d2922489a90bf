"""Count which words are linked with which: a bilingual lexicon with relative frequencies, from text and its alignments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from xlm_align_fairseq.cli.support import streams
from xlm_align_fairseq.errors import InputError


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align lexicon``."""
    new = argparse.ArgumentParser(
        prog="xlm-align lexicon",
        description=__doc__,
        epilog="The lexicon is a TSV file with a header: source, target, count (links between the two), p(target|source)"
        " (count / all links of the source word), p(source|target) and, where every link has a probability, the mean of"
        " those of the count; most links first, then by source, then by target. Tab, carriage return and backslash in a word"
        r" are written as \t, \r and \\. " + streams.EPILOG,
    )
    add = new.add_argument
    texts = new.add_argument_group("texts", "Give --src and --tgt, or --tsv.")
    texts.add_argument("--src", metavar="FILE", help="source sentences, one a line")
    texts.add_argument("--tgt", metavar="FILE", help="target sentences, one a line")
    texts.add_argument("--tsv", metavar="FILE", help="source and target sentences with a tab between; more columns are not read")
    streams.add_invalid_flag(texts)
    add("--lowercase", action="store_true", help="count words in lower case (default: as they are written)")
    add(
        "--min-count",
        type=int,
        default=1,
        metavar="N",
        help="leave out entries of fewer than N links; the frequencies of the others stay (default: %(default)s)",
    )
    streams.add_link_flags(new)
    streams.add_output_flags(new)
    return new


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    paths = streams.text_paths(command, args)
    if args.min_count < 1:
        raise InputError(f"--min-count {args.min_count}: allowed are 1 and more")
    streams.check_min_probability(args.min_probability)
    streams.refuse_output(args.out, [*paths, args.alignments])
    streams.write_output(args.out, _lines(args, paths))
    return 0


def _lines(args: argparse.Namespace, paths: Sequence[str]) -> Iterator[str]:
    """Read the corpus, then yield the lexicon."""
    from tqdm import tqdm

    from xlm_align_fairseq.links.lexicon import Lexicon, format_tsv
    from xlm_align_fairseq.links.pharaoh import check_range
    from xlm_align_fairseq.text.lines import TextFile, read_together, split_columns
    from xlm_align_fairseq.text.tokenize import split_words

    texts = [TextFile(path, replace_invalid=args.replace_invalid) for path in paths]
    alignments = streams.open_alignments(args.alignments)
    total = streams.count_lines(*texts, alignments)
    lexicon = Lexicon()
    rows = read_together(*texts, alignments)
    for *columns, line in tqdm(rows, total=total, unit=" pairs", disable=args.quiet, file=sys.stderr):
        where = f"{alignments.path}:{alignments.lines}"
        pair = columns if len(columns) == 2 else split_columns(columns[0], f"{texts[0].path}:{texts[0].lines}")
        source, target = (split_words(side.lower() if args.lowercase else side) for side in pair)
        links = streams.parse_links(line, where, args.min_probability)
        check_range(links, len(source), len(target), where)
        lexicon.add(source, target, links)
    yield from format_tsv(lexicon, args.min_count)


if __name__ == "__main__":
    sys.exit(main())
