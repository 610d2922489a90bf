from .aligner import Aligner
from .result import Alignment, Details
from .statistical import StatisticalAligner

__all__ = [
    "Aligner",
    "Alignment",
    "Details",
    "StatisticalAligner",
]
