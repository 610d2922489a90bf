"""Read and write questions about a text whose answers stand in it: files of the form of SQuAD v1.1.

These are SQuAD, XQuAD, MLQA and TyDiQA-GoldP, and what XTREME leaves of them: there the answers of test files are withheld, which
is written as one answer, the empty text at 0. Places count code points.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import encoded, write_atomically
from xlm_align_fairseq.system.records import read_json
from xlm_align_fairseq.transfer.paragraphs import Answer, Question, read_paragraphs

_NEAR = 20  # characters of a document that an error quotes


class QuestionFile(NamedTuple):
    """Hold the questions of a file, in order, and its path for the text of an error."""

    questions: list[Question]
    path: str

    @property
    def withheld(self) -> bool:
        """Whether no question has an answer, as in XTREME's test files."""
        return bool(self.questions) and not any(answer.text for question in self.questions for answer in question.answers)

    def repeated_ids(self) -> dict[str, int]:
        """Return the ids that several questions have, with how many have them."""
        return {name: n for name, n in Counter(question.id for question in self.questions).items() if n > 1}

    def gold(self) -> dict[str, list[str]]:
        """Return the texts of the answers by id.

        Raises:
            InputError: the answers are withheld, or an id stands twice.
        """
        check_ids(self)
        if self.withheld:
            raise InputError(f"{self.path}: no answers, as in XTREME's test files: not scored; give the file with the answers")
        return {question.id: [answer.text for answer in question.answers] for question in self.questions}

    def notes(self) -> list[str]:
        """Say which documents and questions are empty."""
        said = []
        for thing, ids in (
            ("document", [question.id for question in self.questions if not question.context.strip()]),
            ("question", [question.id for question in self.questions if not question.question.strip()]),
        ):
            if ids:
                more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
                said.append(f"{self.path}: {len(ids)} with an empty {thing}, which has no answer: {', '.join(ids[:3])}{more}")
        return said


def read_questions(path: Path | str) -> QuestionFile:
    """Read a file of questions; other keys than those of SQuAD, and its version, are not read.

    Raises:
        InputError: the file cannot be read, is not JSON, or has another form.
    """
    questions = [question for paragraph in read_paragraphs(path) for question in paragraph.questions]
    return QuestionFile(questions, str(path))


def write_answers(path: Path | str, file: QuestionFile, answers: Mapping[str, str]) -> None:
    """Write the answers that were predicted for the questions of a file: a JSON object, id to text, in their order.

    Raises:
        InputError: an id stands twice in the file, a question has no answer here, or no file can be written there.
    """
    check_ids(file)
    ids = [question.id for question in file.questions]
    if missing := [name for name in ids if name not in answers]:
        raise InputError(
            f"{path}: no answer for {len(missing)} questions of {file.path}, first {missing[0]!r}; allowed is one each"
        )
    if others := sorted(answers.keys() - set(ids)):
        raise InputError(f"{path}: {len(others)} answers for questions that {file.path} has not, first {others[0]!r}")
    text = encoded(json.dumps({name: answers[name] for name in ids}, ensure_ascii=False, indent=1) + "\n")
    write_atomically(Path(path), lambda stream: stream.write(text))


def read_answers(path: Path | str) -> dict[str, str]:
    """Read predicted answers by id.

    Raises:
        InputError: the file cannot be read, is not JSON, or is no object of texts.
    """
    form: type[dict[str, str]] = dict[str, str]
    return read_json(Path(path), form, "give a JSON object, from the id of each question to the text of its answer")


def check_ids(file: QuestionFile) -> None:
    """Refuse a file with an id that stands twice: predictions are kept by id.

    Raises:
        InputError: an id stands twice.
    """
    if repeated := file.repeated_ids():
        first, n = next(iter(repeated.items()))
        raise InputError(
            f"{file.path}: question {first!r}: {n} questions have this id ({len(repeated)} ids are repeated); predictions are"
            " kept by id: give each its own (training files may repeat them)"
        )


def check_answers(file: QuestionFile, drop: bool = False) -> tuple[QuestionFile, list[str]]:
    """Refuse answers that do not stand where the file says, as training needs them.

    Args:
        file: the questions.
        drop: leave such answers out, and questions without any other.

    Returns:
        The file, without what was left out, and what to say about that.

    Raises:
        InputError: answers are withheld, or one does not stand at its place and is not to be left out.
    """
    if file.withheld:
        raise InputError(f"{file.path}: no answers, as in XTREME's test files; give a file with answers to train on")
    kept: list[Question] = []
    dropped = 0
    for question in file.questions:
        answers = [answer for answer in question.answers if answer.text and stands(question.context, answer)]
        if len(answers) < len(question.answers) and not drop:
            wrong = next(answer for answer in question.answers if answer not in answers)
            raise InputError(_misplaced(file.path, question, wrong))
        dropped += len(question.answers) - len(answers)
        if answers:
            kept.append(question._replace(answers=answers))
    lost = len(file.questions) - len(kept)
    said = f"{file.path}: {dropped} answers that do not stand where the file says are left out, and {lost} questions without any"
    return QuestionFile(kept, file.path), [said] if dropped or lost else []


def stands(context: str, answer: Answer) -> bool:
    """Tell whether an answer stands at its place in a document.

    >>> stands("Ann lives in Rome.", Answer("Rome", 13)), stands("Ann lives in Rome.", Answer("Rome", 12))
    (True, False)
    """
    return answer.start >= 0 and context.startswith(answer.text, answer.start)


def _misplaced(path: str, question: Question, answer: Answer) -> str:
    """Say where an answer should stand, what stands there, and where it does stand."""
    where = f"{path}: question {question.id!r}"
    if not answer.text:
        return f"{where}: an empty answer; allowed is text of the document: correct it, or leave it out by --drop-bad-answers"
    context, start = question.context, answer.start
    there = context[start : start + min(len(answer.text), _NEAR)] if start >= 0 else ""
    places: list[str] = []
    at = context.find(answer.text)
    while at >= 0 and len(places) < 5:
        places.append(str(at))
        at = context.find(answer.text, at + 1)
    found = f"it stands at {', '.join(places)}" if places else "it stands nowhere in the document"
    return (
        f"{where}: the answer {answer.text[:60]!r} is not at answer_start {start}, where {there!r} stands; {found}; allowed is"
        " the place in code points from 0: correct it, or leave such answers out by --drop-bad-answers"
    )
