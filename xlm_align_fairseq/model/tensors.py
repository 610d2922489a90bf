"""Tensors that somebody else wrote: compared with the sizes before anything is built or copied, by names, shapes and memory."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, LMHead, PointerHead
from xlm_align_fairseq.encoder.vocabulary import PAD
from xlm_align_fairseq.errors import InputError

HEADS = ("lm_head", "pointer")
PRECISIONS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
LAYER = re.compile(r"encoder\.layers\.([^.]*)\.")


class Shapes(TorchFunctionMode):
    """Make modules that have shapes and no numbers, and so cost nothing: on the meta device, with no initialisation run."""

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


def plain_tensors(found: Any) -> dict[str, Tensor]:
    """Return the tensors of a file, by name.

    Raises:
        InputError: a name is no text, or a value is no dense tensor with a memory as large as its shape says.
    """
    if not isinstance(found, Mapping):
        raise InputError(f"its weights are a {type(found).__name__}, not tensors by name")
    for key, value in found.items():
        if not isinstance(key, str):
            raise InputError(f"{key!r:.40} is the name of a tensor; allowed is text")
        if not isinstance(value, Tensor):
            raise InputError(f"{key} is a {type(value).__name__}, not a tensor")
        if value.layout != torch.strided or value.is_quantized or value.is_nested or value.device.type != "cpu":
            raise InputError(f"{key} is a {value.layout} tensor of {value.dtype} on {value.device}; allowed are dense numbers")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            shape, memory = tuple(value.shape), value.untyped_storage().nbytes()
            raise InputError(f"{key} has shape {shape}, and the file only {memory:,} bytes of it")
    return {key: value.detach() for key, value in found.items()}


def rows(state: Mapping[str, Tensor], key: str, width: int | None = None) -> int:
    """Return how many rows a matrix has.

    Args:
        state: tensors by name.
        key: which of them.
        width: its columns, where they are known.

    Raises:
        InputError: it is no matrix, or of another width.
        KeyError: there is none.
    """
    shape = tuple(state[key].shape)
    if len(shape) != 2 or width not in (None, shape[1]):
        raise InputError(f"{key} has shape {shape}: allowed is a matrix" + (f" of {width} columns" if width else ""))
    return shape[0]


def same(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are equal, of one type too."""
    return one.dtype == other.dtype and one.equal(other)


def check_precision(key: str, value: Tensor) -> None:
    """Refuse a tensor of numbers that no model computes with."""
    if value.dtype not in PRECISIONS:
        raise InputError(f"{key} is of {value.dtype}: allowed are {', '.join(map(str, PRECISIONS))}")


def check_tensors(config: EncoderConfig, state: Mapping[str, Tensor]) -> None:
    """Refuse a state that lacks a tensor, has one too many, one of another shape than the sizes say, or not of finite numbers.

    Nothing is built of the sizes and nothing is copied: it costs one look at each number.

    Raises:
        InputError: with the first three tensors that are wrong.
    """
    layers = {match[1] for key in state if (match := LAYER.match(key))}
    if config.layers > len(layers):
        raise InputError(f"the weights do not fit the sizes: those say {config.layers} layers, the weights have {len(layers)}")
    plain_tensors(state)
    wanted = shapes(config)
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
    stored = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in state.values()}
    claimed = sum(value.numel() * value.element_size() for value in state.values())
    if claimed > sum(stored.values()):
        raise InputError(f"its tensors are of {claimed:,} bytes and have only {sum(stored.values()):,} among them")
    for key, value in state.items():
        check_precision(key, value)
    check_finite(state)


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuse tensors with a number that is not finite, or too large for float32: every link would hang on it.

    Raises:
        InputError: with the name of the first such tensor.
    """
    limit = torch.finfo(torch.float32).max
    for key, value in state.items():
        least, most = (float(end) for end in torch.aminmax(value))  # one pass without a copy; NaN is either end
        if not -limit <= least <= most <= limit:
            count = int((~value.float().isfinite()).sum())
            raise InputError(
                f"{key} has {count:,} of {value.numel():,} numbers that are not finite (NaN or infinite): training diverged, or"
                " the file is damaged; take an earlier checkpoint"
            )


def shapes(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of an encoder of these sizes, heads included."""
    sizes = {
        "vocabulary": config.vocabulary,
        "width": config.width,
        "ffn": config.ffn,
        "positions": config.max_positions + PAD + 1,
    }
    wanted = {}
    for key, names in _template().items():
        shape = tuple(sizes[name] for name in names)
        if key.startswith("encoder.layers.0."):
            for layer in range(config.layers):
                wanted[key.replace("layers.0.", f"layers.{layer}.", 1)] = shape
        else:
            wanted[key] = shape
    return wanted


@functools.cache
def _template() -> dict[str, tuple[str, ...]]:
    """Return what each dimension of each tensor is a size of, for an encoder with one layer."""
    small = EncoderConfig(vocabulary=7, layers=1, width=2, heads=1, ffn=3, max_positions=9)
    names = {7: "vocabulary", 2: "width", 3: "ffn", 9 + PAD + 1: "positions"}
    with Shapes():
        encoder = Encoder(small)
        parts = {
            "encoder": encoder,
            "lm_head": LMHead(small, cast(nn.Parameter, encoder.embed_tokens.weight)),
            "pointer": PointerHead(small),
        }
    shapes = {f"{name}.{key}": value.shape for name, part in parts.items() for key, value in part.state_dict().items()}
    del shapes["lm_head.weight"]  # the embedding table
    return {key: tuple(names[size] for size in shape) for key, shape in shapes.items()}
