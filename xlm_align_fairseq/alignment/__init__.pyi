from .config import AlignerConfig
from .extraction import argmax_directions, cutoff_directions, iterative_filter, join_directions, matching, mutual_argmax
from .linking import Labels, extract, fingerprint, link_probabilities, point
from .methods import EXTRACTIONS, METHODS, SCALINGS, Step
from .pointer import PointerLoss, pointer_loss
from .sinkhorn import Plan, entropic_plan, reference_plan, softmax_plan
from .words import WordLinks, piece_links, word_links

__all__ = [
    "EXTRACTIONS",
    "METHODS",
    "SCALINGS",
    "AlignerConfig",
    "Labels",
    "Plan",
    "PointerLoss",
    "Step",
    "WordLinks",
    "argmax_directions",
    "cutoff_directions",
    "entropic_plan",
    "extract",
    "fingerprint",
    "iterative_filter",
    "join_directions",
    "link_probabilities",
    "matching",
    "mutual_argmax",
    "piece_links",
    "point",
    "pointer_loss",
    "reference_plan",
    "softmax_plan",
    "word_links",
]
