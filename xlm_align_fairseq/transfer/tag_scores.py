"""Score tags of words: accuracy, F1 over spans as seqeval has it, and XTREME's F1 of bare tags.

Spans of BIO tags are those of seqeval 1.2.2. By default an ``I-X`` that continues no span of X begins one; strictly (IOB2) it is
no part of a span. The measures over all sentences are::

    precision = correct / predicted        recall = correct / gold        F1 = 2 · correct / (predicted + gold)

XTREME gives seqeval 0.0.12 the bare tags of POS, and calls the result F1: that is F1 over runs of one tag. ``SCONJ`` and ``SYM``
never run together, for their first letter is read as the ``S-`` of a span of one word. seqeval 1.2.2 gives the same number where
that is written out, ``S-SCONJ`` and ``I-NOUN``; for bare tags it gives another one, because it cuts the first letter off.

References: Ramshaw & Marcus, "Text Chunking using Transformation-Based Learning", 1995; Nakayama, "seqeval: A Python framework
for sequence labeling evaluation", 2018; google-research/xtreme, issue 56 (the two numbers of POS).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.scores import Measure, ScoreTable, f1_of, share

Tags = Sequence[str]
SpanOf = tuple[str, int, int]  # type, first word, last word
_SINGLE = ("SCONJ", "SYM")
_IOB2 = re.compile("O|[BI]-.+")


def score_pos(gold: Sequence[Tags], predicted: Sequence[Tags]) -> ScoreTable:
    """Score tags without prefixes: `accuracy` of words, and XTREME's `f1`, `precision` and `recall`. Never compare the two.

    Args:
        gold: the tags of each sentence.
        predicted: as many.

    Raises:
        InputError: other numbers of sentences or words, or seqeval is not installed.
    """
    return _score(gold, predicted, {"": tag_runs})


def score_ner(gold: Sequence[Tags], predicted: Sequence[Tags]) -> ScoreTable:
    """Score BIO tags: `f1`, `precision`, `recall` of spans by seqeval's default, the same with `strict_` before, `accuracy`.

    Args:
        gold: the tags of each sentence.
        predicted: as many.

    Raises:
        InputError: other numbers of sentences or words, or seqeval is not installed.
    """
    return _score(gold, predicted, {"": default_spans, "strict_": strict_spans})


def f1_by_type(gold: Sequence[Tags], predicted: Sequence[Tags]) -> dict[str, ScoreTable]:
    """Return `f1`, `precision` and `recall` of the spans of each type, by seqeval's default.

    Raises:
        InputError: as `score_ner`.
    """
    _check(gold, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's, one for each tag that is not BIO
        sentences = [(set(default_spans(a)), set(default_spans(b))) for a, b in zip(gold, predicted, strict=True)]
    counts = [
        (Counter(span[0] for span in a & b), Counter(span[0] for span in b), Counter(span[0] for span in a)) for a, b in sentences
    ]
    types = sorted({span[0] for pair in sentences for spans in pair for span in spans})
    measures = _measures("", 0)
    columns = ("correct", "predicted", "gold")
    return {
        kind: ScoreTable(np.array([[float(one[kind]) for one in row] for row in counts]), columns, measures) for kind in types
    }


def is_bio(tags: Tags) -> bool:
    """Return whether tags are BIO: all are ``O``, or begin with ``B-`` or ``I-``.

    >>> is_bio(["O", "B-PER"]), is_bio(["NOUN", "INTJ"])
    (True, False)
    """
    return all(_IOB2.fullmatch(tag) for tag in tags)


def has_seqeval() -> bool:
    """Return whether spans can be scored."""
    return importlib.util.find_spec("seqeval") is not None


def default_spans(tags: Tags) -> list[SpanOf]:
    """Return the spans of the BIO tags of a sentence as seqeval has them by default.

    >>> default_spans(["I-PER", "I-PER", "O", "B-LOC"])
    [('PER', 0, 1), ('LOC', 3, 3)]
    """
    found: list[SpanOf] = _seqeval("metrics.sequence_labeling", "get_entities")(list(tags))
    return found


def strict_spans(tags: Tags) -> list[SpanOf]:
    """Return the spans of IOB2, which all begin with ``B-``; a tag that IOB2 has not is in no span.

    >>> strict_spans(["I-PER", "I-PER", "O", "B-LOC"])
    [('LOC', 3, 3)]
    """
    tokens, iob2 = _seqeval("scheme", "Tokens"), _seqeval("scheme", "IOB2")
    entities = tokens([tag if _IOB2.fullmatch(tag) else "O" for tag in tags], iob2).entities
    return [(entity.tag, entity.start, entity.end - 1) for entity in entities]


def tag_runs(tags: Tags) -> list[SpanOf]:
    """Return the runs of one tag; `SCONJ` and `SYM` do not run together.

    >>> tag_runs(["NOUN", "NOUN", "SYM", "SYM"])
    [('NOUN', 0, 1), ('SYM', 2, 2), ('SYM', 3, 3)]
    """
    return default_spans([f"{'S' if tag in _SINGLE else 'I'}-{tag}" for tag in tags])


def _score(gold: Sequence[Tags], predicted: Sequence[Tags], readers: dict[str, Callable[[Tags], list[SpanOf]]]) -> ScoreTable:
    _check(gold, predicted)
    columns, measures = ["right", "words"], {"accuracy": share(0, 1)}
    for prefix in readers:
        measures |= _measures(prefix, len(columns))
        columns += [f"{prefix}{name}" for name in ("correct", "predicted", "gold")]
    rows = np.zeros((len(gold), len(columns)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's, one for each tag that is not BIO
        for row, a, b in zip(rows, gold, predicted, strict=True):
            counts = [sum(x == y for x, y in zip(a, b, strict=True)), len(a)]
            for spans in readers.values():
                wanted, found = set(spans(a)), set(spans(b))
                counts += [len(wanted & found), len(found), len(wanted)]
            row[:] = counts
    return ScoreTable(rows, tuple(columns), measures)


def _measures(prefix: str, at: int) -> dict[str, Measure]:
    correct, predicted, gold = range(at, at + 3)
    return {
        f"{prefix}f1": f1_of(correct, predicted, gold),
        f"{prefix}precision": share(correct, predicted),
        f"{prefix}recall": share(correct, gold),
    }


def _check(gold: Sequence[Tags], predicted: Sequence[Tags]) -> None:
    if len(gold) != len(predicted):
        raise InputError(f"predicted tags of {len(predicted)} sentences for {len(gold)}; allowed are those of each sentence")
    for n, (a, b) in enumerate(zip(gold, predicted, strict=True), 1):
        if len(a) != len(b):
            raise InputError(f"sentence {n}: {len(b)} predicted tags for {len(a)} words; allowed is one for each word")


@functools.cache
def _seqeval(module: str, name: str) -> Any:
    """Return what a module of seqeval has of that name; importing it takes a second."""
    try:
        return getattr(importlib.import_module(f"seqeval.{module}"), name)
    except ImportError as error:
        raise InputError(
            'tags are scored with seqeval, which is not installed: pip install "xlm-align-fairseq[transfer]"'
        ) from error
