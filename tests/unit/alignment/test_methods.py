"""A method is declared in one place: the method that CONTRIBUTING.md adds is known everywhere."""

import doctest
import re
from pathlib import Path

import pytest
import torch

from xlm_align_fairseq.alignment import extraction, methods
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.alignment.linking import extract
from xlm_align_fairseq.cli import align
from xlm_align_fairseq.encoder.sequences import Sides
from xlm_align_fairseq.errors import InputError

CONTRIBUTING = Path(__file__).resolve().parents[3] / "CONTRIBUTING.md"


@pytest.fixture
def competitive(monkeypatch):
    """Follow the page: add the function to `extraction` and the lines to the tables."""
    section = CONTRIBUTING.read_text("utf-8").partition("## How to add a method in one place")[2]
    function, lines = re.findall(r"```python\n(.*?)```", section, re.S)
    for table in (methods.EXTRACTIONS, methods.METHODS):
        for name, entry in table.items():
            monkeypatch.setitem(table, name, entry)
        monkeypatch.setitem(table, "competitive", None)
    names = dict(vars(extraction))
    exec(function, names)
    monkeypatch.setattr(extraction, "competitive", names["competitive"], raising=False)
    exec(lines, dict(vars(methods)))
    return names


def test_the_example_of_a_new_extraction(competitive):
    test = doctest.DocTestFinder().find(competitive["competitive"], globs=competitive)
    assert doctest.DocTestRunner().run(test[0]).failed == 0
    generator = torch.Generator().manual_seed(1)
    states = Sides(*(torch.randn(3, length, 8, generator=generator) for length in (5, 4)))
    links = extract(states, torch.ones(3, 5, 4, dtype=torch.bool), AlignerConfig.named("competitive")).links
    assert links.any()
    assert links.sum(1).max() <= 1
    assert links.sum(2).max() <= 1


def test_flags_checks_and_signatures_know_it(competitive):
    args = align.parser().parse_args(["--model", "m", "--extraction", "competitive", "--method", "competitive"])
    assert args.extraction == "competitive"
    config = AlignerConfig.named("competitive")
    assert config.signature_items()["cutoff"] == 0.01
    assert "symmetrization" not in config.signature_items()
    with pytest.raises(InputError, match=r"--filter-rounds 3: changes nothing with scaling softmax and extraction competitive"):
        config.replace(filter_rounds=3).refuse_unused({"filter_rounds": 3})


def test_an_unknown_step_is_refused():
    with pytest.raises(InputError, match=r"extraction is 'competitive': allowed are argmax, filter, cutoff, mutual, matching"):
        AlignerConfig(extraction="competitive")


def test_every_step_takes_the_options_that_it_names():
    states = Sides(torch.eye(3)[None], torch.eye(3)[None])
    mask = torch.ones(1, 3, 3, dtype=torch.bool)
    for scaling in set(methods.SCALINGS) - {"pointer"}:
        for name in methods.EXTRACTIONS:
            if scaling != "none" or name not in ("cutoff", "mutual"):
                links = extract(states, mask, AlignerConfig(scaling=scaling, extraction=name, cutoff=0.3)).links
                assert links.diagonal(dim1=1, dim2=2).all()
