from .conll import PassedOver, Sentence, read_conll
from .lines import TextFile, read_bitext, read_lines, read_together
from .tokenize import describe, split_words, tokenizer, tokenizer_names
from .words import Word, WordMaker, between_spaces, find_words, word_maker

__all__ = [
    "PassedOver",
    "Sentence",
    "TextFile",
    "Word",
    "WordMaker",
    "between_spaces",
    "describe",
    "find_words",
    "read_bitext",
    "read_conll",
    "read_lines",
    "read_together",
    "split_words",
    "tokenizer",
    "tokenizer_names",
    "word_maker",
]
