"""Fine-tune an encoder on the English data of XTREME's tasks, test it in the other languages, and write one table.

--data is the folder of XTREME's download script; what is not there is left out, which the table says. Training, predictions and
scores that are there are not made again: a command that was stopped goes on where it was.
"""

import argparse
import sys
from collections.abc import Sequence

from xlm_align_fairseq.transfer.recipes import RECIPES
from xlm_align_fairseq.transfer.tasks import TASKS

EXAMPLES = """examples:
  xlm-align xtreme --checkpoint encoder --data download --out table --seeds 1,2,3 --dry-run
  xlm-align xtreme --checkpoint trained --against encoder --data download --out table --seeds 1,2,3 --tasks pos,ner --split dev

files of OUT: table.txt, .md, .json and .tex; predictions/ENCODER/SEED, a folder for XTREME's own evaluate.py;
runs/ENCODER/TASK.SEED, checkpoints and train.log of each run.
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``xlm-align xtreme``."""
    command = argparse.ArgumentParser(
        prog="xlm-align xtreme", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    add = command.add_argument
    add("--checkpoint", required=True, metavar="DIR", help="the encoder: a converted model, or a training run")
    add("--against", metavar="DIR", help="another encoder, to compare with: differences have paired intervals")
    add("--data", required=True, metavar="DIR", help="folder of XTREME's download")
    add("--out", required=True, metavar="DIR", help="where runs, predictions and the table go")
    add("--seeds", default="1", metavar="N[,...]", help="seeds of training, each a run (default: %(default)s)")
    add("--tasks", metavar="TASK[,...]", help=f"of {', '.join(TASKS)} (default: all that have data)")
    add("--languages", metavar="LG[,...]", help="languages that are tested (default: all that have data)")
    add(
        "--recipe",
        default="small",
        choices=RECIPES,
        help="settings of training: small is for encoders of some 20 million"
        " parameters in the layers, xtreme is XTREME's own for XLM-R base and larger (default: %(default)s)",
    )
    add("--split", default="test", choices=("dev", "test"), help="which files are tested (default: %(default)s)")
    add("--labels", metavar="DIR", help="folder of the answers that the test files withhold, as XTREME's evaluate.py has it")
    add("--train-flags", default="", metavar="FLAGS", help="flags of fairseq-train that win over the recipe's, as '--fp16'")
    add("--dry-run", action="store_true", help="say what would be done, and about how long it takes")
    add("--samples", type=int, default=1000, metavar="N", help="bootstrap samples (default: %(default)s)")
    add("--seed", type=int, default=12345, metavar="N", help="seed of the bootstrap (default: %(default)s)")
    add("--device", default="auto", help="cpu, cuda, cuda:1 … (default: a GPU if there is one)")
    add("--batch-tokens", type=int, metavar="N", help="pieces of a batch of prediction (default: 2048, GPU: 32768)")
    add("--quiet", action="store_true", help="no progress bars")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code.

    Raises:
        InputError: a file or a flag cannot be used.
    """
    args = parser().parse_args(argv)
    from xlm_align_fairseq.cli.support.xtreme import run_xtreme

    text, notes = run_xtreme(args)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
