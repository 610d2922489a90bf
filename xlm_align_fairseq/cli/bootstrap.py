"""Make word links for raw bitext with a statistical aligner, so that training can start from them; keep what it learned."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xlm_align_fairseq.cli.support.streams import progress
from xlm_align_fairseq.cli.support.texts import GIVE, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, write_output

FORMATS = {
    "pharaoh": "one set of links, as --symmetrize says",
    "directions": "links from source to target with their probabilities, a tab, links from target to source",
}
CHUNK = 4096  # pairs that are read and linked together


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align bootstrap``."""
    from xlm_align_fairseq.aligner.statistical import METHOD, METHODS

    command = argparse.ArgumentParser(
        prog="xlm-align bootstrap",
        description=__doc__,
        epilog="Text files are UTF-8, one sentence a line, plain or packed as .gz, .bz2, .xz or .zst. The links are 0-based"
        " Pharaoh lines (0-0 1-2), one a pair; train on them with `xlm-align binarize --pieces words --tokenizer SAME"
        " --alignments FILE`. The aligner learns from this text alone: give it tens of thousands of pairs, and append what else"
        " is to be aligned, or --save what it learns and --apply that to other text. OMP_NUM_THREADS says how many threads it"
        " takes; the links are the same. A table goes to standard error. Learning needs:"
        ' pip install "xlm-align-fairseq[bootstrap]".',
    )
    add_output_flags(command)
    texts = command.add_argument_group("texts", GIVE)
    add_text_flags(texts)
    add_invalid_flag(texts)
    how = command.add_argument_group("links")
    how.add_argument(
        "--symmetrize",
        choices=METHODS,
        help=f"how the links of the two directions become one set, from few and precise to many (default: {METHOD})",
    )
    how.add_argument("--seed", type=int, metavar="N", help="seed of the aligner's sampler (default: its own)")
    kept = command.add_argument_group("other text")
    kept.add_argument("--save", metavar="DIR", help="keep what is learned in a directory, for --apply and for `align --evidence`")
    kept.add_argument(
        "--apply", metavar="DIR", help="learn nothing: link this text by what --save kept; a word that was not there has no links"
    )
    kept.add_argument(
        "--format",
        choices=FORMATS,
        help="with --apply: " + "; ".join(f"{name}: {text}" for name, text in FORMATS.items()) + " (default: pharaoh)",
    )
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    _check(args)
    texts = Texts.from_flags(args)
    return _apply(args, texts) if args.apply is not None else _learn(args, texts)


def _check(args: argparse.Namespace) -> None:
    """Refuse flags without effect."""
    from xlm_align_fairseq.errors import InputError

    if args.apply is None:
        if args.format is not None:
            raise InputError(
                f"--format {args.format} needs --apply DIR; links of the text that is learned from are Pharaoh lines"
            )
        return
    for flag, why in (("save", "nothing is learned"), ("seed", "nothing is drawn")):
        if getattr(args, flag) is not None:
            raise InputError(f"--{flag} {getattr(args, flag)} with --apply: {why}; leave one of them out")
    if args.format == "directions" and args.symmetrize is not None:
        raise InputError(f"--symmetrize {args.symmetrize} with --format directions: they are not joined; leave one of them out")


def _learn(args: argparse.Namespace, texts: Texts) -> int:
    from xlm_align_fairseq.aligner.statistical import METHOD, StatisticalAligner
    from xlm_align_fairseq.links.pharaoh import format_pharaoh
    from xlm_align_fairseq.text.tokenize import describe

    aligner = StatisticalAligner(args.symmetrize or METHOD, args.seed, args.quiet, keep=args.save is not None)
    n_links = 0

    def lines() -> Iterator[str]:
        nonlocal n_links
        for links in aligner.align(texts.pairs()):
            n_links += len(links)
            yield f"{format_pharaoh(links)}\n"
        if args.save is not None:
            aligner.save(args.save, describe(",".join(texts.tokenizers)))

    write_output(args.out, lines(), texts.inputs)
    print(_table(aligner.pairs, aligner.dropped, n_links), file=sys.stderr)
    print(_signature(texts, aligner.signature_items()), file=sys.stderr)
    return 0


def _apply(args: argparse.Namespace, texts: Texts) -> int:
    from xlm_align_fairseq.aligner.evidence import LONGEST, Evidence
    from xlm_align_fairseq.aligner.statistical import BLANK_SIDE, METHOD, METHODS, TOO_LONG
    from xlm_align_fairseq.links.pharaoh import format_pharaoh, format_probabilities

    evidence = Evidence.load(args.apply)
    joined = None if args.format == "directions" else args.symmetrize or METHOD
    dropped = {BLANK_SIDE: 0, TOO_LONG: 0}
    n_pairs = n_links = 0

    def lines() -> Iterator[str]:
        nonlocal n_pairs, n_links
        pairs = iter(progress(texts.pairs(), None, args.quiet))
        while chunk := list(itertools.islice(pairs, CHUNK)):
            n_pairs += len(chunk)
            blank = [not all(any(map(str.strip, side)) for side in pair) for pair in chunk]
            dropped[BLANK_SIDE] += sum(blank)
            dropped[TOO_LONG] += sum(max(map(len, pair)) > LONGEST for pair, no in zip(chunk, blank, strict=True) if not no)
            for directions in evidence.links(chunk, joined is None):
                if joined is None:
                    n_links += sum(map(len, directions))
                    yield "\t".join(map(format_probabilities, directions)) + "\n"
                else:
                    links = METHODS[joined](directions.to_source, directions.to_target)
                    n_links += len(links)
                    yield f"{format_pharaoh(links)}\n"

    write_output(args.out, lines(), texts.inputs)
    print(_table(n_pairs, dropped, n_links), file=sys.stderr)
    if few := evidence.stranger():
        print(f"warning: {few}", file=sys.stderr)
    how = {"format": "directions"} if joined is None else {"symmetrize": joined}
    print(_signature(texts, {"evidence": evidence.digest[:16], **how}), file=sys.stderr)
    return 0


def _table(n_pairs: int, dropped: Mapping[str, int], n_links: int) -> str:
    """Show how many pairs were read, how many of them could not be aligned, and the links."""
    lines = [f"{n_pairs} pairs read"]
    for reason, count in dropped.items():
        lines.append(f"  {reason:<18} {count:>12} {100 * count / max(n_pairs, 1):6.2f} %, without links")
    return "\n".join([*lines, f"  {'links':<18} {n_links:>12}"])


def _signature(texts: Texts, made: Mapping[str, Any]) -> str:
    from xlm_align_fairseq.signature import signature
    from xlm_align_fairseq.text.tokenize import describe
    from xlm_align_fairseq.version import __version__

    names = ["pairs"] if len(texts.files) == 1 else ["source", "target"]
    hashes = {name: text.sha256[:16] for name, text in zip(names, texts.files, strict=True)}
    return signature({**hashes, "tokenizer": describe(",".join(texts.tokenizers)), **made, "version": __version__})


if __name__ == "__main__":
    sys.exit(main())
