"""Read and write model directories: weights, `dict.txt`, `sentencepiece.bpe.model`, `aligner.json`; without fairseq."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import FILE_NAME as DICTIONARY
from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.model.record import HEADS, Model, default_aligner
from xlm_align_fairseq.model.tensors import plain_tensors, rows
from xlm_align_fairseq.system.files import together, write_atomically, write_text_atomically
from xlm_align_fairseq.system.records import read_json

SENTENCEPIECE = "sentencepiece.bpe.model"
ALIGNER = "aligner.json"
ALIGNER_VERSION = 5  # 1 had max_pieces, behind which pairs were cut, no window; 2 no marks; 3 no late encoding; 4 no low_cutoff
CHECKPOINTS = ("model.pt", "checkpoint_best.pt", "checkpoint_last.pt")  # the first that is there has the weights
MAKE = "`xlm-align convert SOURCE --to fairseq DIRECTORY` makes a complete model directory"


def read_model(weights: Path, content: Mapping[str, Any]) -> Model:
    """Read the model directory of a checkpoint of `xlm_align`.

    Args:
        weights: the checkpoint.
        content: what `load_checkpoint` says of it.

    Raises:
        InputError: something is missing or does not belong together.
    """
    directory = weights.parent
    for name in (DICTIONARY, SENTENCEPIECE, ALIGNER):
        if not (directory / name).is_file():
            raise InputError(f"{directory / name} is missing: {MAKE}")
    vocabulary = Vocabulary.read(directory / DICTIONARY)
    sentencepiece = (directory / SENTENCEPIECE).read_bytes()
    open_sentencepiece(directory / SENTENCEPIECE)  # refuse a broken file here, by its name
    aligner = read_aligner(directory)
    prefixes = tuple(f"{part}." for part in ("encoder", *HEADS))
    try:
        flags = checkpoint.model_flags(content) or {}
        state = {key: value for key, value in plain_tensors(content["model"]).items() if key.startswith(prefixes)}
        state.pop("lm_head.weight", None)  # the embedding table
        architecture = flags.get("hf_architecture", "xlm-roberta")
        config = EncoderConfig.from_flags(flags, rows(state, "encoder.embed_tokens.weight"))
        return Model(config, state, architecture, vocabulary, sentencepiece, aligner, chosen=True)
    except KeyError as error:
        raise InputError(f"{weights} has no {error}: it is no complete checkpoint of this model") from error
    except InputError as error:
        raise InputError(f"{weights}: {error}") from error


def write_model(directory: Path, model: Model) -> None:
    """Write a model directory; all of it is complete or not there, the weights come last."""
    weights = directory / CHECKPOINTS[0]
    with together(directory, weights):
        write_companions(directory, model.vocabulary, model.sentencepiece, model.aligner)
        checkpoint.save_checkpoint(weights, model.config, model.state, model.hf_architecture)


def write_companions(directory: Path, vocabulary: Vocabulary, sentencepiece: bytes, aligner: AlignerConfig) -> None:
    """Write the files beside the weights: `dict.txt`, `sentencepiece.bpe.model`, `aligner.json`."""
    vocabulary.write(directory / DICTIONARY)
    write_atomically(directory / SENTENCEPIECE, lambda file: file.write(sentencepiece))
    write_aligner(directory, aligner)


def write_aligner(directory: Path, aligner: AlignerConfig) -> None:
    """Write `aligner.json` into a model directory."""
    text = json.dumps(aligner_record(aligner), indent=2) + "\n"
    write_text_atomically(directory / ALIGNER, text)


def aligner_record(aligner: AlignerConfig) -> dict[str, Any]:
    """Return what `aligner.json` says, as plain data."""
    return {"version": ALIGNER_VERSION, **dataclasses.asdict(aligner)}


def read_aligner(directory: Path) -> AlignerConfig:
    """Read `aligner.json` of a model directory.

    Raises:
        InputError: the file is missing, not JSON, of another version, or has unknown or refused fields.
    """
    path = directory / ALIGNER
    if not path.is_file():
        raise InputError(f"{path} is missing: a model directory made by `xlm-align convert` or by training has it")
    return aligner_of(read_json(path, object, "convert the model again"), path)


def aligner_of(record: Any, path: Path) -> AlignerConfig:
    """Return the configuration that a record of any version says, as `aligner_record` makes them.

    Raises:
        InputError: it is of no version, or has unknown or refused fields; the text names `path`.
    """
    version = record.pop("version", 0) if isinstance(record, dict) else 0
    if version not in range(1, ALIGNER_VERSION + 1) or isinstance(version, bool):
        raise InputError(f"{path} is not an aligner configuration of version 1 to {ALIGNER_VERSION}: convert the model again")
    if version == 1:
        record.pop("max_pieces", None)
    if version < 3:
        record["marks"] = "link"  # a model aligns as it did
    unknown = set(record) - {field.name for field in dataclasses.fields(AlignerConfig)}
    if unknown:
        raise InputError(f"{path} has unknown fields: {', '.join(sorted(unknown))}")
    try:
        return AlignerConfig(**record)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def aligner_or_default(directory: Path, hf_architecture: str, layers: int) -> tuple[AlignerConfig, bool]:
    """Return the aligner configuration of a foreign directory and True, or the default and False if it has none."""
    if (directory / ALIGNER).is_file():
        return read_aligner(directory), True
    return default_aligner(hf_architecture, layers), False
