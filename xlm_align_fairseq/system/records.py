"""JSON and other plain data that somebody else wrote: checked against a declared form before anybody believes it."""

from __future__ import annotations

import codecs
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from xlm_align_fairseq.errors import InputError

T = TypeVar("T")


def read_json(path: Path, form: type[T], advice: str) -> T:
    """Read a JSON file whose content has a declared form.

    Args:
        path: the file, UTF-8; a byte order mark is skipped.
        form: a type that pydantic can check: a model, a dataclass, `dict[str, Any]`.
        advice: what to do where the file is missing or malformed; it ends the error's text.

    Returns:
        The content, of type `form`.

    Raises:
        InputError: the file cannot be read, is not JSON, is nested deeper than 200 levels, or has another form.
    """
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); {advice}") from error
    return parse_json(data, form, str(path), advice)


def parse_json(data: bytes | str, form: type[T], where: str, advice: str) -> T:
    """Read JSON as `read_json` does that is not a file of its own; `where` names it in the text of an error.

    Raises:
        InputError: it is not JSON, is nested deeper than 200 levels, or has another form.
    """
    try:
        return TypeAdapter(form).validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise InputError(f"{where} is not JSON: {first['ctx']['error']}; {advice}") from error
        raise InputError(f"{where}: {_describe(error)}; {advice}") from error


def build(form: type[T], values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> T:
    """Make a record of values that come from outside, each checked as the record declares it.

    Args:
        form: a dataclass of pydantic.
        values: by field.
        names: what the fields are called where the values come from, for the text of an error; theirs by default.

    Raises:
        InputError: with the field, the value and what is allowed.
    """
    try:
        return form(**values)
    except ValidationError as error:
        raise InputError(_describe(error, names or {})) from error


def _describe(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    """Say in one line what the first thing wrong is: where, the value, what is allowed."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str((names or {}).get(part, part)) if isinstance(part, str) else str(part) for part in first["loc"])
    allowed = first["msg"].removeprefix("Input should be ")
    if first["type"] == "missing":
        return f"{where} is missing"
    return f"{where or 'the content'} is {reprlib.repr(first['input'])}: allowed is {allowed}"
