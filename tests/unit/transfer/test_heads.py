"""Heads against those of transformers."""

import pytest
import torch
import transformers

from xlm_align_fairseq.transfer.heads import SpanHead

SIZES = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize("architecture", ["XLMRoberta", "Bert"])
def test_span_head(architecture):
    config = getattr(transformers, f"{architecture}Config")(**SIZES)
    theirs = getattr(transformers, f"{architecture}ForQuestionAnswering")(config).train()
    theirs.base_model.eval()  # in training mode its dropout differs in each pass; the head has none
    head = SpanHead(8).train()
    head.out.load_state_dict(theirs.qa_outputs.state_dict())
    tokens = torch.randint(4, 20, (3, 7), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(tokens)
        states = theirs.base_model(tokens).last_hidden_state
        found = head(states)
    assert found.shape == (3, 7, 2)
    assert torch.equal(found, torch.stack([expected.start_logits, expected.end_logits], -1))
