"""The pointer loss: by hand, against torch's cross-entropy, several targets, and zero links."""

import math

import torch
import torch.nn.functional as F

from xlm_align_fairseq.alignment.pointer import pointer_loss


def ones(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def test_one_target_is_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(3, 4, 5), torch.randint(0, 5, (3, 4))
    result = pointer_loss(logits, F.one_hot(targets, 5).bool(), ones(3, 4), ones(3, 5))
    torch.testing.assert_close(result.loss, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum"))
    assert result.queries == 12
    assert result.correct == (logits.argmax(2) == targets).sum()


def test_several_targets_are_averaged_per_query():
    logits = torch.zeros(1, 1, 4)
    links = torch.tensor([[[True, True, False, False]]])
    assert math.isclose(pointer_loss(logits, links, ones(1, 1), ones(1, 4)).loss, math.log(4), rel_tol=1e-6)
    logits = torch.tensor([[[2.0, 0.0, 1.0, -1.0]]])
    log_probability = logits.log_softmax(2)[0, 0]
    expected = -(log_probability[0] + log_probability[1]) / 2
    torch.testing.assert_close(pointer_loss(logits, links, ones(1, 1), ones(1, 4)).loss, expected)


def test_padding_keys_queries_off_and_queries_without_links_are_left_out():
    torch.manual_seed(1)
    logits = torch.randn(1, 3, 4)
    links = torch.zeros(1, 3, 4, dtype=torch.bool)
    links[0, 0, 1] = links[0, 2, 0] = True
    keys = torch.tensor([[True, True, True, False]])
    result = pointer_loss(logits, links, torch.tensor([[True, True, False]]), keys)
    torch.testing.assert_close(result.loss, -logits[0, 0, :3].log_softmax(0)[1])
    assert result.queries == 1


def test_zero_links_give_zero_loss_and_finite_gradients():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    result = pointer_loss(logits, torch.zeros(2, 3, 4, dtype=torch.bool), ones(2, 3), ones(2, 4))
    result.loss.backward()
    assert result.loss == 0
    assert result.queries == 0
    assert logits.grad.eq(0).all()


def test_half_precision_logits_are_summed_in_float32():
    logits = (torch.randn(64, 50, 60) * 20).half()
    links = F.one_hot(torch.randint(0, 60, (64, 50)), 60).bool()
    result = pointer_loss(logits, links, ones(64, 50), ones(64, 60))
    assert result.loss.dtype == torch.float32
    assert result.loss > 65_504  # exceeds the range of float16
    assert result.loss.isfinite()
