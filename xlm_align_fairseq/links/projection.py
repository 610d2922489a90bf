"""Carry tagged spans of source words over links to the target words: annotation projection.

A source span becomes at most one target span. The target words linked with its words are joined over gaps of at most
`max_gap` other words, and the longest piece is kept. A target word that two spans claim goes to the one with more links
to it, then to the one with the more probable link, then to the first; a span that is no longer in one piece keeps its
longest piece again. Words that a span has lost or dropped are never given back to it.

References: Yarowsky, Ngai & Wicentowski, "Inducing Multilingual Text Analysis Tools via Robust Projection across Aligned
Corpora", 2001; García-Ferrero, Agerri & Rigau, "Model and Data Transfer for Cross-Lingual Sequence Labelling in
Zero-Resource Settings", 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link

Links = Mapping[Link, float | None]  # of a sentence pair, with their probabilities where they have some
Claim = tuple[int, float]  # of a span to a target word: links between the two, the highest probability among them
MAX_GAP, ANSWER_GAP = 1, 3  # of spans; of answers, which are longer and surer to be in one piece
_SCHEMES = {"BIOES": ("E", "S"), "BILOU": ("L", "U")}  # and what they have besides BIO: the end of a span, a span of one word
_CONTINUING = ("I", "E", "L")


@dataclass(frozen=True)
class Span:
    """Hold consecutive words, 0-based, and their tag."""

    words: range
    tag: str


class TagReader:
    """Read the tags of a file, sentence by sentence: BIO (IOB2), IOB1, BIOES or BILOU, whichever it has.

    ``B-X`` begins a span of X, ``I-X`` continues it or, where there is none to continue, begins one (as IOB1 has it), ``E-X`` and
    ``L-X`` continue and end it, ``S-X`` and ``U-X`` are a span of one word, ``O`` is outside of any.

    Args:
        name: the file, for the text of an error.

    Attributes:
        repaired: how many tags that should continue a span began one.
        not_ended: how many spans of BIOES and BILOU have no tag for their end.
    """

    def __init__(self, name: str = "<labels>") -> None:
        self.name = name
        self.repaired = self.not_ended = 0
        self._scheme, self._seen = "", ""  # BIOES or BILOU, and where it was first seen
        self._iob1 = True  # no B-X but where it parts two spans of X

    def spans(self, tags: Sequence[str], lines: Sequence[int] | int = 1) -> list[Span]:
        """Return the spans of a sentence, in order.

        Args:
            tags: of its words.
            lines: of its words, or that of the first.

        Raises:
            InputError: a tag is of none of the schemes, or not of that of the tags before.
        """
        spans: list[Span] = []
        is_open = False  # whether the last span may go on
        for n, tag in enumerate(tags):
            mark, dash, kind = tag.partition("-")
            if tag != "O":
                self._check(mark if dash and kind else "", tag, lines + n if isinstance(lines, int) else lines[n])
            last = spans[-1] if spans and spans[-1].words.stop == n and spans[-1].tag == kind else None
            goes_on = mark in _CONTINUING and is_open and last is not None
            self.not_ended += is_open and not goes_on
            if tag == "O":
                is_open = False
                continue
            if goes_on and last is not None:
                spans[-1] = Span(range(last.words.start, n + 1), kind)
            else:
                self.repaired += mark in _CONTINUING
                self._iob1 &= mark != "B" or last is not None
                spans.append(Span(range(n, n + 1), kind))
            is_open = mark in ("B", "I")
        self.not_ended += is_open
        return spans

    def report(self) -> list[str]:
        """Say of which scheme the tags were, if not of BIO, and what is wrong with them."""
        said = [f"the labels are {self._scheme}, the output is BIO"] if self._scheme else []
        if self.repaired:
            marks = f"I-X or {_SCHEMES[self._scheme][0]}-X" if self._scheme else "I-X"
            iob1 = ", as in IOB1" if self._iob1 and not self._scheme else ""
            said.append(f"{self.repaired} labels {marks} continue no span of X and were read as the beginning of one{iob1}")
        if self._scheme and self.not_ended:
            said.append(f"{self.not_ended} spans have no {_SCHEMES[self._scheme][0]}-X at their end")
        return said

    def _check(self, mark: str, tag: str, line: int) -> None:
        """Refuse a tag that is of none of the schemes, or of another than those before."""
        if mark in ("B", "I"):
            return
        scheme = next((scheme for scheme, marks in _SCHEMES.items() if mark in marks), None)
        if scheme is None:
            raise InputError(
                f"{self.name}:{line}: {tag[:40]!r} is not a BIO label; allowed are B-X, I-X and O, for any X, with E-X and S-X"
                " (BIOES) or with L-X and U-X (BILOU); convert the labels, or say by --column which column has them"
            )
        if self._scheme not in ("", scheme):
            raise InputError(
                f"{self.name}:{line}: {tag[:40]!r} is of {scheme}, but {self._seen} of {self._scheme}; allowed is one scheme"
                " in a file; convert the labels"
            )
        if not self._scheme:
            self._scheme, self._seen = scheme, f"{tag[:40]!r} in line {line}"


def read_bio(tags: Sequence[str], name: str = "<labels>", line: int = 1) -> tuple[list[Span], int]:
    """Return the spans of the tags of one sentence; see `TagReader`.

    Args:
        tags: of its words.
        name, line: the file of the tags and the line of the first, for the text of an error.

    Returns:
        The spans in order, and how many of them begin with an ``I-X`` that continues no span of X; as IOB1 has them.

    Raises:
        InputError: a tag is of none of the schemes, or two of different ones.

    >>> read_bio(["B-PER", "I-PER", "O", "I-LOC"])
    ([Span(words=range(0, 2), tag='PER'), Span(words=range(3, 4), tag='LOC')], 1)
    """
    reader = TagReader(name)
    return reader.spans(tags, line), reader.repaired


def write_bio(spans: Iterable[Span], n_words: int) -> list[str]:
    """Return the BIO (IOB2) tags of `n_words` words; the spans do not overlap. The reverse of `read_bio`."""
    tags = ["O"] * n_words
    for span in spans:
        for n in span.words:
            tags[n] = f"{'B' if n == span.words.start else 'I'}-{span.tag}"
    return tags


def project_spans(spans: Sequence[Span], links: Links, max_gap: int = MAX_GAP) -> list[Span | None]:
    """Return the target span of each source span; no two overlap.

    Args:
        spans: of the source; they do not overlap.
        links: source-target links.
        max_gap: maximum number of words without a link to the span between two words with one.

    Returns:
        A span for each of `spans`, `None` for one without links or with all its words lost to other spans.

    >>> project_spans([Span(range(0, 2), "LOC")], {(0, 1): None, (1, 3): None, (2, 0): None})
    [Span(words=range(1, 4), tag='LOC')]
    """
    linked_with = by_source(links)
    claims = [linked_words(linked_with, span.words) for span in spans]
    owner: dict[int, int] = {}
    strength: dict[int, Claim] = {}
    behind: dict[int, int] = {}  # of a word that has an owner, one behind it; those between have one, too
    for k, linked in enumerate(claims):
        piece = longest_piece(linked, max_gap) or range(0)
        for j in filter(piece.__contains__, linked):
            if j not in owner or linked[j] > strength[j]:
                owner[j], strength[j] = k, linked[j]
                behind.setdefault(j, j + 1)
        j = _free(behind, piece.start)
        while j < piece.stop:  # words in gaps
            owner[j], strength[j] = k, (0, 0.0)
            behind[j] = j + 1
            j = _free(behind, j)
    rank: dict[int, int] = {}  # of a word, among those that its owner has
    owned = [0] * len(spans)
    for j in sorted(owner):
        rank[j] = owned[owner[j]]
        owned[owner[j]] += 1
    projected: list[Span | None] = []
    for k, (span, linked) in enumerate(zip(spans, claims, strict=True)):
        won = {j: claim for j, claim in linked.items() if owner.get(j) == k}
        words = _longest(won, max_gap, lambda last, j: rank[j] - rank[last] == j - last)
        projected.append(Span(words, span.tag) if words else None)
    return projected


def project_labels(labels: Sequence[str], links: Links, n_words: int) -> list[str | None]:
    """Return for each target word the label of the source word that its most probable link leads to.

    Args:
        labels: of the source words.
        links: source-target links. Of those that are equally probable, and of those without probabilities, the first counts.
        n_words: target words.

    Returns:
        A label for each target word, `None` for one without a link: nothing is guessed.

    >>> project_labels(["DET", "NOUN"], {(0, 0): 0.4, (1, 0): 0.9, (1, 2): None}, 3)
    ['NOUN', None, 'NOUN']
    """
    best: dict[int, tuple[float, int]] = {}  # of a target word: the negative probability of a link, its source word
    for (i, j), probability in links.items():
        claim = (-(probability or 0.0), i)
        best[j] = min(claim, best.get(j, claim))
    return [labels[best[j][1]] if j in best else None for j in range(n_words)]


def by_source(links: Links) -> dict[int, list[tuple[int, float | None]]]:
    """Return the target words that each source word is linked with, and the probabilities of the links."""
    linked_with: dict[int, list[tuple[int, float | None]]] = {}
    for (i, j), probability in links.items():
        linked_with.setdefault(i, []).append((j, probability))
    return linked_with


def linked_words(linked_with: Mapping[int, Sequence[tuple[int, float | None]]], words: range) -> dict[int, Claim]:
    """Return the target words linked with a span of source words, with what links them.

    Args:
        linked_with: as `by_source` returns it.
        words: the span.
    """
    claims: dict[int, Claim] = {}
    for i in words:
        for j, probability in linked_with.get(i, ()):
            count, best = claims.get(j, (0, 0.0))
            claims[j] = (count + 1, max(best, probability or 0.0))
    return claims


def longest_piece(linked: Mapping[int, Claim], max_gap: int) -> range | None:
    """Join linked words to pieces and return the longest; in a tie that with more links, then the first.

    Args:
        linked: target words with their claims.
        max_gap: maximum number of other words between two words of a piece.
    """
    return _longest(linked, max_gap, lambda last, j: True)


def _longest(linked: Mapping[int, Claim], max_gap: int, joins: Callable[[int, int], bool]) -> range | None:
    """Return the longest piece, where two words with no linked one between them may be of one piece."""
    pieces: list[list[int]] = []
    for j in sorted(linked):
        if pieces and j - pieces[-1][-1] - 1 <= max_gap and joins(pieces[-1][-1], j):
            pieces[-1].append(j)
        else:
            pieces.append([j])
    best = max(pieces, key=lambda piece: (piece[-1] - piece[0], sum(linked[j][0] for j in piece)), default=None)
    return range(best[0], best[-1] + 1) if best else None


def _free(behind: dict[int, int], j: int) -> int:
    """Return the first word from `j` on that has no owner."""
    passed = []
    while j in behind:
        passed.append(j)
        j = behind[j]
    behind |= dict.fromkeys(passed, j)
    return j
