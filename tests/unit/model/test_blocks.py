import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.blocks import BLOCK, Blocks, n_blocks, quantise, restore

FINITE = st.floats(width=32, min_value=-8e6, max_value=8e6, allow_nan=False)


@st.composite
def matrices(draw):
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 70))
    values = draw(st.lists(FINITE, min_size=rows * columns, max_size=rows * columns))
    return torch.tensor(values).view(rows, columns)


def steps(blocks):
    """Return the scale of each value."""
    return blocks.scales.float().repeat_interleave(BLOCK, 1)[:, : blocks.values.size(1)]


@settings(deadline=None)
@given(matrices())
@example(torch.tensor([[1.4e-45]]))
def test_the_error_of_a_value_is_at_most_half_the_scale_of_its_block(matrix):
    before = matrix.clone()
    blocks = quantise(matrix)
    assert matrix.equal(before)
    assert (blocks.values.dtype, blocks.scales.dtype) == (torch.int8, torch.float16)
    assert blocks.values.shape == matrix.shape
    assert blocks.scales.shape == (len(matrix), n_blocks(matrix.size(1)))
    error = (restore(blocks).double() - matrix.double()).abs()
    nothing = 1e-43  # of less than 127 halves of the least float32, the scale is 0
    assert (error <= steps(blocks).double() / 2 * (1 + 1e-6) + nothing).all()
    assert int(blocks.values.min()) >= -127


@settings(deadline=None)
@given(matrices())
def test_scales_are_the_least_that_cut_nothing_off(matrix):
    """Up to the next float16: so the error is bounded by the largest value, 1/254 of it and a little."""
    scales = quantise(matrix).scales.float()
    for row, of_row in zip(matrix, scales, strict=True):
        for block, scale in zip(row.split(BLOCK), of_row, strict=True):
            largest = float(block.abs().max())
            assert largest / 127 <= float(scale) * (1 + 1e-6) + 1e-44  # the division is in float32
            assert float(scale) <= largest / 127 * (1 + 2**-10) + 2**-24


@settings(deadline=None)
@given(matrices())
def test_what_was_restored_is_restored_again(matrix):
    matrix = torch.where(matrix.abs() < 0.1, 0.0, matrix)  # scales that float16 has with all its digits
    once = restore(quantise(matrix))
    assert restore(quantise(once)).equal(once)


def test_blocks_lie_along_the_rows():
    matrix = torch.zeros(2, 65)
    matrix[0, 31], matrix[0, 32], matrix[1, 64] = 127.0, 254.0, -1.0
    blocks = quantise(matrix)
    assert blocks.scales[0].tolist() == [1.0, 2.0, 0.0]
    assert blocks.scales[1, :2].tolist() == [0.0, 0.0]
    assert blocks.values[0, 31:33].tolist() == [127, 127]
    assert restore(blocks)[:, :64].equal(matrix[:, :64])
    assert abs(float(restore(blocks)[1, 64]) + 1) < 1 / 254


def test_a_file_is_read_as_it_says():
    values = torch.tensor([[-128, 2]], dtype=torch.int8)
    assert restore(Blocks(values, torch.tensor([[0.25]]).half())).tolist() == [[-32.0, 0.5]]


def test_what_float16_scales_do_not_reach_is_refused():
    assert restore(quantise(torch.full((1, 1), 127 * 65504.0))).item() == 127 * 65504.0
    with pytest.raises(InputError, match=r"a weight of 1e\+07 is too large for 8-bit blocks; the largest is 8.31901e\+06"):
        quantise(torch.full((1, 3), 1e7))
