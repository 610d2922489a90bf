from .answer_projection import AnswerProjector
from .encode import PieceCounts, WordPieces, WordSequence, encode_words, word_sequences
from .evaluation import Difference, Found, Scores, evaluate_tags, files_of
from .heads import TagHead
from .layout import data_files, languages, prediction_file
from .pairs import Pair, PairFile, check_classes, read_class_lines, read_pairs, write_classes
from .paragraphs import Answer, Paragraph, Question, paragraphs_as_json, read_paragraphs
from .predict import Transfer
from .projection_scores import SpanScores, WordScores, score_projected_answers
from .question_scores import score_answers
from .questions import QuestionFile, check_answers, check_ids, read_answers, read_questions, write_answers
from .retrieval_files import (
    Candidate,
    Identified,
    read_candidates,
    read_id_pairs,
    read_identified,
    read_indices,
    read_translations,
    write_id_pairs,
    write_indices,
)
from .retrieval_scores import best_threshold, nearest, score_id_pairs, score_indices
from .score_files import Options, Scored, score_files
from .scores import ScoreTable, score_classes
from .settings import Settings, read_settings, write_settings
from .tag_checks import check_tags, read_predictions, read_tag_lines, unknown_tags
from .tag_scores import f1_by_type, score_ner, score_pos
from .tags import TaggedFile, TaggedSentence, read_tagged, write_tags
from .tasks import AVERAGES, NER, TASKS, UPOS, Task, answers_number, average, find_task, language_mean
from .windows import Window, judging_windows

__all__ = [
    "AVERAGES",
    "NER",
    "TASKS",
    "UPOS",
    "Answer",
    "AnswerProjector",
    "Candidate",
    "Difference",
    "Found",
    "Identified",
    "Options",
    "Pair",
    "PairFile",
    "Paragraph",
    "PieceCounts",
    "Question",
    "QuestionFile",
    "ScoreTable",
    "Scored",
    "Scores",
    "Settings",
    "SpanScores",
    "TagHead",
    "TaggedFile",
    "TaggedSentence",
    "Task",
    "Transfer",
    "Window",
    "WordPieces",
    "WordScores",
    "WordSequence",
    "answers_number",
    "average",
    "best_threshold",
    "check_answers",
    "check_classes",
    "check_ids",
    "check_tags",
    "data_files",
    "encode_words",
    "evaluate_tags",
    "f1_by_type",
    "files_of",
    "find_task",
    "judging_windows",
    "language_mean",
    "languages",
    "nearest",
    "paragraphs_as_json",
    "prediction_file",
    "read_answers",
    "read_candidates",
    "read_class_lines",
    "read_id_pairs",
    "read_identified",
    "read_indices",
    "read_pairs",
    "read_paragraphs",
    "read_predictions",
    "read_questions",
    "read_settings",
    "read_tag_lines",
    "read_tagged",
    "read_translations",
    "score_answers",
    "score_classes",
    "score_files",
    "score_id_pairs",
    "score_indices",
    "score_ner",
    "score_pos",
    "score_projected_answers",
    "unknown_tags",
    "word_sequences",
    "write_answers",
    "write_classes",
    "write_id_pairs",
    "write_indices",
    "write_settings",
    "write_tags",
]
