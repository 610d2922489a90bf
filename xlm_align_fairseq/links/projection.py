"""Carry labelled spans of source words over links to the target words: annotation projection.

A source span becomes at most one target span. The target words linked with its words are joined over gaps of at most
`max_gap` other words, and the longest piece is kept. A target word that two spans claim goes to the one with more links
to it, then to the one with the more probable link, then to the first; a span that is no longer in one piece keeps its
longest piece again. Words that a span has lost or dropped are never given back to it.

References: Yarowsky, Ngai & Wicentowski, "Inducing Multilingual Text Analysis Tools via Robust Projection across Aligned
Corpora", 2001; García-Ferrero, Agerri & Rigau, "Model and Data Transfer for Cross-Lingual Sequence Labelling in
Zero-Resource Settings", 2022.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link

Links = Mapping[Link, float | None]  # of a sentence pair, with their probabilities where they have some
Claim = tuple[int, float]  # of a span to a target word: links between the two, the highest probability among them
MAX_GAP = 1


@dataclass(frozen=True)
class Span:
    """Hold consecutive words, 0-based, and their label."""

    words: range
    label: str


def read_bio(labels: Sequence[str], name: str = "<labels>", line: int = 1) -> tuple[list[Span], int]:
    """Return the spans of BIO labels (IOB2).

    Args:
        labels: ``B-X`` begins a span of X, ``I-X`` continues it, ``O`` is outside of any.
        name, line: the file of the labels and the line of the first, for the text of an error.

    Returns:
        The spans in order, and how many of them begin with an ``I-X`` that continues no span of X; as IOB1 has them.

    Raises:
        InputError: a label is none of these.

    >>> read_bio(["B-PER", "I-PER", "O", "I-LOC"])
    ([Span(words=range(0, 2), label='PER'), Span(words=range(3, 4), label='LOC')], 1)
    """
    spans: list[Span] = []
    repaired = 0
    for n, label in enumerate(labels):
        mark, dash, kind = label.partition("-")
        if label == "O":
            continue
        if mark not in ("B", "I") or not dash or not kind:
            raise InputError(
                f"{name}:{line + n}: {label[:40]!r} is not a BIO label; allowed are B-X, I-X and O, for any X; convert the"
                " labels, or say by --column which column has them"
            )
        if mark == "I" and spans and spans[-1].words.stop == n and spans[-1].label == kind:
            spans[-1] = Span(range(spans[-1].words.start, n + 1), kind)
            continue
        repaired += mark == "I"
        spans.append(Span(range(n, n + 1), kind))
    return spans, repaired


def write_bio(spans: Iterable[Span], n_words: int) -> list[str]:
    """Return the BIO labels of `n_words` words; the spans do not overlap. The reverse of `read_bio`."""
    labels = ["O"] * n_words
    for span in spans:
        for n in span.words:
            labels[n] = f"{'B' if n == span.words.start else 'I'}-{span.label}"
    return labels


def project_spans(spans: Sequence[Span], links: Links, max_gap: int = MAX_GAP) -> list[Span | None]:
    """Return the target span of each source span; no two overlap.

    Args:
        spans: of the source; they do not overlap.
        links: source-target links.
        max_gap: maximum number of words without a link to the span between two words with one.

    Returns:
        A span for each of `spans`, `None` for one without links or with all its words lost to other spans.

    >>> project_spans([Span(range(0, 2), "LOC")], {(0, 1): None, (1, 3): None, (2, 0): None})
    [Span(words=range(1, 4), label='LOC')]
    """
    claims = [linked_words(links, span.words) for span in spans]
    owner: dict[int, int] = {}
    strength: dict[int, Claim] = {}
    for k, linked in enumerate(claims):
        for j in longest_piece(linked, max_gap) or ():
            claim = linked.get(j, (0, 0.0))  # a word in a gap
            if j not in owner or claim > strength[j]:
                owner[j], strength[j] = k, claim
    projected: list[Span | None] = []
    for k, (span, linked) in enumerate(zip(spans, claims, strict=True)):
        won = {j: claim for j, claim in linked.items() if owner.get(j) == k}
        words = longest_piece(won, max_gap, {j for j in owner if owner[j] != k})
        projected.append(Span(words, span.label) if words else None)
    return projected


def linked_words(links: Links, words: range) -> dict[int, Claim]:
    """Return the target words linked with a span of source words, each with its claim."""
    claims: dict[int, Claim] = {}
    for (i, j), probability in links.items():
        if i in words:
            count, best = claims.get(j, (0, 0.0))
            claims[j] = (count + 1, max(best, probability or 0.0))
    return claims


def longest_piece(linked: Mapping[int, Claim], max_gap: int, taken: Collection[int] = ()) -> range | None:
    """Join linked words to pieces and return the longest; in a tie that with more links, then the first.

    Args:
        linked: target words with their claims.
        max_gap: maximum number of other words between two words of a piece.
        taken: words that may not be between them.
    """
    pieces: list[list[int]] = []
    for j in sorted(linked):
        between = range(pieces[-1][-1] + 1, j) if pieces else None
        if between is None or len(between) > max_gap or any(word in taken for word in between):
            pieces.append([j])
        else:
            pieces[-1].append(j)
    best = max(pieces, key=lambda piece: (piece[-1] - piece[0], sum(linked[j][0] for j in piece)), default=None)
    return range(best[0], best[-1] + 1) if best else None
