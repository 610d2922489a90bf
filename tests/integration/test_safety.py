"""Checkpoints are plain data: ours open with safe loading, and code in foreign ones is never run."""

import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch
from world import run, train, train_flags

from xlm_align_fairseq.cli.main import main as xlm_align

GOLD = Path(__file__).resolve().parents[2] / "examples" / "quickstart" / "data" / "de-en"
PLAIN = """
import sys, torch
for file in sys.argv[1:]:
    content = torch.load(file, weights_only=True)
    print(file, len(content["model"]), sorted(content["extra_state"]) != [])
assert not {"fairseq", "xlm_align_fairseq"} & set(sys.modules)
"""


class Hostile:
    """Unpickling makes a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


CALL = r"wants to call posix.system, which is no part of a checkpoint: refused, nothing was run"
KINDS = {"zip": CALL, "legacy": CALL, "pickle": "is not a plain checkpoint: refused, nothing was run"}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def hostile(kind, marker, tmp_path):
    """Return a checkpoint that runs a command when it is unpickled without safe loading."""
    path = tmp_path / "hostile.pt"
    content = {"args": None, "cfg": {"model": {"_name": "xlm_align"}}, "model": {}, "extra_state": Hostile(marker)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
        pickle.loads(path.read_bytes())
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
        torch.load(path, weights_only=False)
    assert marker.exists()  # unsafe loading does run the command
    marker.unlink()
    return path


def test_checkpoints_of_training_are_plain_data(world, tmp_path, caplog):
    """Opened by a process that knows neither fairseq nor the plugin, with no class allowed."""
    gold = f"{GOLD / 'test.de'},{GOLD / 'test.en'},{GOLD / 'gold'}"
    flags = ["--max-update", "30", "--save-interval-updates", "10", "--valid-gold", gold, "--best-checkpoint-metric", "aer"]
    flags += ["--store-ema", "--lr-scheduler", "polynomial_decay", "--total-num-update", "40", "--keep-best-checkpoints", "1"]
    flags = train_flags(world, tmp_path, *flags)
    train(caplog, [flag for flag in flags if flag not in ("--disable-validation", "--no-epoch-checkpoints")])
    files = sorted(tmp_path.glob("*.pt"))
    names = {"checkpoint1.pt", "checkpoint_1_10.pt", "checkpoint_2_30.pt", "checkpoint_best.pt", "checkpoint_last.pt"}
    assert names < {file.name for file in files}
    files.append(world / "model" / "model.pt")
    done = run([sys.executable, "-c", PLAIN, *files], cwd=tmp_path)
    assert len(done.stdout.splitlines()) == len(files)


@pytest.mark.parametrize("name", ["model.pt", "checkpoint_best.pt"])
def test_align(world, tmp_path, kind, hostile, marker, name, capsys):
    model = tmp_path / "model"
    shutil.copytree(world / "model", model, ignore=lambda *_: ["model.pt"])
    hostile.rename(model / name)
    (tmp_path / "text").write_text("a\n")
    text = ["--src", str(tmp_path / "text"), "--tgt", str(tmp_path / "text")]
    assert xlm_align(["align", "--model", str(model), "--quiet", *text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"xlm-align align: error: {model / name} {KINDS[kind]}")
    assert not marker.exists()


@pytest.mark.parametrize("form", ["fairseq", "hf"])
def test_convert(world, tmp_path, kind, hostile, marker, form, capsys):
    source = tmp_path / "source"
    if form == "fairseq":
        shutil.copytree(world / "model", source, ignore=lambda *_: ["model.pt"])
        hostile.rename(source / "model.pt")
    else:
        assert xlm_align(["convert", str(world / "model"), str(source), "--to", "hf"]) == 0
        (source / "model.safetensors").unlink()
        hostile.rename(source / "pytorch_model.bin")
    assert xlm_align(["convert", str(source), str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"xlm-align convert: error: {source}")
    assert KINDS[kind] in err
    assert not marker.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["--restore-file", "--finetune-from-model", "--cold-start"])
def test_train(world, tmp_path, hostile, marker, flag, caplog):
    if flag == "--cold-start":
        shutil.copytree(world / "model", tmp_path / "model", ignore=lambda *_: ["model.pt"])
        hostile = hostile.rename(tmp_path / "model" / "model.pt").parent
    with pytest.raises(Exception, match=r"posix.system|Unsupported operand|is not a plain checkpoint"):
        train(caplog, train_flags(world, tmp_path / "run", flag, str(hostile)))
    assert not marker.exists()
    assert not list((tmp_path / "run").glob("*.pt"))


@pytest.mark.parametrize("kind", ["zip"])
def test_train_in_a_process_of_its_own(world, tmp_path, hostile, marker):
    command = [Path(sys.executable).with_name("fairseq-train"), *train_flags(world, tmp_path / "run")]
    done = run([*command, "--restore-file", hostile], check=False)
    assert done.returncode == 1
    assert "posix.system" in done.stderr
    assert not marker.exists()
