"""Define the error for bad input and bad flags, which a user can correct."""

import unicodedata

LONGEST = 1500  # characters of a message: what a file holds can be of any length
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


class InputError(ValueError):
    """Report input or a flag that cannot be used.

    The message says what is wrong, where (``file:line``), the value, what is allowed and what to do next. The
    command line prints it as ``xlm-align: error: MESSAGE`` and ends with exit code 2; any other exception is a
    fault of this package and keeps its traceback.

    A message is one line whatever it quotes: control characters are escaped, and the middle of a long one is left out.

    >>> str(InputError("no tensor 'a\\nb'"))
    "no tensor 'a\\\\x0ab'"
    """

    def __init__(self, message: object = ""):
        text = str(message).translate(CONTROLS)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
        super().__init__(text)


def one_line(text: str) -> str:
    r"""Return the text of an error in one line that every terminal shows, whatever the names of files in it hold.

    >>> one_line("a\nb\udcff: no such file")
    'a\\nb\\udcff: no such file'
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
