"""Start training from a converted encoder: load its weights, and write its companions (files) to the save directory."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import directory
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.system.files import together

logger = logging.getLogger(__name__)
SIZES = ("encoder_layers", "encoder_embed_dim", "encoder_attention_heads", "encoder_ffn_embed_dim")
OF_THE_ENCODER = ("layer_norm_eps", "max_positions")  # taken from the weights, not from --arch


def beside(checkpoint: str | None) -> str | None:
    """Return the checkpoint if its companions are beside it, so that training can start from it as from a cold start."""
    return checkpoint if checkpoint and (Path(checkpoint).parent / directory.ALIGNER).is_file() else None


@dataclasses.dataclass
class ColdStart:
    """A converted encoder to start from."""

    path: str
    model: Model
    goes_on: bool = False

    @classmethod
    def read(cls, path: str, vocabulary: Vocabulary | None, goes_on: bool = False) -> ColdStart:
        """Read a model directory and check that the data was binarised with its dictionary.

        Args:
            path: a model directory, or a checkpoint in one.
            vocabulary: vocabulary of the data; `None` where the data is text.
            goes_on: the run resumes from this checkpoint (--restore-file), which may be its own.

        Raises:
            InputError: something is missing in the directory, or the dictionaries differ.
        """
        model = open_model(path)
        if vocabulary is not None and model.vocabulary != vocabulary:
            raise InputError(
                f"--cold-start {path} has a dictionary of {len(model.vocabulary)} pieces, the data another one of "
                f"{len(vocabulary)}: binarise with the dictionary of the cold start"
            )
        return cls(path, model, goes_on)

    def adapt(self, cfg) -> None:
        """Check the architecture's sizes against the weights and copy the settings of the weights to the configuration."""
        ours = self.model.config.to_flags()
        wrong = [f"--{flag.replace('_', '-')} {cfg[flag]} (weights: {ours[flag]})" for flag in SIZES if cfg[flag] != ours[flag]]
        if wrong:
            raise InputError(f"--cold-start {self.path} does not fit the architecture: {', '.join(wrong)}")
        for flag in OF_THE_ENCODER:
            if cfg[flag] != ours[flag]:
                logger.info(f"{flag} is {ours[flag]}, as the weights of the cold start need it (not {cfg[flag]})")
            cfg[flag] = ours[flag]
        cfg["hf_architecture"] = self.model.hf_architecture

    def fill(self, model) -> None:
        """Load the weights; heads that the encoder lacks keep their initial weights."""
        state = {key: value.float() for key, value in self.model.state.items()}
        model.load_state_dict(state, strict=True)
        if not self.model.head("pointer"):
            model.pointer.start_from_similarity(model.encoder.last_norm)
        self._say(self.model.parameters())

    def fill_encoder(self, encoder: Encoder) -> None:
        """Load the weights of the encoder alone, for a model that has other heads."""
        tensors = self.model.head("encoder")
        encoder.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=True)
        self._say(sum(value.numel() for value in tensors.values()))

    def _say(self, parameters: int) -> None:
        logger.info(f"cold start from {self.path}: {parameters:,} parameters")
        self.model.state.clear()  # the model has them now

    def write_companions(self, save_dir: Path, aligner: AlignerConfig) -> None:
        """Write dictionary, sentencepiece model and aligner configuration to the directory of the checkpoints."""
        source, there = Path(self.path).resolve(), save_dir.resolve()
        if self.goes_on and source.parent == there:
            directory.write_aligner(save_dir, aligner)  # the other companions are unchanged
            return
        if there in (source, source.parent):
            raise InputError(f"--save-dir {save_dir} is the directory of the cold start: give another, its files would mix")
        with together(save_dir):
            directory.write_companions(save_dir, self.model.vocabulary, self.model.sentencepiece, aligner)
