"""`xlm-align choose`: it tries the given combinations, stores the best one, and changes nothing else."""

import re
import shutil

import pytest
from world import SHIPPED, write_random_model

from xlm_align_fairseq import Aligner
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.links.gold_set import read_gold_set
from xlm_align_fairseq.model.directory import read_aligner

GOLD = [",".join(str(SHIPPED / pair / name) for name in (f"test.{pair[:2]}", "test.en", "gold")) for pair in ("de-en", "ro-en")]


@pytest.fixture
def model(world, tmp_path):
    return shutil.copytree(world / "model", tmp_path / "model")


def test_the_best_of_all_is_kept(model, capsys):
    assert xlm_align(["choose", "--model", str(model), "--gold-set", *GOLD, "--methods", "argmax", "entropic", "--quiet"]) == 0
    *rows, best = capsys.readouterr().out.splitlines()
    cells = [float(cell) for row in rows for cell in row.split()[1:] if re.fullmatch(r"[\d.]+", cell)]
    assert len(cells) == 2 * 3 * 2  # encodings, layers 0..2, methods
    found = re.fullmatch(r"best: encoding (\w+), layer (\d), (\w+): mean AER ([\d.]+) on de-en, ro-en", best)
    assert float(found[4]) == min(cells)
    written = read_aligner(model)
    assert (written.encoding, written.align_layer) == (found[1], int(found[2]))
    assert written == written.replace(method=found[3])
    sets = [read_gold_set(spec) for spec in GOLD]
    mean = sum(100 * sum(Aligner.load(model).score(gold_set)).aer for gold_set in sets) / len(sets)
    assert f"{mean:.2f}" == found[4]


def test_a_pair_may_be_too_long_for_one_encoding_alone(world, tmp_path):
    write_random_model(tmp_path / "short", (world / "spm.model").read_bytes(), max_positions=64)
    flags = ["--gold-set", *GOLD, "--methods", "argmax", "--quiet"]
    assert xlm_align(["choose", "--model", str(tmp_path / "short"), *flags]) == 0


def test_a_dry_run_leaves_the_model_as_it_is(model):
    before = (model / "aligner.json").read_bytes()
    flags = ["--gold-set", GOLD[0], "--methods", "argmax", "--encoding", "joint", "--dry-run", "--quiet"]
    assert xlm_align(["choose", "--model", str(model), *flags]) == 0
    assert (model / "aligner.json").read_bytes() == before


def test_no_gold_is_refused_and_leaves_the_model_as_it_is(model, capsys):
    before = (model / "aligner.json").read_bytes()
    assert xlm_align(["choose", "--model", str(model), "--gold-set", "", "--quiet"]) == 2
    assert "gold set '': allowed is SOURCE_FILE,TARGET_FILE,GOLD_FILE" in capsys.readouterr().err
    assert (model / "aligner.json").read_bytes() == before


def test_a_method_that_the_model_cannot_do(model, capsys):
    assert xlm_align(["choose", "--model", str(model), "--gold-set", GOLD[0], "--methods", "pointer", "--quiet"]) == 2
    assert "--methods pointer: " in capsys.readouterr().err
