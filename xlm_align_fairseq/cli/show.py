"""Show alignments as pictures: text in the terminal, or one HTML page that works offline."""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from xlm_align_fairseq.cli.support.streams import open_text
from xlm_align_fairseq.cli.support.texts import GIVE, Texts, add_invalid_flag, add_text_flags
from xlm_align_fairseq.cli.support.writing import check_files, write_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.confidence import sentence_score
from xlm_align_fairseq.links.gold import Gold, load_gold, null_warning
from xlm_align_fairseq.links.pharaoh import Link, check_range, parse_probabilities, read_pharaoh
from xlm_align_fairseq.pictures.picture import LEGEND, Cell, Example, render_page, render_terminal
from xlm_align_fairseq.text.lines import ending

LARGE_PAGE = 20_000_000  # bytes


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align show``."""
    command = argparse.ArgumentParser(prog="xlm-align show", description=__doc__)
    add = command.add_argument
    texts = command.add_argument_group("texts", GIVE)
    add_text_flags(texts)
    add_invalid_flag(texts)
    add(
        "--alignments",
        metavar="FILE",
        action="append",
        required=True,
        help="alignments of a system, Pharaoh lines (0-0 1-2), also with probabilities (0-0:0.98 1-2:0.60); once for each"
        " system, - is standard input; the first with probabilities scores the sentence pairs: mean probability of each word's"
        " best link",
    )
    add("--gold", metavar="FILE", help="gold: rows 'id src tgt [S|P]', or Pharaoh with i-j and ipj")
    add("--one-based", action="store_true", help="the --alignments files count words from 1")
    add("--gold-one-based", action="store_true", help="a Pharaoh gold file counts words from 1 (rows always do)")
    add("--names", metavar="NAME[,...]", help="names of the systems (default: the names of their files)")
    add("--pair", metavar="NAME", help="name of the language pair (default: de-en for files x.de and y.en)")
    add("--only", metavar="N[-M][,...]", help="numbers of the sentence pairs to show, from 1, as 7 or 1-1000 (default: all)")
    add("--min-score", type=_share, metavar="X", help="show only sentence pairs with this score or more, 0..1")
    add("--max-score", type=_share, metavar="X", help="show only sentence pairs with this score or less, 0..1")
    add("--sort", choices=["score"], help="order to show in: score is lowest first (default: the order of the files)")
    add("--html", metavar="FILE", help="write a page for the browser (default: text to standard output)")
    add("--title", default="Word alignments", help="heading of the page (default: %(default)s)")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    texts = Texts.from_flags(args)
    check_files([*texts.inputs, *args.alignments, args.gold], ("--html", args.html))
    names = _names(args.names, args.alignments)
    examples = _by_score(args, _examples(args, texts, names))
    if args.html is not None:
        page = render_page(args.title, examples, _notes(examples, names))
        write_text("--html", args.html, [page], "page")
        size = len(page.encode("utf-8", "replace"))
        if size > LARGE_PAGE:
            print(
                f"warning: {args.html} has {len(examples)} sentence pairs in {size / 1e6:.0f} MB, which a browser opens"
                " slowly or not at all; show fewer, as by --only 1-1000 or --max-score 0.5",
                file=sys.stderr,
            )
        return 0
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    if not examples:
        asked = args.min_score is not None or args.max_score is not None
        print(f"xlm-align show: no sentence pair {'has such a score' if asked else 'is there'}", file=sys.stderr)
        return 0
    legend = [LEGEND] if args.gold is not None else []
    pictures = [render_terminal(example, name, colour, width) for example in examples for name in names]
    print("\n\n".join([*legend, *pictures]))
    return 0


def _names(given: str | None, paths: Sequence[str]) -> list[str]:
    names = [Path(path).name for path in paths] if given is None else given.split(",")
    if len(names) != len(paths):
        raise InputError(f"--names {given}: {len(names)} names for {len(paths)} --alignments; give one name for each")
    if repeated := [name for name in names if names.count(name) > 1 or not name]:
        raise InputError(f"--names: {repeated[0]!r} is empty or names two systems; give each a name of its own by --names")
    return names


def _examples(args: argparse.Namespace, texts: Texts, names: Sequence[str]) -> list[Example]:
    sentences, counted_in = list(texts.sentences()), str(texts.files[0].path)
    read = [_read_system(path, args.one_based) for path in args.alignments]
    systems = [links for links, _ in read]
    probable = {name: known for name, (_, known) in zip(names, read, strict=True) if known is not None}
    for path, system in zip(args.alignments, systems, strict=True):
        if len(system) != len(sentences):
            raise InputError(
                f"{path}: {len(system)} lines, but {len(sentences)} lines in {counted_in}; line n of every file is sentence"
                " pair n, check that the files belong together and are complete"
            )
    gold: list[Gold | None] = [None] * len(sentences)
    if args.gold is not None:
        one_based = args.gold_one_based or None
        read_gold = load_gold(open_text(args.gold), one_based=one_based, n_lines=len(sentences), counted_in=counted_in)
        gold = list(read_gold.sentences)
        for warning in null_warning(args.gold, read_gold.null_rows):
            print(f"warning: {warning}", file=sys.stderr)
    pair = args.pair if args.pair is not None else _pair(texts.inputs)
    shown = []
    for number in _only(args.only, len(sentences)):
        words = texts.words(*sentences[number - 1])
        links = [system[number - 1] for system in systems]
        for path, links_of_system in zip(args.alignments, links, strict=True):
            check_range(links_of_system, len(words[0]), len(words[1]), f"{path}:{number}")
        sentence = gold[number - 1]
        if sentence is not None:
            check_range(sorted(sentence.possible), len(words[0]), len(words[1]), f"{args.gold}: sentence pair {number}")
        by_name = dict(zip(names, links, strict=True))
        probabilities = {name: known[number - 1] for name, known in probable.items()}
        sizes = [sum(1 for word in side if word) for side in words]
        score = next((sentence_score(links, *sizes) for links in probabilities.values()), None)
        shown.append(Example(words[0], words[1], by_name, sentence, score, pair, number, probabilities))
    return shown


def _read_system(path: str, one_based: bool) -> tuple[list[list[Link]], list[dict[Link, float]] | None]:
    """Read alignments, and the probabilities of all links if any link has one."""
    lines = list(open_text(path))
    if not any(":" in line for line in lines):
        return read_pharaoh(lines, one_based=one_based, name=path), None
    probabilities = [parse_probabilities(line, one_based=one_based, where=f"{path}:{n}") for n, line in enumerate(lines, 1)]
    return [sorted(links) for links in probabilities], probabilities


def _by_score(args: argparse.Namespace, examples: list[Example]) -> list[Example]:
    """Leave out and sort sentence pairs as the flags about scores say."""
    flags = {"--min-score": args.min_score, "--max-score": args.max_score, "--sort": args.sort}
    asked = [flag for flag, value in flags.items() if value is not None]
    if not asked:
        return examples
    low, high = (end if given is None else given for given, end in ((args.min_score, 0.0), (args.max_score, 1.0)))
    if low > high:
        raise InputError(f"--min-score {low:g} is above --max-score {high:g}: no score is both; give a lower --min-score")
    scored = [(example.score, example) for example in examples if example.score is not None]
    if len(scored) < len(examples):
        raise InputError(
            f"{asked[0]} needs scores, but no --alignments file has probabilities; give one with links like 0-0:0.98, as"
            " `xlm-align align --format probabilities` writes them"
        )
    kept = [(score, example) for score, example in scored if low <= score <= high]
    if args.sort is not None:
        kept.sort(key=lambda pair: pair[0])
    return [example for _, example in kept]


def _share(text: str) -> float:
    """Read a number 0..1 for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed is a number 0..1")
    return value


def _only(given: str | None, n_lines: int) -> list[int]:
    if given is None:
        return list(range(1, n_lines + 1))
    numbers: list[int] = []
    for item in given.split(","):
        match = re.fullmatch("([0-9]{1,9})(?:-([0-9]{1,9}))?", item)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= n_lines:
            raise InputError(
                f"--only {given}: {item!r} is not the number of a sentence pair; allowed are 1..{n_lines}, separated by commas,"
                " and a range as 1-3"
            )
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))


def _pair(paths: Sequence[str]) -> str:
    ends = [ending(path) for path in paths]
    return "-".join(ends) if len(ends) == 2 and all(ends) and ends[0] != ends[1] else "pair"


def _notes(examples: Sequence[Example], names: Sequence[str]) -> list[list[Cell]]:
    """Sum up the sentence pairs shown: a row for each system; no table without gold."""
    if not any(example.gold is not None and example.gold.possible for example in examples):
        return []
    from xlm_align_fairseq.links.metrics import Counts, count  # numpy only once the input is known to be good

    rows: list[list[Cell]] = [["system", "sentence pairs", "links", "AER %", "precision %", "recall %", "F1 %"]]
    for name in names:
        total = sum((count(e.systems[name], e.gold) for e in examples if e.gold is not None), Counts())
        measures = [100 * value for value in (total.aer, total.precision, total.recall, total.f1)]
        rows.append([name, total.sentences, total.hypothesis, *measures])
    return rows
