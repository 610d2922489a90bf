"""Counts of links, by pair and added up over a batch."""

import numpy as np
import pytest
import torch

from xlm_align_fairseq.em.labeling import link_statistics, total_statistics

LINKS = torch.zeros(4, 3, 2, dtype=torch.bool)
LINKS[0, 0, 0] = LINKS[0, 0, 1] = LINKS[1, 2, 1] = LINKS[2, 1, 0] = LINKS[2, 1, 1] = LINKS[2, 2, 1] = True
COUNTS = link_statistics(LINKS, torch.tensor([3, 3, 3, 2]), torch.tensor([2, 2, 2, 1]))


def test_counts_of_each_pair():
    assert {name: column.tolist() for name, column in COUNTS.items()} == {
        "pairs": [1, 1, 1, 1],
        "links": [2, 1, 3, 0],
        "pieces": [5, 5, 5, 3],
        "linked": [3, 2, 4, 0],
    }


@pytest.mark.parametrize("names", [["de-en", "fr-en", "ro-en"], ["de-en"]])
def test_totals_belong_to_the_language_pair_of_each(names):
    owners = np.array([2, 0, 2, 0]) if len(names) > 1 else np.zeros(4, np.int64)
    totals = {key: value.item() for key, value in total_statistics(COUNTS, owners, names).items()}
    assert {key: totals[key] for key in COUNTS} == {"pairs": 4, "links": 6, "pieces": 18, "linked": 9}
    if len(names) == 1:
        assert totals.keys() == COUNTS.keys()
        return
    assert [totals[f"links_{name}"] for name in names] == [1, 0, 5]
    assert [totals[f"pairs_{name}"] for name in names] == [2, 0, 2]
    assert [totals[f"linked_{name}"] for name in names] == [2, 0, 7]
    assert len(totals) == 4 * len(COUNTS)
