from .fingerprint import weights_fingerprint
from .network import ARCHITECTURES, Encoder, EncoderAndPointer, EncoderConfig, LMHead, PointerHead
from .pieces import PieceEncoder, PieceFiles
from .sequences import LAYOUTS, PieceBatch, Sides, encode_sides, join_sides, sequence, split_sides, wrap_side
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
    "PointerHead",
    "Sides",
    "States",
    "Vocabulary",
    "encode_sides",
    "join_sides",
    "open_sentencepiece",
    "sequence",
    "split_sides",
    "weights_fingerprint",
    "wrap_side",
]
