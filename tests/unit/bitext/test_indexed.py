"""Tests of the writer of indexed data: byte for byte what fairseq writes, readable by fairseq, written atomically."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.bitext import indexed
from xlm_align_fairseq.bitext.indexed import IndexedWriter, best_dtype

fairseq_indexed = pytest.importorskip("fairseq.data.indexed_dataset")


def write_with_fairseq(prefix, items, dtype):
    builder = fairseq_indexed.MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for item in items:
        builder.add_item(torch.tensor(item, dtype=torch.int64))
    builder.finalize(f"{prefix}.idx")


def write(prefix, items, dtype, step=3):
    with IndexedWriter(prefix, dtype) as writer:
        for start in range(0, len(items), step):
            part = items[start : start + step]
            writer.add(np.array([x for item in part for x in item], np.int64), np.array([len(item) for item in part]))
    return writer


def both(prefix):
    return [Path(f"{prefix}.{ending}").read_bytes() for ending in ("bin", "idx")]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64, np.int32, np.uint8])
def test_the_bytes_are_those_of_fairseq(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr(indexed, "INDEX_BLOCK", 2)  # the index is longer than a block
    items = [[5, 6, 2], [], [2], list(range(200)), [7, 2], []]
    write_with_fairseq(tmp_path / "theirs", items, dtype)
    writer = write(tmp_path / "ours", items, dtype)
    assert both(tmp_path / "ours") == both(tmp_path / "theirs")
    assert writer.items == 6
    assert writer.elements == sum(map(len, items))
    assert [writer.sha256[ending] for ending in ("bin", "idx")] == [
        hashlib.sha256(data).hexdigest() for data in both(tmp_path / "ours")
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 65535), max_size=6), min_size=1, max_size=12).filter(any),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_any_items_in_any_portions(tmp_path, items, step, block):
    write_with_fairseq(tmp_path / "theirs", items, np.uint16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexed, "INDEX_BLOCK", block)
        write(tmp_path / "ours", items, np.uint16, step)
    assert both(tmp_path / "ours") == both(tmp_path / "theirs")


@pytest.mark.parametrize("items", [[[1, 2], [], [3]], [[], [1]], [[1], []], [[], []], []])
def test_fairseq_reads_empty_items_wherever_they_are(tmp_path, items):
    write(tmp_path / "x", items, np.uint16)
    read = fairseq_indexed.make_dataset(str(tmp_path / "x"), impl=fairseq_indexed.infer_dataset_impl(str(tmp_path / "x")))
    assert [read[i].tolist() for i in range(len(read))] == items
    assert read.sizes.tolist() == [len(item) for item in items]


@pytest.mark.parametrize("size", [1, 1000, 65499, 65500, 250002, 4294967294, 4294967295, 1 << 40])
def test_best_dtype_is_that_of_fairseq(size):
    assert best_dtype(size) == np.dtype(fairseq_indexed.best_fitting_int_dtype(size))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, kind):
    write(tmp_path / "x", [[1, 2]], np.uint16)
    before = both(tmp_path / "x")

    def interrupted():
        with IndexedWriter(tmp_path / "x", np.uint16) as writer:
            writer.add(np.array([3]), np.array([1]))
            writer.finish()
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert both(tmp_path / "x") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.bin", "x.idx"]


def test_nothing_is_there_before_the_end(tmp_path):
    with IndexedWriter(tmp_path / "x", np.uint16) as writer:
        writer.add(np.array([3]), np.array([1]))
        writer.finish()
        assert not list(tmp_path.glob("x*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.bin", "x.idx"]


@pytest.mark.parametrize(
    ("flat", "sizes", "message"),
    [
        ([1, 2, 3], [1, 1], "2 sizes add up to 2, not to 3 elements"),
        ([1], [2, -1], "2 sizes add up to 1, not to 1 elements"),
        ([1, 65536], [2], "uint16 cannot hold values from 1 to 65536"),
        ([-1], [1], "uint16 cannot hold values from -1 to -1"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, flat, sizes, message):
    with pytest.raises(ValueError, match=message), IndexedWriter(tmp_path / "x", np.uint16) as writer:
        writer.add(np.array(flat), np.array(sizes))
    assert not list(tmp_path.iterdir())


def test_refuses_a_type_without_a_code_and_items_after_the_end(tmp_path):
    with pytest.raises(ValueError, match=r"items of type float16; allowed are uint8, int8"):
        IndexedWriter(tmp_path / "x", np.float16)
    writer = write(tmp_path / "x", [[1]], np.uint16)
    with pytest.raises(ValueError, match="not open for writing"):
        writer.add(np.array([1]), np.array([1]))
