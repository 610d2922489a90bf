from .tag_checks import check_tags, read_predictions, read_tag_lines, unknown_tags
from .tags import TaggedFile, TaggedSentence, read_tagged, write_tags
from .tasks import AVERAGES, NER, TASKS, UPOS, Task, answers_number, average, find_task, language_mean

__all__ = [
    "AVERAGES",
    "NER",
    "TASKS",
    "UPOS",
    "TaggedFile",
    "TaggedSentence",
    "Task",
    "answers_number",
    "average",
    "check_tags",
    "find_task",
    "language_mean",
    "read_predictions",
    "read_tag_lines",
    "read_tagged",
    "unknown_tags",
    "write_tags",
]
