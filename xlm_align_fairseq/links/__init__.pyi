from .confidence import sentence_score
from .curve import MarkedLinks
from .gold import Gold, GoldFile, GoldList, format_gold, load_gold, read_gold
from .gold_set import GoldSet, read_gold_set, read_gold_sets
from .lexicon import Lexicon, format_tsv
from .markup import Element, MarkupError, read_markup, remove_markup
from .metrics import Counts, CountTable, Paired, Resampled, count, paired_resampling, resampled_interval
from .pharaoh import (
    Link,
    check_range,
    format_pharaoh,
    format_probabilities,
    parse_pharaoh,
    parse_probabilities,
    read_pharaoh,
    swap,
)
from .placing import insert_markup, place_elements
from .projection import Span, TagReader, project_labels, project_spans, read_bio, write_bio
from .symmetrize import grow_diag, grow_diag_final, grow_diag_final_and, intersection, union
from .tags import escape_tags

__all__ = [
    "CountTable",
    "Counts",
    "Element",
    "Gold",
    "GoldFile",
    "GoldList",
    "GoldSet",
    "Lexicon",
    "Link",
    "MarkedLinks",
    "MarkupError",
    "Paired",
    "Resampled",
    "Span",
    "TagReader",
    "check_range",
    "count",
    "escape_tags",
    "format_gold",
    "format_pharaoh",
    "format_probabilities",
    "format_tsv",
    "grow_diag",
    "grow_diag_final",
    "grow_diag_final_and",
    "insert_markup",
    "intersection",
    "load_gold",
    "paired_resampling",
    "parse_pharaoh",
    "parse_probabilities",
    "place_elements",
    "project_labels",
    "project_spans",
    "read_bio",
    "read_gold",
    "read_gold_set",
    "read_gold_sets",
    "read_markup",
    "read_pharaoh",
    "remove_markup",
    "resampled_interval",
    "sentence_score",
    "swap",
    "union",
    "write_bio",
]
