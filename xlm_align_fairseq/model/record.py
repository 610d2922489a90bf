"""The model in memory: the record that every reader returns and every writer takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor, nn

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, LMHead, PointerHead
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.tensors import HEADS, Shapes, check_tensors

__all__ = ["HEADS", "Model", "default_aligner", "load_encoder", "load_heads"]

# Defaults, which `xlm-align choose` replaces: (method, encoding, align_layer / layers). The default of XLM-R base is published
# (Chi et al. 2021); that of multilingual-e5-small was best on the XL-WA development sets (mean AER 13.6): separate encoding,
# since this encoder was not trained on two sentences in one sequence.
ALIGNERS = {"xlm-roberta": ("optimal-transport", "joint", 8 / 12), "bert": ("entropic", "separate", 6 / 12)}


def default_aligner(hf_architecture: str, layers: int) -> AlignerConfig:
    """Return the aligner configuration of an encoder without its own; `align_layer` is proportional to the depth."""
    method, encoding, depth = ALIGNERS[hf_architecture]
    return AlignerConfig.named(method, encoding=encoding, align_layer=max(1, round(layers * depth)))


@dataclasses.dataclass
class Model:
    """An encoder with all that belongs to it.

    Args:
        config: sizes.
        state: tensors under the keys of the fairseq model `xlm_align` (`encoder.…`, `lm_head.…`, `pointer.…`). A head
            that the source lacks is absent; so is `lm_head.weight`, which is the embedding table.
        hf_architecture: `xlm-roberta` or `bert`, the architecture that Hugging Face calls it.
        vocabulary: the pieces that the embedding table has rows for.
        sentencepiece: the sentencepiece model, serialised; `open_sentencepiece` opens it.
        aligner: how links are made.
        chosen: True if `aligner` was read from the source, False if it is the default of the architecture.
        card: the model card, Markdown; "" if the source has none.

    Raises:
        InputError: vocabulary, sizes and tensors do not fit each other, or a number is not finite.
    """

    config: EncoderConfig
    state: dict[str, Tensor]
    hf_architecture: str
    vocabulary: Vocabulary
    sentencepiece: bytes
    aligner: AlignerConfig
    chosen: bool = False
    card: str = ""

    def __post_init__(self):
        if self.hf_architecture not in tuple(ALIGNERS):  # it may be of any type
            raise InputError(f"hf_architecture is {self.hf_architecture!r:.80}: allowed are {', '.join(ALIGNERS)}")
        if len(self.vocabulary) != self.config.vocabulary:
            raise InputError(
                f"the vocabulary has {len(self.vocabulary)} pieces with specials and <mask>, the embedding table"
                f" {self.config.vocabulary} rows: the files are not of one model"
            )
        if self.config.width % self.config.heads:
            raise InputError(f"{self.config.heads} attention heads do not divide the width {self.config.width}")
        check_tensors(self.config, self.state)

    def head(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a head (`lm_head` or `pointer`) without its prefix; empty if the model has none."""
        return {key.removeprefix(f"{name}."): value for key, value in self.state.items() if key.startswith(f"{name}.")}

    def parameters(self) -> int:
        """Count the stored parameters."""
        return sum(value.numel() for value in self.state.values())


def load_encoder(model: Model) -> Encoder:
    """Build the encoder in float32 and evaluation mode; heads are left aside. It may share memory with the model's tensors."""
    return _filled(lambda: Encoder(model.config), model.head("encoder"))


def load_heads(model: Model, encoder: Encoder) -> tuple[LMHead | None, PointerHead | None]:
    """Build the heads that the model has, in float32 and evaluation mode; the LM head shares the embedding table."""
    lm_head = pointer = None
    if tensors := model.head("lm_head"):
        weight = cast(nn.Parameter, encoder.embed_tokens.weight)
        lm_head = _filled(lambda: LMHead(model.config, weight), {**tensors, "weight": weight})
        lm_head.weight = weight
    if tensors := model.head("pointer"):
        pointer = _filled(lambda: PointerHead(model.config), tensors)
    return lm_head, pointer


def _filled(make: Callable[[], Any], tensors: Mapping[str, Tensor]) -> Any:
    """Make a module of given tensors, without drawing random ones first."""
    with Shapes():
        module = make()
    module.load_state_dict({key: value.float() for key, value in tensors.items()}, assign=True)
    return module.eval()
