"""Label binarised bitext outside training: piece links in the format of fairseq's alignments, and a manifest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from xlm_align_fairseq.alignment.config import given
from xlm_align_fairseq.cli.support.flags import add_aligner_flags, add_compute_flags, add_model_flag
from xlm_align_fairseq.cli.support.model import open_aligner


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align label``."""
    command = argparse.ArgumentParser(
        prog="xlm-align label",
        description=__doc__,
        epilog="Writes SPLIT.align.SRC-TGT.{bin,idx} and labels.SPLIT.json. To share the work, start it once for each --shard-id"
        " with the same --num-shards, on any machines, then once with --merge: the result is that of an undivided pass.",
    )
    add = command.add_argument
    add_model_flag(add)
    add("--data", metavar="DIR", required=True, help="binarised bitext, from `xlm-align binarize` or fairseq-preprocess; of"
        " DIR:DIR2 the labels are one behind the other")  # fmt: skip
    add("--out", metavar="DIR", required=True, help="directory to write; the data directory puts the labels beside the text")
    add("--split", default="train", metavar="NAME", help="train, valid, … (default: %(default)s)")
    add("--lang-pairs", metavar="PAIRS", help="language pairs, such as de-en,fr-en (default: all that the directory holds)")
    add("--max-positions", type=int, metavar="N", default=512, help="longest pair in pieces, specials included; the encoder's"
        " own limit if that is lower; longer ones get no links (default: %(default)s)")  # fmt: skip
    shards = command.add_argument_group("shards")
    shards.add_argument("--num-shards", type=int, default=1, metavar="N", help="parts of the work (default: %(default)s)")
    shards.add_argument("--shard-id", type=int, default=0, metavar="I", help="which part, 0..N-1 (default: %(default)s)")
    shards.add_argument("--merge", action="store_true", help="put the labels of all --num-shards parts together")
    add_aligner_flags(command, text=False)
    add_compute_flags(command)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    if args.num_shards < 1 or not 0 <= args.shard_id < args.num_shards:
        command.error(f"--shard-id {args.shard_id} --num-shards {args.num_shards}: allowed are parts 0 to num-shards - 1")

    from xlm_align_fairseq.bitext.label_statistics import summary
    from xlm_align_fairseq.bitext.labels import manifest_path, read_manifest
    from xlm_align_fairseq.em import label_pass, shards

    out = Path(args.out)
    _refuse_given(out, args.split)
    if args.merge:
        corpus = _corpus(args, args.max_positions)
        shards.merge_shards(corpus, args.split, out, args.num_shards)
    else:
        aligner = open_aligner(args, given(args), keep_weights=True)
        _check_dictionary(args, aligner)
        corpus = _corpus(args, min(args.max_positions, aligner.encoder.config.max_positions))
        directory = out if args.num_shards == 1 else shards.shard_directory(out, args.num_shards, args.shard_id)
        part = (args.num_shards, args.shard_id)
        evidence = _evidence(args, aligner, corpus)
        label_pass.write_labels(aligner, corpus, args.split, directory, part, not args.quiet, evidence)
        out = directory
        for line in evidence.strangers() if evidence else ():
            print(f"warning: {line}", file=sys.stderr)
    manifest = read_manifest(out, args.split)
    left_out = _left_out(corpus, manifest["max_positions"]) if args.merge or args.num_shards == 1 else []
    print("\n".join([*summary(manifest), *left_out]), file=sys.stderr)
    print(manifest_path(out, args.split))
    return 0


def _evidence(args, aligner, corpus):
    """Read the evidence that the flags name, and say which language pairs have none."""
    from xlm_align_fairseq.em.evidence import CorpusEvidence

    if args.evidence is None:
        return None
    evidence = CorpusEvidence.read(args.evidence, aligner.pieces.vocabulary.pieces)
    evidence.check(corpus, lambda line: print(line, file=sys.stderr))
    return evidence


def _left_out(corpus, max_positions: int) -> list[str]:
    """Return a line for each language pair with sentence pairs that get no labels: how many, and why."""
    from xlm_align_fairseq.bitext.corpus import Corpus

    names, counts = [pair.name for pair in corpus.pairs], Corpus(corpus.pairs, max_positions).left_out()
    return [
        f"{name}: left out: {count['empty']} empty, {count['too long']} longer than {max_positions} pieces"
        for name, count in zip(names, counts, strict=True)
        if count["empty"] or count["too long"]
    ]


def _refuse_given(out: Path, split: str) -> None:
    """Refuse to overwrite the links of `xlm-align binarize --alignments`."""
    from xlm_align_fairseq.bitext.binarize import manifest_with_links
    from xlm_align_fairseq.errors import InputError

    if path := manifest_with_links(out, split):
        raise InputError(
            f"--out {out}: {path.name} tells of given links, which labels would overwrite; give another --out, and train on it"
            " with --initial-labels"
        )


def _check_dictionary(args, aligner) -> None:
    """Refuse data that was binarised with the dictionary of another model: its numbers mean other pieces."""
    from xlm_align_fairseq.convert import SHIPPED
    from xlm_align_fairseq.encoder.vocabulary import FILE_NAME, Vocabulary
    from xlm_align_fairseq.errors import InputError

    for part in args.data.split(os.pathsep):
        path = Path(part) / FILE_NAME
        if path.is_file() and Vocabulary.read(path) != aligner.pieces.vocabulary:
            raise InputError(f"{path} is not the dictionary of {args.model or SHIPPED}: give --model with that of this text")


def _corpus(args, max_positions: int):
    from xlm_align_fairseq.bitext.corpus import Corpus
    from xlm_align_fairseq.errors import InputError

    parts = [Path(part) for part in args.data.split(os.pathsep)]
    for part in parts:
        if not part.is_dir():
            raise InputError(f"--data {part}: no such directory of binarised bitext; `xlm-align binarize` makes one")
    return Corpus.open(parts if len(parts) > 1 else parts[0], args.split, args.lang_pairs, max_positions)


if __name__ == "__main__":
    sys.exit(main())
