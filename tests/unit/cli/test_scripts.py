"""`scripts/`: a launcher for every command, each the same few lines."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import xlm_align_fairseq.cli
from xlm_align_fairseq.cli.main import COMMANDS

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
NAMES = {f"{command.replace('-', '_')}.py": command for command in COMMANDS}


def test_a_script_for_every_command():
    assert {path.name for path in SCRIPTS.iterdir() if path.name != "__pycache__"} == NAMES.keys()
    assert len({path.read_bytes() for path in SCRIPTS.glob("*.py")}) == 1


def test_each_explains_its_command(tmp_path):
    def run(script):
        command = [sys.executable, SCRIPTS / script, "--help"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    with ThreadPoolExecutor(2) as pool:
        for (script, command), done in zip(NAMES.items(), pool.map(run, NAMES), strict=True):
            assert (done.returncode, done.stderr) == (0, ""), script
            assert done.stdout.startswith(f"usage: xlm-align {command} "), script


@pytest.mark.parametrize("script", NAMES)
def test_no_command_imports_another(script):
    """What commands share is in `cli/support`."""
    source = (Path(xlm_align_fairseq.cli.__file__).parent / script).read_text("utf-8")
    modules = [node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module]
    ours = [module for module in modules if module.startswith("xlm_align_fairseq.cli")]
    assert all(module.startswith("xlm_align_fairseq.cli.support") for module in ours)
