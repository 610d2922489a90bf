"""Structure of the package: allowed imports between subpackages, length of files, files at the package's root."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import xlm_align_fairseq

PACKAGE = Path(xlm_align_fairseq.__file__).parent
CONTRACTS = Path(__file__).resolve().parents[2] / "pyproject.toml"
LONGEST = 300  # lines of a file: if it is longer, split it by purpose
LOOSE = ["__init__.py", "__init__.pyi", "errors.py", "py.typed", "signature.py", "version.py"]


def lint_imports(directory):
    """Check the import contracts of the package in a directory."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    command += ["--config", CONTRACTS, "--no-cache"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_room_imports_only_the_rooms_below_it(copy):
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout
    assert "Contracts: 4 kept, 0 broken." in done.stdout


FORBIDDEN = {
    "upwards": ("links/metrics.py", "from xlm_align_fairseq.alignment import config"),
    "upwards, in a function": ("alignment/words.py", "def f():\n    from xlm_align_fairseq.em.em import EM"),
    "fairseq": ("em/em.py", "import fairseq"),
    "transformers": ("convert/hugging_face.py", "import transformers"),
    "a circle": ("encoder/vocabulary.py", "from xlm_align_fairseq.encoder import pieces"),
    "a room nobody listed": ("newroom/__init__.py", "from xlm_align_fairseq.errors import InputError"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_forbidden_import_is_found(copy, case):
    file, line = FORBIDDEN[case]
    path = copy / PACKAGE.name / file
    path.parent.mkdir(exist_ok=True)
    with open(path, "a") as source:
        source.write(f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout


def test_files_are_short_and_few_lie_loose():
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
    assert sorted(path.name for path in PACKAGE.iterdir() if path.is_file()) == LOOSE


ROOMS = ["aligner", "alignment", "bitext", "convert", "em", "encoder", "links", "model", "pictures", "text", "transfer"]


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_a_room_says_what_it_promises(room):
    module = importlib.import_module(".".join(filter(None, ["xlm_align_fairseq", room])))
    assert module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_rooms_are_entered_without_torch():
    imports = "; ".join(f"import xlm_align_fairseq.{room}" for room in ROOMS)
    code = f"import sys; {imports}; sys.exit(str(sorted({{'torch', 'numpy', 'fairseq', 'sentencepiece'}} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
