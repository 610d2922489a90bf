from .fingerprint import weights_fingerprint
from .network import ARCHITECTURES, Encoder, EncoderAndPointer, EncoderConfig, LMHead, PointerHead
from .pieces import PieceEncoder, PieceFiles, PlacedPieces
from .sequences import LAYOUTS, PieceBatch, Sides, encode_sides, join_sides, second_begin, sequence, split_sides, wrap_side
from .states import States
from .vocabulary import Vocabulary, open_sentencepiece

__all__ = [
    "ARCHITECTURES",
    "LAYOUTS",
    "Encoder",
    "EncoderAndPointer",
    "EncoderConfig",
    "LMHead",
    "PieceBatch",
    "PieceEncoder",
    "PieceFiles",
    "PlacedPieces",
    "PointerHead",
    "Sides",
    "States",
    "Vocabulary",
    "encode_sides",
    "join_sides",
    "open_sentencepiece",
    "second_begin",
    "sequence",
    "split_sides",
    "weights_fingerprint",
    "wrap_side",
]
