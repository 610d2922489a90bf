"""Make word links for raw bitext with a statistical aligner, so that training can start from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from xlm_align_fairseq.cli.support.texts import GIVE, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, write_output

if TYPE_CHECKING:
    from xlm_align_fairseq.aligner.statistical import StatisticalAligner


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align bootstrap``."""
    from xlm_align_fairseq.aligner.statistical import METHOD, METHODS

    command = argparse.ArgumentParser(
        prog="xlm-align bootstrap",
        description=__doc__,
        epilog="Text files are UTF-8, one sentence a line, plain or packed as .gz, .bz2, .xz or .zst. The links are 0-based"
        " Pharaoh lines (0-0 1-2), one a pair; train on them with `xlm-align binarize --pieces words --tokenizer SAME"
        " --alignments FILE`. The aligner learns from this text alone: give it tens of thousands of pairs, and append what else"
        " is to be aligned. OMP_NUM_THREADS says how many threads it takes; the links are the same. A table goes to standard"
        ' error. Needs: pip install "xlm-align-fairseq[bootstrap]".',
    )
    add_output_flags(command)
    texts = command.add_argument_group("texts", GIVE)
    add_text_flags(texts)
    add_invalid_flag(texts)
    how = command.add_argument_group("links")
    how.add_argument(
        "--symmetrize",
        default=METHOD,
        choices=METHODS,
        help="how the links of the two directions become one set, from few and precise to many (default: %(default)s)",
    )
    how.add_argument("--seed", type=int, metavar="N", help="seed of the aligner's sampler (default: its own)")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    texts = Texts.from_flags(args)

    from xlm_align_fairseq.aligner.statistical import StatisticalAligner
    from xlm_align_fairseq.links.pharaoh import format_pharaoh

    aligner = StatisticalAligner(args.symmetrize, args.seed, args.quiet)
    n_links = 0

    def lines() -> Iterator[str]:
        nonlocal n_links
        for links in aligner.align(texts.pairs()):
            n_links += len(links)
            yield f"{format_pharaoh(links)}\n"

    write_output(args.out, lines(), texts.inputs)
    print(_table(aligner, n_links), file=sys.stderr)
    print(_signature(aligner, texts), file=sys.stderr)
    return 0


def _table(aligner: StatisticalAligner, n_links: int) -> str:
    """Show how many pairs were read, how many of them could not be aligned, and the links."""
    lines = [f"{aligner.pairs} pairs read"]
    for reason, count in aligner.dropped.items():
        lines.append(f"  {reason:<18} {count:>12} {100 * count / aligner.pairs:6.2f} %, without links")
    return "\n".join([*lines, f"  {'links':<18} {n_links:>12}"])


def _signature(aligner: StatisticalAligner, texts: Texts) -> str:
    from xlm_align_fairseq.signature import signature
    from xlm_align_fairseq.text.tokenize import describe
    from xlm_align_fairseq.version import __version__

    names = ["pairs"] if len(texts.files) == 1 else ["source", "target"]
    hashes = {name: text.sha256[:16] for name, text in zip(names, texts.files, strict=True)}
    label = {**hashes, "tokenizer": describe(",".join(texts.tokenizers)), **aligner.signature_items(), "version": __version__}
    return signature(label)


if __name__ == "__main__":
    sys.exit(main())
