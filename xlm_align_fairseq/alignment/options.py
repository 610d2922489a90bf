"""Options of a configuration, declared with its fields: name, meaning and allowed values of each flag."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from xlm_align_fairseq.errors import InputError


@dataclasses.dataclass(frozen=True)
class Option:
    """Describe one field for command lines and checks.

    Args:
        name: of the field.
        default: its value if none is given.
        help: what `--help` says.
        flag: the flag's name, with underscores; "" where there is no flag.
        choices: the values that it takes, besides the default; empty for numbers.
        low, high: least and largest number; both `None` if the configuration checks it itself.
        metavar: placeholder of the value in `--help`; "" if the choices are shown instead.
        trains: whether training offers the flag too.
    """

    name: str
    default: Any
    help: str
    flag: str
    choices: Collection[str]
    low: float | None
    high: float | None
    metavar: str
    trains: bool

    @property
    def kind(self) -> type:
        """Type of the values."""
        return type(self.default)

    @property
    def spelled(self) -> str:
        """The flag as it is written on a command line."""
        return "--" + self.flag.replace("_", "-")

    def check(self, value: Any) -> None:
        """Refuse a value that is none of the choices, or outside the range.

        Raises:
            InputError: with the field, the value and what is allowed.
        """
        if self.choices and value not in (*self.choices, self.default):
            raise InputError(f"{self.name} is {value!r}: allowed are {', '.join(self.choices)}")
        if self.low is None or self.high is None:
            return
        whole = self.kind is int
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not self.low <= value <= self.high:
            kind = "a whole number" if whole else "a number"
            raise InputError(f"{self.name} ({self.spelled}) is {value!r}: allowed is {kind} from {self.low:g} to {self.high:g}")


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    choices: Collection[str] = (),
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    trains: bool = True,
) -> Any:
    """Declare a field of a dataclass together with its `Option`.

    Args:
        default: of the field; its type is that of the values.
        help: what `--help` says; `{default}`, `{low:g}` and `{high:g}` stand for those.
        flag: name of the flag, if not that of the field; "" for no flag.
        choices: the values that it takes, besides the default.
        low, high: least and largest number.
        metavar: placeholder in `--help`; by default N for integers, X for other numbers, the choices for names.
        trains: whether training offers the flag too.

    >>> option(0.5, "least share, {low:g}..{high:g}", low=0.0, high=1.0).metadata["help"]
    'least share, 0..1'
    """
    if metavar is None:
        metavar = "" if choices else "N" if isinstance(default, int) else "X"
    told = {"help": help.format(default=default, low=low, high=high), "flag": flag, "choices": choices}
    return dataclasses.field(default=default, metadata={**told, "low": low, "high": high, "metavar": metavar, "trains": trains})


def options(cls: type) -> dict[str, Option]:
    """Return the option of every field of a dataclass whose fields are declared by `option`, in their order.

    >>> options(dataclasses.make_dataclass("Sizes", [("window", int, option(64, "pieces", low=4, high=512))]))["window"].spelled
    '--window'
    """
    declared = {}
    for field in dataclasses.fields(cls):
        told = dict(field.metadata)
        if "help" not in told:
            raise TypeError(f"{cls.__name__}.{field.name} has no help text: declare the field by option(default, help, …)")
        told["flag"] = field.name if told["flag"] is None else told["flag"]
        declared[field.name] = Option(field.name, field.default, **told)
    return declared
