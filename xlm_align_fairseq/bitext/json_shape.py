"""Read JSON that somebody else may have written: every key and type is checked before it is used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Shape = Callable[[Any], str] | Mapping[str, Any] | tuple[Any, ...]


def natural(value: Any) -> str:
    """Allow whole numbers from 0."""
    return "" if type(value) is int and value >= 0 else "a whole number from 0"


def finite(value: Any) -> str:
    """Allow finite numbers."""
    return "" if type(value) in (int, float) and math.isfinite(value) else "a number"


def string(value: Any) -> str:
    """Allow strings."""
    return "" if type(value) is str else "text"


def optional(shape: Callable[[Any], str]) -> Callable[[Any], str]:
    """Allow null, too."""

    def check(value: Any) -> str:
        return "" if value is None else shape(value) and f"{shape(value)} or null"

    return check


class each:
    """An object whose values all have a shape, whatever its keys."""

    def __init__(self, shape: Shape):
        self.shape = shape


def shape_fault(value: Any, shape: Any, where: str = "") -> str:
    """Say what is wrong with a value; empty where it has the shape.

    Args:
        value: from JSON.
        shape: a function such as `natural`; a tuple of shapes, for a list of that length; a dictionary of shapes by key, where
            keys that end with `?` may be missing and others may be there; or `each`.
        where: names the value.

    >>> shape_fault({"n": -1}, {"n": natural})
    'n is -1, not a whole number from 0'
    """
    at = where or "it"
    if callable(shape):
        expected = shape(value)
        return expected and f"{at} is {_shown(value)}, not {expected}"
    if isinstance(shape, tuple):
        if not isinstance(value, list) or len(value) != len(shape):
            return f"{at} is {_shown(value)}, not a list of {len(shape)}"
        inner = [(f"{at}[{k}]", *both) for k, both in enumerate(zip(value, shape, strict=True))]
    elif not isinstance(value, dict):
        return f"{at} is {_shown(value)}, not an object"
    elif isinstance(shape, each):
        inner = [(_join(where, key), element, shape.shape) for key, element in value.items()]
    else:
        missing = [key for key in shape if not key.endswith("?") and key not in value]
        if missing:
            return f"{_join(where, missing[0])} is missing"
        named = {key.removesuffix("?"): element for key, element in shape.items()}
        inner = [(_join(where, key), value[key], element) for key, element in named.items() if key in value]
    return next(filter(None, (shape_fault(element, expected, name) for name, element, expected in inner)), "")


def read_json(path: Path, form: str, version: int) -> tuple[Any, str]:
    """Read a file that says `format` and `version` of itself.

    Returns:
        What it holds, and what is wrong with it; the latter is empty where it is an object of this format and version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_number)
    except RecursionError:
        return None, "it is nested too deep"
    except OSError as error:
        return None, f"cannot read it: {error.strerror}"
    except ValueError as error:
        return None, str(error)
    fault = shape_fault(content, {"format": string, "version": natural})
    if not fault and (content["format"], content["version"]) != (form, version):
        fault = f"it says {content['format']} {content['version']}"
    return content, fault


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
