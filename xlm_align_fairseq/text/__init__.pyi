from .conll import Sentence, read_conll
from .lines import TextFile, read_lines, read_pairs, read_together, read_tsv
from .tokenize import describe, split_words, tokenizer

__all__ = [
    "Sentence",
    "TextFile",
    "describe",
    "read_conll",
    "read_lines",
    "read_pairs",
    "read_together",
    "read_tsv",
    "split_words",
    "tokenizer",
]
