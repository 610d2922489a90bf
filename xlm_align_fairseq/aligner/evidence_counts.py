"""Count the links of a corpus while a statistical aligner yields them: what its evidence is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xlm_align_fairseq.aligner.evidence_files import REACH, Tables, normalized, pair_keys

HELD = 1 << 20  # links that are held before equal ones are added up


class LinkCounts:
    """Count how often words are linked, in each direction, and how far apart neighbouring links are."""

    def __init__(self) -> None:
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        self._new: list[np.ndarray] = []  # (2, n) keys and directions
        self._held = 0
        self._jumps = np.zeros((2, 2 * REACH + 1), np.int64)

    def add(self, source: np.ndarray, target: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> None:
        """Count a sentence pair.

        Args:
            source, target: (S,), (T,) int64, numbers of the words; 0 for one that is not counted.
            forward: (T,) int64, the source word of each target word, from 1; 0 is none.
            backward: (S,) int64, the target word of each source word.
        """
        for direction, (words, others, places) in enumerate(((source, target, forward), (target, source, backward))):
            linked = np.concatenate([[0], words])[places]
            keys = pair_keys(linked, others) if direction == 0 else pair_keys(others, linked)
            keys = keys[(others > 0) & ((places == 0) | (linked > 0))]
            self._new.append(np.stack([keys, np.full(len(keys), direction)]))
            self._held += len(keys)
            steps = np.diff(places[places > 0], prepend=0)
            np.add.at(self._jumps[direction], np.clip(steps, -REACH, REACH) + REACH, 1)
        if self._held >= HELD:
            self._merge()

    def _merge(self) -> None:
        keys, direction = np.concatenate([np.zeros((2, 0), np.int64), *self._new], 1)
        counts = np.stack([direction == 0, direction == 1], 1).astype(np.int64)
        self._keys, self._counts = _added_up(np.concatenate([self._keys, keys]), np.concatenate([self._counts, counts]))
        self._new, self._held = [], 0

    def tables(self, source: Mapping[str, str], target: Mapping[str, str]) -> Tables:
        """Return what was counted, of words in the form in which they are looked up.

        Args:
            source, target: the number of each word, as text.
        """
        self._merge()
        (source_words, of_source), (target_words, of_target) = _numbered(source), _numbered(target)
        numbers = of_source[self._keys >> 32], of_target[self._keys & 0xFFFFFFFF]
        known = (numbers[0] >= 0) & (numbers[1] >= 0)
        keys, counts = _added_up(pair_keys(*numbers)[known], self._counts[known])
        links = np.concatenate([np.stack([keys >> 32, keys & 0xFFFFFFFF], 1), counts], 1)
        return Tables(source_words, target_words, np.minimum(links, 0xFFFFFFFF).astype(np.uint32), *self._jumps)


def _added_up(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the counts of equal keys; return each key once, ascending."""
    each, place = np.unique(keys, return_inverse=True)
    totals = np.stack([np.bincount(place, weights=column, minlength=len(each)) for column in counts.T], 1)
    return each, totals.astype(np.int64)


def _numbered(words: Mapping[str, str]) -> tuple[list[str], np.ndarray]:
    """Return the words as they are looked up, each once, and for each old number the new one; 0 stays, -1 for no word."""
    numbers: dict[str, int] = {}
    new = np.zeros(len(words) + 1, np.int64)
    for word, number in words.items():
        form = normalized(word)
        new[int(number)] = numbers.setdefault(form, len(numbers) + 1) if form else -1
    return list(numbers), new


def as_numbers(words: Sequence[str]) -> np.ndarray:
    """Read numbers that are written as text: (n,) int64."""
    return np.array(list(map(int, words)), np.int64)
