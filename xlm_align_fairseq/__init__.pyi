from .aligner import Aligner, Alignment
from .transfer import Transfer

__version__: str

__all__ = ["Aligner", "Alignment", "Transfer", "__version__"]
