"""Show alignments as pictures: text in the terminal, or one HTML page that works offline."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from xlm_align_fairseq.alignment.links import Gold, check_range, load_gold, read_lines, read_pharaoh
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.picture import LEGEND, Cell, Example, render_page, render_terminal


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align show``."""
    new = argparse.ArgumentParser(prog="xlm-align show", description=__doc__)
    add = new.add_argument
    add("--src", metavar="FILE", required=True, help="source sentences, words separated by single spaces")
    add("--tgt", metavar="FILE", required=True, help="target sentences")
    add(
        "--alignments",
        metavar="FILE",
        action="append",
        required=True,
        help="alignments of a system, Pharaoh lines (0-0 1-2); once for each system",
    )
    add("--gold", metavar="FILE", help="gold: rows 'id src tgt [S|P]', or Pharaoh with i-j and ipj")
    add("--one-based", action="store_true", help="the --alignments files count words from 1")
    add("--gold-one-based", action="store_true", help="a Pharaoh gold file counts words from 1 (rows always do)")
    add("--names", metavar="NAME[,...]", help="names of the systems (default: the names of their files)")
    add("--pair", metavar="NAME", help="name of the language pair (default: de-en for files x.de and y.en)")
    add("--only", metavar="N[,...]", help="numbers of the sentence pairs to show, from 1 (default: all)")
    add("--html", metavar="FILE", help="write a page for the browser (default: text to standard output)")
    add("--title", default="Word alignments", help="heading of the page (default: %(default)s)")
    return new


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    names = _names(args.names, args.alignments)
    examples = _examples(args, names)
    if args.html is not None:
        page = render_page(args.title, examples, _notes(examples, names))
        try:
            Path(args.html).write_bytes(page.encode())
        except OSError as error:
            raise InputError(f"--html {args.html}: cannot write the page ({error.strerror}); check the path") from error
        return 0
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
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


def _examples(args: argparse.Namespace, names: Sequence[str]) -> list[Example]:
    source, target = read_lines(args.src), read_lines(args.tgt)
    systems = [read_pharaoh(path, one_based=args.one_based) for path in args.alignments]
    lengths = [len(target), *map(len, systems)]
    for path, length in zip([args.tgt, *args.alignments], lengths, strict=True):
        if length != len(source):
            raise InputError(
                f"{path}: {length} lines, but {len(source)} lines in {args.src}; line n of every file is sentence"
                " pair n, check that the files belong together and are complete"
            )
    gold: list[Gold | None] = [None] * len(source)
    if args.gold is not None:
        one_based = args.gold_one_based or None
        gold = list(load_gold(args.gold, one_based=one_based, n_lines=len(source), counted_in=args.src).sentences)
    pair = args.pair if args.pair is not None else _pair(args.src, args.tgt)
    shown = []
    for number in _only(args.only, len(source)):
        words = [line.split(" ") if line else [] for line in (source[number - 1], target[number - 1])]
        links = [system[number - 1] for system in systems]
        for path, found in zip(args.alignments, links, strict=True):
            check_range(found, len(words[0]), len(words[1]), f"{path}:{number}")
        sentence = gold[number - 1]
        if sentence is not None:
            check_range(sorted(sentence.possible), len(words[0]), len(words[1]), f"{args.gold}: sentence pair {number}")
        by_name = dict(zip(names, links, strict=True))
        shown.append(Example(words[0], words[1], by_name, sentence, None, pair, number))
    return shown


def _only(given: str | None, n_lines: int) -> list[int]:
    if given is None:
        return list(range(1, n_lines + 1))
    numbers = []
    for item in given.split(","):
        if not (item.isascii() and item.isdigit() and len(item) < 10 and 1 <= int(item) <= n_lines):
            raise InputError(
                f"--only {given}: {item!r} is not the number of a sentence pair; allowed are 1..{n_lines}, separated by commas"
            )
        numbers.append(int(item))
    return list(dict.fromkeys(numbers))


def _pair(src: str, tgt: str) -> str:
    ends = [Path(path).suffix.removeprefix(".") for path in (src, tgt)]
    return "-".join(ends) if all(ends) and ends[0] != ends[1] else "pair"


def _notes(examples: Sequence[Example], names: Sequence[str]) -> list[list[Cell]]:
    """Sum up the sentence pairs shown: a row for each system; no table without gold."""
    if not any(example.gold is not None and example.gold.possible for example in examples):
        return []
    from xlm_align_fairseq.alignment.metrics import Counts, count  # numpy only once the input is known to be good

    rows: list[list[Cell]] = [["system", "sentence pairs", "links", "AER %", "precision %", "recall %", "F1 %"]]
    for name in names:
        total = sum((count(e.systems[name], e.gold) for e in examples if e.gold is not None), Counts())
        measures = [100 * value for value in (total.aer, total.precision, total.recall, total.f1)]
        rows.append([name, total.sentences, total.hypothesis, *measures])
    return rows
