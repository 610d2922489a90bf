"""Parse signatures, for the tests."""

import re
from urllib.parse import unquote

KEY = re.compile(r"[A-Za-z0-9_.+-]+")


def parse_signature(text: str) -> dict[str, str]:
    """Read a signature into its keys and the texts of their values, in order."""
    parsed: dict[str, str] = {}
    for part in text.split("|"):
        key, colon, value = part.partition(":")
        assert colon
        assert KEY.fullmatch(key)
        assert ":" not in value
        assert key not in parsed
        parsed[key] = unquote(value, errors="strict")
    return parsed
