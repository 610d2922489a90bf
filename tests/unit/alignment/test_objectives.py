"""Losses of hidden states: against loops over pairs and pieces, their limits, padding, and gradients."""

import math

import pytest
import torch
import torch.nn.functional as F

from xlm_align_fairseq.alignment import objectives
from xlm_align_fairseq.alignment.objectives import consistency_loss, contrast_loss, sentence_similarities, similarity_loss
from xlm_align_fairseq.encoder.sequences import Sides, length_mask

SRC_LENGTHS, TGT_LENGTHS = torch.tensor([3, 5, 1, 4]), torch.tensor([4, 2, 1, 6])


@pytest.fixture
def states():
    torch.manual_seed(3)
    return Sides(torch.randn(4, 5, 8, requires_grad=True), torch.randn(4, 6, 8, requires_grad=True))


SRC_MASK, TGT_MASK = length_mask(SRC_LENGTHS), length_mask(TGT_LENGTHS)
MASK = SRC_MASK[:, :, None] & TGT_MASK[:, None, :]


def cosines(states, a, b):
    source, target = states.source[a, : SRC_LENGTHS[a]], states.target[b, : TGT_LENGTHS[b]]
    return F.normalize(source, dim=-1) @ F.normalize(target, dim=-1).T


def spoiled(states):
    """Put large numbers at padding."""
    return Sides(torch.where(SRC_MASK[:, :, None], states.source, 1e6), torch.where(TGT_MASK[:, :, None], states.target, -1e6))


def test_similarity_loss_is_cross_entropy_of_each_linked_piece(states):
    torch.manual_seed(4)
    links = (torch.rand(4, 5, 6) < 0.3) & MASK
    expected, queries = 0.0, 0
    for b in range(4):
        scores = cosines(states, b, b) / 0.1
        here = links[b, : SRC_LENGTHS[b], : TGT_LENGTHS[b]]
        for matrix, targets in ((scores, here), (scores.T, here.T)):
            for row, of_row in zip(matrix.log_softmax(1), targets, strict=True):
                if of_row.any():
                    expected -= row[of_row].mean()
                    queries += 1
    found = similarity_loss(spoiled(states), links, MASK, 0.1)
    torch.testing.assert_close(found.loss, expected)
    assert found.queries == queries > 5


def test_sentences_against_loops(states):
    found = sentence_similarities(*spoiled(states), SRC_MASK, TGT_MASK)
    for a in range(4):
        for b in range(4):
            scores = cosines(states, a, b)
            torch.testing.assert_close(found[a, b], (scores.max(1).values.mean() + scores.max(0).values.mean()) / 2)


def test_sentences_in_parts_are_the_same(states, monkeypatch):
    whole = sentence_similarities(*states, SRC_MASK, TGT_MASK)
    gradient = torch.autograd.grad(whole.sum(), states.source)[0]
    monkeypatch.setattr(objectives, "CELLS", 1)
    parts = sentence_similarities(*states, SRC_MASK, TGT_MASK)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.sum(), states.source)[0], gradient)


def test_a_sentence_without_pieces_that_count_is_like_none(states):
    nothing = SRC_MASK.clone()
    nothing[2] = False
    found = sentence_similarities(*states, nothing, TGT_MASK)
    assert found[2].eq(0).all()
    assert found[0].ne(0).all()
    contrast_loss(found, 0.03)[0].sum().backward()
    assert states.source.grad.isfinite().all()


def test_contrast_is_cross_entropy_both_ways():
    torch.manual_seed(5)
    scores = torch.randn(6, 6)
    loss, correct = contrast_loss(scores, 0.5)
    for n in range(6):
        expected = -((scores[n] / 0.5).log_softmax(0)[n] + (scores[:, n] / 0.5).log_softmax(0)[n]) / 2
        torch.testing.assert_close(loss[n], expected)
        assert correct[n] == bool(scores[n].argmax() == n == scores[:, n].argmax())
    assert contrast_loss(torch.ones(4, 4), 0.03)[0].tolist() == pytest.approx([math.log(4)] * 4)  # it cannot tell
    assert contrast_loss(torch.ones(1, 1), 0.03)[0].item() == 0  # nothing to be told from


def test_consistency_is_zero_where_both_directions_agree_and_grows_otherwise(states):
    sure = Sides(torch.eye(4)[None], torch.eye(4)[None, [2, 0, 1]])
    mask = torch.ones(1, 4, 3, dtype=torch.bool)
    assert consistency_loss(sure, mask, 0.01).item() == pytest.approx(0, abs=1e-5)
    loss = consistency_loss(spoiled(states), MASK, 0.1)
    for b in range(4):
        scores = cosines(states, b, b) / 0.1
        agreed = (scores.softmax(1) * scores.softmax(0)).sum()
        torch.testing.assert_close(loss[b], 1 - agreed / min(SRC_LENGTHS[b], TGT_LENGTHS[b]))
    assert ((loss >= 0) & (loss <= 1)).all()


def test_gradients_are_finite_and_none_comes_from_padding(states):
    links = torch.zeros(4, 5, 6, dtype=torch.bool)
    links[:, 0, 0] = True
    loss = similarity_loss(states, links, MASK, 0.1).loss + consistency_loss(states, MASK, 0.1).sum()
    loss = loss + contrast_loss(sentence_similarities(*states, SRC_MASK, TGT_MASK), 0.03)[0].sum()
    loss.backward()
    for side, mask in ((states.source, SRC_MASK), (states.target, TGT_MASK)):
        assert side.grad.isfinite().all()
        assert side.grad[~mask].eq(0).all()
        assert side.grad[mask].abs().sum(1).gt(0).all()
