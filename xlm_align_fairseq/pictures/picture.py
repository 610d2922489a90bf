"""Draw the links of sentence pairs: one HTML page that needs nothing else, or text for a terminal.

The page is ``picture.html`` beside this file with two values filled in, the title and one JSON blob. The script of the
page writes words only as text, never as markup, and the page forbids all network requests.
"""

import html
import json
import math
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from wcwidth import wcswidth

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold
from xlm_align_fairseq.links.pharaoh import Link, check_range
from xlm_align_fairseq.version import __version__

Cell = str | int | float

FORMAT = "xlm-align-picture.1"

# The four marks are one column wide in every terminal (East Asian width N), unlike bullets and boxes.
LINK, RIGHT, WRONG, MISSED, NOTHING = "#", "\u2713", "\u2717", "\u25e6", "."
LEGEND = f"{RIGHT} link in gold (sure or possible)   {WRONG} link not in gold   {MISSED} sure gold link that is missing"

_COLOURS = {LINK: "34;1", RIGHT: "34;1", WRONG: "33;1", MISSED: "35;1", NOTHING: "2"}
# Inside <script> a browser looks for these; U+2028 and U+2029 end a line in older scripts.
_JSON_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Example:
    """Hold one sentence pair and the data to show about it.

    Args:
        source: source words.
        target: target words.
        systems: links of each system by its name, in the order to be shown: ``{"before": ..., "after": ...}``.
        gold: gold links where there are any.
        score: any number to sort by, such as a confidence; higher is better.
        name: name of the language pair, such as ``de-en``.
        number: number of the sentence pair within its file, from 1; None counts the examples of each name.
        probabilities: probability, 0..1, of each link of the systems that know them, by the name of the system.
    """

    source: list[str]
    target: list[str]
    systems: dict[str, list[Link]] = field(default_factory=dict)
    gold: Gold | None = None
    score: float | None = None
    name: str = ""
    number: int | None = None
    probabilities: dict[str, dict[Link, float]] = field(default_factory=dict)


def render_page(title: str, examples: Iterable[Example], notes: Sequence[Sequence[Cell]] = ()) -> str:
    """Return a page of HTML that shows the links of each sentence pair as ribbons and as a matrix.

    Args:
        title: heading of the page.
        examples: the sentence pairs, in the order to be shown.
        notes: rows of the table above them; the first row has the headings. A float is shown with two decimals, and
            with a bar where the heading of its column ends in ``%``.

    Raises:
        InputError: an example has no system, a link is out of range or has no probability where its system knows them, a
            number is not finite, or the rows of the table differ in length.
    """
    listed = list(examples)
    for n, row in enumerate(notes, 1):
        if len(row) != len(notes[0]):
            raise InputError(f"notes: row {n} has {len(row)} cells, but row 1 has {len(notes[0])}; give all rows as many")
        for cell in row:
            _check_finite(cell, f"notes: row {n}")
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "systems": list(dict.fromkeys(system for example in listed for system in example.systems)),
        "notes": [list(row) for row in notes],
        "examples": [],
    }
    counted: dict[str, int] = {}
    for example in listed:
        counted[example.name] = counted.get(example.name, 0) + 1
        data["examples"].append(_as_json(example, example.number or counted[example.name], data["systems"]))
    blob = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_JSON_ESCAPES)
    template = resources.files("xlm_align_fairseq.pictures").joinpath("picture.html").read_text(encoding="utf-8")
    return string.Template(template).substitute(title=html.escape(title), generator=f"xlm-align show {__version__}", data=blob)


def render_terminal(example: Example, system: str, colour: bool = False, width: int = 100) -> str:
    """Return a text picture of one system: a matrix, or numbered words where the matrix is wider than ``width``.

    Source words stand at the rows, target words above the columns; `LEGEND` explains the marks where there is gold,
    else every link is ``#``.

    Args:
        example: the sentence pair.
        system: a name among ``example.systems``.
        colour: whether to colour the marks by ANSI escapes.
        width: columns of the terminal.

    Raises:
        InputError: there is no such system, or a link is out of range.

    >>> print(render_terminal(Example(["ja", "."], ["yes", "."], {"a": [(0, 0), (1, 1)]}, name="de-en"), "a"))
    de-en  a
       yes
       | .
    ja # .
    .  . #
    """
    if system not in example.systems:
        raise InputError(f"no system {system!r}; allowed are {', '.join(map(repr, example.systems)) or 'none: no systems'}")
    _check_links(example, example.number or 1)
    marks = _marks(example.systems[system], example.gold)
    label = f"{example.name} {example.number}" if example.number else example.name
    score = "" if example.score is None else f"score {example.score:.4g}"
    head = "  ".join(part for part in (_printable(label).strip(), score, _printable(system)) if part)
    if example.gold is not None:
        head += f"  AER {100 * _aer(example.systems[system], example.gold):.1f} %"
    source, target = [[_printable(word) or "''" for word in words] for words in (example.source, example.target)]
    margin = max(map(wcswidth, source), default=0)
    widest = max((margin + 1 + 2 * j + wcswidth(word) for j, word in enumerate(target)), default=0)
    draw = _matrix if widest <= width else _listing
    return "\n".join([head, *draw(source, target, marks, colour)])


def _as_json(example: Example, number: int, systems: Sequence[str]) -> dict[str, Any]:
    if not example.systems:
        raise InputError(f"{example.name}:{number}: no systems, so no links to show; give one at least, it may be empty")
    _check_links(example, number)
    if example.score is not None:
        _check_finite(example.score, f"{example.name}:{number}: score")
    links = {name: sorted(set(found)) for name, found in example.systems.items()}
    gold = example.gold
    return {
        "name": example.name,
        "number": number,
        "source": example.source,
        "target": example.target,
        "links": [links.get(name) for name in systems],
        "probabilities": [_probabilities(example, name, links, number) for name in systems],
        "aer": [_aer(links[name], gold) if gold is not None and name in links else None for name in systems],
        "sure": None if gold is None else sorted(gold.sure),
        "possible": None if gold is None else sorted(gold.possible - gold.sure),
        "score": example.score,
    }


def _check_links(example: Example, number: int) -> None:
    size = len(example.source), len(example.target)
    for name, links in example.systems.items():
        check_range(links, *size, f"{example.name}:{number}: {name}")
    if example.gold is not None:
        check_range(sorted(example.gold.possible), *size, f"{example.name}:{number}: gold")


def _probabilities(example: Example, name: str, links: Mapping[str, Sequence[Link]], number: int) -> list[float] | None:
    """Return the probability of each of the sorted links of a system, or None where they are not known."""
    known = example.probabilities.get(name)
    if known is None or name not in links:
        return None
    for link in links[name]:
        if not 0 <= known.get(link, -1.0) <= 1:
            what = known.get(link, "missing")
            raise InputError(f"{example.name}:{number}: {name}: probability of link {link[0]}-{link[1]}: {what}; allowed is 0..1")
    return [known[link] for link in links[name]]


def _check_finite(value: Cell, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: {value} is not a finite number; leave it out (None, or an empty cell)")


def _aer(links: Sequence[Link], gold: Gold) -> float:
    from xlm_align_fairseq.links.metrics import count  # numpy only where there is gold

    return count(links, gold).aer


def _marks(links: Iterable[Link], gold: Gold | None) -> dict[Link, str]:
    if gold is None:
        return dict.fromkeys(links, LINK)
    return dict.fromkeys(gold.sure, MISSED) | {link: RIGHT if link in gold.possible else WRONG for link in links}


def _matrix(source: Sequence[str], target: Sequence[str], marks: Mapping[Link, str], colour: bool) -> list[str]:
    margin = max(map(wcswidth, source), default=0) + 1
    lines = [" " * margin + "| " * j + word for j, word in enumerate(target)]
    for i, word in enumerate(source):
        cells = [_paint(marks.get((i, j), NOTHING), colour) for j in range(len(target))]
        lines.append(_padded(word, margin) + " ".join(cells))
    return lines


def _listing(source: Sequence[str], target: Sequence[str], marks: Mapping[Link, str], colour: bool) -> list[str]:
    margin = max(map(wcswidth, source), default=0) + 1
    digits = len(str(max(len(source), len(target)) - 1))
    lines = []
    for i, word in enumerate(source):
        found = [f"{_paint(marks[i, j], colour)} {j} {target[j]}" for j in range(len(target)) if (i, j) in marks]
        lines.append(f"{i:>{digits}} {_padded(word, margin)}{', '.join(found)}".rstrip())
    linked = {j for _, j in marks}
    if free := [f"{j} {word}" for j, word in enumerate(target) if j not in linked]:
        lines.append(f"{'':{digits}} {_padded('', margin)}without links: {', '.join(free)}")
    return lines


def _padded(word: str, columns: int) -> str:
    return word + " " * (columns - wcswidth(word))


def _paint(mark: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[mark]}m{mark}\x1b[0m" if colour else mark


def _printable(text: str) -> str:
    """Replace characters that control a terminal, have no width or change the text direction; keep joiners inside words."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI_CONTROLS else c for c in text)
