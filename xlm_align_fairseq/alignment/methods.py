"""The methods that make links, each declared in this one place: its steps, the options they read, where it was published.

A method is a similarity, a *scaling* that makes a plan of it, and an *extraction* that reads links from the plan. The tables name
functions without importing them, so that a command line lists methods fast; CONTRIBUTING.md shows how to add one.
"""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of methods.

    Args:
        name: `module:function`. A scaling maps (B, S, T) similarities and mask to a `Plan`; an extraction maps a `Plan` and the
            mask to (B, S, T) bool links.
        options: fields of `AlignerConfig` that it takes by name; a field that no step of a method takes is refused.
    """

    name: str
    options: tuple[str, ...] = ()

    def function(self) -> Callable[..., Any]:
        """Import the function."""
        return pkgutil.resolve_name(self.name)


_SINKHORN, _EXTRACTION = "xlm_align_fairseq.alignment.sinkhorn", "xlm_align_fairseq.alignment.extraction"

SCALINGS: dict[str, Step] = {
    "reference": Step(f"{_SINKHORN}:reference_plan", ("rounds", "clamp")),
    "entropic": Step(f"{_SINKHORN}:entropic_plan", ("rounds", "temperature")),
    "softmax": Step(f"{_SINKHORN}:softmax_plan", ("temperature",)),
    "none": Step(f"{_SINKHORN}:unscaled_plan"),
    "pointer": Step("xlm_align_fairseq.alignment.linking:point"),  # uses the pointer head instead of the similarity
}

EXTRACTIONS: dict[str, Step] = {
    "argmax": Step(f"{_EXTRACTION}:best_in_both", ("symmetrization",)),
    "filter": Step(f"{_EXTRACTION}:filtered", ("filter_rounds", "alpha")),
    "cutoff": Step(f"{_EXTRACTION}:above_cutoff", ("symmetrization", "cutoff")),
    "mutual": Step(f"{_EXTRACTION}:above_mutual", ("cutoff", "low_cutoff")),
    "matching": Step(f"{_EXTRACTION}:one_to_one"),
}

_REFERENCE = {"similarity": "dot", "scaling": "reference", "rounds": 2}
_ARGMAX = {"extraction": "argmax", "symmetrization": "intersection"}
_FILTER = {"extraction": "filter", "filter_rounds": 2, "alpha": 0.9}
_SIMALIGN = {"similarity": "cosine", "scaling": "none"}
METHODS: dict[str, dict[str, Any]] = {
    # Chi et al. 2021: optimal transport, links that are the best of their row and column
    "optimal-transport": {**_REFERENCE, "clamp": 1e-6, **_ARGMAX},
    # their released code: its training labeller (with iterative filtering), and its aligner
    "reference-label": {**_REFERENCE, "clamp": 1e-6, **_FILTER},
    "reference-align": {**_REFERENCE, "clamp": None, **_ARGMAX},
    # Cuturi 2013: entropic optimal transport with uniform marginals, solved in the log domain
    "entropic": {"similarity": "cosine", "scaling": "entropic", "temperature": 0.2, "rounds": 8, **_ARGMAX},
    # Dou & Neubig 2021 (awesome-align): softmax in both directions, cells above a cutoff in both
    "softmax": {"similarity": "dot", "scaling": "softmax", "temperature": 1.0, "extraction": "cutoff", "cutoff": 1e-3}
    | {"symmetrization": "intersection"},
    # Jalili Sabet et al. 2020 (SimAlign): mutual argmax, iterated argmax, maximum-weight matching
    "argmax": {**_SIMALIGN, **_ARGMAX},
    "itermax": {**_SIMALIGN, **_FILTER},
    "matching": {**_SIMALIGN, "extraction": "matching"},
    # Liang, Taskar & Klein 2006 join two directions by the product of their posteriors; here they are those of awesome-align, and
    # the product's root is a probability as each of them is
    "mutual-probability": {
        "similarity": "cosine",
        "scaling": "softmax",
        "temperature": 0.05,
        "extraction": "mutual",
        "cutoff": 0.4,
        "low_cutoff": 1.0,
    },
    # Chi et al. 2021, equation 5: the trained pointer head, in both directions
    "pointer": {"scaling": "pointer", **_ARGMAX},
}
