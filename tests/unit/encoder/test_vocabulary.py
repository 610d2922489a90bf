import pytest

from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError

PIECES = ["▁a", "b", "ção", "\u2028", "\x85x", "#", "▁1"]


def test_layout():
    vocabulary = Vocabulary(PIECES)
    assert vocabulary.pieces == ("<s>", "<pad>", "</s>", "<unk>", *PIECES, "<mask>")
    assert (len(vocabulary), vocabulary.mask) == (12, 11)
    assert (vocabulary.index("b"), vocabulary.index("no such"), vocabulary.index("</s>")) == (5, 3, 2)
    assert "b" in vocabulary
    assert "no such" not in vocabulary


@pytest.mark.parametrize("extra", [[], ["<mask>"], ["<mask>", "later"]])
def test_read_agrees_with_fairseq(tmp_path, extra):
    dictionary = pytest.importorskip("fairseq.data").Dictionary
    (tmp_path / "dict.txt").write_text("".join(f"{piece} {7 * n}\n" for n, piece in enumerate(PIECES + extra)), encoding="utf-8")
    theirs = dictionary.load(str(tmp_path / "dict.txt"))
    mask = theirs.add_symbol("<mask>")
    ours = Vocabulary.read(tmp_path / "dict.txt")
    assert list(ours.pieces) == theirs.symbols
    assert ours.mask == mask
    assert [ours.index(piece) for piece in theirs.symbols] == [theirs.index(piece) for piece in theirs.symbols]


def test_write_and_read(tmp_path):
    Vocabulary(PIECES).write(tmp_path / "dict.txt")
    assert (tmp_path / "dict.txt").read_bytes() == "".join(f"{piece} 1\n" for piece in PIECES).encode()
    assert Vocabulary.read(tmp_path / "dict.txt") == Vocabulary(PIECES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\nb\n", r"dict.txt:2: 'b' is not a dictionary line; each is a piece, a space and a count"),
        ("a 1\nb x\n", r"dict.txt:2: 'b x' is not a dictionary line"),
        ("a 1\n\nb 1\n", r"dict.txt:2: '' is not a dictionary line"),
        ("a 1\nb 1\na 2\n", r"dict.txt:3: the piece 'a' is there already"),
        ("a 1\n<unk> 1\n", r"dict.txt:2: the piece '<unk>' is there already"),
        ("\ufeffa 1\n", r"dict.txt begins with a byte order mark, which fairseq reads as a part of the first piece; save it"),
    ],
)
def test_refused_dictionaries(tmp_path, text, message):
    (tmp_path / "dict.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        Vocabulary.read(tmp_path / "dict.txt")


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(InputError, match=r"none.txt: cannot read the dictionary \(No such file or directory\)"):
        Vocabulary.read(tmp_path / "none.txt")
    (tmp_path / "dict.txt").write_bytes(b"a 1\n\xff 1\n")
    with pytest.raises(InputError, match=r"dict.txt: the dictionary is not UTF-8 \(byte 4\)"):
        Vocabulary.read(tmp_path / "dict.txt")
    with pytest.raises(InputError, match=r"dict.txt is not a sentencepiece model"):
        open_sentencepiece(tmp_path / "dict.txt")
    with pytest.raises(InputError, match="cannot read the sentencepiece model"):
        open_sentencepiece(tmp_path / "none.model")
