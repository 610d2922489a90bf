"""Models, data and texts below a directory whose name is no text: all works there, and writes what it writes elsewhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world import ENVIRONMENT, train_flags, tree

from xlm_align_fairseq.cli.main import main as xlm_align

ODD = os.fsdecode(b"n\xe4me\xff \n")


@pytest.fixture
def places(world, tmp_path):
    """The same model, text and data below a plain and an odd name."""
    places = {}
    for name in ("plain", ODD):
        places[name] = tmp_path / name
        for part in ("model", "data", "text"):
            shutil.copytree(world / part, places[name] / part)
    return places


def test_commands(places, capsys):
    def command(*arguments):
        capsys.readouterr()
        assert xlm_align([*map(str, arguments)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    for place in places.values():
        model, data = place / "model", place / "data"
        text = ["--src", place / "text" / "valid.de-en.de", "--tgt", place / "text" / "valid.de-en.en"]
        command("align", "--model", model, *text, "--quiet", "--out", place / "links", "--format", "jsonl")
        assert command("align", "--model", model, *text, "--quiet", "--format", "jsonl") == (place / "links").read_text("utf-8")
        command("label", "--model", model, "--data", data, "--quiet", "--out", place / "labels")
        command("binarize", "--model", model, "--lang-pair", "de-en", *text, "--out", place / "new data")
        command("convert", model, place / "hf", "--to", "hf")
        command("convert", place / "hf", place / "back")
        gold = f"{place / 'text' / 'valid.de-en.de'},{place / 'text' / 'valid.de-en.en'},{place / 'gold'}"
        (place / "gold").write_text("0-0\n" * 20)
        command("choose", "--model", place / "back", "--gold-set", gold, "--methods", "argmax", "--quiet")
    plain, odd = map(tree, places.values())
    assert plain == odd


def test_names_of_texts_in_a_manifest(world, tmp_path):
    """The JSON is UTF-8, and who reads it has the very name."""
    for side in ("de", "en"):
        shutil.copy(world / "text" / f"valid.de-en.{side}", tmp_path / f"{ODD}.{side}")
    text = ["--src", str(tmp_path / f"{ODD}.de"), "--tgt", str(tmp_path / f"{ODD}.en")]
    command = ["binarize", "--model", str(world / "model"), "--lang-pair", "de-en", *text, "--out", str(tmp_path / "out")]
    assert xlm_align(command) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.train.de-en.json").read_text("utf-8"))
    assert manifest["inputs"]["source"]["name"] == f"{ODD}.de"


def test_training(places):
    place = places[ODD]
    flags = train_flags(place, place / "run", "--max-update", "2", "--label-schedule", "updates:1")
    done = subprocess.run(
        [Path(sys.executable).with_name("fairseq-train"), *flags], capture_output=True, env=ENVIRONMENT, timeout=300
    )
    assert done.returncode == 0, ascii(done.stderr[-3000:])
    assert {"checkpoint_last.pt", "aligner.json", "labels"} <= {path.name for path in (place / "run").iterdir()}
