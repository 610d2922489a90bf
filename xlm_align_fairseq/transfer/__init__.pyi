from .answer_projection import AnswerProjector
from .answer_search import FoundAnswer, find_answers, random_answer
from .comparison import Difference, Scores
from .encode import PieceCounts, WordPieces, WordSequence, encode_words, pair_sequence, word_sequences
from .evaluation import Found, check_model, evaluate, files_of, task_of
from .examples import Examples, read_examples
from .heads import ClassHead, SpanHead, TagHead, make_head
from .layout import data_files, languages, prediction_file
from .pairs import Pair, PairFile, check_classes, read_class_lines, read_pairs, write_classes
from .paragraphs import Answer, Paragraph, Question, paragraphs_as_json, read_paragraphs
from .predict import AnswerTransfer, ClassTransfer, TagTransfer, Transfer, settings_of
from .projection_scores import SpanScores, WordScores, score_projected_answers
from .question_scores import score_answers
from .question_sequences import (
    EncodedQuestion,
    QuestionCounts,
    QuestionLimits,
    QuestionSequence,
    answer_pieces,
    answer_places,
    answer_text,
    encode_questions,
    question_sequences,
)
from .questions import QuestionFile, check_answers, check_ids, read_answers, read_questions, write_answers
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
from .settings import AnswerSettings, ClassSettings, LabelSettings, Settings, TagSettings, read_settings, write_settings
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
    "AnswerSettings",
    "AnswerTransfer",
    "Candidate",
    "ClassHead",
    "ClassSettings",
    "ClassTransfer",
    "Difference",
    "EncodedQuestion",
    "Examples",
    "Found",
    "FoundAnswer",
    "Hits",
    "Identified",
    "LabelSettings",
    "Options",
    "Pair",
    "PairFile",
    "Paragraph",
    "PieceCounts",
    "Question",
    "QuestionCounts",
    "QuestionFile",
    "QuestionLimits",
    "QuestionSequence",
    "ScoreTable",
    "Scored",
    "Scores",
    "SentenceEncoder",
    "Settings",
    "SpanHead",
    "SpanScores",
    "TagHead",
    "TagSettings",
    "TagTransfer",
    "TaggedFile",
    "TaggedSentence",
    "Task",
    "Transfer",
    "Window",
    "WordPieces",
    "WordScores",
    "WordSequence",
    "answer_pieces",
    "answer_places",
    "answer_text",
    "answers_number",
    "average",
    "best_threshold",
    "check_answers",
    "check_classes",
    "check_ids",
    "check_model",
    "check_tags",
    "data_files",
    "distinct",
    "encode_questions",
    "encode_words",
    "evaluate",
    "f1_by_type",
    "files_of",
    "find_answers",
    "find_task",
    "judging_windows",
    "language_mean",
    "languages",
    "make_head",
    "mine",
    "nearest",
    "pair_sequence",
    "paragraphs_as_json",
    "prediction_file",
    "question_sequences",
    "random_answer",
    "read_answers",
    "read_candidates",
    "read_class_lines",
    "read_examples",
    "read_id_pairs",
    "read_identified",
    "read_indices",
    "read_pairs",
    "read_paragraphs",
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
    "score_projected_answers",
    "search",
    "settings_of",
    "task_of",
    "unknown_tags",
    "word_sequences",
    "write_answers",
    "write_classes",
    "write_id_pairs",
    "write_indices",
    "write_settings",
    "write_tags",
]
