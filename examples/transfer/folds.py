"""Split XQuAD by article for cross-validation: a paragraph in another language is the same paragraph.

python folds.py split XQUAD OUT 5 en,de,es,ro       # OUT/fold.K, as XTREME's download lies
python folds.py join OUT/answers.de.json fold.*/…/test-de.json      # answers of all folds in one file
python folds.py random xquad.de.json ENCODER answers.de.json        # a span at random for each question, as a floor
"""

import json
import sys
from pathlib import Path

from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.transfer.answer_search import random_answer
from xlm_align_fairseq.transfer.question_sequences import QuestionLimits, encode_questions
from xlm_align_fairseq.transfer.questions import read_questions


def split(xquad: Path, out: Path, folds: int, langs: list[str]) -> None:
    """Write the folds; article n is in the test set of fold n modulo their number, in each language."""
    articles = {lang: json.loads((xquad / f"xquad.{lang}.json").read_text("utf-8"))["data"] for lang in langs}
    if len({len(of) for of in articles.values()}) > 1:
        sys.exit("the files have other numbers of articles: they are not of one XQuAD")
    for fold in range(folds):
        for name, data in (
            ("squad/train-v1.1.json", [one for n, one in enumerate(articles["en"]) if n % folds != fold]),
            *((f"xquad/xquad.{lang}.json", of[fold::folds]) for lang, of in articles.items()),
        ):
            path = out / f"fold.{fold}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"data": data, "version": "1.1"}, ensure_ascii=False), "utf-8")


def join(out: Path, parts: list[Path]) -> None:
    """Write the answers of several files as one; no question stands in two."""
    answers: dict[str, str] = {}
    for path in parts:
        found = json.loads(path.read_text("utf-8"))
        if twice := answers.keys() & found.keys():
            sys.exit(f"{path}: the question {min(twice)} is in another file, too")
        answers |= found
    out.write_text(json.dumps(answers, ensure_ascii=False), "utf-8")


def floor(questions: Path, encoder: str, out: Path) -> None:
    """Write a span at random for each question."""
    model = open_model(encoder)
    pieces, file = PieceEncoder(model.sentencepiece, model.vocabulary), read_questions(questions)
    encoded = zip(file.questions, encode_questions(file.questions, pieces, QuestionLimits()), strict=True)
    answers = {question.id: random_answer(one, question.id).text for question, one in encoded}
    out.write_text(json.dumps(answers, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["help"]
    if what == "split":
        split(Path(rest[0]), Path(rest[1]), int(rest[2]), rest[3].split(","))
    elif what == "join":
        join(Path(rest[0]), [Path(part) for part in rest[1:]])
    elif what == "random":
        floor(Path(rest[0]), rest[1], Path(rest[2]))
    else:
        sys.exit(__doc__)
