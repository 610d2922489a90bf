from .conll import PassedOver, Sentence, read_conll
from .lines import TextFile, read_bitext, read_lines, read_together
from .tokenize import describe, split_words, tokenizer, tokenizer_names

__all__ = [
    "PassedOver",
    "Sentence",
    "TextFile",
    "describe",
    "read_bitext",
    "read_conll",
    "read_lines",
    "read_together",
    "split_words",
    "tokenizer",
    "tokenizer_names",
]
