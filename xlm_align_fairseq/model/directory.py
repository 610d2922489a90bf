"""Open and write model directories: weights, `dict.txt`, `sentencepiece.bpe.model`, `aligner.json`; without fairseq."""

from __future__ import annotations

from pathlib import Path

from xlm_align_fairseq.alignment.config import FILE_NAME as ALIGNER
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import FILE_NAME as DICTIONARY
from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.model.record import HEADS, Model, default_aligner, load_encoder, load_heads
from xlm_align_fairseq.system.files import write_atomically

__all__ = ["Model", "load_encoder", "load_heads", "open_model", "write_model"]

SENTENCEPIECE = "sentencepiece.bpe.model"
CHECKPOINTS = ("model.pt", "checkpoint_best.pt", "checkpoint_last.pt")
MAKE = "`xlm-align convert SOURCE --to fairseq DIRECTORY` makes a complete model directory"


def open_model(path: Path | str) -> Model:
    """Read a model.

    Args:
        path: a model directory (`model.pt`, else `checkpoint_best.pt`, else `checkpoint_last.pt`), a `.pt` file inside
            one, or a Hugging Face directory (one with `config.json`).

    Raises:
        InputError: something is missing or does not belong together.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "config.json").is_file() and not any((path / name).is_file() for name in CHECKPOINTS):
            from xlm_align_fairseq.convert import hugging_face

            return hugging_face.read(path)
        weights = next((path / name for name in CHECKPOINTS if (path / name).is_file()), None)
        if weights is None:
            raise InputError(f"{path} has no {', '.join(CHECKPOINTS[:-1])} or {CHECKPOINTS[-1]}: {MAKE}")
    elif path.is_file() and path.suffix == ".pt":
        weights = path
    else:
        what = "is no .pt file" if path.exists() else "is not there"
        raise InputError(f"{path} {what}: give a model directory, a .pt file inside one or a Hugging Face directory")
    return _read(weights)


def _read(weights: Path) -> Model:
    directory = weights.parent
    for name in (DICTIONARY, SENTENCEPIECE, ALIGNER):
        if not (directory / name).is_file():
            raise InputError(f"{directory / name} is missing: {MAKE}")
    content = checkpoint.load_checkpoint(weights)
    if not checkpoint.is_ours(content):
        raise InputError(
            f"{weights} is a checkpoint of another fairseq model than {checkpoint.NAMES['model']}:"
            f" `xlm-align convert --from fairseq {directory} --to fairseq DIRECTORY` converts XLM-R"
        )
    flags = content["cfg"]["model"]
    vocabulary = Vocabulary.read(directory / DICTIONARY)
    sentencepiece = (directory / SENTENCEPIECE).read_bytes()
    open_sentencepiece(directory / SENTENCEPIECE)  # refuse a broken file here, by its name
    prefixes = tuple(f"{part}." for part in ("encoder", *HEADS))
    state = {key: value for key, value in content["model"].items() if key.startswith(prefixes)}
    state.pop("lm_head.weight", None)  # the embedding table
    architecture = flags.get("hf_architecture", "xlm-roberta")
    try:
        return Model(
            EncoderConfig.from_flags(flags, len(state["encoder.embed_tokens.weight"])),
            state,
            architecture,
            vocabulary,
            sentencepiece,
            AlignerConfig.read(directory),
            chosen=True,
        )
    except KeyError as error:
        raise InputError(f"{weights} has no {error}: it is no complete checkpoint of this model") from error
    except InputError as error:
        raise InputError(f"{directory}: {error}") from error


def read_aligner(directory: Path, hf_architecture: str, layers: int) -> tuple[AlignerConfig, bool]:
    """Return the aligner configuration of a foreign directory and True, or the default and False if it has none."""
    if (directory / ALIGNER).is_file():
        return AlignerConfig.read(directory), True
    return default_aligner(hf_architecture, layers), False


def write_model(directory: Path, model: Model) -> None:
    """Write a model directory; each file is complete or not there, the weights come last."""
    directory.mkdir(parents=True, exist_ok=True)
    write_companions(directory, model.vocabulary, model.sentencepiece, model.aligner)
    checkpoint.save_checkpoint(directory / CHECKPOINTS[0], model.config, model.state, model.hf_architecture)


def write_companions(directory: Path, vocabulary: Vocabulary, sentencepiece: bytes, aligner: AlignerConfig) -> None:
    """Write what stands beside the weights: `dict.txt`, `sentencepiece.bpe.model`, `aligner.json`."""
    vocabulary.write(directory / DICTIONARY)
    write_atomically(directory / SENTENCEPIECE, lambda file: file.write(sentencepiece))
    aligner.write(directory)
