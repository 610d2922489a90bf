"""Find the answers of a question in the logits of its sequences.

An answer is a pair of pieces of the document, its first and its last, and its score is the sum of two logits::

    score(i, j) = start_w(i) + end_w(j)        i ≤ j < i + longest, both in w, the window in which i has most context

Only pieces of the document can be an answer, from its first piece on: `<s>`, the other specials and the question never are. A
piece without text (a lone `▁`) neither begins nor ends one; of the pieces of one character the first can begin one, the last end
one: so no two pairs have the same text at the same place. Of equal scores the answer that begins first, then the shorter one, is
better.

Reference: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019, section 4.2.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xlm_align_fairseq.encoder.pieces import PlacedPieces
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.question_sequences import EncodedQuestion, answer_text

Floats = npt.NDArray[np.floating]
LONGEST = 30  # pieces of an answer
N_BEST = 20


class FoundAnswer(NamedTuple):
    """Hold an answer, its first and its last piece in the document, and its score."""

    text: str
    first: int
    last: int
    score: float


NOTHING = FoundAnswer("", -1, -1, float("-inf"))  # of a document without text


def find_answers(
    question: EncodedQuestion, start: Floats, end: Floats, n_best: int = N_BEST, longest: int = LONGEST
) -> list[FoundAnswer]:
    """Return the best answers of a question, the best first.

    Args:
        question: as the encoder read it.
        start: (P,) logits of all P pieces of its sequences, specials included, one sequence after the other.
        end: (P,), likewise.
        n_best: how many at most.
        longest: most pieces of an answer.

    Returns:
        At least one; of a document without text the empty answer.

    Raises:
        InputError: fewer than one answer, or fewer than one piece, is asked for.
    """
    _check_search(n_best, longest)
    document, sequences = question.document, question.sequences
    if not sequences:
        return [NOTHING]
    lengths = np.array([len(one.tokens) for one in sequences])
    judged = np.array([one.window.core_end - one.window.core_begin for one in sequences])
    shifts = np.cumsum(lengths) - lengths + np.array([one.shift for one in sequences])
    places = np.arange(len(document.ids)) + np.repeat(shifts, judged)  # of each piece, in the sequence in which it is judged
    stops = np.repeat([one.window.end for one in sequences], judged)
    allowed = _allowed(document, stops, longest)
    ends = np.minimum(places[:, None] + np.arange(allowed.shape[1]), len(end) - 1)
    scores = np.where(allowed, start.astype(np.float64)[places, None] + end.astype(np.float64)[ends], -np.inf)
    return _best(question, scores.reshape(-1), n_best, scores.shape[1]) or [NOTHING]


def random_answer(question: EncodedQuestion, name: str, seed: int = 1, longest: int = LONGEST) -> FoundAnswer:
    """Return an answer at random, each with the same probability: the floor that any model has to pass.

    Args:
        question: as the encoder reads it.
        name: of the question: with the seed, all that the answer depends on in this document.
        seed: 0 or more.
        longest: most pieces of the answer.

    Raises:
        InputError: fewer than one piece is asked for, or the seed is negative.
    """
    _check_search(1, longest)
    if seed < 0:
        raise InputError(f"--seed {seed}: allowed are 0 and more")
    document = question.document
    allowed = _allowed(document, np.full(len(document.ids), len(document.ids)), longest)
    pairs = np.flatnonzero(allowed)
    if not len(pairs):
        return NOTHING
    key = np.random.SeedSequence((seed, zlib.crc32(name.encode("utf-8", "replace"))))
    pair = int(pairs[np.random.default_rng(key).integers(len(pairs))])
    first, more = divmod(pair, allowed.shape[1])
    return FoundAnswer(answer_text(question.context, document, first, first + more), first, first + more, 0.0)


def _allowed(document: PlacedPieces, stops: npt.NDArray[np.int64], longest: int) -> npt.NDArray[np.bool_]:
    """Tell which pairs can be an answer: (D, K) bool, of D first pieces, with 0 to K - 1 pieces behind each.

    Args:
        document: D pieces.
        stops: (D,) the piece before which an answer that begins there must end.
        longest: most pieces of an answer.
    """
    length = len(document.ids)
    with_text = np.flatnonzero(document.begins < document.ends)
    begins, ends = document.begins[with_text], document.ends[with_text]
    opens, closes = np.zeros(length, bool), np.zeros(length, bool)
    opens[with_text[np.diff(begins, prepend=-1) > 0]] = True
    closes[with_text[np.diff(ends, append=np.iinfo(np.int64).max) > 0]] = True
    lasts = np.arange(length)[:, None] + np.arange(min(longest, length))
    return opens[:, None] & (lasts < stops[:, None]) & closes[np.minimum(lasts, max(length - 1, 0))]


def _best(question: EncodedQuestion, scores: Floats, n_best: int, width: int) -> list[FoundAnswer]:
    """Return the answers with the highest of (D · width,) scores; those of -inf or no number are none."""
    pairs = np.flatnonzero(scores > -np.inf)
    if len(pairs) > n_best:
        least = np.partition(scores[pairs], len(pairs) - n_best)[len(pairs) - n_best]
        pairs = pairs[scores[pairs] >= least]
    pairs = pairs[np.argsort(-scores[pairs], kind="stable")][:n_best]
    firsts, more = np.divmod(pairs, width)
    return [
        FoundAnswer(answer_text(question.context, question.document, first, last), first, last, score)
        for first, last, score in zip(firsts.tolist(), (firsts + more).tolist(), scores[pairs].tolist(), strict=True)
    ]


def _check_search(n_best: int, longest: int) -> None:
    for flag, value in (("--n-best", n_best), ("--answer-pieces", longest)):
        if value < 1:
            raise InputError(f"{flag} {value}: allowed are 1 and more")
