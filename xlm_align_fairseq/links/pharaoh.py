"""Read, write and check word links in Pharaoh lines.

A *link* is a 0-based pair ``(source word, target word)``; the *links* of a sentence pair are a sorted list without
repetition; *alignments* are a file with the links of one sentence pair on each line, as ``0-0 1-2``, or with the
probability of each link, as ``0-0:0.9871 1-2:0.6034``; ``.5`` and ``1e-05``, as other tools write them, are read too. Files are
UTF-8 and ``"\\n"`` is the only line separator.
"""

import os
import re
from collections.abc import Iterable, Mapping

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.text.lines import PathLike, read_lines

Link = tuple[int, int]

# Nine digits are more words than any sentence has, and keep int() clear of its limit on very long numbers.
NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?"
_TOKEN = re.compile(rf"([0-9]{{1,9}})([-p])([0-9]{{1,9}})(?::({NUMBER}))?")
_HINTS = {  # of what other tools write
    re.compile(pattern): hint
    for pattern, hint in {
        r"[0-9]+p[0-9]+(:.*)?": "p marks a possible link, which gold alone has",
        r"[0-9]+-[0-9]+[/:]?[SP]": "gold has sure links as i-j and possible ones as ipj",
        r"[0-9]+-[0-9]+[-/=\[(|].*": "a probability stands behind a colon",
        r"[0-9]+[:/,][0-9]+": "- stands between source and target word",
        r"[0-9]+-[0-9]+:[-+0-9.eE]+|(?i:[0-9]+-[0-9]+:[-+]?(nan|inf.*))": "a probability is a number 0 to 1",
    }.items()
}


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
    return sorted({link for link, _, _ in parse_tokens(line, one_based, where, "-", "links like 3-4 or 3-4:0.98")})


def parse_probabilities(line: str, *, one_based: bool = False, where: str = "") -> dict[Link, float]:
    """Parse one Pharaoh line with probabilities, sorted by link; of a repeated link the highest.

    Args and errors are those of `parse_pharaoh`; a link without a probability is refused too.

    >>> parse_probabilities("2-1:0.5 0-0:0.9871")
    {(0, 0): 0.9871, (2, 1): 0.5}
    """
    links: dict[Link, float] = {}
    tokens = parse_tokens(line, one_based, where, "-", "links like 3-4:0.98")
    for link, _, probability in sorted(tokens, key=lambda token: token[0]):
        if probability is None:
            at = f"{where}: " if where else ""
            raise InputError(
                f"{at}link {link[0]}-{link[1]} (0-based) has no probability; allowed are links like 3-4:0.98, as"
                " `xlm-align align --format probabilities` writes them"
            )
        links[link] = max(probability, links.get(link, 0.0))
    return links


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
        name: name of the file in error messages; by default the path, or ``<lines>``.
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


def parse_tokens(line: str, one_based: bool, where: str, marks: str, allowed: str) -> list[tuple[Link, str, float | None]]:
    """Parse the tokens of a line, in their order.

    Args:
        line: tokens with spaces between; one trailing ``"\n"`` is tolerated.
        one_based: the line counts words from 1.
        where: ``file:line`` for the text of an error.
        marks: allowed marks between the two words of a link: ``-`` and, in gold, ``p``.
        allowed: description of the allowed tokens in error messages.

    Returns:
        Each link with its mark and its probability, `None` where it has none.

    Raises:
        InputError: a token is not a link.
    """
    base = int(one_based)
    at = f"{where}: " if where else ""
    links = []
    for token in line.removesuffix("\n").split(" "):
        if not token:  # aligners write double or trailing spaces
            continue
        match = _TOKEN.fullmatch(token)
        probability = float(match[4]) if match and match[4] else None
        if match is None or match[2] not in marks or (probability is not None and probability > 1):
            hint = next((f": {hint}" for pattern, hint in _HINTS.items() if pattern.fullmatch(token)), "")
            raise InputError(
                f"{at}{token[:40]!r} is not a link; allowed are {allowed}, separated by spaces, lines ending in"
                f" '\\n' alone; correct the line{hint}"
            )
        i, j = int(match[1]) - base, int(match[3]) - base
        if i < 0 or j < 0:
            raise InputError(f"{at}link {token!r} counts from 0, but a 1-based file was announced; check the base")
        links.append(((i, j), match[2], probability))
    return links
