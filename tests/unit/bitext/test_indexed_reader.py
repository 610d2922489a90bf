"""Tests of the reader of indexed data: the same items as fairseq reads, many items at once, refused files."""

import pickle
import re
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.bitext.indexed import HEADER, MAGIC, IndexedReader, IndexedWriter, take_ranges
from xlm_align_fairseq.errors import InputError

fairseq_indexed = pytest.importorskip("fairseq.data.indexed_dataset")
data_utils = pytest.importorskip("fairseq.data.data_utils")

DTYPES = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
ITEMS = st.lists(st.lists(st.integers(0, 127), max_size=5), min_size=1, max_size=12)
in_one_directory = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write_with_fairseq(prefix, items, dtype):
    builder = fairseq_indexed.MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for item in items:
        builder.add_item(torch.tensor(item, dtype=torch.int64))
    builder.finalize(f"{prefix}.idx")


def write(prefix, items, dtype=np.uint16):
    with IndexedWriter(prefix, dtype) as writer:
        writer.add(np.array([x for item in items for x in item], np.int64), np.array([len(item) for item in items], np.int64))


def as_lists(items):
    return [items[number].tolist() for number in range(len(items))]


# what is read


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # fairseq makes a tensor of it
@in_one_directory
@given(ITEMS.filter(any), st.sampled_from(DTYPES))
def test_items_are_those_that_fairseq_reads(tmp_path, items, dtype):
    write_with_fairseq(tmp_path / "x", items, np.dtype(dtype).type)
    ours, theirs = IndexedReader(tmp_path / "x"), data_utils.load_indexed_dataset(str(tmp_path / "x"), None)
    assert as_lists(ours) == as_lists(theirs) == items
    assert ours.sizes.tolist() == theirs.sizes.tolist()
    assert (ours.dtype, ours[0].dtype, ours.sizes.dtype) == (np.dtype(dtype), np.dtype(dtype), np.int32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_a_type_are_read_as_written(tmp_path, dtype):
    ends = np.iinfo(dtype)
    with IndexedWriter(tmp_path / "x", dtype) as writer:
        writer.add(np.array([ends.min, ends.max], dtype), np.array([2]))
    reader = IndexedReader(tmp_path / "x")
    assert reader[0].tolist() == [ends.min, ends.max]
    assert reader.highest() == ends.max


@pytest.mark.parametrize("how", [write, write_with_fairseq])
@pytest.mark.parametrize("items", [[], [[]], [[], [], []]])
def test_nothing_to_read(tmp_path, items, how):
    """Items that are all empty: also fairseq's empty `.bin`, which fairseq itself cannot open."""
    how(tmp_path / "x", items, np.uint16)
    reader = IndexedReader(tmp_path / "x")
    assert as_lists(reader) == items
    assert reader.highest() == -1
    flat, sizes = reader.gather(np.arange(len(items)))
    assert (flat.tolist(), sizes.tolist()) == ([], [0] * len(items))


@in_one_directory
@given(ITEMS, st.data())
def test_many_at_once_are_those_one_by_one(tmp_path, items, data):
    """Items in any order, also repeated, also none."""
    write(tmp_path / "x", items)
    reader = IndexedReader(tmp_path / "x")
    numbers = np.array(data.draw(st.lists(st.integers(0, len(items) - 1), max_size=20)), np.int64)
    flat, sizes = reader.gather(numbers)
    assert flat.tolist() == [x for number in numbers for x in reader[number].tolist()]
    assert sizes.tolist() == [len(items[number]) for number in numbers]
    assert (flat.dtype, sizes.dtype) == (np.uint16, np.int64)
    assert reader.highest() == max((x for item in items for x in item), default=-1)


def test_the_highest_may_stand_anywhere(tmp_path):
    """Also in the last of several blocks."""
    flat = np.zeros((1 << 22) + 5, np.uint8)
    flat[[3, -2]] = 7, 9
    with IndexedWriter(tmp_path / "x", np.uint8) as writer:
        writer.add(flat, np.array([4, len(flat) - 4]))
    assert IndexedReader(tmp_path / "x").highest() == 9


def test_an_item_that_is_not_there(tmp_path):
    write(tmp_path / "x", [[1], [2, 3]])
    reader = IndexedReader(tmp_path / "x")
    with pytest.raises(IndexError):
        reader[2]
    assert [item.tolist() for item in reader] == [[1], [2, 3]]


def test_another_process_gets_the_path_not_the_items(tmp_path):
    items = [list(range(1000))] * 50
    write(tmp_path / "x", items)
    pickled = pickle.dumps(IndexedReader(tmp_path / "x"))
    assert len(pickled) < 1000
    assert as_lists(pickle.loads(pickled)) == items
    write(tmp_path / "x", [[1]])
    assert as_lists(pickle.loads(pickled)) == [[1]]


# ranges


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), st.booleans())
@settings(max_examples=100, deadline=None)
def test_ranges_are_those_of_a_loop(ranges, flat):
    values = np.arange(20) if flat else np.arange(40).reshape(20, 2)
    begins, sizes = np.array(ranges, np.int64).reshape(-1, 2).T
    taken = take_ranges(values, begins, sizes)
    assert taken.tolist() == [row for begin, size in ranges for row in values[begin : begin + size].tolist()]
    assert taken.shape[1:] == values.shape[1:]


# refusals


def change(path, position, new):
    data = bytearray(path.read_bytes())
    data[position : position + len(new)] = new
    path.write_bytes(data)


def cut(path, n):
    path.write_bytes(path.read_bytes()[:-n])


IDX, BIN = "x.idx", "x.bin"
SIZES = len(MAGIC) + HEADER.size  # where they begin


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda d: (d / IDX).write_bytes(b""),
            "{d}/x.idx is no index of fairseq's memory-mapped format: write it with --dataset",
        ),
        (lambda d: (d / IDX).write_bytes(b"TNTIDX\x00\x00" * 9), "{d}/x.idx is no index of fairseq's memory-mapped format"),
        (lambda d: (d / IDX).write_bytes(MAGIC + b"\x01" * 5), "{d}/x.idx is no index of fairseq's memory-mapped format"),
        (lambda d: change(d / IDX, len(MAGIC), b"\2"), "{d}/x.idx: version 2, type 8; allowed are version 1, types [1, 2, 3, 4,"),
        (lambda d: change(d / IDX, len(MAGIC) + 8, b"\77"), "{d}/x.idx: version 1, type 63; allowed are version 1, types [1, 2"),
        (lambda d: cut(d / IDX, 1), "{d}/x.idx is cut short or has been changed: write it again"),
        (lambda d: cut(d / IDX, 12), "{d}/x.idx is cut short or has been changed: write it again"),
        (lambda d: (d / IDX).open("ab").write(b"x"), "{d}/x.idx is cut short or has been changed: write it again"),
        (lambda d: change(d / IDX, len(MAGIC), HEADER.pack(1, 8, 1 << 60)), "{d}/x.idx is cut short or has been changed"),
        *(
            (lambda d, place=place, new=new: change(d / IDX, place, new), "{d}/x.idx is damaged, its items do not follow one")
            for place, new in (
                (SIZES, struct.pack("<i", -5)),  # of the first item
                (SIZES + 4, struct.pack("<i", -(1 << 30))),  # of the last one
                (SIZES + 8, struct.pack("<q", 1 << 40)),  # where the first one begins
                (SIZES + 8, struct.pack("<q", -(1 << 40))),
                (SIZES + 16, struct.pack("<q", 0)),
            )
        ),
        (lambda d: cut(d / BIN, 1), "{d}/x.bin is shorter than {d}/x.idx says: write both again"),
        (lambda d: cut(d / BIN, 6), "{d}/x.bin is shorter than {d}/x.idx says: write both again"),
        (lambda d: (d / IDX).unlink(), "{d}/x.idx: cannot read it (No such file or directory); check the path"),
        (lambda d: (d / BIN).unlink(), "{d}/x.bin: cannot read it (No such file or directory); check the path"),
    ],
)
def test_files_that_are_refused(tmp_path, damage, message):
    write(tmp_path / "x", [[1, 2], [3]])
    damage(tmp_path)
    with pytest.raises(InputError, match=re.escape(message.format(d=tmp_path))):
        IndexedReader(tmp_path / "x")


def test_what_follows_the_items_is_not_read(tmp_path):
    write(tmp_path / "x", [[1, 2], [3]])
    with open(tmp_path / BIN, "ab") as file:
        file.write(np.array([9], np.uint16).tobytes())
    reader = IndexedReader(tmp_path / "x")
    assert as_lists(reader) == [[1, 2], [3]]
    assert reader.highest() == 3
