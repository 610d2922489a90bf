"""What the commands wrote when modules moved, they write today, byte for byte: see tests/golden/README.md."""

import hashlib
import json
import re

import pytest
from world import ROOT, SHIPPED

from xlm_align_fairseq.cli.main import main as xlm_align

GOLDEN = ROOT / "tests" / "golden"
CASES = GOLDEN / "cases"
LISTED = json.loads((CASES / "cases.json").read_text("utf-8"))


def normalised(text):
    for pattern, name in LISTED["versions"]:
        text = re.sub(pattern.encode(), name.encode(), text)
    return text


def kept(path):
    if path.suffix in (".bin", ".idx") or path.name == "dict.txt":
        return f"{path.name}.sha256", f"{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
    return path.name, normalised(path.read_bytes())


@pytest.mark.parametrize("name", LISTED["commands"])
def test_a_command_writes_what_it_wrote(tmp_path, monkeypatch, capfdbinary, name):
    for variable, value in LISTED["environment"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    for link, target in (("data", SHIPPED), ("inputs", CASES / "inputs"), ("model", GOLDEN / "before_the_move" / "model")):
        (tmp_path / link).symlink_to(target)
    (tmp_path / "out").mkdir()
    assert xlm_align(LISTED["commands"][name]) == 0
    stdout, stderr = capfdbinary.readouterr()
    found = {"stdout": normalised(stdout), "stderr": normalised(stderr)}
    found |= dict(kept(path) for path in (tmp_path / "out").iterdir())
    expected = {path.name: path.read_bytes() for path in (CASES / name).iterdir()}
    assert found.keys() == expected.keys()
    for file in expected:
        assert found[file] == expected[file], file
