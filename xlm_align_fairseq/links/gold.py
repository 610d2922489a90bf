"""Read gold alignments, sure and possible links made by hand, from files of rows or of Pharaoh lines."""

import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import NUMBER, Link, parse_tokens
from xlm_align_fairseq.text.lines import PathLike, TextFile

_ROW = re.compile(
    rf"([0-9]{{1,9}})[ \t]+([0-9]{{1,9}})[ \t]+([0-9]{{1,9}})(?:[ \t]+([SP]))?(?:[ \t]+(?P<confidence>{NUMBER}))?[ \t]*"
)
_ROW_START = re.compile(r"[ \t]*[0-9]+(?:[ \t]|$)")
Labelled = Iterable[tuple[Link, bool]]  # links, and whether each is sure


@dataclass(frozen=True)
class Gold:
    """Hold the gold links of one sentence pair; ``possible`` includes ``sure``."""

    sure: frozenset[Link]
    possible: frozenset[Link]

    def __post_init__(self) -> None:
        """Refuse sure links that are not possible."""
        if missing := self.sure - self.possible:
            raise InputError(f"sure link {min(missing)} is not among the possible links; possible includes sure")


class GoldList(Sequence[Gold]):
    """Hold the gold of many sentence pairs in 9 bytes a link; what is asked for is made anew."""

    def __init__(self, sentences: Iterable[Labelled] = ()) -> None:
        self._words, self._ends, self._sure = array("i"), array("q"), bytearray()
        for labelled in sentences:
            for link, sure in labelled:
                self._words.extend(link)
                self._sure.append(sure)
            self._ends.append(len(self._sure))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, n: int) -> Gold: ...
    @overload
    def __getitem__(self, n: slice) -> list[Gold]: ...
    def __getitem__(self, n: int | slice) -> Gold | list[Gold]:
        if isinstance(n, slice):
            return [self[k] for k in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        places = range(self._ends[n - 1] if n else 0, self._ends[n])
        return _gold(((self._words[2 * k], self._words[2 * k + 1]), bool(self._sure[k])) for k in places)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class GoldFile:
    """Hold a gold file and how it was parsed, for signatures.

    ``form`` is ``rows`` or ``pharaoh``; ``base`` is 0 or 1; ``ids`` tells how ids became lines: ``order`` of first
    appearance, ``lines`` (the ids are line numbers) or ``none`` (Pharaoh files have no ids); ``null_rows`` is the number of rows
    that link a word with nothing, which are no links.
    """

    sentences: Sequence[Gold]
    form: str
    base: int
    ids: str
    null_rows: int = 0


def read_gold(path: PathLike, *, one_based: bool | None = None, n_lines: int | None = None) -> list[Gold]:
    """Read the gold links of each sentence pair: the sentences of `load_gold`."""
    return list(load_gold(path, one_based=one_based, n_lines=n_lines).sentences)


def load_gold(
    file: TextFile | PathLike, *, one_based: bool | None = None, n_lines: int | None = None, counted_in: str = "the corpus"
) -> GoldFile:
    """Read a gold file in one of two formats, detected by the first line that is not blank.

    ``rows``: ``id src tgt [S|P] [confidence]``, always 1-based; no label means sure, a confidence from 0 to 1 is not read, a row
    in which one position is 0 (NULL: the word has no counterpart) is counted and has no link. With as many distinct ids as
    ``n_lines``, or ``n_lines`` unknown, sentences come in the order of first appearance of their ids; else, with all ids within
    1..``n_lines``, ids are line numbers, which have to ascend (files put together, each counted from 1, would pass for one
    otherwise), and a sentence without rows has no links. Empty lines are skipped.

    ``pharaoh``: one line a sentence pair, ``i-j`` sure and ``ipj`` possible.

    Args:
        file: the gold file.
        one_based: whether a Pharaoh file counts words from 1; None is 0-based for Pharaoh and 1-based for rows.
        n_lines: number of sentence pairs of the corpus, where known.
        counted_in: where ``n_lines`` was counted, for the text of an error.

    Raises:
        InputError: the file is empty, has an unreadable line, or does not fit ``n_lines``.
    """
    text = file if isinstance(file, TextFile) else TextFile(Path(file))
    path, lines = text.path, iter(text)
    first: list[str] = []
    while not (first and first[-1].strip()) and (line := next(lines, None)) is not None:
        first.append(line)
    if not first:
        raise InputError(f"{path}: the gold file is empty; give one with rows 'id src tgt [S|P]' or Pharaoh lines")
    numbered = enumerate(itertools.chain(first, lines), 1)
    if _ROW_START.match(first[-1]):
        if one_based is False:
            raise InputError(f"{path}: one_based=False, but rows 'id src tgt [S|P]' are 1-based; leave it unset")
        rows = _Rows(path, numbered)
        arranged, ids = _arrange(rows.sentences, n_lines, str(path), counted_in)
        if ids == "lines" and rows.back:
            raise InputError(
                f"{rows.back}; allowed are ascending ids, as they are line numbers where there are fewer of them than lines in"
                f" {counted_in}: sort the rows, or number the sentences anew if files were put together"
            )
        return GoldFile(GoldList(arranged), "rows", 1, ids, rows.null)
    sentences = GoldList(_pharaoh(path, numbered, bool(one_based)))
    if n_lines is not None and len(sentences) != n_lines:
        raise InputError(
            f"{path}: {len(sentences)} lines, but {n_lines} lines in {counted_in}; one line of gold is needed for each"
            " sentence pair, check that both files belong together"
        )
    return GoldFile(sentences, "pharaoh", int(bool(one_based)), "none")


def format_gold(gold: Gold) -> str:
    """Write gold as one 0-based Pharaoh line, ``i-j`` sure and ``ipj`` possible, sorted, without a line end."""
    return " ".join(f"{i}{'-' if (i, j) in gold.sure else 'p'}{j}" for i, j in sorted(gold.possible))


def null_warning(path: PathLike, count: int) -> list[str]:
    """Say that a gold file has rows of NULL, if it has any."""
    text = "link a word with nothing (position 0, NULL) and were left out; if the file counts words from 0, add 1"
    return [f"{count} rows of {path} {text}"] if count else []


def _gold(labelled: Labelled) -> Gold:
    labelled = list(labelled)
    return Gold(frozenset(link for link, sure in labelled if sure), frozenset(link for link, _ in labelled))


def _pharaoh(path: PathLike, lines: Iterable[tuple[int, str]], one_based: bool) -> Iterator[Labelled]:
    allowed = "i-j (sure) and ipj (possible), or a file of rows 'id src tgt [S|P]'"
    for n, line in lines:
        tokens = parse_tokens(line, one_based, f"{path}:{n}", "-p", allowed)
        if any(probability is not None for *_, probability in tokens):
            raise InputError(f"{path}:{n}: a link has a probability, but gold has none; allowed are {allowed}")
        yield [(link, mark == "-") for link, mark, _ in tokens]


class _Rows:
    """The rows of a file by their ids, how many of them are NULL, and where ids do not ascend."""

    def __init__(self, path: PathLike, lines: Iterable[tuple[int, str]]) -> None:
        self.sentences: dict[int, array[int]] = {}  # id → source, target and sureness of each link in turn
        self.null, self.back = 0, ""
        last = 0
        for n, line in lines:
            if not line:
                continue
            match = _ROW.fullmatch(line)
            positions = (int(match[2]), int(match[3])) if match else (0, 0)
            if match is None or not any(positions) or float(match["confidence"] or 0) > 1:
                raise InputError(
                    f"{path}:{n}: {line[:60]!r} is not a row of gold; allowed is 'id src tgt' with words counted from 1 (one of"
                    " them 0 for a word without a counterpart), an optional label S or P and a confidence 0 to 1, lines ending in"
                    " '\\n' alone; correct the line"
                )
            number = int(match[1])
            if number < last and not self.back:
                self.back = f"{path}:{n}: the id {number} comes after {last}"
            last = number
            links = self.sentences.setdefault(number, array("i"))
            if all(positions):
                links.extend((positions[0] - 1, positions[1] - 1, match[4] != "P"))
            else:
                self.null += 1


def _arrange(rows: dict[int, "array[int]"], n_lines: int | None, name: str, counted_in: str) -> tuple[Iterator[Labelled], str]:
    if n_lines is None or len(rows) == n_lines:
        return map(_labelled, rows.values()), "order"
    if all(1 <= number <= n_lines for number in rows):
        return (_labelled(rows.get(number, ())) for number in range(1, n_lines + 1)), "lines"
    raise InputError(
        f"{name}: {len(rows)} distinct ids from {min(rows)} to {max(rows)} do not fit the {n_lines} lines in"
        f" {counted_in}; allowed are as many distinct ids as lines, or ids within 1..{n_lines}; check that both"
        " files belong together"
    )


def _labelled(flat: Sequence[int]) -> Labelled:
    return (((i, j), bool(sure)) for i, j, sure in zip(flat[0::3], flat[1::3], flat[2::3], strict=True))
