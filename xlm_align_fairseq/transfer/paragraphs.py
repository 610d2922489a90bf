"""Read and write files of the form of SQuAD v1.1, paragraph by paragraph. Places count code points.

Other keys than those of SQuAD, and its version, are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from xlm_align_fairseq.system.records import read_json

_ADVICE = "give a file of the form of SQuAD v1.1: data, paragraphs, context, qas, id, question, answers, text, answer_start"
_SPACES = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"), " ")


class Answer(NamedTuple):
    """Hold an answer and where it begins in its document, in code points from 0."""

    text: str
    start: int


class Question(NamedTuple):
    """Hold a question, the document that its answer stands in, and its answers, which may be withheld or none."""

    id: str
    question: str
    context: str
    answers: list[Answer]
    title: str


class Paragraph(NamedTuple):
    """Hold a document, the questions about it, and the title and the number, from 0, of the article that it is of."""

    context: str
    questions: list[Question]
    title: str
    article: int


class _Answer(BaseModel):
    text: str
    answer_start: int


class _Question(BaseModel):
    id: str
    question: str
    answers: list[_Answer] = []


class _Paragraph(BaseModel):
    context: str
    qas: list[_Question]


class _Article(BaseModel):
    paragraphs: list[_Paragraph]
    title: str = ""


class _File(BaseModel):
    data: list[_Article]


def read_paragraphs(path: Path | str) -> list[Paragraph]:
    """Read the paragraphs of a file, in order.

    Raises:
        InputError: the file cannot be read, is not JSON, or has another form.
    """
    read = read_json(Path(path), _File, _ADVICE)
    return [
        Paragraph(paragraph.context, [_question(one, paragraph, article) for one in paragraph.qas], article.title, number)
        for number, article in enumerate(read.data)
        for paragraph in article.paragraphs
    ]


def paragraphs_as_json(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """Yield the text of a file of paragraphs, article by article: the reverse of `read_paragraphs`."""
    yield '{"version": "1.1", "data": ['
    for number, (_, group) in enumerate(groupby(paragraphs, key=lambda paragraph: paragraph.article)):
        of_article = list(group)
        content = [{"context": one.context, "qas": [_as_record(question) for question in one.questions]} for one in of_article]
        article = {"title": of_article[0].title, "paragraphs": content}
        yield f"{',' if number else ''}\n{json.dumps(article, ensure_ascii=False)}"
    yield "\n]}\n"


def one_line(context: str) -> str:
    """Return a document as a line of text: what ends lines, and tabs, become spaces, one for one, so that places stay.

    >>> one_line("Ann.\\nBen.")
    'Ann. Ben.'
    """
    return context.translate(_SPACES)


def _question(one: _Question, paragraph: _Paragraph, article: _Article) -> Question:
    answers = [Answer(answer.text, answer.answer_start) for answer in one.answers]
    return Question(one.id, one.question, paragraph.context, answers, article.title)


def _as_record(question: Question) -> dict[str, object]:
    answers = [{"text": answer.text, "answer_start": answer.start} for answer in question.answers]
    return {"id": question.id, "question": question.question, "answers": answers}
