"""How much better one projection, or one file of answers, is than another, with a paired 95 % bootstrap interval.

    python difference.py --labels gold.iob2 one.iob2 other.iob2
    python difference.py --squad gold.json one.json other.json
    python difference.py --answers gold.json one.json other.json

The files are what `xlm-align project --out` wrote, or of --answers what `xlm-align evaluate --out` did. Both are scored on the
same drawn sentences or questions; a difference counts where the interval excludes 0.
"""

import argparse

from xlm_align_fairseq.links.metrics import percentile_interval
from xlm_align_fairseq.links.projection import TagReader
from xlm_align_fairseq.text.conll import read_conll
from xlm_align_fairseq.text.lines import TextFile
from xlm_align_fairseq.transfer.paragraphs import read_paragraphs
from xlm_align_fairseq.transfer.projection_scores import SpanScores, score_projected_answers
from xlm_align_fairseq.transfer.question_scores import score_answers
from xlm_align_fairseq.transfer.questions import read_answers, read_questions
from xlm_align_fairseq.transfer.scores import ScoreTable


def spans_of(path: str) -> list[list]:
    """Return the spans of each sentence of a file."""
    reader = TagReader(path)
    return [reader.spans(sentence.tags, sentence.lines) for sentence in read_conll(TextFile(path))]


def label_scores(gold: str, projected: str) -> ScoreTable:
    """Score projected labels."""
    scores = SpanScores()
    for right, found in zip(spans_of(gold), spans_of(projected), strict=True):
        scores.add([], found, right)
    return scores.table()


def answer_scores(gold: str, projected: str) -> ScoreTable:
    """Score projected answers."""
    questions = [question for paragraph in read_paragraphs(projected) for question in paragraph.questions]
    return score_projected_answers(read_questions(gold).gold(), {one.id: one.answers[0].text for one in questions})


def predicted_scores(gold: str, predicted: str) -> ScoreTable:
    """Score predicted answers."""
    return score_answers(read_questions(gold).gold(), read_answers(predicted))


def main() -> None:
    """Print a line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--labels", metavar="GOLD", help="labels of words")
    kind.add_argument("--squad", metavar="GOLD", help="projected answers")
    kind.add_argument("--answers", metavar="GOLD", help="predicted answers")
    parser.add_argument("one")
    parser.add_argument("other")
    args = parser.parse_args()
    kinds = {"labels": label_scores, "squad": answer_scores, "answers": predicted_scores}
    name, gold = next((name, path) for name in kinds if (path := getattr(args, name)))
    score, measures = kinds[name], ("f1", "f1_without_types") if name == "labels" else ("exact_match", "f1")
    one, other = (score(gold, path) for path in (args.one, args.other))
    draws = [table.draws(1000, 12345) for table in (one, other)]
    print(f"{args.one} minus {args.other}, points")
    for measure in measures:
        low, high = percentile_interval(draws[0][measure] - draws[1][measure])
        star = " *" if low > 0 or high < 0 else ""
        print(f"{measure:16}  {one.values()[measure] - other.values()[measure]:+6.2f}  [{low:+.2f}, {high:+.2f}]{star}")


if __name__ == "__main__":
    main()
