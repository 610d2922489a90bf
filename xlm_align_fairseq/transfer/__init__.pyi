from .encode import PieceCounts, WordPieces, WordSequence, encode_words, word_sequences
from .heads import TagHead
from .predict import Transfer
from .settings import Settings, read_settings, write_settings
from .tag_checks import check_tags, unknown_tags
from .tags import TaggedFile, TaggedSentence, read_tagged
from .windows import Window, judging_windows

__all__ = [
    "PieceCounts",
    "Settings",
    "TagHead",
    "TaggedFile",
    "TaggedSentence",
    "Transfer",
    "Window",
    "WordPieces",
    "WordSequence",
    "check_tags",
    "encode_words",
    "judging_windows",
    "read_settings",
    "read_tagged",
    "unknown_tags",
    "word_sequences",
    "write_settings",
]
