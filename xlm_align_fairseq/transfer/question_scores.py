"""Score answers: exact match and F1 over words, by the rules of SQuAD v1.1 or by those of MLQA.

Gold and prediction are normalised, then compared: as texts (exact match), and as bags of words::

    F1 = 2 · common / (words of the prediction + words of the gold)        0 where nothing is common

Each question counts its best gold answer, an unanswered one 0; the score is the mean over questions.

SQuAD's rules, which XQuAD and TyDiQA-GoldP use for every language: lower case; ASCII punctuation is deleted, then the articles a,
an, the; words stand between white space. A Thai or Chinese answer is so one word. A gold answer of an article alone has no words,
so that an answer may match exactly and have F1 0, as published.

MLQA's rules: all Unicode punctuation is deleted too; the articles are those of the language; Chinese characters are words each.

References: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016; Lewis et al., "MLQA: Evaluating
Cross-lingual Extractive Question Answering", 2020.
"""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal

import numpy as np

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.scores import Measure, ScoreTable, share

Rules = Literal["squad", "mlqa"]
_ENGLISH = re.compile(r"\b(a|an|the)\b")
_ARTICLES = {
    "en": _ENGLISH,
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "ar": re.compile("ال"),
}
_WITHOUT = ("hi", "zh")
MLQA_LANGUAGES = (*_ARTICLES, *_WITHOUT)
_CHINESE = re.compile("([\u4e00-\u9fa5])")
_ASCII = str.maketrans("", "", string.punctuation)


def score_answers(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], rules: Rules = "squad", language: str = "en"
) -> ScoreTable:
    """Score the answers to all questions of a file.

    Args:
        gold: the texts of the answers, by id.
        predicted: the text of one answer, by id; a question without one counts 0, other ids are not read.
        rules: `squad` or `mlqa`.
        language: of the documents, which MLQA's rules read.

    Returns:
        `exact_match`, `f1` and their mean `f1+em`; the rows are questions in the order of `gold`.

    Raises:
        InputError: MLQA has no rules for the language.
    """
    words = word_maker(rules, language)
    rows = np.zeros((len(gold), 3))
    for row, (name, answers) in zip(rows, gold.items(), strict=True):
        row[:] = (*score_answer(answers, predicted[name], words), 1) if name in predicted else (0, 0, 1)
    measures: dict[str, Measure] = {
        "exact_match": share(0, 2),
        "f1": share(1, 2),
        "f1+em": lambda sums: (share(0, 2)(sums) + share(1, 2)(sums)) / 2,
    }
    return ScoreTable(rows, ("exact_match", "f1", "questions"), measures, "questions")


def score_answer(gold: Sequence[str], predicted: str, words: Callable[[str], list[str]]) -> tuple[float, float]:
    """Return exact match and F1, 0 to 1 each, of an answer against the best gold answer.

    >>> score_answer(["a"], "The", word_maker("squad"))
    (1.0, 0.0)
    """
    found = words(predicted)
    exact = best = 0.0
    for answer in gold:
        wanted = words(answer)
        exact = max(exact, float(wanted == found))
        common = sum((Counter(wanted) & Counter(found)).values())
        best = max(best, 2 * common / (len(wanted) + len(found)) if common else 0.0)
    return exact, best


def word_maker(rules: Rules, language: str = "en") -> Callable[[str], list[str]]:
    """Return the function from an answer to the words that are compared.

    Raises:
        InputError: MLQA has no rules for the language.

    >>> word_maker("squad")("The Panthers!"), word_maker("mlqa", "zh")("于1715年")
    (['panthers'], ['于', '1715', '年'])
    """
    if rules == "squad":
        return lambda text: _ENGLISH.sub(" ", text.lower().translate(_ASCII)).split()
    if language not in MLQA_LANGUAGES:
        raise InputError(
            f"--lang {language}: MLQA has no rules for that language; allowed are {', '.join(MLQA_LANGUAGES)}, or the rules of"
            " SQuAD: --rules squad"
        )
    articles = _ARTICLES.get(language)

    def words(text: str) -> list[str]:
        text = text.lower().translate(_punctuation())
        text = articles.sub(" ", text) if articles else text
        return (_CHINESE.sub(r" \1 ", text) if language == "zh" else text).split()

    return words


@cache
def _punctuation() -> dict[int, None]:
    """Return what deletes the punctuation of ASCII and of Unicode (all of P*)."""
    found = (n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)).startswith("P"))
    return dict.fromkeys((*found, *map(ord, string.punctuation)))
