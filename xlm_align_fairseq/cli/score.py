"""Score alignments against gold: AER, precision, recall, F1, bootstrap intervals, paired tests, curves over thresholds."""

import argparse
import itertools
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from xlm_align_fairseq.cli.support import score_curve
from xlm_align_fairseq.cli.support.streams import open_text
from xlm_align_fairseq.cli.support.writing import check_files, write_text
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import GoldFile, load_gold, null_warning
from xlm_align_fairseq.links.pharaoh import check_range, parse_pharaoh, parse_probabilities
from xlm_align_fairseq.pictures.plot import require_matplotlib
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.text.tokenize import split_words
from xlm_align_fairseq.version import __version__

if TYPE_CHECKING:
    from xlm_align_fairseq.links.curve import MarkedLinks
    from xlm_align_fairseq.links.metrics import CountTable

_COLUMNS = ("hypothesis", "sure", "possible", "hypothesis_sure", "hypothesis_possible")


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align score``."""
    command = argparse.ArgumentParser(prog="xlm-align score", description=__doc__)
    add = command.add_argument
    add("hyp", metavar="HYP", nargs="+", help="alignments to score, Pharaoh lines (0-0 1-2); - is standard input")
    add("--gold", metavar="FILE", required=True, help="gold: rows 'id src tgt [S|P]', or Pharaoh with i-j and ipj")
    add("--gold-one-based", action="store_true", help="a Pharaoh gold file counts words from 1 (rows always do)")
    add("--one-based", action="store_true", help="the HYP files count words from 1")
    add("--swap", action="store_true", help="the HYP files hold target-source links")
    add("--src", metavar="FILE", help="source sentences of the gold, to check that links are in range; needs --tgt")
    add("--tgt", metavar="FILE", help="target sentences of the gold; needs --src")
    add(
        "--samples",
        type=int,
        default=1000,
        metavar="N",
        help="bootstrap samples, corpora drawn again (default: %(default)s)",
    )
    add("--seed", type=int, default=12345, metavar="N", help="seed of the bootstrap (default: %(default)s)")
    add("--json", action="store_true", help="print JSON (percent, not rounded) in place of the tables")
    add("--per-sentence", metavar="FILE", help="also write the counts and AER (percent) of each sentence pair, TSV")
    add(
        "--curve",
        action="store_true",
        help="also score the links at or above each of several probabilities; HYP needs links with probabilities"
        " (0-0:0.98), from `xlm-align align --format probabilities`",
    )
    add(
        "--thresholds",
        metavar="P[,...]",
        help=f"probabilities of --curve, 0..1 (default: {score_curve.THRESHOLDS}); implies --curve",
    )
    add(
        "--curve-plot",
        metavar="FILE.svg",
        help='write a plot of precision against recall, SVG; implies --curve. Needs: pip install "xlm-align-fairseq[plot]"',
    )
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    if (args.src is None) != (args.tgt is None):
        command.error("--src and --tgt go together: give both or neither")
    if args.hyp.count("-") > 1:
        command.error("standard input (-) can be given as HYP only once")
    if args.curve_plot is not None and not args.curve_plot.lower().endswith(".svg"):
        command.error(f"--curve-plot {args.curve_plot}: the plot is SVG, give a file whose name ends in .svg")
    args.curve = args.curve or args.thresholds is not None or args.curve_plot is not None
    thresholds = score_curve.parse_thresholds(score_curve.THRESHOLDS if args.thresholds is None else args.thresholds)
    if args.curve_plot is not None:
        require_matplotlib()
    outputs = ("--per-sentence", args.per_sentence), ("--curve-plot", args.curve_plot)
    check_files([*args.hyp, args.gold, args.src, args.tgt], *outputs)

    texts = [_Counted(open_text(name)) for name in (args.src, args.tgt, *args.hyp) if name is not None]
    _check_lengths(texts)
    n_lines, counted_in = texts[0].n_lines, texts[0].name
    gold = load_gold(open_text(args.gold), one_based=args.gold_one_based or None, n_lines=n_lines, counted_in=counted_in)
    if not any(sentence.possible for sentence in gold.sentences):
        raise InputError(f"{args.gold}: no gold links in {len(gold.sentences)} sentence pairs; nothing to score against")
    for warning in null_warning(args.gold, gold.null_rows):
        print(f"warning: {warning}", file=sys.stderr)
    sizes = None
    if args.src is not None:
        sizes = _sizes(*texts[:2])
        for n, (sentence, size) in enumerate(zip(gold.sentences, sizes(), strict=True), 1):
            check_range(sorted(sentence.possible), *size, f"{args.gold}: sentence pair {n}")

    hypotheses = texts[-len(args.hyp) :]
    names = [text.name for text in hypotheses]
    read = [_count(text, gold, sizes, args) for text in hypotheses]
    counts, marked = [table for table, _ in read], [links for _, links in read]
    report = _report(names, counts, gold, args)
    if args.curve:
        for entry, links in zip(report["systems"], marked, strict=True):
            entry.update(score_curve.rows(links, thresholds))
    if args.per_sentence is not None:
        write_text("--per-sentence", args.per_sentence, _sentences(names, counts, report["signature"]))
    if args.curve_plot is not None:
        write_text("--curve-plot", args.curve_plot, [score_curve.plot(names, marked, thresholds)])
    print(json.dumps(report, indent=2, ensure_ascii=False) if args.json else _tables(report))
    return 0


class _Counted:
    """A file whose lines are counted before they are read once more; of a pipe, which is there once, they are held."""

    def __init__(self, text: TextFile) -> None:
        self.name = str(text.path)
        self._lines: Iterable[str] = text if text.size() is not None else list(text)
        self.n_lines = sum(1 for _ in self._lines)

    @property
    def lines(self) -> Iterator[str]:
        """Yield the counted lines; a file that has changed since is an `InputError` at its end."""
        lines = iter(self._lines)
        yield from itertools.islice(lines, self.n_lines)
        for _ in lines:
            pass


def _sizes(source: _Counted, target: _Counted) -> Callable[[], Iterator[tuple[int, int]]]:
    """Count the words of each sentence pair; the function returned yields them."""
    sides = [array("i", (len(split_words(line)) for line in side.lines)) for side in (source, target)]
    return lambda: zip(*sides, strict=True)


def _count(
    text: _Counted, gold: GoldFile, sizes: Callable[[], Iterator[tuple[int, int]]] | None, args: argparse.Namespace
) -> tuple["CountTable", "MarkedLinks"]:
    """Read the links of each sentence pair and keep their counts and, if a curve is asked for, their probabilities."""
    from xlm_align_fairseq.links.curve import MarkedLinks  # numpy only once gold and the numbers of lines are known to be good
    from xlm_align_fairseq.links.metrics import CountTable, count

    table, marked = CountTable(), MarkedLinks()
    size = sizes() if sizes else itertools.repeat(None, text.n_lines)
    for n, (line, sentence, words) in enumerate(zip(text.lines, gold.sentences, size, strict=True), 1):
        where = f"{text.name}:{n}"
        if args.curve:
            links = parse_probabilities(line, one_based=args.one_based, where=where)
        else:
            links = dict.fromkeys(parse_pharaoh(line, one_based=args.one_based, where=where), 1.0)
        if args.swap:
            links = dict(sorted(((j, i), p) for (i, j), p in links.items()))
        if words is not None:
            check_range(links, *words, where)
        table.append(count(links, sentence))
        if args.curve:
            marked.add(links, sentence)
    return table, marked


def _check_lengths(texts: Sequence[_Counted]) -> None:
    for other in texts[1:]:
        if other.n_lines != texts[0].n_lines:
            raise InputError(
                f"{other.name}: {other.n_lines} lines, but {texts[0].n_lines} lines in {texts[0].name}; line n of every file is"
                " sentence pair n, check that the files belong together and are complete"
            )


def _report(names: Sequence[str], counts: Sequence["CountTable"], gold: GoldFile, args: argparse.Namespace) -> dict[str, Any]:
    """Gather what is printed: percent throughout, differences in points of AER."""
    from xlm_align_fairseq.links.metrics import Resampled

    draws = {"samples": args.samples, "seed": args.seed}
    resampled = Resampled(counts, **draws)
    systems, paired = [], []
    for k, (name, system) in enumerate(zip(names, counts, strict=True)):
        total = system.total()
        measures = {key: 100 * getattr(total, key) for key in ("aer", "precision", "recall", "f1")}
        interval = [100 * bound for bound in resampled.interval(k)]
        systems.append({"name": name, **measures, "aer_interval": interval, "counts": asdict(total)})
    for k, name in enumerate(names[1:], 1):
        test = resampled.paired(k)
        interval = [100 * test.low, 100 * test.high]
        paired.append({"name": name, "difference": 100 * test.difference, "interval": interval, "p_value": test.p_value})
    label = {
        "metric": "aer",
        "sentences": len(gold.sentences),
        "gold": gold.form,
        "ids": gold.ids,
        "gold_base": gold.base,
        "base": int(args.one_based),
        "swap": args.swap,
        **draws,
        "version": __version__,
    }
    return {
        "format": "xlm-align-score.1",
        "signature": signature(label),
        "sentences": len(gold.sentences),
        "sentences_without_gold": int((counts[0].rows[:, 2] == 0).sum()),
        "systems": systems,
        "paired": paired,
    }


def _tables(report: dict[str, Any]) -> str:
    width = max(len("system"), *(len(system["name"]) for system in report["systems"]))
    lines = [
        f"{report['sentences']} sentence pairs, {report['sentences_without_gold']} of them without gold links",
        f"{'system':{width}}   AER %    95 % interval  precision %  recall %   F1 %    links     sure  possible",
    ]
    for system in report["systems"]:
        low, high = system["aer_interval"]
        counted = system["counts"]
        lines.append(
            f"{system['name']:{width}}  {system['aer']:6.2f}  {f'[{low:.2f}, {high:.2f}]':>15}"
            f"  {system['precision']:11.1f}  {system['recall']:8.1f}  {system['f1']:5.1f}"
            f"  {counted['hypothesis']:7}  {counted['sure']:7}  {counted['possible']:8}"
        )
    if report["paired"]:
        lines += [
            "",
            f"AER minus that of {report['systems'][0]['name']} (points, negative is better), paired bootstrap",
        ]
        lines.append(f"{'system':{width}}  difference    95 % interval        p")
    for test in report["paired"]:
        low, high = test["interval"]
        interval = f"[{low:+.2f}, {high:+.2f}]"
        lines.append(f"{test['name']:{width}}  {test['difference']:+10.2f}  {interval:>15}  {test['p_value']:7.4f}")
    if "curve" in report["systems"][0]:
        lines += score_curve.tables(report["systems"])
    return "\n".join([*lines, "", report["signature"]])


def _sentences(names: Sequence[str], counts: Sequence["CountTable"], label: str) -> Iterator[str]:
    """List the counts of each sentence pair: comment lines with the signature and the systems, a header, rows."""
    yield f"# xlm-align-per-sentence.1 {label}\n"
    yield from (f"# system {k} is {name!r}\n" for k, name in enumerate(names, 1))
    yield "\t".join(["system", "sentence", *_COLUMNS, "aer"]) + "\n"
    for k, system in enumerate(counts, 1):
        for n, sentence in enumerate(system, 1):
            cells = [k, n, *(getattr(sentence, column) for column in _COLUMNS), f"{100 * sentence.aer:.2f}"]
            yield "\t".join(map(str, cells)) + "\n"
