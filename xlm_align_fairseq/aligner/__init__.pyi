from .aligner import Aligner
from .evidence import Evidence
from .result import Alignment, Details
from .statistical import StatisticalAligner

__all__ = [
    "Aligner",
    "Alignment",
    "Details",
    "Evidence",
    "StatisticalAligner",
]
