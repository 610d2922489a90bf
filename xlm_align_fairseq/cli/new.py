"""Make an encoder with random weights and a sentencepiece model of its own, to train from scratch."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from xlm_align_fairseq.cli.support.flags import add_option
from xlm_align_fairseq.errors import InputError


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align new``."""
    command = argparse.ArgumentParser(
        prog="xlm-align new",
        description=__doc__,
        epilog="`spm_train --input TEXT --model_prefix NAME --vocab_size 12000` makes a sentencepiece model. Training starts from"
        " OUT with fairseq-train --arch ARCH --cold-start OUT.",
    )
    add = command.add_argument
    add("sentencepiece", metavar="MODEL", help="sentencepiece model of all languages together")
    add("out", metavar="OUT", help="model directory to write")
    add(
        "--arch",
        default="xlm_align_mini",
        metavar="NAME",
        help="architecture: xlm_align_tiny, _mini, _small, _base or _large (default: %(default)s)",
    )
    add(
        "--max-positions",
        type=int,
        default=512,
        metavar="N",
        help="longest sequence in pieces, specials included (default: %(default)s)",
    )
    add_option(add, "encoding", "(default: %(default)s)", default="joint")
    add_option(add, "align_layer", "(default: the last)")
    add("--seed", type=int, default=1, metavar="N", help="of the random weights (default: %(default)s)")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    source, out = Path(args.sentencepiece), Path(args.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there and not empty: give another directory")
    if not source.is_file():
        raise InputError(f"{source}: no such file; `spm_train` makes a sentencepiece model")

    import torch

    from xlm_align_fairseq.alignment.config import AlignerConfig
    from xlm_align_fairseq.encoder.network import ARCHITECTURES, Encoder, EncoderConfig, init_weights
    from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
    from xlm_align_fairseq.model.directory import write_model
    from xlm_align_fairseq.model.record import Model

    if args.arch not in ARCHITECTURES:
        raise InputError(f"--arch {args.arch}: allowed are {', '.join(ARCHITECTURES)}")
    if args.max_positions < 5:
        raise InputError(f"--max-positions {args.max_positions}: allowed are 5 and more pieces")
    open_sentencepiece(source)  # so that the error names the file
    pieces = source.read_bytes()
    vocabulary = Vocabulary.from_sentencepiece(pieces)
    config = EncoderConfig(len(vocabulary), max_positions=args.max_positions, **ARCHITECTURES[args.arch])
    aligner = AlignerConfig(encoding=args.encoding, align_layer=config.layers if args.align_layer is None else args.align_layer)
    aligner.check_layer(config.layers)
    torch.manual_seed(args.seed)
    state = Encoder(config).apply(init_weights).state_dict(prefix="encoder.")
    model = Model(config, state, "xlm-roberta", vocabulary, pieces, aligner, chosen=True)
    write_model(out, model)
    print(f"{out}: {args.arch}, {len(vocabulary)} pieces, {model.parameters():,} parameters, random weights of seed {args.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
