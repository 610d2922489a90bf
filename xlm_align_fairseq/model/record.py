"""The model in memory: the record that every reader returns and every writer takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, LMHead, PointerHead
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError

HEADS = ("lm_head", "pointer")

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

    Raises:
        InputError: vocabulary, sizes and tensors do not fit each other.
    """

    config: EncoderConfig
    state: dict[str, Tensor]
    hf_architecture: str
    vocabulary: Vocabulary
    sentencepiece: bytes
    aligner: AlignerConfig
    chosen: bool = False

    def __post_init__(self):
        if len(self.vocabulary) != self.config.vocabulary:
            raise InputError(
                f"the vocabulary has {len(self.vocabulary)} pieces with specials and <mask>, the embedding table"
                f" {self.config.vocabulary} rows: the files are not of one model"
            )
        if self.config.width % self.config.heads:
            raise InputError(f"{self.config.heads} attention heads do not divide the width {self.config.width}")
        _check_shapes(self.config, self.state)

    def head(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a head (`lm_head` or `pointer`) without its prefix; empty if the model has none."""
        return {key.removeprefix(f"{name}."): value for key, value in self.state.items() if key.startswith(f"{name}.")}

    def parameters(self) -> int:
        """Count the stored parameters."""
        return sum(value.numel() for value in self.state.values())


class _Shapes(TorchFunctionMode):
    """Make modules on the meta device, without values and without initialisation, to know their shapes."""

    def __enter__(self):
        self._device = torch.device("meta")
        self._device.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._device.__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _check_shapes(config: EncoderConfig, state: Mapping[str, Tensor]) -> None:
    """Refuse a state that lacks a tensor, has one too many, or one of another shape than the sizes say."""
    with _Shapes():
        encoder = Encoder(config)
        parts = {
            "encoder": encoder,
            "lm_head": LMHead(config, cast(nn.Parameter, encoder.embed_tokens.weight)),
            "pointer": PointerHead(config),
        }
    wanted = {f"{name}.{key}": value.shape for name, part in parts.items() for key, value in part.state_dict().items()}
    del wanted["lm_head.weight"]
    absent = tuple(f"{head}." for head in HEADS if not any(key.startswith(f"{head}.") for key in state))
    wrong = [f"{key} is missing" for key in wanted if key not in state and not key.startswith(absent or "\0")]
    wrong += [f"{key} is unknown" for key in sorted(state) if key not in wanted]
    wrong += [
        f"{key} has shape {tuple(value.shape)}, the sizes say {tuple(wanted[key])}"
        for key, value in state.items()
        if key in wanted and value.shape != wanted[key]
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise InputError(f"the weights do not fit the sizes: {'; '.join(wrong[:3])}{more}")


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
    """Make a module of given tensors, without random initialisation."""
    with _Shapes():
        module = make()
    module.load_state_dict({key: value.float() for key, value in tensors.items()}, assign=True)
    return module.eval()
