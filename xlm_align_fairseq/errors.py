"""Define the one error that a user can mend: bad input or a bad flag."""

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
