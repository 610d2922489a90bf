from .checkpoint import load_checkpoint, save_checkpoint
from .directory import read_aligner, read_model, write_aligner, write_model
from .record import Model, default_aligner, load_encoder, load_heads

__all__ = [
    "Model",
    "default_aligner",
    "load_checkpoint",
    "load_encoder",
    "load_heads",
    "read_aligner",
    "read_model",
    "save_checkpoint",
    "write_aligner",
    "write_model",
]
