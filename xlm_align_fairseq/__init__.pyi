from .aligner import Aligner, Alignment

__version__: str

__all__ = ["Aligner", "Alignment", "__version__"]
