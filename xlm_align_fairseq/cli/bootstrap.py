"""Make word links for raw bitext with a statistical aligner, so that training can start from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.cli.support.streams import add_invalid_flag, refuse_output, text_paths, write_output

if TYPE_CHECKING:
    from xlm_align_fairseq.aligner.statistical import StatisticalAligner
    from xlm_align_fairseq.text.lines import TextFile


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align bootstrap``."""
    from xlm_align_fairseq.aligner.statistical import METHOD, METHODS
    from xlm_align_fairseq.text.tokenize import NAMES

    new = argparse.ArgumentParser(
        prog="xlm-align bootstrap",
        description=__doc__,
        epilog="Text files are UTF-8, one sentence a line, plain or packed as .gz, .bz2, .xz or .zst. The links are 0-based"
        " Pharaoh lines (0-0 1-2), one a pair; train on them with `xlm-align binarize --pieces words --tokenizer SAME"
        " --alignments FILE`. The aligner learns from this text alone: give it tens of thousands of pairs, and append what else"
        " is to be aligned. OMP_NUM_THREADS says how many threads it takes; the links are the same. A table goes to standard"
        ' error. Needs: pip install "xlm-align-fairseq[bootstrap]".',
    )
    add = new.add_argument
    add("--out", metavar="FILE", default="-", help="where the links go (default: standard output)")
    texts = new.add_argument_group("texts", "Give --src and --tgt, or --tsv.")
    texts.add_argument("--src", metavar="FILE", help="source sentences")
    texts.add_argument("--tgt", metavar="FILE", help="target sentences, line by line the translations of --src")
    texts.add_argument("--tsv", metavar="FILE", help="source and target sentences with a tab between; more columns are not read")
    add_invalid_flag(texts)
    how = new.add_argument_group("links")
    how.add_argument(
        "--tokenizer",
        default="none",
        metavar="NAME",
        help=f"what makes words of a line: {', '.join(NAMES)}; none takes what stands between single spaces, the others"
        " are sacrebleu's (default: %(default)s)",
    )
    how.add_argument(
        "--symmetrize",
        default=METHOD,
        choices=METHODS,
        help="how the links of the two directions become one set, from few and precise to many (default: %(default)s)",
    )
    how.add_argument("--seed", type=int, metavar="N", help="seed of the aligner's sampler (default: its own)")
    return new


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    paths = text_paths(command, args)

    from xlm_align_fairseq.aligner.statistical import StatisticalAligner
    from xlm_align_fairseq.links.pharaoh import format_pharaoh
    from xlm_align_fairseq.text.lines import TextFile
    from xlm_align_fairseq.text.tokenize import tokenizer

    refuse_output(args.out, paths)
    names = ["pairs"] if len(paths) == 1 else ["source", "target"]
    inputs = {name: TextFile(path, replace_invalid=args.replace_invalid) for name, path in zip(names, paths, strict=True)}
    aligner = StatisticalAligner(args.symmetrize, args.seed)
    pairs = _pairs(list(inputs.values()), tokenizer(args.tokenizer))
    n_links = 0

    def lines() -> Iterator[str]:
        nonlocal n_links
        for links in aligner.align(pairs):
            n_links += len(links)
            yield f"{format_pharaoh(links)}\n"

    write_output(args.out, lines())
    print(_table(aligner, n_links), file=sys.stderr)
    print(_signature(aligner, inputs, args.tokenizer), file=sys.stderr)
    return 0


def _pairs(texts: Sequence[TextFile], tokenize: Callable[[str], str]) -> Iterator[tuple[list[str], list[str]]]:
    from xlm_align_fairseq.text.lines import read_pairs, read_tsv
    from xlm_align_fairseq.text.tokenize import split_words

    for source, target in read_tsv(*texts) if len(texts) == 1 else read_pairs(*texts):
        yield split_words(tokenize(source)), split_words(tokenize(target))


def _table(aligner: StatisticalAligner, n_links: int) -> str:
    """Show how many pairs were read, how many of them could not be aligned, and the links."""
    lines = [f"{aligner.pairs} pairs read"]
    for reason, count in aligner.dropped.items():
        lines.append(f"  {reason:<18} {count:>12} {100 * count / aligner.pairs:6.2f} %, without links")
    return "\n".join([*lines, f"  {'links':<18} {n_links:>12}"])


def _signature(aligner: StatisticalAligner, inputs: dict[str, TextFile], tokenizer: str) -> str:
    from xlm_align_fairseq.signature import signature
    from xlm_align_fairseq.text.tokenize import describe
    from xlm_align_fairseq.version import __version__

    hashes = {name: text.sha256[:16] for name, text in inputs.items()}
    label = {**hashes, "tokenizer": describe(tokenizer), **aligner.signature_items(), "version": __version__}
    return signature(label)


if __name__ == "__main__":
    sys.exit(main())
