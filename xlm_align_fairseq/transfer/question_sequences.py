"""Encode questions with their documents as `<s> question </s></s> document </s>`, in windows where the document is long.

The document is encoded as running text, never word by word; an answer is a run of its pieces, and text of the document itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.encoder.pieces import PieceEncoder, PlacedPieces
from xlm_align_fairseq.encoder.sequences import second_begin, sequence
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.encode import PieceCounts
from xlm_align_fairseq.transfer.questions import Answer, Question
from xlm_align_fairseq.transfer.windows import Window, judging_windows

LAYOUT = "classification"
SPECIALS = second_begin(0, LAYOUT) + 1  # of `<s> question </s></s> document </s>`


@dataclasses.dataclass(frozen=True)
class QuestionLimits:
    """How many pieces of a question and its document are read at once.

    Args:
        window: longest sequence, specials included.
        question: longest question; of a longer one the first pieces are read.
        step: pieces of the document from one window's begin to the next.

    Raises:
        InputError: one is not positive, or the step would leave text out.
    """

    window: int = 384
    question: int = 64
    step: int = 128

    def __post_init__(self):
        for flag, value in (("--question-pieces", self.question), ("--window-step", self.step)):
            if value < 1:
                raise InputError(f"{flag} {value}: allowed are 1 and more pieces")
        room = self.window - self.question - SPECIALS
        if self.step > room:
            raise InputError(
                f"--window-step {self.step} would leave text out: a window of {self.window} pieces (--window) has room for"
                f" {max(room, 0)} of the document, beside {SPECIALS} specials and {self.question} of a question"
                f" (--question-pieces); {f'allowed are 1 to {room}' if room > 0 else 'raise --window'}"
            )


@dataclasses.dataclass
class QuestionCounts(PieceCounts):
    """Count questions and what was special in them, and the pieces of documents (each once) and of questions."""

    questions: int = 0
    cut: int = 0  # longer than is read
    no_question: int = 0  # without pieces, as an empty one
    no_document: int = 0
    windowed: int = 0  # whose document is read in several windows
    sequences: int = 0

    def notes(self, limits: QuestionLimits) -> list[str]:
        """Say what was special, one line each."""
        said = (
            (self.cut, f"are longer than {limits.question} pieces (--question-pieces): their ends are not read"),
            (self.no_question, "have no text: the document alone is read"),
            (self.no_document, "have a document without text: their answer is empty"),
        )
        return [f"{n} of {self.questions} questions {what}" for n, what in said if n]


class QuestionSequence(NamedTuple):
    """One sequence that the encoder reads.

    Args:
        tokens: (L,) int64, `<s> question </s></s> document </s>`.
        window: of the document's pieces, those that are read here, and those that are judged here.
        shift: place of a piece of the document in the sequence, less its number.
    """

    tokens: np.ndarray
    window: Window
    shift: int


class EncodedQuestion(NamedTuple):
    """A question as it is read: its document, the pieces of that, and the sequences, none for a document without pieces."""

    context: str
    document: PlacedPieces
    sequences: list[QuestionSequence]


def encode_questions(
    questions: Iterable[Question], pieces: PieceEncoder, limits: QuestionLimits, counts: QuestionCounts | None = None
) -> Iterator[EncodedQuestion]:
    """Encode questions one after the other, in order; of questions about one document in a row, it is encoded once.

    Args:
        questions: with their documents.
        pieces: encodes both.
        limits: how much of them is read at once.
        counts: are added to, if given.
    """
    counts = QuestionCounts() if counts is None else counts
    context: str | None = None
    for one in questions:
        if one.context != context:
            context, document = one.context, pieces.placed(one.context)
            _count(document.ids, counts)
        asked = pieces.text(one.question)
        _count(asked, counts)
        sequences = question_sequences(asked[: limits.question], document.ids, limits)
        counts.questions += 1
        counts.cut += len(asked) > limits.question
        counts.no_question += not len(asked)
        counts.no_document += not len(document.ids)
        counts.windowed += len(sequences) > 1
        counts.sequences += len(sequences)
        yield EncodedQuestion(one.context, document, sequences)


def question_sequences(question: np.ndarray, document: np.ndarray, limits: QuestionLimits) -> list[QuestionSequence]:
    """Return the sequences in which the pieces of a document are judged, in order: every piece in exactly one of them.

    Args:
        question: (Q,) int64, at most as many as the limits say.
        document: (D,) int64.
        limits: of the sequences.
    """
    begin = second_begin(len(question), LAYOUT)
    return [
        QuestionSequence(sequence(question, document[window.begin : window.end], layout=LAYOUT), window, begin - window.begin)
        for window in judging_windows(len(document), limits.window - len(question) - SPECIALS, limits.step)
    ]


def answer_pieces(document: PlacedPieces, answer: Answer) -> tuple[int, int] | None:
    """Return the first and the last piece of the document in which an answer stands; `None` if it has no piece.

    White space around the answer is no part of it.
    """
    text = answer.text.strip()
    begin = answer.start + len(answer.text) - len(answer.text.lstrip())
    with_text = np.flatnonzero(document.begins < document.ends)  # a lone `▁` neither begins nor ends an answer
    first = int(np.searchsorted(document.ends[with_text], begin, "right"))
    last = int(np.searchsorted(document.begins[with_text], begin + len(text), "left")) - 1
    return (int(with_text[first]), int(with_text[last])) if text and first <= last else None


def answer_text(context: str, document: PlacedPieces, first: int, last: int) -> str:
    """Return the text of a document from a piece to another one."""
    return context[document.begins[first] : document.ends[last]].strip()


def answer_places(span: tuple[int, int] | None, sequences: Sequence[QuestionSequence]) -> np.ndarray:
    """Return where the answer begins and ends in each sequence.

    Args:
        span: first and last piece of the answer in the document, `None` for no answer.
        sequences: of the question.

    Returns:
        (sequences, 2) int64, places in the sequence, both inclusive; 0, the place of `<s>`, where it has not the whole answer.
    """
    first, last = span or (-1, -1)
    places = [
        (first + shift, last + shift) if window.begin <= first and last < window.end else (0, 0) for _, window, shift in sequences
    ]
    return np.array(places, np.int64).reshape(-1, 2)


def _count(ids: np.ndarray, counts: PieceCounts) -> None:
    counts.pieces += len(ids)
    counts.unknown += int((ids == UNK).sum())
