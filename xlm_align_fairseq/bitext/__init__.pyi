from .binarize import Binarized, binarize_mono, binarize_pairs
from .corpus import Corpus, Pair
from .encode import Options
from .indexed import IndexedReader, IndexedWriter
from .label_statistics import PairLinks
from .labels import LabelStore, LabelWriter, read_manifest

__all__ = [
    "Binarized",
    "Corpus",
    "IndexedReader",
    "IndexedWriter",
    "LabelStore",
    "LabelWriter",
    "Options",
    "Pair",
    "PairLinks",
    "binarize_mono",
    "binarize_pairs",
    "read_manifest",
]
