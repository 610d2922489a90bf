"""Training with the objectives of the recipes: late encoding, all linked pieces, null, similarity, contrast, consistency."""

import pytest
import torch
from world import parameters, train, train_flags

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.encoder.network import EncoderAndPointer
from xlm_align_fairseq.errors import InputError

LATE = ["--encoding", "late", "--late-layer", "1", "--align-layer", "1"]
RECIPE = [*LATE, "--label-method", "mutual-probability", "--cutoff", "0.05", "--position-prior", "0.1", "--tlm-weight", "0"]
RECIPE += ["--dwa-queries", "linked", "--null-weight", "0.3", "--similarity-weight", "1", "--contrast-weight", "1"]
OF_STATES = [*RECIPE, "--dwa-weight", "0", "--null-weight", "0", "--dwa-queries", "masked"]


def test_everything_trains_and_is_logged_by_its_own_count(world, tmp_path, caplog):
    logs = train(caplog, train_flags(world, tmp_path, *RECIPE, "--consistency-weight", "0.5", "--freeze-embeddings"))
    names = ("dwa", "null", "similarity", "contrast", "consistency")
    for log in logs:
        assert all(log[f"{name}_loss"] > 0 for name in names)
        assert log["consistency_loss"] <= 1
        assert "tlm_loss" not in log
    before, after = parameters(world / "model" / "model.pt"), parameters(tmp_path / "checkpoint_last.pt")
    changed = {key for key, value in before.items() if not value.equal(after[key])}
    assert {key.split(".")[1] for key in changed if key.startswith("encoder")} == {"layers"}
    assert {key.split(".")[2] for key in changed if key.startswith("encoder.layers")} == {"0", "1"}


def test_layers_above_the_states_are_neither_computed_nor_trained(world, tmp_path, caplog):
    train(caplog, train_flags(world, tmp_path, *OF_STATES, "--freeze-embeddings"))
    before, after = parameters(world / "model" / "model.pt"), parameters(tmp_path / "checkpoint_last.pt")
    changed = {".".join(key.split(".")[:3]) for key, value in before.items() if not value.equal(after[key])}
    assert changed == {"encoder.layers.0"}
    aligner = Aligner.load(tmp_path)
    assert (aligner.config.encoding, aligner.config.late_layer, aligner.config.position_prior) == ("late", 1, 0.1)
    separate = Aligner.load(tmp_path, changes={"encoding": "separate"})
    pair = ("Das ist ein kleines Haus .", "This is a small house .")
    assert aligner.align(*pair).links == separate.align(*pair).links


@pytest.mark.parametrize("more", [["--contrast-weight", "0"], ["--contrast-weight", "0", "--consistency-weight", "1"]])
def test_accumulated_batches_are_one_batch(build, more):
    """8 pairs at once and 4 × 2 give the same losses; the contrast alone is of a batch."""
    results = []
    for size in (8, 2):
        task, model, trainer = build(*RECIPE, *more)
        dataset = task.datasets["train"]
        trainer.train_step([dataset.collater([dataset[i] for i in range(k, k + size)]) for k in range(0, 8, size)])
        results.append(model.state_dict())
    for key, value in results[0].items():
        torch.testing.assert_close(value, results[1][key], rtol=1e-5, atol=1e-6)


def test_orders_change_nothing_below_the_late_layer(build):
    """What is compared of two sides is of the stored order, and lower layers read each side alone."""
    found = []
    for more in ([], ["--one-order"]):
        task, model, trainer = build(*OF_STATES, *more, "--mask-prob", "1e-9", "--consistency-weight", "1")
        dataset = task.datasets["train"]
        batch = dataset.collater([dataset[i] for i in range(12)])
        task.label(batch, EncoderAndPointer(model.encoder, marks=task.marks))
        found.append((batch["pairs"]["swapped"].any().item(), trainer.criterion(model, batch)[2]))
    (swapped, both), (never, one) = found
    assert (swapped, never) == (True, False)
    for name in ("similarity", "contrast", "consistency"):
        torch.testing.assert_close(both[f"{name}_loss"], one[f"{name}_loss"])


def test_masked_queries_are_some_of_the_linked_ones(build):
    counts = {}
    for queries in ("masked", "linked"):
        task, model, trainer = build(*RECIPE, "--dwa-queries", queries)
        dataset = task.datasets["train"]
        batch = dataset.collater([dataset[i] for i in range(12)])
        task.label(batch, EncoderAndPointer(model.encoder, marks=task.marks))
        _, size, log = trainer.criterion(model, batch)
        links, lengths = batch["pairs"]["links"], batch["pairs"]["src_lengths"] + batch["pairs"]["tgt_lengths"]
        linked = int(links.any(1).sum() + links.any(2).sum())
        counts[queries] = (int(log["queries"]), int(log["null_count"]), size)
    assert counts["linked"] == (linked, int(lengths.sum()) - linked, int(lengths.sum()))
    assert 0 < counts["masked"][0] < linked
    assert counts["masked"][2] == batch["pairs"]["targets"].numel()


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--dwa-weight", "0", "--tlm-weight", "0"], "one of pairs"),
        (["--dwa-weight", "0", "--null-weight", "0.3"], "--null-weight 0.3: changes nothing with --dwa-weight 0"),
        (["--dwa-weight", "0", "--dwa-queries", "linked"], "--dwa-queries linked: changes nothing with --dwa-weight 0"),
        (["--similarity-layer", "1"], "--similarity-layer 1: changes nothing without"),
        (["--contrast-weight", "1", "--similarity-layer", "3"], "--similarity-layer 3: this encoder has layers 1..2"),
        (["--contrast-weight", "1", "--contrast-temperature", "0"], "--contrast-temperature 0.0: allowed is a number above 0"),
        (["--contrast-temperature", "0.03"], "--contrast-temperature 0.03: changes nothing without --contrast-weight"),
        (
            ["--contrast-weight", "1", "--similarity-temperature", "0.1"],
            "--similarity-temperature 0.1: changes nothing without --similarity-weight or --consistency-weight",
        ),
        (["--encoding", "late", "--late-layer", "9"], "--late-layer 9: this encoder has layers 1..2"),
        (["--late-layer", "1"], "--late-layer 1: changes nothing with"),
    ],
)
def test_refused_flags(world, tmp_path, caplog, flags, text):
    with pytest.raises(InputError, match=text):
        train(caplog, train_flags(world, tmp_path, *flags))
