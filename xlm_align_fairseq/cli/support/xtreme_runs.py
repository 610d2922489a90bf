"""Do what the plan of `xlm-align xtreme` says: fine-tune, predict, write predictions. What is there is not made again."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm import tqdm

from xlm_align_fairseq.cli.support.xtreme_plan import Plan, Training
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import write_text_atomically
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.transfer.encode import encode_words, pair_sequence, word_sequences
from xlm_align_fairseq.transfer.evaluation import evaluate
from xlm_align_fairseq.transfer.layout import Split, prediction_file
from xlm_align_fairseq.transfer.pairs import read_pairs
from xlm_align_fairseq.transfer.predict import Transfer
from xlm_align_fairseq.transfer.question_sequences import QuestionLimits, encode_questions
from xlm_align_fairseq.transfer.questions import read_questions
from xlm_align_fairseq.transfer.recipes import question_limits, training_flags
from xlm_align_fairseq.transfer.retrieval import distinct, mine
from xlm_align_fairseq.transfer.retrieval_files import Candidate, read_id_pairs, read_identified, read_sentences
from xlm_align_fairseq.transfer.retrieval_scores import above, best_threshold
from xlm_align_fairseq.transfer.retrieval_search import K, nearest, search
from xlm_align_fairseq.transfer.score_files import Options
from xlm_align_fairseq.transfer.sentence_vectors import SentenceCounts, SentenceEncoder
from xlm_align_fairseq.transfer.tags import read_tagged
from xlm_align_fairseq.transfer.tasks import TASKS

DONE = "done"  # a file in the directory of a run that has ended
_UPDATE = re.compile(r"num_updates=(\d+)")


@dataclass(frozen=True)
class Encoder:
    """Hold what is known of an encoder without its weights: where it is, its sizes, and how it encodes text."""

    path: str
    config: EncoderConfig
    pieces: PieceEncoder


def lengths_of(training: Training, encoder: Encoder) -> list[int]:
    """Return how many pieces each sequence has that a training text is for an encoder, windows of long ones counted."""
    pieces, window = encoder.pieces, min(training.recipe.window, encoder.config.max_positions)
    if training.task.kind == "tags":
        sentences = read_tagged(training.train).sentences
        return [len(one.tokens) for words, _ in sentences for one in word_sequences(encode_words(words, pieces), window)]
    if training.task.kind == "classes":
        return [len(pair_sequence(pair.first, pair.second, pieces, window)) for pair in read_pairs(training.train).pairs]
    limits = QuestionLimits(window, *question_limits(window))
    questions = encode_questions(read_questions(training.train).questions, pieces, limits)
    return [len(one.tokens) for question in questions for one in question.sequences]


def train(training: Training, encoder: Encoder, run: Path, seed: int, more: Sequence[str], quiet: bool) -> None:
    """Fine-tune an encoder in a process of its own, unless that is done; a run that was stopped goes on.

    Args:
        training: what it is fine-tuned on.
        encoder: what is fine-tuned.
        run: directory of the run, which also has the log.
        seed: of the run.
        more: flags of `fairseq-train` that win over those of the recipe.
        quiet: show no progress bar.

    Raises:
        InputError: training failed; its log is named.
    """
    if (run / DONE).is_file():
        return
    run.mkdir(parents=True, exist_ok=True)
    flags = training_flags(training.recipe, training.task.kind, len(lengths_of(training, encoder)), encoder.config.max_positions)
    total = int(flags[flags.index("--total-num-update") + 1])
    sizes = {flag: value for flag, value in encoder.config.to_flags().items() if flag.startswith("encoder_")}
    valid = ["--valid-data", str(training.dev)] if training.dev else ["--disable-validation"]
    command = [
        *[sys.executable, "-c", "from fairseq_cli.train import cli_main; cli_main()", str(training.train)],
        *["--user-dir", str(Path(__file__).parents[2]), "--arch", "xlm_align_base", "--cold-start", encoder.path],
        *[part for flag, value in sizes.items() for part in (f"--{flag.replace('_', '-')}", str(value))],
        *flags,
        *["--num-workers", "0", "--no-epoch-checkpoints", "--save-interval-updates", "500", "--keep-interval-updates", "1"],
        *["--log-format", "simple", "--log-interval", "10", "--seed", str(seed), "--save-dir", str(run), *valid, *more],
    ]
    log = run / "train.log"
    with (
        log.open("a", buffering=1, encoding="utf-8") as file,
        tqdm(total=total, desc=f"{training.name}, seed {seed}", unit=" updates", disable=True if quiet else None) as bar,
        _alone(run) as lock,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={"PYTHONWARNINGS": "ignore", **os.environ},
            pass_fds=[lock.fileno()],
        ) as process,
    ):
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            file.write(line)
            last = line.strip() or last
            if found := _UPDATE.search(line):
                bar.update(int(found[1]) - bar.n)
    if process.returncode:
        raise InputError(
            f"training {training.name} with seed {seed} failed, exit code {process.returncode}: look at the end of {log}; {last}"
        )
    (run / DONE).touch()


@dataclass(frozen=True)
class Facts:
    """Hold what is said of the predictions for a file.

    Args:
        unknown: share of the pieces of its text that the encoder does not know.
        scored: whether the file has the answers.
        notes: lines for the user.
    """

    unknown: float
    scored: bool
    notes: list[str]


def predict(
    plan: Plan, task: str, run: Path, out: Path, split: Split, device: str, batch_tokens: int | None, quiet: bool
) -> dict[str, Facts]:
    """Write the predictions of a fine-tuned run for the languages that have none yet; return what is said of each language.

    Args:
        plan: what is tested.
        task: its name.
        run: its directory.
        out: the folder that XTREME's `evaluate.py` reads.
        split: that is tested, for the names of files.
        device, batch_tokens, quiet: as `xlm-align evaluate` has them.

    Raises:
        InputError: the run, or a file, cannot be used.
    """
    transfer, facts = None, {}
    for lang, (path, *_) in plan.tests[task].items():
        target = out / prediction_file(TASKS[task], lang, split)
        said = run / f"{task}.{split}-{lang}.json"
        if not (target.is_file() and said.is_file()):
            transfer = transfer or Transfer.load(run, device, batch_tokens)
            found = evaluate(transfer, TASKS[task], {lang: str(path)}, out, split, Options(), quiet)[lang]
            text = json.dumps({"unknown": found.unknown, "scored": found.table is not None, "notes": found.notes})
            write_text_atomically(said, text)
        facts[lang] = read_json(said, Facts, f"remove it, and {target} is made again")
    return facts


def retrieve(plan: Plan, task: str, encoder: Encoder, runs: Path, out: Path, args: argparse.Namespace) -> dict[str, Facts]:
    """Write the lines or pairs that an encoder finds as it is, for the languages that have none yet; the same for each seed.

    As XTREME does it: the mean over all pieces of layer 8 of 12, or in proportion; for `tatoeba` English lines are queries, by
    cosine; for `bucc` the ratio margin of 4 neighbours, with the threshold that is best on the development pairs.

    Args:
        plan: what is tested.
        task: its name.
        encoder: what is tested.
        runs: directory of what was done with the encoder.
        out: the folder that XTREME's `evaluate.py` reads.
        args: the flags.

    Raises:
        InputError: a file cannot be used, or there are no development pairs for the threshold.
    """
    vectors, facts = None, {}
    for lang, paths in plan.tests[task].items():
        name = prediction_file(TASKS[task], lang, args.split)
        found, said, target = runs / "retrieval" / name, runs / f"{task}.{args.split}-{lang}.json", out / name
        if not (found.is_file() and said.is_file()):
            vectors = vectors or SentenceEncoder.load(encoder.path, args.device, args.batch_tokens)
            vectors.counts = SentenceCounts()
            lines = _lines(vectors, *paths) if task == "tatoeba" else _pairs(vectors, plan.development[lang], paths)
            notes = vectors.counts.notes(str(paths[0]))
            if not lines:
                notes.append(f"{paths[0]}: no pairs; no candidate was right on the development pairs, or none is above its score")
            found.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(found, "".join(f"{line}\n" for line in lines))
            scored = task == "bucc" and args.split == "dev"  # its third file has the pairs
            write_text_atomically(said, json.dumps({"unknown": vectors.counts.share, "scored": scored, "notes": notes}))
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(target, found.read_text("utf-8"))
        facts[lang] = read_json(said, Facts, f"remove it, and {target} is made again")
    return facts


def _lines(vectors: SentenceEncoder, source: Path, english: Path) -> list[str]:
    """Return for each English line the index of the nearest line of the other language."""
    layer = vectors.default_layer
    others, queries = (vectors.encode(read_sentences(path), [layer])[layer] for path in (source, english))
    return list(map(str, nearest(queries, others).tolist()))


def _pairs(vectors: SentenceEncoder, development: Sequence[Path], paths: Sequence[Path]) -> list[str]:
    """Return the pairs of ids that are above the threshold which is best on the development pairs."""
    source, english, gold = development
    threshold = best_threshold(_candidates(vectors, source, english), read_id_pairs(gold))
    return [f"{one}\t{other}" for one, other in above(_candidates(vectors, *paths[:2]), threshold)]


def _candidates(vectors: SentenceEncoder, source: Path, english: Path) -> list[Candidate]:
    layer = vectors.default_layer
    sides = [distinct(read_identified(path)) for path in (source, english)]
    first, second = (vectors.encode(side.texts, [layer])[layer] for side in sides)
    k = min(K, *(len(side.ids) for side in sides))
    return mine(search(first, second, k), sides[0].ids, sides[1].ids)


def _alone(run: Path) -> IO[str]:
    """Open the lock of a run, which training inherits: one that outlives a killed command is not joined by a second one.

    Raises:
        InputError: a process trains there.
    """
    lock = (run / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise InputError(
            f"{run}: another process trains there; wait until it ends, or stop it, and start the command again"
        ) from error
    return lock
