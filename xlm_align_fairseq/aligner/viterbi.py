"""Find the most probable word links of sentence pairs by a hidden Markov model, many pairs at once.

Each target word comes from one source word, or from none; the place of a source word depends on that of the last one before it.

Reference: Vogel et al., "HMM-Based Word Alignment in Statistical Translation", 1996; words from nowhere as in Och & Ney, 2003.
"""

from __future__ import annotations

import numpy as np

IMPOSSIBLE = np.float32(-np.inf)


def best_places(words: np.ndarray, nowhere: np.ndarray, jumps: np.ndarray, n_target: np.ndarray) -> np.ndarray:
    """Return the source word of each target word in the most probable links.

    They maximise Π_j p(t_j | s_a(j)) · p(a(j) − a(j′)), j′ the last word before j that comes from a source word; a(j′) is −1 at
    the beginning. Only sums of two numbers and maxima are taken, so that the result is the same in any batch.

    Args:
        words: (B, S, T) float32, logarithm of p(t | s); -inf where there is no link, or no word.
        nowhere: (B, T) float32, that of a word of its own; finite.
        jumps: (2 J + 1,) float32, that of a step of −J … J words; longer steps are taken as these.
        n_target: (B,) int64, target words of each pair.

    Returns:
        (B, T) int64, from 0; -1 for a word from nowhere and behind the end.

    >>> sure, never = np.log(0.9, dtype=np.float32), IMPOSSIBLE
    >>> words = np.array([[[never, sure], [sure, never]]])
    >>> best_places(words, np.full((1, 2), -9, np.float32), np.zeros(3, np.float32), np.array([2])).tolist()
    [[1, 0]]
    """
    n_pairs, longest_source, longest_target = words.shape
    reach = len(jumps) // 2
    place = np.arange(longest_source)
    step = jumps[np.clip(place - np.arange(-1, longest_source)[:, None], -reach, reach) + reach]  # (S + 1 from, S to)
    words = words.transpose(2, 0, 1)  # (T, B, S)
    from_word = np.full((n_pairs, longest_source + 1), IMPOSSIBLE)  # the last word comes from here …
    from_nowhere = from_word.copy()  # … or from nowhere, and the one before it from here
    from_nowhere[:, 0] = 0  # the beginning
    best = np.empty((longest_target + 1, n_pairs, longest_source + 1), np.float32)  # before each word, and at the end
    linked = np.empty(best.shape, bool)
    here = np.empty((n_pairs, longest_source + 1, longest_source), np.float32)
    for j in range(longest_target):
        linked[j] = from_word > from_nowhere
        np.maximum(from_word, from_nowhere, out=best[j])
        np.add(best[j][:, :, None], step, out=here)
        goes_on = (j < n_target)[:, None]
        from_word[:, 1:] = np.where(goes_on, here.max(1) + words[j], from_word[:, 1:])
        from_word[:, 0] = IMPOSSIBLE
        from_nowhere = np.where(goes_on, best[j] + nowhere[:, j, None], from_nowhere)
    linked[-1] = from_word > from_nowhere
    np.maximum(from_word, from_nowhere, out=best[-1])
    return _trace(best, linked, step, n_target)


def _trace(best: np.ndarray, linked: np.ndarray, step: np.ndarray, n_target: np.ndarray) -> np.ndarray:
    """Go back from the best end to the beginning."""
    rows = np.arange(len(n_target))
    place = best[-1].argmax(1)  # counted from 1
    now = linked[-1][rows, place]
    places = np.full((len(n_target), len(best) - 1), -1, np.int64)
    for j in range(len(best) - 2, -1, -1):
        inside = j < n_target
        comes = now & inside
        places[:, j] = np.where(comes, place - 1, -1)
        origin = (best[j] + step[:, np.maximum(place - 1, 0)].T).argmax(1)
        place = np.where(comes, origin, place)
        now = np.where(inside, linked[j][rows, place], now)
    return places


def certainty(words: np.ndarray, nowhere: np.ndarray, jumps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how probable the source word of each target word is if all others stay where they are: (B, T) float32, 0 for none.

    Args:
        words, nowhere, jumps: as for `best_places`.
        places: (B, T), what it returned.

    >>> sure, never = np.log(0.9, dtype=np.float32), IMPOSSIBLE
    >>> words, nowhere = np.array([[[sure], [never]]]), np.log(np.full((1, 1), 0.1, np.float32))
    >>> round(float(certainty(words, nowhere, np.zeros(3, np.float32), np.array([[0]]))[0, 0]), 2)
    0.9
    """
    n_pairs, n_source, n_target = words.shape
    reach, place, at = len(jumps) // 2, np.arange(n_source), np.arange(n_target)

    def step(to: np.ndarray, origin: np.ndarray) -> np.ndarray:
        return jumps[np.clip(to - origin, -reach, reach) + reach]

    linked = places >= 0
    before = np.maximum.accumulate(np.where(linked, at, -1), 1)
    before = np.concatenate([np.full((n_pairs, 1), -1), before[:, :-1]], 1)  # the last linked word before each word …
    after = np.flip(np.minimum.accumulate(np.flip(np.where(linked, at, n_target), 1), 1), 1)
    after = np.concatenate([after[:, 1:], np.full((n_pairs, 1), n_target)], 1)  # … and the next one after it
    come_from = np.where(before >= 0, np.take_along_axis(places, np.maximum(before, 0), 1), -1)
    go_to = np.take_along_axis(places, np.minimum(after, n_target - 1), 1)
    goes_on = after < n_target
    scores = words.transpose(0, 2, 1) + step(place, come_from[:, :, None])
    scores = scores + np.where(goes_on[:, :, None], step(go_to[:, :, None], place), np.float32(0))
    elsewhere = nowhere + np.where(goes_on, step(go_to, come_from), np.float32(0))
    best = np.maximum(scores.max(2), elsewhere)
    total = np.cumsum(np.exp(scores - best[:, :, None]), 2)[:, :, -1]  # one by one: padding adds zeros at the end
    own = np.take_along_axis(scores, np.maximum(places, 0)[:, :, None], 2)[:, :, 0]
    return np.where(linked, np.exp(own - best) / (total + np.exp(elsewhere - best)), np.float32(0))
