"""Counts of links, by pair and added up over a batch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from streams import random_pair, stream

from xlm_align_fairseq.em.labeling import join_labels, link_statistics, total_statistics

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


def test_labels_without_links_stay_and_others_are_made():
    """Of three pairs of a store one has a link, one is labelled without, one was not foreseen: the last alone is labelled now."""
    dataset = stream([random_pair("de-en", 3, low=3)], both_orders=False)
    store = SimpleNamespace(
        links=lambda ids: (np.array([1, 0, 0]), np.array([[0, 1]])), labelled=lambda ids: np.array([True, True, False])
    )
    sample = dataset.collater([dataset[i] for i in range(3)])
    now = torch.ones(3, sample["pairs"]["source"].size(1), sample["pairs"]["target"].size(1), dtype=torch.bool)
    asked = []
    join_labels(sample, dataset.corpus, store, lambda: asked.append(1) or SimpleNamespace(links=now))
    links = sample["pairs"]["links"]
    assert links[0].nonzero().tolist() == [[0, 1]]
    assert not links[1].any()
    assert links[2].all()
    assert asked == [1]
    store.labelled = lambda ids: np.ones(3, bool)
    join_labels(sample, dataset.corpus, store, lambda: pytest.fail("frozen labels are made anew"))
    assert not sample["pairs"]["links"][1:].any()
