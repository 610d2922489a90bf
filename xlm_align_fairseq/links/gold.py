"""Read gold alignments, sure and possible links made by hand, from files of rows or of Pharaoh lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link, parse_tokens
from xlm_align_fairseq.text.lines import PathLike, read_lines

_ROW = re.compile(r"([0-9]{1,9})[ \t]+([0-9]{1,9})[ \t]+([0-9]{1,9})(?:[ \t]+([SP]))?[ \t]*")
_ROW_START = re.compile(r"[ \t]*[0-9]+(?:[ \t]|$)")


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
    """Hold a gold file and how it was parsed, for signatures.

    ``form`` is ``rows`` or ``pharaoh``; ``base`` is 0 or 1; ``ids`` says how ids map to lines: ``order`` of first
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
    """Read a gold file in one of two formats, detected by the first line that is not blank.

    ``rows``: ``id src tgt [S|P]``, always 1-based; no label means sure. With as many distinct ids as ``n_lines``, or
    ``n_lines`` unknown, sentences come in the order of first appearance of their ids; else, with all ids within
    1..``n_lines``, ids are line numbers, which have to ascend (otherwise concatenated files, each counted from 1, would be
    accepted), and a sentence without rows has no links. Blank lines are skipped.

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
        tokens = parse_tokens(line, bool(one_based), f"{path}:{n}", "-p", allowed)
        if any(probability is not None for *_, probability in tokens):
            raise InputError(f"{path}:{n}: a link has a probability, but gold has none; allowed are {allowed}")
        sentences.append(_gold((link, mark == "-") for link, mark, _ in tokens))
    return GoldFile(sentences, "pharaoh", int(bool(one_based)), "none")


def format_gold(gold: Gold) -> str:
    """Write gold as one 0-based Pharaoh line, ``i-j`` sure and ``ipj`` possible, sorted, without a line end."""
    return " ".join(f"{i}{'-' if (i, j) in gold.sure else 'p'}{j}" for i, j in sorted(gold.possible))


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
