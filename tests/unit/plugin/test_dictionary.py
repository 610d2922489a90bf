"""Tests of reading the dictionary of a data directory."""

import pytest

from xlm_align_fairseq.errors import InputError

dictionary = pytest.importorskip("xlm_align_fairseq.plugin.dictionary")


@pytest.mark.parametrize("names", [["dict.txt"], ["dict.de.txt", "dict.en.txt"]])
def test_a_byte_order_mark_is_named(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("a 1\nb 1\n")
    assert dictionary.load_dictionary(tmp_path).symbols[4:] == ["a", "b", "<mask>"]
    (tmp_path / names[0]).write_text("\ufeffa 1\nb 1\n", "utf-8")
    with pytest.raises(InputError) as error:
        dictionary.load_dictionary(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / names[0]} begins with a byte order mark, which fairseq reads as a part of the first piece; save it as UTF-8"
        " without one, or copy it again from where it came"
    )
