"""Thousands of damaged and hostile model directories: a result, or one line that says what is wrong; never more, and at once."""

import copy
import json
import os
import random
import resource
import shutil
import struct
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig, PointerHead, init_weights
from xlm_align_fairseq.encoder.vocabulary import Vocabulary
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.record import Model

CASES = 300  # of each kind of directory
SECONDS, BYTES = 20, 2 << 30  # the most that one of them may take
KINDS = ("ours", "ours legacy", "run", "fairseq 2019", "hf", "hf sharded bin", "hf without sentencepiece")
PIECES = [(piece, -float(n)) for n, piece in enumerate(["▁ab", "cd", "▁", *"abcdefg"], 1)]
SIZES = [0, -1, -4, 1, 2, 3, 5, 7, 64, 10**3, 10**7, 2**31, 2**62, 2**63, 10**30, 0.5, 2.0, -0.1, 1e-5, 1e308]
SIZES += [float("nan"), float("inf")]
OTHERS = [None, True, False, "", "2", "x", "bert", "softmax", "../x", "a\0b", "é" * 50]
OTHERS += [[], [1], ["softmax"], {}, {"a": 1}, [[]], [None] * 5]


def nested(depth):
    return "[" * depth + "]" * depth


def tensors():
    """Return what a tensor can be, besides what it should be."""
    return [
        *(torch.ones(shape) for shape in ((), (0,), (8,), (8, 8), (2, 3, 4))),
        torch.ones(1).expand(8),
        torch.ones(1, 8).expand(1 << 30, 8),
        *(torch.ones(8, dtype=dtype) for dtype in (torch.int64, torch.complex64, torch.float16)),
        torch.full((8,), float("nan")),
        torch.eye(8).to_sparse(),
        torch.quantize_per_tensor(torch.ones(8), 0.1, 0, torch.qint8),
        torch.ones(8, device="meta"),
        torch.nn.Parameter(torch.ones(8)),
    ]


def change(rng, tree, others=()):
    """Change one place of a tree of dicts and lists: another value, another type, one missing, one under another name."""
    places = []

    def walk(node):
        for key in list(node) if isinstance(node, dict) else range(min(len(node), 9)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(tree)
    if not places:
        return
    node, key = rng.choice(places)
    what = rng.randrange(6)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[rng.choice([7, "x", f"{key}x", f"{key}\n\x1b[2J", str(key)[:-1], "x" * 100_000])] = node.pop(key)
    elif what == 2:
        node[key] = copy.deepcopy(rng.choice(places)[0])
    else:
        node[key] = rng.choice([*SIZES, *OTHERS, *others])


def change_bytes(rng, path):
    """Cut a file, or write over some of it."""
    data = bytearray(path.read_bytes())
    what = rng.randrange(5)
    if what == 0:
        del data[rng.randrange(len(data) + 1) :]
    elif what == 1 and data:
        begin = rng.randrange(len(data))
        del data[begin : begin + rng.randrange(1, 200)]
    elif what == 2:
        others = [b"", b"\0", b"\xef\xbb\xbf" + data, nested(100_000).encode(), b"{}", b"PK\x03\x04", b"\xff" * 50]
        data = bytearray(rng.choice(others))
    else:
        for _ in range(rng.randrange(1, 20)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)


def change_json(rng, path):
    content = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(rng.randrange(1, 3)):
        change(rng, content)
    text = json.dumps(content)
    if rng.random() < 0.1:
        text = text.replace("1", nested(rng.choice([50, 1000, 100_000])), 1)
    path.write_text(text, encoding="utf-8")


def change_pickle(rng, path):
    content = torch.load(path, weights_only=True)
    part = rng.choice(["model", "cfg", None, None])
    for _ in range(rng.randrange(1, 3)):
        change(rng, content[part] if isinstance(content.get(part), dict) else content, tensors())
    torch.save(content, path, _use_new_zipfile_serialization=rng.random() < 0.8)


def change_safetensors(rng, path):
    if rng.random() < 0.5:
        state = load_file(path)
        key = rng.choice(list(state))
        if rng.random() < 0.3:
            del state[key]
        else:
            state[rng.choice([key, "x"])] = rng.choice(tensors()[:5] + tensors()[7:11])
        save_file(state, path)
        return
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(rng, header)
    text = json.dumps(header).encode()
    size = rng.choice([len(text), len(text), len(text), 0, 2**40, 2**64 - 1])
    path.write_bytes(struct.pack("<Q", size) + text + data[8 + length :])


def mutate(rng, directory):
    files = sorted(path for path in directory.iterdir() if path.is_file())
    path = rng.choice(files)
    ways = {".json": change_json, ".pt": change_pickle, ".bin": change_pickle, ".safetensors": change_safetensors}
    way = ways.get(path.suffix, change_bytes) if rng.random() < 0.75 else change_bytes
    what = rng.random()
    if what < 0.02:
        path.unlink()
    elif what < 0.04:
        path.unlink()
        path.mkdir()
    else:
        try:
            way(rng, path)
        except Exception:  # what cannot be read or written any more is changed in another way
            change_bytes(rng, path)
    return path.name


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """Return good model directories of every kind, by name."""
    root = tmp_path_factory.mktemp("good")
    folders = {name: root / name.replace(" ", "-") for name in KINDS}
    ours, theirs = folders["ours"], folders["hf"]
    vocabulary = Vocabulary(piece for piece, _ in PIECES)
    config = EncoderConfig(len(vocabulary), 2, 8, 2, 16, 12)
    parts = {"encoder": Encoder(config).apply(init_weights), "pointer": PointerHead(config).apply(init_weights)}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    aligner = AlignerConfig(encoding="separate", align_layer=1)
    write_model(ours, Model(config, state, "xlm-roberta", vocabulary, charsmap.assemble(PIECES, b""), aligner))
    assert xlm_align(["convert", str(ours), str(theirs), "--to", "hf"]) == 0
    for name in ("run", "ours legacy", "fairseq 2019"):
        shutil.copytree(ours, folders[name], ignore=lambda *_: ["model.pt"])
    content = torch.load(ours / "model.pt", weights_only=True)
    torch.save(content, folders["run"] / "checkpoint_last.pt")
    torch.save(content, folders["ours legacy"] / "model.pt", _use_new_zipfile_serialization=False)
    old = {
        key.replace("encoder.", "decoder.sentence_encoder.", 1).replace("layernorm_embedding", "emb_layer_norm"): value
        for key, value in content["model"].items()
        if key.startswith("encoder.")
    }
    flags = {"encoder_attention_heads": 2, "encoder_layers": 2, "activation_fn": "gelu"}
    torch.save({"args": None, "cfg": {"model": flags}, "model": old}, folders["fairseq 2019"] / "model.pt")
    for name in ("hf sharded bin", "hf without sentencepiece"):
        shutil.copytree(theirs, folders[name])
    state = load_file(theirs / "model.safetensors")
    (folders["hf sharded bin"] / "model.safetensors").unlink()
    shards = {key: f"part-{n % 2}.bin" for n, key in enumerate(sorted(state))}
    for shard in set(shards.values()):
        torch.save({key: state[key] for key, name in shards.items() if name == shard}, folders["hf sharded bin"] / shard)
    (folders["hf sharded bin"] / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": shards}))
    (folders["hf without sentencepiece"] / "sentencepiece.bpe.model").unlink()
    return folders


def run(directory, out, case, capsys):
    """Convert a directory, or align with it; return the exit code and what was written to stderr."""
    if case % 2:
        code = xlm_align(["convert", str(directory), str(out), "--force", "--to", ("fairseq", "hf")[case // 2 % 2]])
    else:
        text = str(out.parent / "text")
        code = xlm_align(["align", "--model", str(directory), "--src", text, "--tgt", text, "--quiet"])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_or_one_line(kind, directories, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)
    (tmp_path / "text").write_text("ab cd a .\n\nabc\n")
    out, codes = tmp_path / "out", []
    for case in (0, 1):
        code, _ = run(directories[kind], out, case, capsys)
        assert code == 0, "the directory is damaged before it is changed: the test shows nothing"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case in range(CASES):
        seed = f"{kind} {case}"
        rng = random.Random(seed)
        directory = tmp_path / "model"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(directories[kind], directory)
        changed = {mutate(rng, directory) for _ in range(rng.choice([1, 1, 1, 2]))}
        began = time.monotonic()
        try:
            code, err = run(directory, out, case, capsys)
        except BaseException as error:
            raise AssertionError(f"seed {seed!r}, {changed}: {type(error).__name__}") from error
        codes.append(code)
        assert time.monotonic() - began < SECONDS, f"seed {seed!r}, {changed}"
        wanted = 0 if code == 0 else 1
        assert code in (0, 2), f"seed {seed!r}, {changed}: exit code {code}"
        lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == wanted, f"seed {seed!r}, {changed}: {err}"
        assert all(": error: " in line and len(line) < 2000 for line in lines), f"seed {seed!r}, {changed}: {err}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < BYTES, f"{grown:,} bytes"
    assert codes.count(2) > CASES / 4, "hardly a directory was refused: the cases are too tame"
