"""Carry labels, inline markup or answers of source text over links to its translation, and say how much of it is right."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from xlm_align_fairseq.cli.support.carrying import carry_markup, plain_source
from xlm_align_fairseq.cli.support.carrying_labels import carry_labels, label_carrier
from xlm_align_fairseq.cli.support.flags import add_compute_flags, add_model_flag
from xlm_align_fairseq.cli.support.links import add_link_flags, check_min_probability
from xlm_align_fairseq.cli.support.score_tables import projection_table
from xlm_align_fairseq.cli.support.texts import EPILOG, FLAGS, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import add_output_flags, check_files, write_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.projection import ANSWER_GAP, MAX_GAP

KINDS = ("labels", "markup", "squad")
COMPUTE = ("model", "device", "threads", "half", "batch_tokens")
ONLY_OF = {  # the flags that some kinds alone have
    ("labels",): ("column", "spans", "each_word", "score_column"),
    ("markup",): ("keep_empty", "strict"),
    ("squad",): ("contexts", "questions", "drop_bad_answers", *COMPUTE),
    ("labels", "markup"): FLAGS,
    ("labels", "squad"): ("score", "samples", "seed", "json"),
}
ANSWER_TOKENIZER = "intl"
OF_SCORES = ("score_column", "samples", "seed", "json")
LEAST = {"column": 1, "score_column": 1, "max_gap": 0, "samples": 1, "seed": 0}
EXAMPLES = """examples:
  xlm-align project --labels en.conll --plain-source --out en
  xlm-align project --labels en.conll --tgt de --alignments links --out de.conll
  xlm-align project --labels en.conll --tgt de --alignments links --score de.gold.conll
  xlm-align project --labels en.conllu --each-word --tgt de --alignments links
  xlm-align project --markup marked.en --tgt de --alignments links --tokenizer 13a
  xlm-align project --squad en.json --contexts de.json --out de.squad.json
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align project``."""
    command = argparse.ArgumentParser(
        prog="xlm-align project",
        description=_filled(
            f"{__doc__} Every sentence comes out, with what could be carried; what could not is counted on standard error."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_filled(
            "A span, an element or an answer goes to the target words linked with its words, joined over gaps and cut to the"
            " longest piece; see --max-gap. Align the text that --plain-source writes, with the same --tokenizer: its words are"
            f" those that links count. {EPILOG}"
        )
        + f"\n\n{EXAMPLES}",
    )
    kinds = command.add_argument_group("what is carried", "Give --labels, --markup or --squad.")
    kinds.add_argument(
        "--labels",
        metavar="FILE",
        help="source words and their labels (BIO, IOB1, BIOES or BILOU): one word a line, columns separated by a tab or a single"
        " space, the word first; every sentence ends with a blank line, and one without words is just that. Lines that are # or"
        " begin with '# ' before a sentence are comments; -DOCSTART- lines, CoNLL-U and UNER's files are read, too. The output"
        " has the target words, word<TAB>label in BIO",
    )
    kinds.add_argument(
        "--column",
        type=int,
        metavar="N",
        help="column of --labels with the label, from 1 (default: the last; the fourth of CoNLL-U, the third of UNER)",
    )
    kinds.add_argument(
        "--each-word",
        action="store_true",
        help="labels are of words, such as parts of speech: a target word has the label of the source word that its most probable"
        " link leads to (of links without probabilities, the first), one without a link has _",
    )
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
    kinds.add_argument(
        "--squad",
        metavar="FILE.json",
        help="documents with questions, the answers of which stand in them: a file of the form of SQuAD v1.1. The output is one,"
        " too, with the documents of --contexts and the questions that have an answer there",
    )
    kinds.add_argument(
        "--contexts",
        metavar="FILE.json",
        help="the translations of the documents of --squad: a file of the same form, the same paragraphs in the same order; its"
        " answers are not read",
    )
    kinds.add_argument(
        "--questions",
        choices=("source", "target"),
        help="the questions of the output: those of --squad, or those of --contexts with the same ids (default: source)",
    )
    kinds.add_argument(
        "--drop-bad-answers",
        action="store_true",
        help="leave out answers of --squad that do not stand where it says, and count them (default: an error)",
    )
    where = command.add_argument_group(
        "where to",
        _filled(
            "For --labels and --markup give --alignments, and --tgt alone or the text that was aligned: --src and --tgt, --tsv,"
            " or --pairs, with the source sentences that --plain-source writes. - is standard input. For --squad give"
            " --contexts; without --alignments the command aligns the documents itself. With --plain-source nothing of it is"
            " needed."
        ),
    )
    add_text_flags(
        where,
        "; tags go into the untouched target, and of --labels the source's must leave the words as they are; of --squad"
        f" {ANSWER_TOKENIZER} is the default, which parts words and punctuation",
    )
    add_link_flags(where, required=False)
    where.add_argument(
        "--max-gap",
        type=int,
        metavar="N",
        help="most words without a link to a span that may stand between two that have one; beyond it the longest piece is"
        f" kept (default: {MAX_GAP}, of answers {ANSWER_GAP})",
    )
    command.add_argument(
        "--plain-source",
        action="store_true",
        help="write the source sentences without labels or markup, or the documents of --squad, one a line, for `xlm-align"
        " align`, and nothing else",
    )
    scores = command.add_argument_group("scores", "Of --labels and of --squad.")
    scores.add_argument(
        "--score",
        metavar="GOLD",
        help="print how much of this file was projected, in place of the result, which goes to --out alone: gold labels of the"
        " target words, in a form that --labels reads, or gold answers in the documents of --contexts",
    )
    scores.add_argument("--score-column", type=int, metavar="N", help="column of --score with the label, as --column")
    scores.add_argument("--samples", type=int, metavar="N", help="bootstrap samples of sentences or questions (default: 1000)")
    scores.add_argument("--seed", type=int, metavar="N", help="seed of the bootstrap (default: 12345)")
    scores.add_argument("--json", action="store_true", help="print JSON (percent, not rounded) in place of the table")
    add_model_flag(command.add_argument_group("the model that aligns the documents of --squad").add_argument)
    add_compute_flags(command, of=", of --squad", quiet=False)
    add_invalid_flag(command)
    add_output_flags(command)
    command.set_defaults(out=None, tokenizer=None)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    _check(command, args)
    args.samples = 1000 if args.samples is None else args.samples
    args.seed = 12345 if args.seed is None else args.seed
    args.tokenizer = args.tokenizer or ("none" if args.squad is None else ANSWER_TOKENIZER)
    out = args.out or ("-" if args.score is None else None)
    inputs = [args.labels, args.markup, args.squad, args.contexts, args.score, *(getattr(args, flag) for flag in FLAGS)]
    check_files([*inputs, args.alignments], ("--out", out), *([("the table of --score", "-")] if args.score else []))
    warnings: list[str] = []
    carried, report = _carried(args, warnings)
    if out is None:
        deque(carried, maxlen=0)
    else:
        write_text("--out", out, carried)
    scores = report() if args.score else {"notes": []}
    for warning in (*warnings, *scores["notes"]):
        print(f"warning: {warning}", file=sys.stderr)
    if args.score:
        print(json.dumps(scores, indent=2, ensure_ascii=False) if args.json else projection_table(scores))
    return 0


def _carried(args: argparse.Namespace, warnings: list[str]) -> tuple[Iterable[str], Callable[[], dict[str, Any]]]:
    """Return the result in pieces, and what gives its scores once those have been taken."""
    if args.plain_source:
        return plain_source(args, warnings), dict
    if args.squad is not None:  # what is heavy is imported where it is needed
        from xlm_align_fairseq.cli.support.carrying_answers import AnswerCarrier

        answers = AnswerCarrier(args)
        return answers.carry(warnings), answers.report
    texts = Texts.from_flags(args, alone="tgt")
    if args.markup is not None:
        return carry_markup(args, texts, warnings), dict
    carrier = label_carrier(args)
    return carry_labels(args, texts, warnings, carrier), carrier.gold.report if carrier.gold else dict


def _check(command: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse flags that do not go together, or have no effect."""

    def given(flags: Iterable[str]) -> str | None:
        return next((f"--{flag.replace('_', '-')}" for flag in flags if getattr(args, flag) != command.get_default(flag)), None)

    kinds = [kind for kind in KINDS if getattr(args, kind) is not None]
    if len(kinds) != 1:
        command.error("give --labels, --markup or --squad, one of them")
    for owners, flags in ONLY_OF.items():
        if kinds[0] not in owners and (flag := given(flags)):
            command.error(f"{flag} belongs to {' and '.join(f'--{owner}' for owner in owners)}")
    if args.squad is None and not args.plain_source and (not given(FLAGS) or args.alignments is None):
        command.error("give --tgt and --alignments, or --plain-source")
    if args.squad is not None and not args.plain_source and args.contexts is None:
        command.error("give --contexts, or --plain-source")
    if args.alignments is not None and (flag := given(COMPUTE)):
        command.error(f"{flag} is of the model that aligns; leave it or --alignments out")
    if args.each_word and (flag := given(("spans", "max_gap"))):
        command.error(f"{flag} is of spans of words; leave it or --each-word out")
    if args.score is None and (flag := given(OF_SCORES)):
        command.error(f"{flag} needs --score")
    if args.score is not None and args.plain_source:
        command.error("--plain-source carries nothing that --score could score; leave one of them out")
    for flag, least in LEAST.items():
        if getattr(args, flag) is not None and getattr(args, flag) < least:
            raise InputError(f"--{flag.replace('_', '-')} {getattr(args, flag)}: allowed are {least} and more")
    check_min_probability(args.min_probability)


def _filled(text: str) -> str:
    """Break a text into lines, as the help does not where it has examples."""
    return textwrap.fill(text, 100)


if __name__ == "__main__":
    sys.exit(main())
