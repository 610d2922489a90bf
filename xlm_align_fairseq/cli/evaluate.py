"""Evaluate fine-tuned models in other languages, score predictions for the tasks of XTREME against gold, or average numbers.

Three ways: --model and --data predict and score tags of words, classes of pairs or answers; --gold and --predictions score a
file, without a model; --numbers averages numbers of languages and tasks. Scores have bootstrap intervals.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, get_args

from xlm_align_fairseq.cli.support.averages import average_report, average_table
from xlm_align_fairseq.cli.support.score_tables import score_lines, scores_of, type_lines
from xlm_align_fairseq.cli.support.writing import check_files
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.transfer.pairs import Quoting
from xlm_align_fairseq.transfer.tasks import TASKS, find_task
from xlm_align_fairseq.version import __version__

RULES = ("squad", "mlqa")
OF_MODELS = ("against", "data", "split", "out", "device", "batch_tokens")  # flags that change nothing without --model
EXAMPLES = """examples:
  xlm-align evaluate --task pos --model runs/1 runs/2 runs/3 --data de.tsv ja.tsv --lang de,ja --out predictions
  xlm-align evaluate --task ner --model runs/1 --data download --split dev --json
  xlm-align evaluate --task pos --gold dev-de.tsv --predictions predictions/udpos/dev-de.tsv
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align evaluate``."""
    command = argparse.ArgumentParser(
        prog="xlm-align evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    add = command.add_argument
    add("--task", choices=TASKS, help="what is scored (default with --model: the task that has the labels of the run)")
    add("--gold", metavar="FILE", help="the right answers: the data as it is published, or as XTREME's evaluate.py reads them")
    add(
        "--predictions",
        metavar="FILE",
        help="predictions as XTREME's evaluate.py reads them; for bucc also candidates with scores",
    )
    add(
        "--lang",
        metavar="LG[,...]",
        help="language of the texts, as de (the rules of MLQA need it); with --data FILE one for each file, in their order, with"
        " --data DIR those that are wanted (default: all that it has)",
    )
    add("--rules", choices=RULES, help="rules that answers are compared by (default: mlqa for the task mlqa, else squad)")
    add(
        "--tsv-quoting", choices=get_args(Quoting), help="of pairs: csv unquotes texts (default: csv where all lines end in CRLF)"
    )
    add("--threshold", type=float, metavar="X", help="score that candidates of bucc must have (default: the best on this gold)")
    add("--samples", type=int, default=1000, metavar="N", help="bootstrap samples, drawn examples (default: %(default)s)")
    add("--seed", type=int, default=12345, metavar="N", help="seed of the bootstrap (default: %(default)s)")
    add("--json", action="store_true", help="print JSON (percent, not rounded) in place of the tables")
    models = command.add_argument_group("with a model")
    add_model = models.add_argument
    add_model("--model", nargs="+", metavar="RUN", help="fine-tuned runs; of several, as seeds, the mean is scored")
    add_model("--against", nargs="+", metavar="RUN", help="other runs: how much better those of --model are, by language")
    add_model("--data", nargs="+", metavar="FILE|DIR", help="a file for each language, or the folder of XTREME's download")
    add_model("--split", choices=("dev", "test"), help="which files of DIR (default: test)")
    add_model(
        "--out", metavar="DIR", help="where predictions go, as XTREME's evaluate.py reads them; of several models in 1, 2, …"
    )
    add_model("--quiet", action="store_true", help="no progress bar")
    add_model("--device", help="cpu, cuda, cuda:1 … (default: a GPU if there is one)")
    add_model("--batch-tokens", type=int, metavar="N", help="pieces of a batch, padding included (default: 2048, GPU: 32768)")
    add(
        "--numbers",
        metavar="FILE.json",
        help='average numbers instead: by task, by task and language, or for questions as {"f1": …, "exact_match": …}',
    )
    add("--leave-out", metavar="LG[,...]", help="languages that the means of --numbers leave out, as TyDiQA's own does with en")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    command = parser()
    args = command.parse_args(argv)
    alone = ("task", "gold", "predictions", "lang", "rules", "tsv_quoting", "threshold", "model", *OF_MODELS)
    given = [f"--{name.replace('_', '-')}" for name in alone if getattr(args, name) is not None]
    if args.numbers is not None:
        if given:
            command.error(f"--numbers and {given[0]}: give a file of numbers alone, or --task, --gold and --predictions")
        averages = average_report(args.numbers, args.leave_out.split(",") if args.leave_out else [])
        print(json.dumps(averages, indent=2, ensure_ascii=False) if args.json else average_table(averages))
        return 0
    if args.leave_out is not None:
        command.error("--leave-out is of --numbers; leave it out, or give --numbers")
    if args.model is not None:
        return _with_models(command, args)
    if unused := [f"--{name.replace('_', '-')}" for name in OF_MODELS if getattr(args, name) is not None]:
        command.error(f"{unused[0]} is of --model; leave it out, or give --model RUN")
    if missing := [f"--{name}" for name in ("task", "gold", "predictions") if getattr(args, name) is None]:
        command.error(f"{' and '.join(missing)} missing: give --task, --gold and --predictions, or --numbers")
    check_files([args.gold, args.predictions])
    report = _report(args)
    for note in report["notes"]:
        print(f"note: {note}", file=sys.stderr)
    print(json.dumps(report, indent=2, ensure_ascii=False) if args.json else _table(report))
    return 0


def _with_models(command: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.data is None:
        command.error("--data is missing: --model needs the files of the languages, or the folder of XTREME's download")
    for name in ("gold", "predictions", "threshold"):
        if getattr(args, name) is not None:
            command.error(f"--{name.replace('_', '-')} changes nothing with --model; leave it out")
    from xlm_align_fairseq.cli.support.evaluation import evaluation_report, evaluation_table

    report = evaluation_report(args)
    for note in report["notes"]:
        print(f"note: {note}", file=sys.stderr)
    print(json.dumps(report, indent=2, ensure_ascii=False) if args.json else evaluation_table(report))
    return 0


def _report(args: argparse.Namespace) -> dict[str, Any]:
    """Score, and gather what is printed, in percent."""
    from xlm_align_fairseq.transfer.score_files import MEANINGS, Options, score_files

    task = find_task(args.task)
    options = Options(args.lang, args.rules, args.tsv_quoting, args.threshold)
    scored = score_files(task, args.gold, args.predictions, options)
    meanings = MEANINGS.get(task.name) or MEANINGS[task.kind]
    label = {
        "task": task.name,
        **({} if args.lang is None else {"lang": args.lang}),
        **scored.label,
        scored.table.unit.replace(" ", "_"): len(scored.table.rows),
        "samples": args.samples,
        "seed": args.seed,
        "version": __version__,
    }
    return {
        "format": "xlm-align-evaluate.1",
        "signature": signature(label),
        "task": task.name,
        "gold": args.gold,
        "predictions": args.predictions,
        **scores_of(scored.table, meanings, args.samples, args.seed),
        "number": task.number,
        **scored.numbers,
        "types": {kind: {**table.values(), **table.sums()} for kind, table in scored.types.items()},
        "notes": scored.notes,
    }


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['task']}: {report['examples']} {report['unit']}"]
    if "threshold" in report:
        lines[0] += f", threshold {report['threshold']:.8g}"
    lines += [*score_lines(report["scores"]), *type_lines(report["types"])]
    return "\n".join([*lines, "", report["signature"]])
