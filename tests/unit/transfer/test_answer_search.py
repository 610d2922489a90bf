"""The search for answers in logits, against a slow plain transcription, and the floor of random answers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.answer_search import LONGEST, find_answers, random_answer
from xlm_align_fairseq.transfer.question_sequences import QuestionLimits, answer_pieces, answer_places, encode_questions
from xlm_align_fairseq.transfer.questions import Answer, Question

LIMITS = QuestionLimits(24, 6, 5)


@pytest.fixture(scope="module")
def pieces(sentencepiece_model, vocabulary):
    return PieceEncoder(sentencepiece_model, vocabulary)


@pytest.fixture(scope="module")
def whole():
    """Return an encoder to which each of some words is one piece, and `⟁` a lone mark and an unknown piece."""
    model = charsmap.assemble([(piece, -1.0) for piece in ("▁protein", "▁per", "▁day", "▁")], charsmap.bundled())
    return PieceEncoder(model, Vocabulary.from_sentencepiece(model))


def encode(pieces, context, question="How much?", limits=LIMITS):
    return next(encode_questions([Question("q", question, context, [], "")], pieces, limits))


def n_logits(question):
    return sum(len(one.tokens) for one in question.sequences)


def best(question, start, end, **options):
    return find_answers(question, np.array(start, np.float32), np.array(end, np.float32), **options)


def slow(question, start, end, n_best, longest):
    """Every pair of places of every window, one after the other."""
    document, found, base = question.document, [], 0
    with_text = [n for n in range(len(document.ids)) if document.begins[n] < document.ends[n]]
    opens = {next(n for n in with_text if document.begins[n] == document.begins[m]) for m in with_text}
    closes = {next(n for n in reversed(with_text) if document.ends[n] == document.ends[m]) for m in with_text}
    for tokens, window, shift in question.sequences:
        for first in range(window.core_begin, window.core_end):
            for last in range(first, min(window.end, first + longest)):
                if first in opens and last in closes:
                    score = float(start[base + first + shift]) + float(end[base + last + shift])
                    text = question.context[document.begins[first] : document.ends[last]].strip()
                    found.append((-score, first, last, text))
        base += len(tokens)
    return [(text, first, last, -score) for score, first, last, text in sorted(found)[:n_best]] or [("", -1, -1, -np.inf)]


TEXT = st.lists(st.sampled_from([*"ab,½…ﬁ日ﷺ", " ", "\u200b", "⟁", "😀", "protein "]), max_size=40).map("".join)


@given(TEXT, st.integers(0, 5), st.integers(1, 8), st.sampled_from([1, 2, 20, 1000]), st.integers(0, 3), st.integers(0, 2**20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_answers_are_those_of_a_plain_transcription(pieces, context, asked, longest, n_best, span, seed):
    question = encode(pieces, context, "protein " * asked)
    n = n_logits(question)
    drawn = np.random.default_rng(seed)
    start, end = drawn.integers(-span, span + 1, (2, n)) if span else drawn.normal(size=(2, n)).astype(np.float32)  # many ties
    found = best(question, start, end, n_best=n_best, longest=longest)
    assert [tuple(one) for one in found] == slow(question, start, end, n_best, longest)
    assert len({(one.first, one.last) for one in found}) == len(found)


def test_the_answer_that_is_trained_is_found(pieces, sentences):
    """Logits that are high at the targets of the windows give the answer, wherever it is, in each window alone."""
    context = " ".join(sentences[:6])
    question = encode(pieces, context)
    assert len(question.sequences) > 5
    checked = 0
    for word in context.split():
        span = answer_pieces(question.document, Answer(word, context.index(word)))
        if span is None or span[1] - span[0] > 5:
            continue
        start, end, base = np.zeros(n_logits(question)), np.zeros(n_logits(question)), 0
        for (tokens, _, _), (first, last) in zip(question.sequences, answer_places(span, question.sequences), strict=True):
            start[base + first], end[base + last], base = 5, 5, base + len(tokens)
        found = best(question, start, end)[0]
        assert (found.text, found.first, found.last, found.score) == (word, *span, 10)
        checked += 1
    assert checked > 30


def peak(question, place, value=9.0):
    logits = np.zeros(n_logits(question))
    logits[place] = value
    return logits


def test_the_first_piece_of_a_document_can_be_the_answer(whole):
    question = encode(whole, "protein per day")
    place = question.sequences[0].shift
    assert best(question, peak(question, place), peak(question, place))[0].text == "protein"


def test_specials_and_the_question_are_never_the_answer(whole):
    question = encode(whole, "protein per day")
    (sequence,) = question.sequences
    document = np.arange(len(question.document.ids)) + sequence.shift
    logits = np.full(len(sequence.tokens), 100.0)
    logits[document] = -100.0
    found = best(question, logits, logits, n_best=1000)
    assert {one.score for one in found} == {-200.0}
    assert all(0 <= one.first <= one.last < len(document) for one in found)
    assert all(one.text and one.text in question.context for one in found)


def test_an_end_before_the_start_and_a_long_answer_are_not_found(whole):
    question = encode(whole, "protein per day " * 12, limits=QuestionLimits())
    shift, last = question.sequences[0].shift, len(question.document.ids) - 1
    found = best(question, peak(question, shift + last), peak(question, shift), n_best=10**6)
    assert max(one.score for one in found) == 9
    assert all(one.first <= one.last < one.first + LONGEST for one in found)
    far = best(question, peak(question, shift), peak(question, shift + LONGEST), n_best=1)[0]
    assert far.score == 9
    near = best(question, peak(question, shift), peak(question, shift + LONGEST - 1), n_best=1)[0]
    assert (near.score, near.last) == (18, LONGEST - 1)


def test_each_piece_starts_an_answer_in_the_window_where_it_has_most_context(whole):
    question = encode(whole, "protein per day ⟁ " * 5)
    base, judged = 0, []
    for number, (tokens, window, shift) in enumerate(question.sequences):
        for piece in range(window.begin, window.end):
            logits = peak(question, base + piece + shift)
            if best(question, logits, logits)[0].score == 18:
                judged.append((piece, number))
        base += len(tokens)
    cores = [(piece, n) for n, one in enumerate(question.sequences) for piece in range(*one.window[2:])]
    empty = np.flatnonzero(question.document.begins == question.document.ends).tolist()
    assert judged == [(piece, n) for piece, n in cores if piece not in empty]


def test_an_answer_can_end_where_another_window_judges(whole):
    question = encode(whole, "protein per day ⟁ " * 5)
    one, other = question.sequences[:2]
    first, last = one.window.core_end - 1, one.window.core_end
    assert question.document.begins[first] < question.document.ends[first]
    assert question.document.begins[last] < question.document.ends[last]
    assert other.window.core_begin == last
    found = best(question, peak(question, first + one.shift), peak(question, last + one.shift), n_best=1)[0]
    assert (found.first, found.last, found.score) == (first, last, 18)


def test_ties_go_to_the_first_and_shortest(whole):
    question = encode(whole, "protein per day")
    nothing = np.zeros(n_logits(question))
    found = [(one.first, one.last) for one in best(question, nothing, nothing, n_best=4)]
    assert found == sorted(found)
    assert found[0] == (0, 0)


@pytest.mark.parametrize("context", ["", " \u200b\n"])
def test_a_document_without_text_has_the_empty_answer(whole, context):
    question = encode(whole, context)
    assert [one.text for one in best(question, [], [])] == [""]
    assert random_answer(question, "q").text == ""


def test_a_document_of_one_word_and_logits_that_are_no_numbers(whole):
    question = encode(whole, "protein")
    nothing = np.zeros(n_logits(question))
    assert [one.text for one in best(question, nothing, nothing, n_best=1)] == ["protein"]
    assert [one.text for one in best(question, nothing * np.nan, nothing)] == [""]
    assert random_answer(encode(whole, "a"), "q").text == "a"


def test_random_answers_are_any_with_one_probability(pieces):
    question = encode(pieces, "How ½ protein?")
    nothing = np.zeros(n_logits(question))
    every = {(one.first, one.last) for one in best(question, nothing, nothing, n_best=1000, longest=4)}
    drawn = [random_answer(question, f"q{n}", longest=4) for n in range(100 * len(every))]
    counts = Counter((one.first, one.last) for one in drawn)
    assert counts.keys() == every
    assert min(counts.values()) > 50
    assert max(counts.values()) < 200
    assert all(one.text and one.text in question.context for one in drawn)
    assert random_answer(question, "q1", 7) == random_answer(question, "q1", 7)
    assert len({random_answer(question, "q1", seed) for seed in range(20)}) > 5


def test_what_cannot_be_asked_for_is_refused(pieces):
    question = encode(pieces, "protein")
    nothing = np.zeros(n_logits(question))
    with pytest.raises(InputError, match="--n-best 0: allowed are 1 and more"):
        best(question, nothing, nothing, n_best=0)
    with pytest.raises(InputError, match="--answer-pieces 0: allowed are 1 and more"):
        best(question, nothing, nothing, longest=0)
    with pytest.raises(InputError, match="--seed -1: allowed are 0 and more"):
        random_answer(question, "q", -1)
