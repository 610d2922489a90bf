"""Weights are believed after they were compared: with the sizes, with the memory that they have, and with what a number is."""

import collections
import io
import time
import zipfile

import numpy as np
import pytest
import torch

from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import FLAGS, EncoderConfig
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model import checkpoint
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.tensors import check_finite, check_tensors


@pytest.fixture
def refused(tmp_path, make_model):
    """Return a function that changes a checkpoint and checks that it is refused at once, by its name, in one line."""
    write_model(tmp_path, make_model())
    path = tmp_path / "model.pt"
    good = path.read_bytes()

    def check(text, change, **options):
        content = torch.load(io.BytesIO(good), weights_only=True)
        content = change(content) or content
        torch.save(content, path, **options)
        began = time.monotonic()
        with pytest.raises(InputError, match=text) as error:
            open_model(tmp_path)
        assert time.monotonic() - began < 10
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 600

    return check


BIAS = "encoder.layers.1.fc2.bias"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e300])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("key", [BIAS, "encoder.embed_tokens.weight", "lm_head.bias", "pointer.query.weight"])
def test_numbers_that_are_not_finite_are_refused_by_name(make_model, key, dtype, number):
    state = {name: value.to(dtype) for name, value in make_model().state.items()}
    check_finite(state)
    state[key].view(-1)[-1] = torch.tensor(number).to(dtype) if number < 1e300 or dtype != torch.float64 else number
    with pytest.raises(InputError, match=rf"^{key} has 1 of [\d,]+ numbers that are not finite \(NaN or infinite\)"):
        check_finite(state)


def test_finite_numbers_are_let_through_however_large():
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        largest = min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)
        check_finite({"a": torch.full((1000,), largest, dtype=dtype), "b": torch.full((3, 3), -largest, dtype=dtype)})


@pytest.mark.parametrize("form", ["fairseq", "hf"])
def test_a_model_with_nan_is_refused_on_loading(tmp_path, make_model, form):
    from xlm_align_fairseq.convert import hugging_face

    model = make_model()
    model.state[BIAS][5] = float("nan")
    (write_model if form == "fairseq" else hugging_face.write)(tmp_path, model)
    with pytest.raises(InputError, match=rf"{BIAS} has 1 of 32 numbers that are not finite .* take an earlier checkpoint"):
        open_model(tmp_path)


ODD = {
    "int, not a tensor": 3,
    "NoneType, not a tensor": None,
    "list, not a tensor": [torch.ones(32)],
    "torch.sparse_coo tensor": torch.eye(32).to_sparse(),
    "torch.sparse_csr tensor": torch.eye(32).to_sparse_csr(),
    r"has shape \(\), the sizes say \(32,\)": torch.tensor(1.0),
    "torch.complex64: allowed are torch.float64": torch.ones(32, dtype=torch.complex64),
    "torch.int64: allowed are": torch.ones(32, dtype=torch.int64),
    "torch.bool: allowed are": torch.ones(32, dtype=torch.bool),
    "torch.float8_e4m3fn: allowed are": torch.ones(32).to(torch.float8_e4m3fn),
    "on meta; allowed are dense numbers": torch.ones(32, device="meta"),
    r"has shape \(32,\), and the file only 4 bytes of it": torch.ones(1).expand(32),
    r"has shape \(3, 0\), the sizes say \(32,\)": torch.ones(3, 0),
}


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_dense_tensor_of_floats_is_refused(refused, text):
    refused(f"{BIAS} .*{text}", lambda content: content["model"].update({BIAS: ODD[text]}))


def test_quantised_tensors_are_refused(refused):
    quantised = torch.quantize_per_tensor(torch.ones(32), 0.1, 0, torch.qint8)
    refused(rf"{BIAS} is a .* allowed are dense numbers", lambda content: content["model"].update({BIAS: quantised}))


PARTS = {
    "its weights are a NoneType, not tensors by name": {"model": None},
    "its weights are a list, not tensors by name": {"model": [1]},
    "7 is the name of a tensor; allowed is text": {"model": {7: torch.ones(1)}},
    "its configuration is a list, not flags by name": {"cfg": [1]},
    "its configuration is a int, not flags by name": {"cfg": {"model": 3}},
    "its configuration is a str, not flags by name": {"args": "x"},
    "hold.? no model with its args or cfg": {"cfg": None},
}


@pytest.mark.parametrize("text", PARTS)
def test_parts_of_other_types_are_refused(refused, text):
    refused(text, lambda content: content.update(PARTS[text]))


SIZES = {
    "layers": ["2", 2.0, 0, -4, True, None, [3], 10_000_000, 2**62, 2**200],
    "width": ["64", -64, 2**62, 31],
    "heads": [0, -4, "4", 5, 4.0],
    "ffn": [0, 2**62, 49],
    "max_positions": [0, 4, 2**62, "40"],
    "layer_norm_eps": ["x", float("nan"), float("inf"), 0, -1e-5, 2, None],
    "dropout": [7, -0.1, float("nan"), "0"],
    "attention_dropout": [7],
    "activation_dropout": [7],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in SIZES.items() for value in values])
def test_sizes_are_compared_before_anything_is_built(refused, field, value):
    flag = next(flag for flag, name in FLAGS.items() if name == field)
    wrong = rf"{flag} is .*: allowed is |do not fit the sizes|do not divide the width"
    refused(wrong, lambda content: content["cfg"]["model"].update({flag: value}))


@pytest.mark.parametrize("architecture", ["evil", ["bert"], None, {}])
def test_another_architecture_is_refused(refused, architecture):
    refused(
        r"hf_architecture is .*: allowed are xlm-roberta, bert",
        lambda content: content["cfg"]["model"].update(hf_architecture=architecture),
    )


def test_layers_are_counted_in_the_tensors(make_model):
    model = make_model(layers=2)
    config = EncoderConfig(**{**vars(model.config), "layers": 10**9})
    with pytest.raises(InputError, match="those say 1000000000 layers, the weights have 2"):
        check_tensors(config, model.state)


def test_one_memory_for_many_tensors_is_refused(refused):
    """A thousand names for one matrix are a thousand matrices once they are copied."""

    def shared(content):
        (content["cfg"]["model"]["encoder_layers"]) = 1000
        layer = {key: value for key, value in content["model"].items() if key.startswith("encoder.layers.0.")}
        for n in range(1000):
            content["model"].update({key.replace(".0.", f".{n}.", 1): value for key, value in layer.items()})

    refused(r"its tensors are of [\d,]+ bytes and have only [\d,]+ among them", shared)


def test_rows_that_one_row_stands_for_are_refused(refused):
    refused(
        r"encoder.embed_tokens.weight has shape \(2000000, 32\), and the file only 128 bytes",
        lambda content: content["model"].update({"encoder.embed_tokens.weight": torch.ones(1, 32).expand(2_000_000, 32)}),
    )


def test_a_packed_checkpoint_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"model": {"x": torch.zeros(10_000_000)}}, tmp_path / "big.pt")
    with zipfile.ZipFile(tmp_path / "big.pt") as big, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for record in big.infolist():
            bomb.writestr(record.filename, big.read(record))
    assert (tmp_path / "bomb.pt").stat().st_size < 1_000_000
    assert torch.load(tmp_path / "bomb.pt", weights_only=True)["model"]["x"].numel() == 10_000_000, "the test shows nothing"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"bomb.pt is a packed file of [\d,]+ bytes that unpacks to 40,\d+,\d+: refused"):
        checkpoint.load_checkpoint(tmp_path / "bomb.pt")
    assert time.monotonic() - began < 1


class Call:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


SCALAR = np.float64(0).__reduce__()[0]
ROOM = {
    "bytearray": Call(bytearray, 1 << 35),
    "text": Call(SCALAR, np.dtype("V2000000000")),
    "scalar": Call(SCALAR, np.dtype("V2000000000"), b""),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ROOM)
def test_a_number_takes_no_room(tmp_path, name, zipped):
    torch.save({"model": {}, "x": ROOM[name]}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"a.pt (wants to call builtins.bytearray|is not a)"):
        checkpoint.load_checkpoint(tmp_path / "a.pt")
    assert time.monotonic() - began < 1


def test_numbers_of_numpy_are_read_as_numpy_reads_them(tmp_path):
    numbers = [np.float64(-2.5), np.float32(1e-3), np.float16(0.5), np.int64(-(2**62)), np.int32(7), np.bool_(True)]
    for zipped in (True, False):
        torch.save({"a": numbers, "b": collections.OrderedDict(x=1)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        again = checkpoint.load_checkpoint(tmp_path / "a.pt")["a"]
        assert [(type(one), one) for one in again] == [(type(one), one) for one in numbers]
