from .encode import PieceCounts, WordPieces, WordSequence, encode_words, word_sequences
from .evaluation import Difference, Found, Scores, evaluate_tags, files_of
from .heads import TagHead
from .layout import data_files, languages, prediction_file
from .pairs import Pair, PairFile, check_classes, read_class_lines, read_pairs, write_classes
from .predict import Transfer
from .question_scores import score_answers
from .questions import Answer, Question, QuestionFile, check_answers, check_ids, read_answers, read_questions, write_answers
from .retrieval import distinct, mine, score_lines
from .retrieval_files import (
    Candidate,
    Identified,
    read_candidates,
    read_id_pairs,
    read_identified,
    read_indices,
    read_sentences,
    read_translations,
    write_id_pairs,
    write_indices,
)
from .retrieval_scores import best_threshold, score_id_pairs, score_indices
from .retrieval_search import Hits, nearest, search
from .score_files import Options, Scored, score_files
from .scores import ScoreTable, score_classes
from .sentence_vectors import SentenceEncoder
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
    "Candidate",
    "Difference",
    "Found",
    "Hits",
    "Identified",
    "Options",
    "Pair",
    "PairFile",
    "PieceCounts",
    "Question",
    "QuestionFile",
    "ScoreTable",
    "Scored",
    "Scores",
    "SentenceEncoder",
    "Settings",
    "TagHead",
    "TaggedFile",
    "TaggedSentence",
    "Task",
    "Transfer",
    "Window",
    "WordPieces",
    "WordSequence",
    "answers_number",
    "average",
    "best_threshold",
    "check_answers",
    "check_classes",
    "check_ids",
    "check_tags",
    "data_files",
    "distinct",
    "encode_words",
    "evaluate_tags",
    "f1_by_type",
    "files_of",
    "find_task",
    "judging_windows",
    "language_mean",
    "languages",
    "mine",
    "nearest",
    "prediction_file",
    "read_answers",
    "read_candidates",
    "read_class_lines",
    "read_id_pairs",
    "read_identified",
    "read_indices",
    "read_pairs",
    "read_predictions",
    "read_questions",
    "read_sentences",
    "read_settings",
    "read_tag_lines",
    "read_tagged",
    "read_translations",
    "score_answers",
    "score_classes",
    "score_files",
    "score_id_pairs",
    "score_indices",
    "score_lines",
    "score_ner",
    "score_pos",
    "search",
    "unknown_tags",
    "word_sequences",
    "write_answers",
    "write_classes",
    "write_id_pairs",
    "write_indices",
    "write_settings",
    "write_tags",
]
