"""Write signatures, like those of sacrebleu: one line that names everything that can change an output.

Form: ``key:value|key:value|…`` in the order given. In a value, ``%``, ``|``, ``:`` and characters that end a line or
control a terminal are written as ``%XX`` (UTF-8 bytes, as in web addresses), so that every text can be read back.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from numbers import Integral

from xlm_align_fairseq.errors import InputError

Value = str | int | float | bool

_KEY = re.compile(r"[A-Za-z0-9_.+-]+")


def signature(mapping: Mapping[str, Value]) -> str:
    """Write a signature; booleans become ``yes`` and ``no``, floats the shortest form that reads back the same.

    Raises:
        InputError: a key or a value that cannot be written, or no keys at all.

    >>> signature({"metric": "aer", "tau": 0.1, "swap": False})
    'metric:aer|tau:0.1|swap:no'
    """
    if not mapping:
        raise InputError("signature: no keys; give at least one key and its value")
    return "|".join(f"{_key(key)}:{_escape(_text(key, value))}" for key, value in mapping.items())


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise InputError(f"signature: key {key!r}; allowed are letters, digits and _ . + -")
    return key


def _text(key: str, value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)  # a numpy float64 is a float, but its own repr is not a number
    raise InputError(f"signature: value {value!r} of {key!r}; allowed are texts, booleans, integers and finite floats")


def _escape(text: str) -> str:
    def write(char: str) -> str:
        if char in "%|:" or unicodedata.category(char) in ("Cc", "Zl", "Zp"):
            return "".join(f"%{byte:02X}" for byte in char.encode())
        return char

    return "".join(map(write, text))
