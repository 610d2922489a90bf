"""How similar an encoder finds two words that have nothing to do with each other: what a translation has to exceed."""

from __future__ import annotations

import numpy as np
import torch

from xlm_align_fairseq.encoder.network import Encoder
from xlm_align_fairseq.encoder.sequences import LAYOUTS, sequence
from xlm_align_fairseq.encoder.states import States
from xlm_align_fairseq.encoder.vocabulary import MARK, Vocabulary

PAIRS = 256  # of unrelated words; the quartile of so many cosines is stable to 0.01
QUARTILE = 0.75
BATCH_TOKENS = 2048  # always, so that the last bits do not depend on how the user's text is batched


def unrelated_similarity(
    encoder: Encoder,
    vocabulary: Vocabulary,
    encoding: str,
    layer: int,
    autocast: torch.dtype | None = None,
    late_layer: int = 0,
) -> float | None:
    """Return the upper quartile of the cosines of unrelated words, encoded as pairs are: a property of the model alone.

    The words are pieces of letters, taken at equal distances from the vocabulary, each with the one half of them further on.

    Returns:
        -1..1, or None where the vocabulary has too few words or the states are not finite.
    """
    words = [n for n, piece in enumerate(vocabulary.pieces) if piece[:1] == MARK and len(piece) > 2 and piece[1:].isalpha()]
    if len(words) < 8:
        return None
    places = np.linspace(0, len(words) - 1, min(2 * PAIRS, len(words) // 2 * 2)).astype(int)
    ids = np.array(words)[places].reshape(2, -1)  # (2, pairs)
    layout = "late" if encoding == "late" else "translation"
    if encoding == "separate":
        sequences = [sequence(np.array([word])) for word in ids.T.reshape(-1)]
    else:
        sequences = [sequence(ids[0, n : n + 1], ids[1, n : n + 1], layout=layout) for n in range(ids.shape[1])]
    states = States(encoder, sequences, [layer], BATCH_TOKENS, autocast, late_layer if encoding == "late" else 0)
    first = states.begins[:-1] + 1
    source, target = (first[::2], first[1::2]) if encoding == "separate" else (first, first + 1 + len(LAYOUTS[layout]))
    vectors = states.layers[layer].float().cpu()
    cosines = torch.nn.functional.cosine_similarity(vectors[source], vectors[target], dim=-1)
    return round(float(torch.quantile(cosines, QUARTILE)), 4) if bool(cosines.isfinite().all()) else None
