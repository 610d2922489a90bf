"""What must be the same for a run of `xlm-align align` to go on where another stopped: all that can change its output."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlm_align_fairseq.cli.support.shards import Shard
from xlm_align_fairseq.text.tokenize import describe
from xlm_align_fairseq.version import __version__

if TYPE_CHECKING:
    from xlm_align_fairseq.aligner.aligner import Aligner

FORMAT = "xlm-align-output.3"
# torch, numpy and scipy compute, sentencepiece makes pieces of words; sacrebleu, which makes words, is named with its tokenisers.
LIBRARIES = ("torch", "numpy", "scipy", "sentencepiece")


def identity(args: Any, shard: Shard, aligner: Aligner) -> dict[str, Any]:
    """Return what decides the bytes of an output; to be asked when `shard` has been counted.

    Not in it is what cannot change a byte: where the files lie, the progress bar, how often a run was stopped (it goes on from
    where no batch is shared, see `Aligner.align_corpus`), and, with one thread on a CPU, the sizes of batches.
    """
    texts = shard.texts
    read = None not in [file.size() for file in texts.files]
    return {
        "format": FORMAT,
        "inputs": [{"name": file.path.name, "sha256": file.sha256 if read else None} for file in texts.files],
        "tokenizers": "+".join(describe(name) for name in texts.tokenizers),
        "separator": texts.separator,
        "shard": f"{shard.shard_id}-of-{shard.num_shards}",
        "output": args.format,
        "tokenized": bool(args.write_tokenized),
        **_of_model(aligner),
        **_of_arithmetic(aligner, args.line_buffered),
        "version": __version__,
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES} | {"unicode": unicodedata.unidata_version},
    }


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> str | None:
    """Say what is not the same in two identities, as `threads was 1, now it is 2`; `None` if all is."""
    for key, value in now.items():
        other = before.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            if difference := first_difference(other, value, f"{within}{key} "):
                return difference
        elif value != other:
            return f"{within}{key} was {other!r}, now it is {value!r}"
    return None


def _of_model(aligner: Aligner) -> dict[str, Any]:
    """Return what the model directory and the flags about links decide."""
    from xlm_align_fairseq.alignment.linking import fingerprint

    pieces = aligner.pieces
    return {
        "aligner": aligner.signature_items(),
        "evidence": aligner.evidence.digest if aligner.evidence else None,
        "dictionary": _sha256(pieces.vocabulary.as_dictionary()),
        "sentencepiece": _sha256(pieces.processor.serialized_model_proto()),
        "window": aligner.window,  # what the model can read and the flag together
        "weights": fingerprint(aligner.weights, aligner.config),
    }


def _of_arithmetic(aligner: Aligner, at_once: bool) -> dict[str, Any]:
    """Return what decides the last bits of a similarity, and so now and then a link or a digit of a probability."""
    import torch

    device, threads = aligner.device, torch.get_num_threads()
    one_by_one = device.type == "cpu" and threads == 1  # then a row of a product does not depend on the rows beside it
    batches = "one pair" if at_once else f"{aligner.batch_tokens} pieces"
    where = _processor() if device.type == "cpu" else torch.cuda.get_device_name(device)
    return {
        "device": f"{device.type}, {where}",
        "threads": threads,
        "precision": str(aligner.autocast or aligner.encoder.embed_tokens.weight.dtype).removeprefix("torch."),
        "batches": None if one_by_one else batches,
    }


def _processor() -> str:
    """Return the kind of processor, by which libraries choose how they compute."""
    import torch

    names = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text("utf-8", "replace").split("\n") if "model name" in line
        ]
    return f"{names[0] if names else platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
