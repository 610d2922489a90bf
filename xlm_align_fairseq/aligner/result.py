"""The alignment of a sentence pair: links, probabilities, flags, details."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence

import numpy as np

from xlm_align_fairseq.links.confidence import sentence_score
from xlm_align_fairseq.links.pharaoh import Link, format_pharaoh, format_probabilities

Sentence = str | Sequence[str]  # words, with single spaces between or one by one


@dataclasses.dataclass(frozen=True)
class Details:
    """Hold the pieces and similarities of a sentence pair, on request.

    Args:
        source_pieces, target_pieces: the pieces that were read, in order.
        source_words, target_words: (S,), (T,) int64, the word that each piece belongs to.
        similarity: (S, T) float32, dot products or cosines as configured, before scaling. In a pair that is aligned in
            windows, cells outside all windows are NaN.
    """

    source_pieces: list[str]
    target_pieces: list[str]
    source_words: np.ndarray
    target_words: np.ndarray
    similarity: np.ndarray


@dataclasses.dataclass(frozen=True)
class Alignment:
    """The word links of one sentence pair.

    Args:
        source, target: words, as they were given or as the tokeniser made them; links count in these lists. A string that is too
            long is not cut into words.
        probabilities: link → probability, sorted by link. See docs/aligning.md for what it means.
        flags: what a reader should know: `blank` (a side has no piece: no links), `unknown` (a piece was read as `<unk>`),
            `windows` (long, and aligned in windows), `too-long` (longer than anything that is aligned: no links),
            `not-finite` (a hidden state is no number: no links), `invalid` (bytes that were not UTF-8), `separator` (the line had
            no separator between source and target), `fields` (it had a third field: no links).
        details: on request.
        measured: the score, where it was measured against unrelated words; `None` computes it of the probabilities.

    >>> alignment = Alignment(["ein", "Haus"], ["a", "house"], {(0, 0): 0.75, (1, 1): 0.5})
    >>> alignment.links, alignment.score, str(alignment)
    ([(0, 0), (1, 1)], 0.625, '0-0 1-1')
    """

    source: list[str]
    target: list[str]
    probabilities: dict[Link, float]
    flags: tuple[str, ...] = ()
    details: Details | None = None
    measured: float | None = None

    @property
    def links(self) -> list[Link]:
        """The links, sorted, 0-based."""
        return list(self.probabilities)

    @property
    def score(self) -> float:
        """Sentence score, 0..1: the mean, over all words that are not empty, of how sure their best link is.

        The aligner lets unrelated words compete for each link (docs/aligning.md), so that short segments that are no translations
        score low. Of given probabilities alone, those are taken.
        """
        if self.measured is not None:
            return self.measured
        return sentence_score(self.probabilities, *(sum(map(bool, side)) for side in (self.source, self.target)))

    @property
    def word_pairs(self) -> list[tuple[str, str]]:
        """The linked words, in the order of the links."""
        return [(self.source[i], self.target[j]) for i, j in self.probabilities]

    def __str__(self) -> str:
        """Return the links as one Pharaoh line."""
        return format_pharaoh(self.probabilities)

    def format(self, name: str) -> str:
        """Return the alignment as one line, without a line end, in a format of `FORMATS`."""
        return FORMATS[name](self)


def _words(alignment: Alignment) -> str:
    return " ".join(f"{source}<sep>{target}" for source, target in alignment.word_pairs)


def _jsonl(alignment: Alignment) -> str:
    record = {
        "source": alignment.source,
        "target": alignment.target,
        "links": [[i, j] for i, j in alignment.probabilities],
        "probabilities": [round(value, 4) for value in alignment.probabilities.values()],
        "score": round(alignment.score, 4),
        "flags": list(alignment.flags),
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


# name → line of an alignment
FORMATS: dict[str, Callable[[Alignment], str]] = {
    "pharaoh": str,
    "probabilities": lambda alignment: format_probabilities(alignment.probabilities),
    "words": _words,
    "jsonl": _jsonl,
}
