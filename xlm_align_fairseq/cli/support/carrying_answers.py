"""What `xlm-align project --squad` does: answers of questions go over links into the translations of their documents."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xlm_align_fairseq.cli.support.links import links_of
from xlm_align_fairseq.cli.support.model import open_aligner, report
from xlm_align_fairseq.cli.support.score_tables import scores_of
from xlm_align_fairseq.cli.support.streams import count_lines, open_text, progress
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.projection import ANSWER_GAP, Links
from xlm_align_fairseq.signature import Value, signature
from xlm_align_fairseq.text.tokenize import describe, tokenizer_names
from xlm_align_fairseq.text.words import Word, word_maker
from xlm_align_fairseq.transfer.answer_projection import AnswerProjector
from xlm_align_fairseq.transfer.paragraphs import Paragraph, Question, one_line, paragraphs_as_json, read_paragraphs
from xlm_align_fairseq.transfer.questions import QuestionFile, check_answers, check_ids, read_questions, stands
from xlm_align_fairseq.version import __version__

_Pair = tuple[list[Word], list[Word]]
MEANINGS = {
    "exact_match": "of all questions; those without an answer count 0",
    "f1": "of all questions",
    "exact_match_linked": "of questions with an answer",
    "f1_linked": "of questions with an answer",
    "linked": "questions with an answer",
}


class AnswerCarrier:
    """Carry the answers of a file.

    Args:
        args: the flags.

    Raises:
        InputError: a file cannot be used.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self._answers: dict[str, str] = {}  # the first of each question
        self._source, self._target = read_paragraphs(args.squad), read_paragraphs(args.contexts)
        self._questions = QuestionFile([one for paragraph in self._source for one in paragraph.questions], args.squad)
        self._label: dict[str, Value] = {}  # what the links were made with
        if len(self._source) != len(self._target):
            raise InputError(
                f"{args.contexts}: {len(self._target)} paragraphs, but {len(self._source)} in {args.squad}; paragraph n of both"
                " are a document and its translation: check that the files belong together"
            )
        check_answers(self._questions, args.drop_bad_answers)
        self._gold: dict[str, list[str]] = {}
        if args.score is not None:
            self._gold = _read_gold(args, self._questions, zip(self._source, self._target, strict=True))

    def carry(self, warnings: list[str]) -> Iterator[str]:
        """Yield the text of the file that has the translated documents, with the questions that have an answer there.

        Args:
            warnings: what is to be said at the end is added to them.

        Raises:
            InputError: links, the model or a flag cannot be used.
        """
        counts, paragraphs = _Counts(), list[Paragraph]()
        of_source, of_target = map(word_maker, tokenizer_names(self.args.tokenizer))
        pairs = [
            (of_source(one_line(source.context)), of_target(one_line(target.context)))
            for source, target in zip(self._source, self._target, strict=True)
        ]
        links = self._made_links(pairs) if self.args.alignments is None else self._given_links(pairs)
        rows = progress(zip(self._source, self._target, pairs, links, strict=True), len(pairs), self.args.quiet)
        for source, target, (source_words, target_words), of_pair in rows:
            max_gap = ANSWER_GAP if self.args.max_gap is None else self.args.max_gap
            projector = AnswerProjector(source.context, target.context, source_words, target_words, of_pair, max_gap)
            carried = [one for one in (counts.carry(question, projector) for question in source.questions) if one is not None]
            if self.args.questions == "target":
                carried = _ask_in_target(carried, target, self.args.contexts)
            self._answers |= {one.id: one.answers[0].text for one in carried}
            paragraphs.append(source._replace(context=target.context, questions=carried))
        warnings += counts.report(self.args.squad)
        yield from paragraphs_as_json(paragraphs)

    def report(self) -> dict[str, Any]:
        """Return the scores of the answers, in percent.

        Raises:
            InputError: numbers of samples that are not allowed.
        """
        from xlm_align_fairseq.transfer.projection_scores import score_projected_answers

        args, gold = self.args, self._gold
        table = score_projected_answers(gold, self._answers)
        label = {
            "projected": "answers",
            "rules": "squad",
            "max_gap": ANSWER_GAP if args.max_gap is None else args.max_gap,
            **({} if args.min_probability is None else {"min_probability": args.min_probability}),
            "tokenizers": describe(args.tokenizer),
            **self._label,
            "questions": len(table.rows),
            "samples": args.samples,
            "seed": args.seed,
            "version": __version__,
        }
        others = len(self._answers.keys() - gold.keys())
        return {
            "format": "xlm-align-projection.1",
            "signature": signature(label),
            "projected": "answers",
            "gold": args.score,
            **scores_of(table, MEANINGS, args.samples, args.seed),
            "types": {},
            "notes": [f"{others} answers to questions that {args.score} has not, not scored"] if others else [],
        }

    def _given_links(self, pairs: Sequence[_Pair]) -> Iterator[Links]:
        """Yield the links of a file, a line for each pair of documents."""
        args, alignments = self.args, open_text(self.args.alignments, self.args.replace_invalid)
        lines = count_lines(alignments)
        reader = iter(alignments)
        for n, (source, target) in enumerate(pairs):
            line = next(reader, None)
            if line is None or (lines is not None and lines != len(pairs)):
                raise _unequal(alignments.path, n if lines is None else lines, args.squad, len(pairs))
            yield links_of(alignments, line, args.min_probability, len(source), len(target))
        if more := sum(1 for _ in reader):
            raise _unequal(alignments.path, len(pairs) + more, args.squad, len(pairs))

    def _made_links(self, pairs: Sequence[_Pair]) -> Iterator[Links]:
        """Align each pair of documents."""
        aligner = open_aligner(self.args, {})
        self._label = aligner.signature_items()
        least = self.args.min_probability or 0.0
        words = (([word.text for word in source], [word.text for word in target]) for source, target in pairs)
        for alignment in aligner.align_corpus(words):
            yield {link: probability for link, probability in alignment.probabilities.items() if probability >= least}
        report(aligner.flagged, aligner.window)


class _Counts:
    """Count questions and answers, and what becomes of them."""

    def __init__(self) -> None:
        self.questions = self.answers = self.without_answer = self.misplaced = 0
        self.answers_without_link = self.questions_without_link = 0

    def carry(self, question: Question, projector: AnswerProjector) -> Question | None:
        """Return a question with its answers in the translation, `None` if it has none there."""
        self.questions += 1
        answers = [answer for answer in question.answers if answer.text and stands(question.context, answer)]
        self.misplaced += len(question.answers) - len(answers)
        if not answers:
            self.without_answer += 1
            return None
        carried = [found for answer in answers if (found := projector.project(answer)) is not None]
        self.answers += len(answers)
        self.answers_without_link += len(answers) - len(carried)
        if not carried:
            self.questions_without_link += 1
            return None
        return question._replace(answers=carried, context=projector.target)

    def report(self, path: str) -> list[str]:
        """Say what was left out."""
        said = []
        if self.misplaced:
            said.append(f"{self.misplaced} answers do not stand where {path} says and were left out")
        if self.without_answer:
            said.append(f"{self.without_answer} of {self.questions} questions have no answer in {path} and were left out")
        if self.answers_without_link:
            said.append(
                f"{self.answers_without_link} of {self.answers} answers have no link and were left out, and with them"
                f" {self.questions_without_link} of {self.questions} questions, which have no other"
            )
        return said


def _ask_in_target(carried: Sequence[Question], target: Paragraph, path: str) -> list[Question]:
    """Take the questions from the translation, by id."""
    asked = {question.id: question.question for question in target.questions}
    if missing := [question.id for question in carried if question.id not in asked]:
        raise InputError(
            f"{path}: question {missing[0]!r} is not about the paragraph that begins {target.context[:30]!r}; --questions target"
            " takes questions by their ids: give a file that has them, or leave the flag out"
        )
    return [question._replace(question=asked[question.id]) for question in carried]


def _read_gold(
    args: argparse.Namespace, questions: QuestionFile, pairs: Iterable[tuple[Paragraph, Paragraph]]
) -> dict[str, list[str]]:
    """Read the right answers in the translations."""
    check_ids(questions)
    file = read_questions(args.score)
    gold = file.gold()
    documents = {one.id: there.context for here, there in pairs for one in here.questions}
    if not documents.keys() & gold.keys():
        raise InputError(f"{args.score}: no question has an id of {args.squad}; allowed are gold answers to the same questions")
    for question in file.questions:
        if documents.get(question.id, question.context) != question.context:
            raise InputError(
                f"{args.score}: question {question.id!r} is about another text than in {args.contexts}, where the answer is"
                " looked for; allowed are gold answers in the same translations: give their file"
            )
    return gold


def _unequal(path: object, lines: int, squad: str, paragraphs: int) -> InputError:
    return InputError(
        f"{path}: {lines} lines, but {paragraphs} paragraphs in {squad}; line n has the links of paragraph n: align what"
        " --plain-source writes of --squad and of --contexts"
    )
