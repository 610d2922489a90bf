"""Evidence: what a statistical aligner learned on a corpus, and its answers on other text of the same languages.

Links are made of how often it linked which words, and of how far apart it set neighbouring links: in each direction, the most
probable ones of a hidden Markov model. A word that it never saw gets none, nor do two words that it never linked.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xlm_align_fairseq.aligner.evidence_files import Tables, normalized, numbers, pair_keys, read_evidence
from xlm_align_fairseq.aligner.viterbi import IMPOSSIBLE, best_places, certainty
from xlm_align_fairseq.links.pharaoh import Link

CACHED_WORDS = 1 << 18
CELLS = 1 << 17  # of the largest array of a batch
LONGEST = 1024  # words of a side, as the statistical aligner has it; longer pairs have no evidence
PRIOR = 1e-3  # added to the count of each word that another could be linked with
DOUBT = 1.0  # added to the links of each word: what is linked once is not sure
JUMP_PRIOR = 0.5
FEW = 0.5  # share of the words of a side; evidence that knows fewer is of another text


class Answer(NamedTuple):
    """The words that are linked with those of one side of each pair.

    Args:
        places: (n,) int64 of each pair, for each word the place of the other side's, from 0; -1 is none.
        probabilities: (n,) float32, of these links; 0 for none, or where they were not asked for.
    """

    places: list[np.ndarray]
    probabilities: list[np.ndarray]


class Directions(NamedTuple):
    """The links of one pair with their probabilities, sorted.

    Args:
        to_target: from source to target: a target word has one at most.
        to_source: from target to source: a source word has one at most.
    """

    to_target: dict[Link, float]
    to_source: dict[Link, float]


class _Direction(NamedTuple):
    """Logarithms of the probabilities of a direction, float32."""

    words: np.ndarray  # (links + 1,) p(word | other word), of each row of the table; at the end that of what is not in it
    nowhere: np.ndarray  # (words + 1,) p(word from nowhere), by its number
    jumps: np.ndarray  # (2 REACH + 1,)

    @classmethod
    def of(cls, counts: np.ndarray, origin: np.ndarray, word: np.ndarray, n_words: int, jumps: np.ndarray) -> _Direction:
        totals = np.bincount(origin, weights=counts)
        share = np.clip(totals[0] / totals.sum(), 0.01, 0.99) if totals.sum() else 0.5  # of words from nowhere
        likely = (counts + PRIOR) / (totals[origin] + PRIOR * n_words + np.where(origin > 0, DOUBT, 0))
        nowhere = np.full(n_words + 1, PRIOR / (totals[0] + PRIOR * n_words))
        nowhere[word[origin == 0]] = likely[origin == 0]
        steps = (jumps + JUMP_PRIOR) / (jumps + JUMP_PRIOR).sum()
        linked = np.append(np.log(likely * (1 - share)), IMPOSSIBLE)
        return cls(*(column.astype(np.float32) for column in (linked, np.log(nowhere * share), np.log(steps))))


@dataclasses.dataclass
class Evidence:
    """Answer what a statistical aligner would link.

    Args:
        tables: what it counted.
        pairs: sentence pairs that it learned from.
        tokenizer: that made words of them.
        digest: SHA-256 of all that it is.

    Attributes:
        asked, known: how many words of each side, `source` and `target`, were looked up so far, and how many of them it knows.

    >>> evidence = Evidence.load("de-en.evidence")  # doctest: +SKIP
    >>> evidence.links([(["das", "Haus"], ["the", "house"])])  # doctest: +SKIP
    [Directions(to_target={(0, 0): 0.94, (1, 1): 0.99}, to_source={(0, 0): 0.91, (1, 1): 0.98})]
    """

    tables: Tables
    pairs: int
    tokenizer: str
    digest: str
    asked: Counter = dataclasses.field(default_factory=Counter, init=False)
    known: Counter = dataclasses.field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self._numbers = {"source": numbers(self.tables.source), "target": numbers(self.tables.target)}
        self._cache: dict[str, dict[str, int]] = {"source": {}, "target": {}}
        source, target, forward, backward = self.tables.links.astype(np.int64).T
        self._keys = pair_keys(source, target)
        self._forward = _Direction.of(forward, source, target, len(self.tables.target), self.tables.to_target)
        self._backward = _Direction.of(backward, target, source, len(self.tables.source), self.tables.to_source)

    @classmethod
    def load(cls, directory: Path | str) -> Evidence:
        """Read a directory that `xlm-align bootstrap --save` wrote.

        Raises:
            InputError: a file is missing, damaged, or of another version.
        """
        tables, manifest, digest = read_evidence(Path(directory))
        return cls(tables, manifest.pairs, manifest.tokenizer, digest)

    def numbers(self, side: str, words: Sequence[str]) -> np.ndarray:
        """Look words up; case does not matter.

        Args:
            side: `source` or `target`.
            words: of that side.

        Returns:
            (n,) int64, 0 for a word that is not known.
        """
        cache = self._cache[side]
        unseen = {word for word in words if word not in cache}
        if unseen:
            if len(cache) + len(unseen) > CACHED_WORDS:
                cache.clear()
                unseen = set(words)
            known = self._numbers[side]
            cache.update((word, known.get(normalized(word), 0)) for word in unseen)
        return np.fromiter(map(cache.__getitem__, words), np.int64, len(words))

    def links(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]], probabilities: bool = True) -> list[Directions]:
        """Return the links of both directions of each pair, and how probable each is.

        Args:
            pairs: the words of source and target.
            probabilities: whether to compute them; 0 otherwise.
        """
        source, target = ([self.numbers(side, pair[n]) for pair in pairs] for n, side in enumerate(("source", "target")))
        of_target, of_source = self.answer(source, target, probabilities)
        to_target, to_source = (map(_linked, *answer) for answer in (of_target, of_source))
        return [
            Directions(dict(sorted(((i, j), value) for j, i, value in forward)), {(i, j): value for i, j, value in backward})
            for forward, backward in zip(to_target, to_source, strict=True)
        ]

    def answer(
        self, source: Sequence[np.ndarray], target: Sequence[np.ndarray], probabilities: bool = False
    ) -> tuple[Answer, Answer]:
        """Link the words of pairs; the links of a pair do not depend on the others.

        Args:
            source, target: (n,) int64 of each pair, what `numbers` returns.
            probabilities: whether to compute them.

        Returns:
            The source words of target words, and the target words of source words.
        """
        for side, rows in (("source", source), ("target", target)):
            self.asked[side] += sum(map(len, rows))
            self.known[side] += sum(map(int, map(np.count_nonzero, rows)))
        answers = tuple(Answer([np.full(len(row), -1) for row in rows], [np.zeros(len(row), np.float32) for row in rows])
                        for rows in (target, source))  # fmt: skip
        n_source, n_target = (np.fromiter(map(len, rows), np.int64, len(rows)) for rows in (source, target))
        for batch in _batches(n_source, n_target):
            source_words = padded_rows(source, batch, int(n_source[batch].max()), 0)
            target_words = padded_rows(target, batch, int(n_target[batch].max()), 0)
            found = self._link(source_words, target_words, n_source[batch], n_target[batch], probabilities)
            for answer, lengths, (places, values) in zip(answers, (n_target, n_source), found, strict=True):
                for row, n in enumerate(batch.tolist()):
                    answer.places[n] = places[row, : lengths[n]]
                    if values is not None:
                        answer.probabilities[n] = values[row, : lengths[n]]
        return answers[0], answers[1]

    def _link(
        self, source: np.ndarray, target: np.ndarray, n_source: np.ndarray, n_target: np.ndarray, probabilities: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Link a batch in both directions: (B, S) and (B, T) numbers in; (B, T) and (B, S) places and probabilities out."""
        keys = pair_keys(source[:, :, None], target[:, None, :])  # (B, S, T)
        row = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        there = (self._keys[row] == keys) & (source > 0)[:, :, None] & (target > 0)[:, None, :]
        row = np.where(there, row, len(self._keys))
        for way, rows, words, length in (
            (self._forward, row, target, n_target),
            (self._backward, row.transpose(0, 2, 1), source, n_source),
        ):
            model = way.words[rows], way.nowhere[words], way.jumps
            places = best_places(*model, length)
            yield places, certainty(*model, places) if probabilities else None

    def stranger(self) -> str:
        """Say that it knows few of the words that were asked for, and what to look at; "" if it knows most on both sides."""
        shares = {side: self.known[side] / asked for side, asked in self.asked.items() if asked}
        few = " and ".join(f"{share:.0%} of the {side} words" for side, share in shares.items() if share < FEW)
        return few and (
            f"the evidence knows {few} alone, and says nothing of others: was it learned in other languages, in the other"
            f" direction, or with other words (its --tokenizer: {self.tokenizer})?"
        )


def _batches(n_source: np.ndarray, n_target: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pairs that are linked together, of about one length; those with an empty side or over `LONGEST` are left out."""
    longest = np.maximum(n_source, n_target)
    pairs = np.flatnonzero((np.minimum(n_source, n_target) > 0) & (longest <= LONGEST))
    order = pairs[np.argsort(-longest[pairs], kind="stable")]
    begin = 0
    while begin < len(order):
        count = max(1, CELLS // (int(longest[order[begin]]) + 1) ** 2)
        yield order[begin : begin + count]
        begin += count


def padded_rows(rows: Sequence[np.ndarray], batch: np.ndarray, width: int, padding: int) -> np.ndarray:
    """Return some rows as (B, width) int64, with padding behind."""
    there = [rows[n] for n in batch]
    lengths = np.fromiter(map(len, there), np.int64, len(there))
    padded = np.full((len(there), width), padding, np.int64)
    padded[np.arange(width) < lengths[:, None]] = np.concatenate(there)
    return padded


def _linked(places: np.ndarray, probabilities: np.ndarray) -> list[tuple[int, int, float]]:
    """Return the words that are linked, each with the other side's and the probability."""
    rows = zip(range(len(places)), places.tolist(), probabilities.tolist(), strict=True)
    return [row for row in rows if row[1] >= 0]
