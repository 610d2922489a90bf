"""Checkpoints are plain data: ours open with safe loading, and code in foreign ones is never run."""

import os
import pickle
import shutil
import sys
import tarfile
import traceback
from pathlib import Path

import pytest
import torch
from world import run, train, train_flags

from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.errors import InputError

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
TAR = "is not a torch checkpoint, or is damaged: it is of the form of torch 0.1, which only unsafe loading reads"
KINDS = {"zip": CALL, "legacy": CALL, "pickle": "is not a plain checkpoint: refused, nothing was run", "tar": TAR}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def hostile(kind, marker, tmp_path):
    """Return a checkpoint that runs a command when it is unpickled without safe loading."""
    path = tmp_path / "hostile.pt"
    content = {"args": None, "cfg": {"model": {"_name": "xlm_align"}}, "model": {}, "extra_state": Hostile(marker)}
    if kind == "tar":
        for name in ("storages", "tensors", "pickle"):
            (tmp_path / name).write_bytes(pickle.dumps(content if name == "pickle" else 0, 2) + pickle.dumps([], 2))
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as file:
            for name in ("storages", "tensors", "pickle"):
                file.add(tmp_path / name, name)
                (tmp_path / name).unlink()
        torch.load(path, weights_only=False)
    elif kind == "pickle":
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
def test_train(world, tmp_path, kind, hostile, marker, flag, caplog):
    path = hostile
    if flag == "--cold-start":
        shutil.copytree(world / "model", tmp_path / "model", ignore=lambda *_: ["model.pt"])
        path = hostile.rename(tmp_path / "model" / "model.pt")
        hostile = path.parent
    with pytest.raises(InputError) as refused:
        train(caplog, train_flags(world, tmp_path / "run", flag, str(hostile)))
    assert str(refused.value).startswith(f"{path} {KINDS[kind]}")
    shown = "".join(traceback.format_exception(refused.value)) + caplog.text
    assert "weights_only" not in shown  # what torch advises: to load it as it is
    assert not marker.exists()
    assert not list((tmp_path / "run").glob("*.pt"))


@pytest.mark.parametrize("kind", ["zip"])
@pytest.mark.parametrize("flag", ["--restore-file", "--finetune-from-model"])
def test_train_in_a_process_of_its_own(world, tmp_path, kind, hostile, marker, flag):
    command = [Path(sys.executable).with_name("fairseq-train"), *train_flags(world, tmp_path / "run")]
    done = run([*command, flag, hostile], check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"fairseq-train: error: {hostile} {KINDS[kind]}")
    assert "Traceback" not in done.stdout + done.stderr
    assert "weights_only" not in done.stdout + done.stderr
    assert not marker.exists()
