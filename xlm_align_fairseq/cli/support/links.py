"""What the commands that read text with its links share: the flags, and the links of a line."""

from __future__ import annotations

import argparse

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link, check_range, parse_pharaoh, parse_probabilities
from xlm_align_fairseq.text.lines import TextFile


def add_link_flags(p: argparse._ActionsContainer, required: bool = True) -> None:
    """Add the flags that say where links come from."""
    p.add_argument(
        "--alignments",
        metavar="FILE",
        required=required,
        help="0-based source-target links, a Pharaoh line for each sentence pair, with probabilities (0-0:0.9871) or without;"
        " - is standard input",
    )
    p.add_argument(
        "--min-probability",
        type=float,
        metavar="X",
        help="leave out links with a probability below X, 0 to 1; each link needs one (default: keep all)",
    )


def check_min_probability(value: float | None) -> None:
    """Refuse a ``--min-probability`` outside 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"--min-probability {value}: allowed are 0 to 1")


def links_of(
    alignments: TextFile, line: str, min_probability: float | None, n_source: int, n_target: int
) -> dict[Link, float | None]:
    """Parse the Pharaoh line that was just read, with or without probabilities.

    Args:
        alignments: the file, for the text of an error.
        line: the links.
        min_probability: links below it are left out; `None` keeps all.
        n_source, n_target: words of the sentence pair.

    Returns:
        The probability of each link, `None` for those of a line without probabilities.

    Raises:
        InputError: a token is not a link, or a link is out of range or lacks a probability that others of the line have or
            that `min_probability` needs.
    """
    where = f"{alignments.path}:{alignments.lines}"
    links: dict[Link, float | None]
    if min_probability is None and ":" not in line:
        links = dict.fromkeys(parse_pharaoh(line, where=where))
    else:
        least = min_probability or 0.0
        found = parse_probabilities(line, where=where)
        links = {link: probability for link, probability in found.items() if probability >= least}
    check_range(links, n_source, n_target, where)
    return links
