"""Define the one error that a user can mend: bad input or a bad flag."""

import unicodedata


class InputError(ValueError):
    """Report input or a flag that cannot be used.

    The message says what is wrong, where (``file:line``), the value, what is allowed and what to do next. The
    command line prints it as ``xlm-align: error: MESSAGE`` and ends with exit code 2; any other exception is a
    fault of this package and keeps its traceback.
    """


def one_line(text: str) -> str:
    r"""Return the text of an error in one line that every terminal shows, whatever the names of files in it hold.

    >>> one_line("a\nb\udcff: no such file")
    'a\\nb\\udcff: no such file'
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
