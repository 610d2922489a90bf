"""Define the error for bad input and bad flags, which a user can correct."""


class InputError(ValueError):
    """Report input or a flag that cannot be used.

    The message says what is wrong, where (``file:line``), the value, what is allowed and what to do next. The
    command line prints it as ``xlm-align: error: MESSAGE`` and ends with exit code 2; any other exception is a
    bug of this package and keeps its traceback.
    """
