"""Count the links of a corpus while a statistical aligner yields them: what its evidence is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xlm_align_fairseq.aligner.evidence_files import REACH, Tables, normalized, pair_keys

HELD = 1 << 20  # words of pairs that are held before they are counted


class LinkCounts:
    """Count how often words are linked, in each direction, and how far apart neighbouring links are."""

    def __init__(self) -> None:
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        self._new: list[tuple[np.ndarray, ...]] = []  # pairs that are not counted yet, and how many words they have
        self._held = 0
        self._jumps = np.zeros((2, 2 * REACH + 1), np.int64)

    def add(self, source: np.ndarray, target: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> None:
        """Count a sentence pair.

        Args:
            source, target: (S,), (T,) int64, numbers of the words; 0 for one that is not counted.
            forward: (T,) int64, the source word of each target word, from 1; 0 is none.
            backward: (S,) int64, the target word of each source word.
        """
        self._new.append((source, target, forward, backward))
        self._held += len(source) + len(target)
        if self._held >= HELD:
            self._merge()

    def _merge(self) -> None:
        """Count the pairs that are held."""
        nothing = (np.zeros(0, np.int64),) * 4
        source, target, forward, backward = map(np.concatenate, zip(nothing, *self._new, strict=True))
        n_source, n_target = (np.array([0, *(len(pair[side]) for pair in self._new)]) for side in (0, 1))
        of_target, jumps = _linked(source, n_source, forward, n_target)
        self._jumps[0] += jumps
        of_source, jumps = _linked(target, n_target, backward, n_source)
        self._jumps[1] += jumps
        keys, counts = [self._keys], [self._counts]
        for direction, pair in enumerate(((of_target, target), (source, of_source))):
            counted = (pair[0] >= 0) & (pair[1] >= 0) & ((target, source)[direction] > 0)
            keys.append(pair_keys(*pair)[counted])
            counts.append(np.tile(np.eye(2, dtype=np.int64)[direction], (len(keys[-1]), 1)))
        self._keys, self._counts = _added_up(np.concatenate(keys), np.concatenate(counts))
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


def _linked(words: np.ndarray, n_words: np.ndarray, places: np.ndarray, n_places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the words at places of one side, as the other side's words name them, and count the steps between them.

    Args:
        words: of all pairs.
        n_words: how many each pair has.
        places: of all pairs, from 1 within the pair; 0 is none.
        n_places: how many each pair has.

    Returns:
        The number of each linked word, 0 for none and -1 for one that is not counted, and (2 `REACH` + 1,) counts.
    """
    begins = np.repeat(np.cumsum(n_words) - n_words, n_places)
    linked = places > 0
    there = np.zeros(len(places), np.int64)
    there[linked] = words[(begins + places - 1)[linked]]
    there[linked & (there == 0)] = -1
    pair = np.repeat(np.arange(len(n_places)), n_places)[linked]
    steps = np.diff(places[linked], prepend=0)
    first = np.diff(pair, prepend=-1) != 0
    steps[first] = places[linked][first]  # from before the first word
    return there, np.bincount(np.clip(steps, -REACH, REACH) + REACH, minlength=2 * REACH + 1)


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
