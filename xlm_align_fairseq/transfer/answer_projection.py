"""Carry an answer that stands in a document over word links into the translation of the document.

The answer has the words that it touches; the target words linked with them, joined over small gaps, are the answer there, as for
spans (`links.projection`). Punctuation that stands around it in its words is not the answer's: at an end where the answer has
none, that of the target is taken off; where it has some, what follows it in its own word is taken off if the target ends so too.

Reference: Lewis et al., "MLQA: Evaluating Cross-lingual Extractive Question Answering", 2020, on answers in aligned sentences.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from xlm_align_fairseq.links.projection import ANSWER_GAP, Links, by_source, linked_words, longest_piece
from xlm_align_fairseq.text.words import Word
from xlm_align_fairseq.transfer.paragraphs import Answer


class AnswerProjector:
    """Carry the answers of one document into its translation.

    Args:
        source, target: the document and its translation.
        source_words, target_words: their words, with their places.
        links: source-target links of words.
        max_gap: the most words without a link to the answer that may stand between two that have one.

    >>> from xlm_align_fairseq.text.words import between_spaces
    >>> source, target = "She (Ann) lives in Rome.", "Ann lebt in Rom, sie."
    >>> links = {(1, 0): None, (4, 3): None}
    >>> projector = AnswerProjector(source, target, between_spaces(source), between_spaces(target), links)
    >>> projector.project(Answer("Ann", 5)), projector.project(Answer("Rome", 19)), projector.project(Answer("in", 16))
    (Answer(text='Ann', start=0), Answer(text='Rom', start=12), None)
    """

    def __init__(
        self,
        source: str,
        target: str,
        source_words: Sequence[Word],
        target_words: Sequence[Word],
        links: Links,
        max_gap: int = ANSWER_GAP,
    ) -> None:
        self.source, self.target, self.max_gap = source, target, max_gap
        self.source_words, self.target_words = source_words, target_words
        self._begins, self._ends = [word.begin for word in source_words], [word.end for word in source_words]
        self._linked_with = by_source(links)

    def project(self, answer: Answer) -> Answer | None:
        """Return the answer in the translation, never an empty one; `None` where no word of it has a link.

        Args:
            answer: stands at its place in the document.
        """
        begin, end = answer.start, answer.start + len(answer.text)
        words = range(bisect_right(self._ends, begin), bisect_left(self._begins, end))
        piece = longest_piece(linked_words(self._linked_with, words), self.max_gap)
        own = answer.text.strip()
        if piece is None or not own:
            return None
        start, stop = self.target_words[piece.start].begin, self.target_words[piece.stop - 1].end
        before = self.source[min(self._begins[words.start], begin) : begin]
        behind = self.source[end : max(self._ends[words.stop - 1], end)]
        found = self.target[start:stop]
        lead, trail = _surplus(found, own, before), _surplus(found[::-1], own[::-1], behind[::-1])
        if lead + trail < stop - start:  # something is left
            start, stop = start + lead, stop - trail
        return Answer(self.target[start:stop], start) if found.strip() else None


def _surplus(found: str, answer: str, outside: str) -> int:
    """Return how many characters at the beginning of what was found are punctuation that is not the answer's.

    Args:
        found: target words.
        answer: the source answer.
        outside: what stands in its word before the answer.

    For the end of the answer, all are given from their ends to their beginnings.
    """
    if not _is_punctuation(answer[0]):
        return next((n for n, char in enumerate(found) if not _is_punctuation(char)), len(found))
    return len(outside) if found.startswith(outside) and all(map(_is_punctuation, outside)) else 0


def _is_punctuation(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) == "Cf" or unicodedata.category(char)[0] == "P"  # Cf: U+FEFF, U+200E
