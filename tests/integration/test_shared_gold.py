"""Check that the gold sets beside the repository are read as they should be; skipped where they are absent."""

from pathlib import Path

import pytest

from xlm_align_fairseq.links.gold import format_gold, load_gold, read_gold
from xlm_align_fairseq.links.metrics import Counts, count
from xlm_align_fairseq.links.pharaoh import check_range
from xlm_align_fairseq.text.lines import read_lines

GOLD = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gold"

pytestmark = pytest.mark.skipif(not GOLD.is_dir(), reason="shared/data/gold is not beside the repository")

# Sentence pairs, sure links, possible links: counted with cut, sort and grep over the files.
SIZES = {
    "de-en": (508, 9612, 10533),
    "en-fr": (447, 4038, 17438),
    "ro-en": (199, 5033, 5033),
    "en-bg.xlwa-dev": (105, 1719, 1719),
    "en-es.xlwa-dev": (105, 1961, 1961),
    "en-it.xlwa-dev": (103, 1980, 1980),
    "en-nl.xlwa-dev": (105, 1886, 1886),
    "en-pt.xlwa-dev": (105, 1848, 1848),
}


def test_every_set_is_listed():
    assert {path.name for path in GOLD.iterdir() if path.is_dir()} == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_ranges(name, tmp_path):
    source, target = name.split(".")[0].split("-")
    lines = read_lines(GOLD / name / f"test.{source}"), read_lines(GOLD / name / f"test.{target}")
    n_sentences = SIZES[name][0]
    gold = load_gold(GOLD / name / "gold", n_lines=n_sentences)
    assert (gold.form, gold.ids, len(gold.sentences)) == ("rows", "order", n_sentences)
    for n, (sentence, src, tgt) in enumerate(zip(gold.sentences, *lines, strict=True), 1):
        check_range(sentence.possible, len(src.split(" ")), len(tgt.split(" ")), f"{name}:{n}")
    total = sum((count(sentence.sure, sentence) for sentence in gold.sentences), Counts())
    assert (total.sentences, total.sure, total.possible) == SIZES[name]
    assert total.aer == 0
    assert read_gold(GOLD / name / "gold") == gold.sentences
    copy = tmp_path / "gold"
    copy.write_text("".join(format_gold(sentence) + "\n" for sentence in gold.sentences), encoding="utf-8")
    assert read_gold(copy, n_lines=n_sentences) == gold.sentences
