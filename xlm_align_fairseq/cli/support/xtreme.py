"""What `xlm-align xtreme` does from the plan to the report; what was done before is not done again."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from xlm_align_fairseq.cli.support.identity import first_difference
from xlm_align_fairseq.cli.support.xtreme_plan import Plan, make_plan
from xlm_align_fairseq.cli.support.xtreme_runs import Encoder, Facts, lengths_of, predict, retrieve, train
from xlm_align_fairseq.cli.support.xtreme_table import as_latex, as_markdown, as_text, differences, numbers
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.fingerprint import weights_fingerprint
from xlm_align_fairseq.encoder.network import Encoder as Network
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.signature import signature
from xlm_align_fairseq.system.device import open_device
from xlm_align_fairseq.system.files import sha256_of, write_text_atomically
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.transfer.comparison import Scores
from xlm_align_fairseq.transfer.layout import prediction_file
from xlm_align_fairseq.transfer.score_files import Options, score_files
from xlm_align_fairseq.transfer.scores import ScoreTable
from xlm_align_fairseq.transfer.tag_scores import has_seqeval
from xlm_align_fairseq.transfer.tasks import TASKS
from xlm_align_fairseq.version import __version__

RECORD = "xtreme.json"  # what the folder was made of
FORMS = {"table.txt": as_text, "table.md": as_markdown, "table.tex": as_latex}


class Tested(NamedTuple):
    """Hold what came out for the file of a language.

    Args:
        table: scores; `None` where there are no answers.
        unknown: share of the pieces of its text that the encoder does not know.
        notes: lines for the user.
    """

    table: ScoreTable | None
    unknown: float
    notes: list[str]


def run_xtreme(args: argparse.Namespace) -> tuple[str, list[str]]:
    """Fine-tune, predict, score and write the table; return it as text, or with --dry-run what would be done, and notes.

    Args:
        args: the parsed flags of `xlm-align xtreme`.

    Raises:
        InputError: a flag, an encoder or a file cannot be used, or the folder was made of something else.
    """
    out, seeds, train_flags = Path(args.out), _seeds(args.seeds), _words(args.train_flags)
    plan = make_plan(Path(args.data), _list(args.tasks), _list(args.languages), args.recipe, args.split)
    if any(training.task.kind == "tags" for training in plan.trainings.values()) and not has_seqeval():
        raise InputError('tags are scored with seqeval, which is not installed: pip install "xlm-align-fairseq[transfer]"')
    encoders = _encoders(args.checkpoint, args.against)
    opened, fingerprints = {}, {}
    for name, path in encoders.items():
        model = open_model(path)
        opened[name] = Encoder(path, model.config, PieceEncoder(model.sentencepiece, model.vocabulary))
        network = load_encoder(model)
        encoding = model.vocabulary.as_dictionary() + model.sentencepiece  # what piece each row is of
        fingerprints[name] = f"{weights_fingerprint(network, model.config.layers)} {hashlib.sha256(encoding).hexdigest()}"
    if args.dry_run:
        return _what_would_be_done(plan, opened, seeds, _pieces_per_second(network, args.device)), []
    _check_folder(out, _identity(args, plan, fingerprints))
    cpu = ["--cpu"] if open_device(args.device).type == "cpu" else []
    found: dict[str, dict[str, list[dict[str, Tested]]]] = {}
    for name, encoder in opened.items():
        found[name] = {task: [] for task in plan.tests}
        for seed in seeds:
            folder = out / "predictions" / name / str(seed)
            for task in plan.tests:
                training = plan.training_of(task)
                if training is None:
                    facts = retrieve(plan, task, encoder, out / "runs" / name, folder, args)
                else:
                    run = out / "runs" / name / f"{training.name}.{seed}"
                    train(training, encoder, run, seed, [*cpu, *train_flags], args.quiet)
                    facts = predict(plan, task, run, folder, args.split, args.device, args.batch_tokens, args.quiet)
                found[name][task].append(_score(plan, task, folder, facts, args))
    report = _report(args, plan, seeds, found)
    for file, form in FORMS.items():
        write_text_atomically(out / file, form(report))
    write_text_atomically(out / "table.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return as_text(report), report["notes"]


def _seeds(text: str) -> list[int]:
    parts = _list(text)
    if not parts or len(set(parts)) < len(parts) or not all(part.isdecimal() for part in parts):
        raise InputError(f"--seeds {text}: allowed are numbers with commas between, each once, as 1,2,3")
    return [int(part) for part in parts]


def _words(flags: str) -> list[str]:
    try:
        return shlex.split(flags)
    except ValueError as error:
        raise InputError(f"--train-flags {flags}: {error}; allowed are flags as a shell takes them") from error


def _list(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _encoders(checkpoint: str, against: str | None) -> dict[str, str]:
    """Return the encoders by the names that they have in the folder and in the table."""
    if against is None:
        return {Path(checkpoint).resolve().name: checkpoint}
    names = [Path(path).resolve().name for path in (checkpoint, against)]
    if names[0] == names[1]:
        names = ["checkpoint", "against"]
    return dict(zip(names, (checkpoint, against), strict=True))


def _identity(args: argparse.Namespace, plan: Plan, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the numbers, but for tasks, languages and seeds, of which there may be more later."""
    return {
        "format": "xlm-align-xtreme.1",
        "encoders": dict(fingerprints),
        "recipe": args.recipe,
        "train_flags": args.train_flags,
        "files": {str(path.relative_to(args.data)): sha256_of(path) for path in plan.files()},
        "version": __version__,
    }


def _check_folder(out: Path, identity: dict[str, Any]) -> None:
    """Refuse a folder that was made of something else, and write down what it is made of now."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / RECORD).is_file():
        before = read_json(out / RECORD, dict[str, Any], "give another --out")
        for name in ("encoders", "files"):
            kept = before.get(name)
            kept = kept if isinstance(kept, dict) else {}
            before[name] = {**identity[name], **kept}
            identity[name] = {**kept, **identity[name]}
        if difference := first_difference(before, identity):
            raise InputError(f"--out {out} was made of something else: {difference}; give another folder, or what it was made of")
    elif any(out.iterdir()):
        raise InputError(f"--out {out} is not empty and has no {RECORD}: give another folder")
    write_text_atomically(out / RECORD, json.dumps(identity, indent=2, ensure_ascii=False) + "\n")


def _score(plan: Plan, task: str, folder: Path, facts: Mapping[str, Facts], args: argparse.Namespace) -> dict[str, Tested]:
    """Score the predictions for each language, against the data or the folder of --labels."""
    found = {}
    for lang, fact in facts.items():
        name = prediction_file(TASKS[task], lang, args.split)
        gold = plan.tests[task][lang][-1] if fact.scored else None  # the one file, but for retrieval
        if gold is None and args.labels and (Path(args.labels) / name).is_file():
            gold = Path(args.labels) / name
        table, notes = None, fact.notes
        if gold is not None:
            scored = score_files(TASKS[task], gold, folder / name, Options(language=lang))
            table, notes = scored.table, [*notes, *scored.notes]
        found[lang] = Tested(table, fact.unknown, notes)
    return found


def _report(
    args: argparse.Namespace, plan: Plan, seeds: list[int], found: Mapping[str, Mapping[str, list[dict[str, Tested]]]]
) -> dict[str, Any]:
    scores: dict[str, dict[str, Scores]] = {}
    not_scored: dict[str, list[str]] = {}
    for name, tasks in found.items():
        scores[name] = {}
        for task, models in tasks.items():
            number = TASKS[task].number
            measures = (number, "f1", "exact_match") if number == "f1+em" else (number,)
            tables = [{lang: one.table for lang, one in model.items()} for model in models]
            of = Scores(tables, measures, args.samples, args.seed)
            if of.languages:
                scores[name][task] = of
            if missing := [lang for lang, one in models[0].items() if one.table is None]:
                not_scored[task] = missing
    first, *others = scores.values()
    label = {
        "tasks": "+".join(plan.tests),
        "split": args.split,
        "recipe": args.recipe,
        "seeds": "+".join(map(str, seeds)),
        "samples": args.samples,
        "seed": args.seed,
        "version": __version__,
    }
    return {
        "format": "xlm-align-xtreme-table.1",
        "signature": signature(label),
        "tasks": list(plan.tests),
        "seeds": seeds,
        "encoders": {name: numbers(of) for name, of in scores.items()},
        "differences": differences(first, others[0]) if others else {},
        "not_scored": not_scored,
        "left_out": plan.left_out,
        "unknown_pieces": {
            name: {task: {lang: 100 * one.unknown for lang, one in models[0].items()} for task, models in tasks.items()}
            for name, tasks in found.items()
        },
        "notes": list(dict.fromkeys(note for tasks in found.values() for models in tasks.values() for note in _notes(models))),
    }


def _notes(models: Iterable[dict[str, Tested]]) -> list[str]:
    return [note for model in models for one in model.values() for note in one.notes]


def _what_would_be_done(plan: Plan, encoders: Mapping[str, Encoder], seeds: list[int], rate: float) -> str:
    """Return the plan as text, with the time that training is likely to take.

    Args:
        plan: what is to be done.
        encoders: by name.
        seeds: of training.
        rate: pieces that are trained on in a second.
    """
    lines, total = [], 0.0
    for name, training in plan.trainings.items():
        recipe = training.recipe
        lengths = lengths_of(training, next(iter(encoders.values())))
        seconds = sum(lengths) * recipe.epochs / rate
        total += seconds * len(seeds) * len(encoders)
        dev = training.dev.name if training.dev else "none, the last checkpoint is taken"
        lines.append(
            f"train {name}: {training.train}, {len(lengths)} sequences, {recipe.epochs} epochs at {recipe.rate:g}, development"
            f" text: {dev}; {len(encoders)} encoders x {len(seeds)} seeds, about {_hours(seconds)} each"
        )
    lines += [f"test {task}: {', '.join(langs)}" for task, langs in plan.tests.items()]
    lines += [f"left out: {reason}" for reason in plan.left_out]
    return "\n".join([*lines, f"training takes about {_hours(total)} in all, estimated from one update"]) + "\n"


def _pieces_per_second(encoder: Network, device: str, rows: int = 8, length: int = 64) -> float:
    """Return how many pieces are trained on in a second, by one update on random ones behind one to warm up."""
    encoder = encoder.to(open_device(device)).train()
    encoder.requires_grad_(True)
    tokens = torch.randint(4, encoder.config.vocabulary, (rows, min(length, encoder.config.max_positions)), device=encoder.device)
    for _ in range(2):
        begin = time.perf_counter()
        encoder(tokens).square().mean().backward()
        if encoder.device.type == "cuda":
            torch.cuda.synchronize()
    return tokens.numel() / (time.perf_counter() - begin)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
