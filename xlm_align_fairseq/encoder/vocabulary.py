"""The pieces that an encoder has rows for, with the ids that fairseq and Hugging Face's XLM-R share (no fairseq)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceProcessor

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.system.files import write_atomically

FILE_NAME = "dict.txt"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0..3
MASK = "<mask>"  # the last id
MARK = "▁"  # begins every piece that begins a word; where sentencepiece has no longer one, it is a piece alone
BOS, PAD, EOS, UNK = range(4)  # their ids
JOINT_SPECIALS = 3  # of `<s> S </s> T </s>`, which `sequences` builds


class Vocabulary:
    """Pieces in the order of their ids: the four specials, the pieces, `<mask>`.

    Args:
        pieces: the pieces alone, without specials and `<mask>`, in the order of `dict.txt`.
    """

    def __init__(self, pieces: Iterable[str]):
        self.pieces: tuple[str, ...] = (*SPECIALS, *pieces)
        if MASK not in self.pieces:
            self.pieces += (MASK,)
        self._ids = {piece: i for i, piece in enumerate(self.pieces)}

    def __len__(self) -> int:
        return len(self.pieces)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.pieces == other.pieces

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, piece: str) -> bool:
        return piece in self._ids

    def index(self, piece: str) -> int:
        """Return the id of a piece, that of `<unk>` if there is no such piece."""
        return self._ids.get(piece, UNK)

    @property
    def mask(self) -> int:
        """The id of `<mask>`."""
        return self._ids[MASK]

    def lone_marks(self, ids: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Tell which pieces are the mark of a word's beginning alone, in a word that has other pieces: (L,) bool.

        Args:
            ids: (L,) int piece ids.
            words: (L,) int word of each piece, ascending.
        """
        others = np.zeros(len(words), bool)
        others[:-1] = words[1:] == words[:-1]  # a mark begins its word
        return (ids == self._ids.get(MARK, -1)) & others

    def lookup(self, processor: SentencePieceProcessor) -> np.ndarray:
        """Return the array that maps sentencepiece's ids to ours.

        Args:
            processor: the sentencepiece model whose ids are to be mapped.

        Returns:
            (pieces of the sentencepiece model,) int64; pieces that this vocabulary lacks map to `<unk>`.
        """
        size = processor.get_piece_size()
        pieces: Sequence[str] = processor.id_to_piece(list(range(size)))
        ids = np.fromiter((self._ids.get(piece, UNK) for piece in pieces), np.int64, size)
        for special, ours in ((processor.bos_id(), BOS), (processor.eos_id(), EOS), (processor.unk_id(), UNK)):
            if special >= 0:
                ids[special] = ours
        return ids

    @classmethod
    def read(cls, path: Path | str) -> Vocabulary:
        """Read a fairseq dictionary (`piece count` lines), ids as `Dictionary.load` and `add_symbol("<mask>")` give them.

        Raises:
            InputError: the file is missing, not UTF-8, or a line is malformed or repeats a piece.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise InputError(f"{path}: cannot read the dictionary ({error.strerror}); check the path") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: the dictionary is not UTF-8 (byte {error.start})") from error
        refuse_mark(path, lines[0])
        pieces: dict[str, None] = {}
        for n, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
            piece, _, count = line.rstrip().rpartition(" ")
            if not piece or not count.removeprefix("-").isdecimal():
                raise InputError(f"{path}:{n}: {line!r} is not a dictionary line; each is a piece, a space and a count")
            if piece in pieces or piece in SPECIALS:
                raise InputError(f"{path}:{n}: the piece {piece!r} is there already; each piece stands in one line")
            pieces[piece] = None
        return cls(pieces)

    def as_dictionary(self) -> bytes:
        """Return a fairseq dictionary; the specials and a final `<mask>` are not in it, the task adds them."""
        body = self.pieces[len(SPECIALS) :]
        if body[-1] == MASK:
            body = body[:-1]
        return "".join(f"{piece} 1\n" for piece in body).encode()

    def write(self, path: Path | str) -> None:
        """Write what `as_dictionary` returns."""
        write_atomically(Path(path), lambda file: file.write(self.as_dictionary()))

    @classmethod
    def from_sentencepiece(cls, model: Path | str | bytes) -> Vocabulary:
        """Take every piece of a sentencepiece model, in its order: XLM-R's ids are sentencepiece's plus one.

        Args:
            model: path or bytes of the sentencepiece model, control pieces `<unk>` 0, `<s>` 1, `</s>` 2.
        """
        processor = open_sentencepiece(model)
        return cls(
            processor.id_to_piece(i)
            for i in range(processor.get_piece_size())
            if not (processor.is_control(i) or processor.is_unknown(i))
        )


def refuse_mark(path: Path | str, first: str) -> None:
    """Refuse a dictionary that begins with a byte order mark, which fairseq takes for a part of the first piece.

    Args:
        path: of the dictionary.
        first: its first line or piece.
    """
    if first.startswith("\ufeff"):
        raise InputError(
            f"{path} begins with a byte order mark, which fairseq reads as a part of the first piece; save it as UTF-8 without"
            " one, or copy it again from where it came"
        )


def open_sentencepiece(model: Path | str | bytes) -> SentencePieceProcessor:
    """Open a sentencepiece model from its path or its bytes.

    Raises:
        InputError: it is missing or is not a sentencepiece model.
    """
    name = "the sentencepiece model" if isinstance(model, bytes) else str(model)
    try:
        data = model if isinstance(model, bytes) else Path(model).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot read the sentencepiece model ({error.strerror}); check the path") from error
    try:
        processor = SentencePieceProcessor()
        processor.LoadFromSerializedProto(data)
        processor.id_to_piece(list(range(processor.get_piece_size())))  # fails where one is not UTF-8
    except (RuntimeError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not a sentencepiece model; copy it again from where it came") from error
    return processor
