"""Encode chunks of lines as pieces, leave out what cannot be trained on, and spread word links over pieces."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from xlm_align_fairseq.alignment.words import piece_links
from xlm_align_fairseq.bitext.indexed import best_dtype
from xlm_align_fairseq.encoder.vocabulary import EOS, JOINT_SPECIALS, UNK, Vocabulary
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.pharaoh import Link, check_range, parse_pharaoh
from xlm_align_fairseq.text.lines import LONGEST_SIDE
from xlm_align_fairseq.text.tokenize import split_words, tokenizer, tokenizer_names

ENCODINGS = ("running", "words")
PAIR_REASONS = ("empty_source", "empty_target", "too_long", "mismatched_lengths")  # in the order they are looked for
MONO_REASONS = ("empty",)  # monolingual text is cut into blocks: nothing but what is beyond `LONGEST_SIDE` is too long
CHUNK_ROWS, CHUNK_CHARACTERS = 2000, 1 << 20  # a chunk ends at whichever it reaches first
ALWAYS_MATCHED = 10  # pieces: if the longer side has no more, lengths are never mismatched


@dataclasses.dataclass(frozen=True)
class Options:
    """Options that decide how lines become items.

    Args:
        pieces: `running` encodes the line as it is, `words` tokenises it and encodes each word on its own.
        tokenizer: one of `tokenize.NAMES`, or two with a comma between, of source and target; other than `none` needs `words`.
        max_pieces: pieces of a side, 1 or more.
        max_ratio: pieces of the longer side for each piece of the shorter, 1 or more.
        max_positions: pieces of `<s> S </s> T </s>`, 5 or more.
        replace_invalid: bytes that are not UTF-8 become U+FFFD.
    """

    pieces: str = "running"
    tokenizer: str = "none"
    max_pieces: int = 250
    max_ratio: float = 9.0
    max_positions: int = 512
    replace_invalid: bool = False

    def __post_init__(self) -> None:
        if self.pieces not in ENCODINGS:
            raise InputError(f"--pieces {self.pieces}: allowed are {', '.join(ENCODINGS)}")
        if {*tokenizer_names(self.tokenizer)} != {"none"} and self.pieces != "words":
            raise InputError(f"--tokenizer {self.tokenizer}: --pieces {self.pieces} has no words; give --pieces words")
        if self.max_pieces < 1:
            raise InputError(f"--max-pieces {self.max_pieces}: allowed are 1 and more pieces")
        if not (math.isfinite(self.max_ratio) and self.max_ratio >= 1):
            raise InputError(f"--max-ratio {self.max_ratio}: allowed are 1 and more; a large number keeps all")
        if self.max_positions < JOINT_SPECIALS + 2:
            raise InputError(f"--max-positions {self.max_positions}: allowed are {JOINT_SPECIALS + 2} and more pieces")


@dataclasses.dataclass
class Chunk:
    """Lines that are encoded together.

    Args:
        first: number of the first line in its file, from 1.
        rows: (text,) of monolingual lines, (source, target) or (source, target, Pharaoh links).
    """

    first: int
    rows: list[tuple[str, ...]]


def cut(rows: Iterable[tuple[str, ...]]) -> Iterator[Chunk]:
    """Cut a stream of rows into chunks of bounded size."""
    chunk, characters = Chunk(1, []), 0
    for row in rows:
        chunk.rows.append(row)
        characters += sum(map(len, row))
        if len(chunk.rows) >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = Chunk(chunk.first + len(chunk.rows), []), 0
    if chunk.rows:
        yield chunk


@dataclasses.dataclass
class Items:
    """Concatenated items.

    Args:
        flat: (sum of sizes,) their elements.
        sizes: (items,) int32.
        unknown: how many elements are `<unk>`.
    """

    flat: np.ndarray
    sizes: np.ndarray
    unknown: int = 0


@dataclasses.dataclass
class Encoded:
    """Result of encoding a chunk.

    Args:
        columns: the items of each column of its rows; items of links alternate source and target piece, 0-based.
        dropped: rows that were left out, by reason.
        word_links: links of the rows that were kept.
    """

    columns: list[Items]
    dropped: Counter[str]
    word_links: int = 0


class ChunkEncoder:
    """Encode chunks.

    Args:
        sentencepiece: the serialised model.
        vocabulary: the encoder's pieces.
        options: how lines are encoded.
        alignments: name of the file of links in error messages.
    """

    def __init__(self, sentencepiece: bytes, vocabulary: Vocabulary, options: Options, alignments: str = ""):
        # Imported here: it imports torch, which is slow, and `Options` does not need it.
        from xlm_align_fairseq.encoder.pieces import PieceEncoder

        self.encoder = PieceEncoder(sentencepiece, vocabulary)
        self.options, self.alignments = options, alignments
        self.tokenize = [tokenizer(name) for name in tokenizer_names(options.tokenizer)]
        self.dtype = best_dtype(len(vocabulary))

    def __call__(self, chunk: Chunk) -> Encoded:
        """Encode a chunk; every item of text ends with `</s>`.

        Raises:
            InputError: a line of links cannot be read or has a link out of range, whether its pair is kept or not; only where a
                side is longer than anything that is cut into words, it may be out of range.
        """
        kept: list[list[np.ndarray]] = [[] for _ in chunk.rows[0]]
        dropped: Counter[str] = Counter()
        word_links = 0
        for number, row in enumerate(chunk.rows, chunk.first):
            if max(map(len, row[:2])) > LONGEST_SIDE:
                parse_pharaoh(row[2] if len(row) == 3 else "", where=f"{self.alignments}:{number}")
                dropped["too_long"] += 1
                continue
            sides = map(self._encode, row[:2], self.tokenize)  # one of them for monolingual rows
            ids, words, n_words = zip(*sides, strict=True)
            links: list[Link] = []
            if len(row) == 3:
                where = f"{self.alignments}:{number}"
                links = parse_pharaoh(row[2], where=where)
                check_range(links, n_words[0], n_words[1], where)
            if reason := self._reason([len(side) for side in ids]):
                dropped[reason] += 1
                continue
            for k, side in enumerate(ids):
                kept[k].append(side)
            if len(row) == 3:
                kept[2].append(piece_links(links, *words).ravel())
                word_links += len(links)
        columns = [self._text(column) for column in kept[:2]] + [self._links(column) for column in kept[2:]]
        return Encoded(columns, dropped, word_links)

    def _encode(self, text: str, tokenize: Callable[[str], str]) -> tuple[np.ndarray, np.ndarray, int]:
        if self.options.pieces == "running":
            return self.encoder.text(text), np.zeros(0, np.int64), 0
        words = split_words(tokenize(text))
        return *self.encoder.words(words), len(words)

    def _reason(self, lengths: Sequence[int]) -> str | None:
        if len(lengths) == 1:
            return None if lengths[0] else "empty"
        source, target = lengths
        shorter, longer = sorted(lengths)
        if not source:
            return "empty_source"
        if not target:
            return "empty_target"
        if longer > self.options.max_pieces or source + target + JOINT_SPECIALS > self.options.max_positions:
            return "too_long"
        if longer > ALWAYS_MATCHED and longer > self.options.max_ratio * shorter:
            return "mismatched_lengths"
        return None

    def _text(self, rows: Sequence[np.ndarray]) -> Items:
        end = np.array([EOS])
        items = _items([np.concatenate([row, end]) for row in rows], self.dtype)
        return dataclasses.replace(items, unknown=int((items.flat == UNK).sum()))

    def _links(self, rows: Sequence[np.ndarray]) -> Items:
        return _items(rows, link_dtype(self.options))


def _items(rows: Sequence[np.ndarray], dtype: np.dtype) -> Items:
    sizes = np.fromiter((len(row) for row in rows), np.int32, len(rows))
    return Items(np.concatenate([np.zeros(0, np.int64), *rows]).astype(dtype), sizes)


def link_dtype(options: Options) -> np.dtype:
    """Return the item type of piece links: positions of a side."""
    return best_dtype(options.max_positions)
