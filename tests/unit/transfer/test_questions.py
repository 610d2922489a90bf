"""Files of questions, and scores of answers."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.question_scores import score_answer, score_answers, word_maker
from xlm_align_fairseq.transfer.questions import (
    Answer,
    check_answers,
    check_ids,
    read_answers,
    read_questions,
    write_answers,
)


def squad(*questions, context="Ann 😀 lives in Rome, Rome."):
    """Return a file of questions, given as (id, answers), each answer (text, start)."""
    qas = [
        {"id": name, "question": "?", "answers": [{"text": t, "answer_start": n} for t, n in found]} for name, found in questions
    ]
    return {"version": 1.0, "data": [{"paragraphs": [{"context": context, "qas": qas}]}]}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        (tmp_path / "f.json").write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return read_questions(tmp_path / "f.json")

    return write_and_read


def test_places_count_code_points(read):
    file = read(squad(("q", [("lives", 6), ("Rome", 15)])))
    assert file.questions[0].answers == [Answer("lives", 6), Answer("Rome", 15)]
    assert file.questions[0].title == ""
    assert check_answers(file) == (file, [])


def test_an_answer_that_stands_elsewhere_is_refused_or_dropped(read):
    file = read(squad(("p", [("Rome", 14)]), ("q", [("Rome", 15), ("Rom", 14)]), ("r", [("Ann", 0)]), ("s", [("Paris", 0)])))
    with pytest.raises(InputError) as error:
        check_answers(file)
    message = str(error.value)
    assert (
        "f.json: question 'p': the answer 'Rome' is not at answer_start 14, where ' Rom' stands; it stands at 15, 21;" in message
    )
    assert message.endswith("--drop-bad-answers")
    kept, (said,) = check_answers(file, drop=True)
    assert [(question.id, question.answers) for question in kept.questions] == [
        ("q", [Answer("Rome", 15)]),
        ("r", [Answer("Ann", 0)]),
    ]
    assert "3 answers" in said
    assert "and 2 questions" in said
    with pytest.raises(InputError, match="nowhere in the document"):
        check_answers(read(squad(("s", [("Paris", 3)]))))
    with pytest.raises(InputError, match="where '' stands; it stands at 0"):
        check_answers(read(squad(("s", [("Ann", -3)]))))
    with pytest.raises(InputError, match="an empty answer"):
        check_answers(read(squad(("s", [("Ann", 0), ("", 0)]))))


def test_answers_withheld(read):
    file = read(squad(("p", [("", 0)]), ("q", [("", 0)])))
    assert file.withheld
    for use in (file.gold, lambda: check_answers(file)):
        with pytest.raises(InputError, match=r"f\.json: no answers, as in XTREME's test files"):
            use()
    assert not read(squad(("p", [("", 0)]), ("q", [("Ann", 0)]))).withheld
    assert not read({"data": []}).withheld


def test_repeated_ids_are_of_training_alone(read, tmp_path):
    file = read(squad(("0", [("Ann", 0)]), ("0", [("Rome", 15)]), ("1", [("Ann", 0)])))
    assert file.repeated_ids() == {"0": 2}
    check_answers(file)
    for use in (file.gold, lambda: check_ids(file), lambda: write_answers(tmp_path / "o", file, {"0": "", "1": ""})):
        with pytest.raises(InputError, match=r"question '0': 2 questions have this id \(1 ids are repeated\)"):
            use()


def test_answers_are_written_for_every_question_and_no_other(read, tmp_path):
    file = read(squad(("b", []), ("a", [])))
    write_answers(tmp_path / "o", file, {"a": "Řím\n", "b": ""})
    assert list(read_answers(tmp_path / "o").items()) == [("b", ""), ("a", "Řím\n")]
    with pytest.raises(InputError, match=r"no answer for 1 questions of .*, first 'b'"):
        write_answers(tmp_path / "o", file, {"a": ""})
    with pytest.raises(InputError, match=r"1 answers for questions that .* has not, first 'c'"):
        write_answers(tmp_path / "o", file, {"a": "", "b": "", "c": ""})


def test_empty_texts_are_said(read):
    notes = read(squad(("p", [("", 0)]), context="")).notes()
    assert [note.split(": ", 1)[1] for note in notes] == ["1 with an empty document, which has no answer: p"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"data": [', "is not JSON"),
        ('{"date": []}', "data is missing"),
        (
            '{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": 1, "question": "?"}]}]}]}',
            r"data.0.paragraphs.0.qas.0.id is 1",
        ),
        ("[]", "f.json"),
    ],
)
def test_other_forms_are_refused(content, said, read):
    with pytest.raises(InputError, match=said):
        read(content)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=20), st.recursive(st.none() | st.text(max_size=3), st.lists).map(lambda x: json.dumps(x).encode())
    )
)
def test_no_crash(content, tmp_path):
    (tmp_path / "f").write_bytes(content)
    for reader in (read_questions, read_answers):
        with contextlib.suppress(InputError):
            reader(tmp_path / "f")


ANSWERS = {  # gold, prediction, rules, language: exact match, F1
    ("a", "The", "squad", "en"): (1, 0),  # nothing is left: torchmetrics says F1 1
    ("Rome", "rome!", "squad", "en"): (1, 1),
    ("in Rome", "Rome", "squad", "de"): (0, 2 / 3),
    ("der Rhein", "Rhein", "squad", "de"): (0, 2 / 3),  # English articles in every language
    ("der Rhein", "Die Rhein", "mlqa", "de"): (1, 1),
    ("the Rhine", "Rhine", "mlqa", "de"): (0, 2 / 3),
    ("电化电池", "电池", "squad", "zh"): (0, 0),  # one word each, as published
    ("电化电池", "电池。", "mlqa", "zh"): (0, 2 * 2 / 6),
    ("“x”", "x", "squad", "en"): (0, 0),  # ASCII punctuation alone
    ("“x”", "x", "mlqa", "en"): (1, 1),
    ("القاهرة", "قاهرة", "mlqa", "ar"): (1, 1),
    ("la casa", "una casa", "mlqa", "es"): (1, 1),
    ("của Hà", "Hà", "mlqa", "vi"): (1, 1),
    ("the x", "x", "mlqa", "hi"): (0, 2 / 3),
    ("x x y", "x y y", "squad", "en"): (0, 2 * 2 / 6),  # bags of words
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_by_hand(case):
    gold, predicted, rules, language = case
    assert score_answer([gold], predicted, word_maker(rules, language)) == pytest.approx(ANSWERS[case])


def test_the_best_gold_counts_and_an_unanswered_question_is_0():
    table = score_answers({"p": ["x", "Ann Lee"], "q": ["y"], "r": []}, {"p": "Ann", "r": "z", "s": "?"})
    assert table.rows.tolist() == [[0, pytest.approx(2 / 3), 1], [0, 0, 1], [0, 0, 1]]
    assert table.values() == {"exact_match": 0, "f1": pytest.approx(200 / 9), "f1+em": pytest.approx(100 / 9)}


def test_languages_of_mlqa():
    with pytest.raises(InputError, match=r"--lang fr: MLQA has no rules.*allowed are en, es, de, vi, ar, hi, zh"):
        word_maker("mlqa", "fr")
