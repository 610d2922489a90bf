"""Make fairseq training data from raw bitext or monolingual text, with the pieces of a model and a manifest."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from xlm_align_fairseq.cli.support.streams import open_text
from xlm_align_fairseq.cli.support.texts import Texts, add_invalid_flag, add_text_flags, given_flags
from xlm_align_fairseq.cli.support.writing import check_files
from xlm_align_fairseq.errors import InputError


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align binarize``."""
    from xlm_align_fairseq.bitext.encode import ENCODINGS, JOINT_SPECIALS, Options

    command = argparse.ArgumentParser(
        prog="xlm-align binarize",
        description=__doc__,
        epilog="Text files are UTF-8, one sentence a line, plain or packed as .gz, .bz2, .xz or .zst. The table of what was"
        " kept goes to standard error, the path of the manifest to standard output.",
    )
    add = command.add_argument
    add("--model", metavar="DIR", required=True, help="model directory; its dict.txt and sentencepiece model are used")
    add("--out", metavar="DIR", required=True, help="directory to write, the data directory of fairseq-train")
    add("--split", default="train", metavar="NAME", help="train, valid, … (default: %(default)s)")
    texts = command.add_argument_group(
        "texts", "Give --src and --tgt, --tsv, or --pairs, each with --lang-pair; or --mono. - is standard input."
    )
    texts.add_argument("--lang-pair", metavar="SRC-TGT", help="language codes of letters, digits and _, such as de-en")
    add_text_flags(texts, " and need --pieces words")
    texts.add_argument("--mono", metavar="FILE", help="monolingual text, for masked language modelling beside pairs")
    texts.add_argument(
        "--alignments",
        metavar="FILE",
        help="0-based Pharaoh links (0-0 1-2) of the words of each pair, to train on in place of self-labels; needs"
        " --pieces words",
    )
    add_invalid_flag(texts)
    how = command.add_argument_group("pieces")
    how.add_argument(
        "--pieces",
        default=Options.pieces,
        choices=ENCODINGS,
        help="running: encode the line as it is; words: encode each word on its own (default: %(default)s)",
    )
    limits = command.add_argument_group("pairs that are left out, beside those with an empty side")
    limits.add_argument(
        "--max-pieces",
        type=int,
        default=Options.max_pieces,
        metavar="N",
        help="with a side of more than N pieces (default: %(default)s)",
    )
    limits.add_argument(
        "--max-positions",
        type=int,
        default=Options.max_positions,
        metavar="N",
        help=f"with more than N pieces on both sides and {JOINT_SPECIALS} specials; the encoder's positions"
        " (default: %(default)s)",
    )
    limits.add_argument(
        "--max-ratio",
        type=float,
        default=Options.max_ratio,
        metavar="R",
        help="with more than R pieces on one side for each piece of the other, where the longer has more than 10"
        " (default: %(default)s)",
    )
    add("--workers", type=int, default=1, metavar="N", help="processes; the output is the same (default: %(default)s)")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    given_flags(args, alone="mono")
    if args.mono is None and args.lang_pair is None:
        command.error("pairs need --lang-pair, such as de-en")
    for flag in ("lang_pair", "alignments"):
        if args.mono is not None and getattr(args, flag) is not None:
            command.error(f"--{flag.replace('_', '-')} belongs to pairs: leave it out with --mono")

    from xlm_align_fairseq.bitext.encode import Options

    options = Options(args.pieces, args.tokenizer, args.max_pieces, args.max_ratio, args.max_positions, args.replace_invalid)
    common: dict[str, Any] = {"split": args.split, "options": options, "workers": args.workers}
    from xlm_align_fairseq.convert.open import open_pieces

    files = open_pieces(args.model)

    from xlm_align_fairseq.bitext.binarize import binarize_mono, binarize_pairs

    if args.mono is not None:
        done = binarize_mono(files, open_text(args.mono, args.replace_invalid), args.out, **common)
    else:
        texts = Texts.from_flags(args)
        check_files([*texts.inputs, args.alignments])
        if texts.separator is not None:
            common["separator"] = texts.separator
        if args.alignments is not None:
            common["alignments"] = open_text(args.alignments)
        done = binarize_pairs(files, texts.files, _languages(args.lang_pair), args.out, **common)
    print(_table(done.manifest), file=sys.stderr)
    print(done.path)
    return 0


def _languages(pair: str) -> tuple[str, str]:
    source, dash, target = pair.partition("-")
    if not dash or "-" in target:
        raise InputError(f"--lang-pair {pair!r}: allowed are two codes and one - between them, as de-en or zh_Hans-en")
    return source, target


def _table(manifest: dict[str, Any]) -> str:
    """Show what was kept and left out, and the pieces."""
    lines = manifest["lines"]
    thing = "pairs" if manifest["languages"] else "lines"
    rows = {"kept": manifest["kept"]} | {reason.replace("_", " "): n for reason, n in manifest["dropped"].items()}
    text = [f"{lines} {thing} read"]
    text += [f"  {name:<18} {count:>12} {100 * count / lines:6.2f} %" for name, count in rows.items()]
    for column, count in manifest["pieces"].items():
        text.append(f"  {'pieces ' + column:<18} {count:>12}, {100 * manifest['unknown'][column]:.2f} % of them <unk>")
    if "links" in manifest:
        links = manifest["links"]
        text.append(f"  {'links':<18} {links['words']:>12} of words, {links['pieces']} of pieces")
    return "\n".join(text)


if __name__ == "__main__":
    sys.exit(main())
