"""What griffe does not know of our docstrings: doctests outside a section of examples are code, and so is what follows `::`."""

import re
from typing import Any

from griffe import Extension, Object

DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.M)


class Docstrings(Extension):
    """Write doctests as blocks of code, and a paragraph's final `::` as a colon."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of whatever has one."""
        if obj.docstring is not None:
            text = DOCTEST.sub(lambda block: f"```pycon\n{block[0]}\n```", obj.docstring.value)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.M)
