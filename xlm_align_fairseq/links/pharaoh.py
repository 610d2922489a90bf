"""Read, write and check word links: Pharaoh lines and the two formats of gold files.

A *link* is a 0-based pair ``(source word, target word)``; the *links* of a sentence pair are a sorted list without
repetition; *alignments* are a file with the links of one sentence pair on each line, as ``0-0 1-2``, or with the
probability of each link, as ``0-0:0.9871 1-2:0.6034``. *Gold* links are sure or possible. Files are UTF-8 and ``"\\n"``
is the only line separator.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import TextFile

Link = tuple[int, int]
PathLike = str | os.PathLike[str]

# Nine digits are more words than any sentence has, and keep int() clear of its limit on very long numbers.
_TOKEN = re.compile(r"([0-9]{1,9})([-p])([0-9]{1,9})(?::(0(?:\.[0-9]{1,17})?|1(?:\.0{1,17})?))?")
_ROW = re.compile(r"([0-9]{1,9})[ \t]+([0-9]{1,9})[ \t]+([0-9]{1,9})(?:[ \t]+([SP]))?[ \t]*")
_ROW_START = re.compile(r"[ \t]*[0-9]+(?:[ \t]|$)")


def read_lines(path: PathLike) -> list[str]:
    """Read the lines of a `TextFile`, which may be packed."""
    return list(TextFile(Path(path)))


def parse_pharaoh(line: str, *, one_based: bool = False, where: str = "") -> list[Link]:
    """Parse one Pharaoh line into its links, sorted and without repetition.

    Args:
        line: tokens ``i-j`` or ``i-j:probability`` separated by spaces; one trailing ``"\\n"`` is tolerated; an empty line
            has no links.
        one_based: the line counts words from 1.
        where: ``file:line`` for the text of an error.

    Raises:
        InputError: a token is not a link.

    >>> parse_pharaoh("2-1 0-0:0.75 2-1")
    [(0, 0), (2, 1)]
    """
    return sorted({link for link, _, _ in _parse(line, one_based, where, "-", "links like 3-4 or 3-4:0.98")})


def parse_probabilities(line: str, *, one_based: bool = False, where: str = "") -> dict[Link, float]:
    """Parse one Pharaoh line with probabilities, sorted by link; of a repeated link the highest.

    Args and errors are those of `parse_pharaoh`; a link without a probability is refused too.

    >>> parse_probabilities("2-1:0.5 0-0:0.9871")
    {(0, 0): 0.9871, (2, 1): 0.5}
    """
    found: dict[Link, float] = {}
    for link, _, probability in sorted(_parse(line, one_based, where, "-", "links like 3-4:0.98"), key=lambda token: token[0]):
        if probability is None:
            at = f"{where}: " if where else ""
            raise InputError(
                f"{at}link {link[0]}-{link[1]} (0-based) has no probability; allowed are links like 3-4:0.98, as"
                " `xlm-align align --format probabilities` writes them"
            )
        found[link] = max(probability, found.get(link, 0.0))
    return found


def format_pharaoh(links: Iterable[Link]) -> str:
    """Write links as one Pharaoh line, sorted, without a line end: the reverse of `parse_pharaoh`."""
    return " ".join(f"{i}-{j}" for i, j in sorted(set(links)))


def format_probabilities(links: Mapping[Link, float]) -> str:
    """Write links with their probabilities, four decimals, as one line: the reverse of `parse_probabilities`."""
    return " ".join(f"{i}-{j}:{links[i, j]:.4f}" for i, j in sorted(links))


def read_pharaoh(source: PathLike | Iterable[str], *, one_based: bool = False, name: str = "") -> list[list[Link]]:
    """Read alignments, the links of one sentence pair a line, from a path or from an iterable of lines.

    Args:
        source: a path, or lines (an open text file, a list).
        one_based: the file counts words from 1.
        name: what an error calls the file; the path where ``source`` is one, else ``<lines>``.
    """
    if isinstance(source, str | os.PathLike):
        name, source = name or str(source), read_lines(source)
    name = name or "<lines>"
    return [parse_pharaoh(line, one_based=one_based, where=f"{name}:{n}") for n, line in enumerate(source, 1)]


def swap(links: Iterable[Link]) -> list[Link]:
    """Turn source-target links into target-source links, sorted."""
    return sorted({(j, i) for i, j in links})


def check_range(links: Iterable[Link], n_source: int, n_target: int, where: str) -> None:
    """Refuse links outside a sentence pair of ``n_source`` and ``n_target`` words.

    Raises:
        InputError: a link lies outside; ``where`` (``file:line``) begins the message.
    """
    for i, j in links:
        if not (0 <= i < n_source and 0 <= j < n_target):
            raise InputError(
                f"{where}: link {i}-{j} (0-based) is out of range: {n_source} source words and {n_target} target words"
                " (split at single spaces); check the tokenisation, the direction and the base (0 or 1) of the file"
            )


@dataclass(frozen=True)
class Gold:
    """Hold the gold links of one sentence pair; ``possible`` includes ``sure``."""

    sure: frozenset[Link]
    possible: frozenset[Link]

    def __post_init__(self) -> None:
        """Refuse sure links that are not possible."""
        if missing := self.sure - self.possible:
            raise InputError(f"sure link {min(missing)} is not among the possible links; possible includes sure")


@dataclass(frozen=True)
class GoldFile:
    """Hold a gold file and how it was understood, for signatures.

    ``form`` is ``rows`` or ``pharaoh``; ``base`` is 0 or 1; ``ids`` tells how ids became lines: ``order`` of first
    appearance, ``lines`` (the ids are line numbers) or ``none`` (Pharaoh files have no ids).
    """

    sentences: list[Gold]
    form: str
    base: int
    ids: str


def read_gold(path: PathLike, *, one_based: bool | None = None, n_lines: int | None = None) -> list[Gold]:
    """Read the gold links of each sentence pair: the sentences of `load_gold`."""
    return load_gold(path, one_based=one_based, n_lines=n_lines).sentences


def load_gold(
    path: PathLike, *, one_based: bool | None = None, n_lines: int | None = None, counted_in: str = "the corpus"
) -> GoldFile:
    """Read a gold file in either of two formats, told apart by the first line that is not blank.

    ``rows``: ``id src tgt [S|P]``, always 1-based; no label means sure. With as many distinct ids as ``n_lines``, or
    ``n_lines`` unknown, sentences come in the order of first appearance of their ids; else, with all ids within
    1..``n_lines``, ids are line numbers, which have to ascend (files put together, each counted from 1, would pass for one
    otherwise), and a sentence without rows has no links. Blank lines are skipped.

    ``pharaoh``: one line a sentence pair, ``i-j`` sure and ``ipj`` possible.

    Args:
        path: the gold file.
        one_based: whether a Pharaoh file counts words from 1; None is 0-based for Pharaoh and 1-based for rows.
        n_lines: number of sentence pairs of the corpus, where known.
        counted_in: where ``n_lines`` was counted, for the text of an error.

    Raises:
        InputError: the file is empty, has an unreadable line, or does not fit ``n_lines``.
    """
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: the gold file is empty; give one with rows 'id src tgt [S|P]' or Pharaoh lines")
    if _ROW_START.match(next((line for line in lines if line.strip()), "")):
        if one_based is False:
            raise InputError(f"{path}: one_based=False, but rows 'id src tgt [S|P]' are 1-based; leave it unset")
        rows, back = _read_rows(path, lines)
        sentences, ids = _arrange(rows, n_lines, str(path), counted_in)
        if ids == "lines" and back:
            raise InputError(
                f"{back}; allowed are ascending ids, as they are line numbers where there are fewer of them than lines in"
                f" {counted_in}: sort the rows, or number the sentences anew if files were put together"
            )
        return GoldFile(sentences, "rows", 1, ids)
    if n_lines is not None and len(lines) != n_lines:
        raise InputError(
            f"{path}: {len(lines)} lines, but {n_lines} lines in {counted_in}; one line of gold is needed for each"
            " sentence pair, check that both files belong together"
        )
    sentences = []
    for n, line in enumerate(lines, 1):
        allowed = "i-j (sure) and ipj (possible), or a file of rows 'id src tgt [S|P]'"
        tokens = _parse(line, bool(one_based), f"{path}:{n}", "-p", allowed)
        if any(probability is not None for *_, probability in tokens):
            raise InputError(f"{path}:{n}: a link has a probability, but gold has none; allowed are {allowed}")
        sentences.append(_gold((link, mark == "-") for link, mark, _ in tokens))
    return GoldFile(sentences, "pharaoh", int(bool(one_based)), "none")


def format_gold(gold: Gold) -> str:
    """Write gold as one 0-based Pharaoh line, ``i-j`` sure and ``ipj`` possible, sorted, without a line end."""
    return " ".join(f"{i}{'-' if (i, j) in gold.sure else 'p'}{j}" for i, j in sorted(gold.possible))


def _parse(line: str, one_based: bool, where: str, marks: str, allowed: str) -> list[tuple[Link, str, float | None]]:
    base = int(one_based)
    at = f"{where}: " if where else ""
    found = []
    for token in line.removesuffix("\n").split(" "):
        if not token:  # aligners write double or trailing spaces
            continue
        match = _TOKEN.fullmatch(token)
        if match is None or match[2] not in marks:
            raise InputError(
                f"{at}{token[:40]!r} is not a link; allowed are {allowed}, separated by spaces, lines ending in"
                " '\\n' alone; correct the line"
            )
        i, j = int(match[1]) - base, int(match[3]) - base
        if i < 0 or j < 0:
            raise InputError(f"{at}link {token!r} counts from 0, but a 1-based file was announced; check the base")
        found.append(((i, j), match[2], float(match[4]) if match[4] else None))
    return found


def _gold(labelled: Iterable[tuple[Link, bool]]) -> Gold:
    labelled = list(labelled)
    return Gold(frozenset(link for link, sure in labelled if sure), frozenset(link for link, _ in labelled))


def _read_rows(path: PathLike, lines: list[str]) -> tuple[dict[int, list[tuple[Link, bool]]], str]:
    rows: dict[int, list[tuple[Link, bool]]] = {}
    last, back = 0, ""
    for n, line in enumerate(lines, 1):
        if not line:
            continue
        match = _ROW.fullmatch(line)
        if match is None or int(match[2]) < 1 or int(match[3]) < 1:
            raise InputError(
                f"{path}:{n}: {line[:60]!r} is not a row of gold; allowed is 'id src tgt' with words counted from 1"
                " and an optional label S or P, lines ending in '\\n' alone; correct the line"
            )
        number = int(match[1])
        if number < last and not back:
            back = f"{path}:{n}: the id {number} comes after {last}"
        last = number
        rows.setdefault(number, []).append(((int(match[2]) - 1, int(match[3]) - 1), match[4] != "P"))
    return rows, back


def _arrange(rows: dict[int, list[tuple[Link, bool]]], n_lines: int | None, name: str, counted_in: str) -> tuple[list[Gold], str]:
    if n_lines is None or len(rows) == n_lines:
        return [_gold(row) for row in rows.values()], "order"
    if all(1 <= number <= n_lines for number in rows):
        return [_gold(rows.get(number, [])) for number in range(1, n_lines + 1)], "lines"
    raise InputError(
        f"{name}: {len(rows)} distinct ids from {min(rows)} to {max(rows)} do not fit the {n_lines} lines in"
        f" {counted_in}; allowed are as many distinct ids as lines, or ids within 1..{n_lines}; check that both"
        " files belong together"
    )
