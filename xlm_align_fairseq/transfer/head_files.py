"""Read the head of a fine-tuned run from its checkpoint, checked against what the run says of itself."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from xlm_align_fairseq.convert.hugging_face_heads import FineTuned
from xlm_align_fairseq.convert.open import identify
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.checkpoint import load_checkpoint
from xlm_align_fairseq.model.directory import read_model
from xlm_align_fairseq.model.tensors import check_finite, check_precision, plain_tensors
from xlm_align_fairseq.transfer.heads import make_head
from xlm_align_fairseq.transfer.settings import FILE_NAME, LabelSettings, Settings, read_settings

PREFIX = "head."  # of the head's tensors in a checkpoint


def load_head(weights: Path, state: object, settings: Settings, width: int) -> nn.Module:
    """Return the head of a checkpoint, in float32 and evaluation mode.

    Args:
        weights: the checkpoint, for the text of an error.
        state: its tensors.
        settings: of the run.
        width: of the encoder.

    Raises:
        InputError: it has none, or one of other sizes.
    """
    found = plain_tensors(state)
    tensors: dict[str, Tensor] = {key.removeprefix(PREFIX): found[key] for key in found if key.startswith(PREFIX)}
    if not tensors:
        raise InputError(f"{weights} has no head: it was not fine-tuned; give the --save-dir of --task {settings.task}")
    head = make_head(settings, width)
    wanted = {key: tuple(value.shape) for key, value in head.state_dict().items()}
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    if shapes != wanted:
        said = [", ".join(f"{key} {shape}" for key, shape in sorted(sizes.items())) for sizes in (shapes, wanted)]
        what = f"{len(settings.labels)} labels and a width" if isinstance(settings, LabelSettings) else "a width"
        raise InputError(f"{weights}: the head has {said[0]}; {what} of {width} are {said[1]}")
    named = {f"{PREFIX}{key}": value for key, value in tensors.items()}
    try:
        for key, value in named.items():
            check_precision(key, value)
        check_finite(named)
    except InputError as error:
        raise InputError(f"{weights}: {error}") from error
    head.load_state_dict({key: value.float() for key, value in tensors.items()})
    return head.eval()


def read_fine_tuned(path: Path | str) -> FineTuned | None:
    """Return the head of a fine-tuned run, as other programs take it; `None` if the path is none.

    Args:
        path: the directory of a run, or a checkpoint in it.

    Raises:
        InputError: the path cannot be read, or its files do not belong together.
    """
    kind, weights = identify(path)
    if kind != "fairseq" or not (weights.parent / FILE_NAME).is_file():
        return None
    settings, content = read_settings(weights.parent), load_checkpoint(weights)
    head = load_head(weights, content["model"], settings, read_model(weights, content).config.width)
    labels = settings.labels if isinstance(settings, LabelSettings) else ()
    return FineTuned(settings.kind, labels, {key: value.detach() for key, value in head.state_dict().items()})
