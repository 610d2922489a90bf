"""The aligner configuration: one record with its checks; a model directory stores it as `aligner.json`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from xlm_align_fairseq.alignment.methods import EXTRACTIONS, METHODS, SCALINGS
from xlm_align_fairseq.alignment.options import option, options
from xlm_align_fairseq.errors import InputError

METHOD_HELP = "a published method, see docs/aligning.md; flags below change it, and are refused where they change nothing"


@dataclasses.dataclass(frozen=True)
class AlignerConfig:
    """Everything that decides which pieces are linked.

    Args:
        encoding: `joint` encodes `<s> S </s> T </s>`, `separate` encodes each side on its own; in `late` layers up to
            `late_layer` read each side on its own and those above both together.
        late_layer: see `encoding`.
        align_layer: layer of the hidden states, 1..n; 0 = embeddings.
        similarity: `dot` or `cosine`.
        position_prior: λ; piece i of S and piece j of T are λ |i/S − j/T| less similar than their hidden states are (Dyer et al.
            2013). In a window, positions are those in it.
        scaling: `reference` normalises the clamped similarities, columns then rows, as the authors' code does; `entropic`
            solves the transport problem with marginals 1/S and 1/T in the log domain; `softmax` normalises each direction on
            its own; `none` takes the similarities as they are; `pointer` uses the trained pointer head instead of the
            similarity.
        temperature: divides the similarity in `entropic` and `softmax` scaling.
        rounds: Sinkhorn rounds.
        clamp: smallest similarity in `reference` scaling; `None` keeps negative ones.
        extraction: `argmax` links the best cell of each row in the row-normalised plan and of each column in the
            column-normalised plan; `cutoff` links cells whose share of their row or column is above `cutoff`; both are joined
            by `symmetrization`. `mutual` links cells where the geometric mean of both shares is above `cutoff`. `filter` is
            iterative filtering on the row-normalised plan; `matching` is the one-to-one matching of the largest sum.
        symmetrization: how links of the two directions are joined; `forward` and `backward` take one of them.
        cutoff: least share in `cutoff` and `mutual` extraction, 0..1.
        low_cutoff: in `mutual` extraction, what a cell needs beside a link, that is with the next or the last piece of one side
            and the same of the other, 0..1; from `cutoff` on it changes nothing.
        filter_rounds, alpha: of iterative filtering.
        also: a second method whose links are combined with those of the first; "" for none.
        combine: how: `intersection` or `union`.
        marks: `skip` leaves out pieces that are `▁` alone in a word of more pieces: they say where a word begins and nothing of
            what it means. `link` takes them as any other piece, as the published methods do.
        threshold: least link probability, 0..1; links below are left out.
        evidence_weight: added to the similarity of the pieces of two words for each direction in which evidence links them; 0.06
            suits cosines. Not used without evidence.
        window: maximum pieces on a side of a pair that is aligned whole in any case; longer pairs are aligned in windows of five
            eighths of it, except those of up to 250 pieces whose words moved far. Not used in training.
    """

    encoding: str = option(
        "joint",
        "how a pair is encoded: both sides in one sequence, each alone, or each alone up to --late-layer and together above",
        choices=("joint", "separate", "late"),
    )
    late_layer: int = option(7, "last layer that reads each side alone in late encoding", low=1, high=1000)
    align_layer: int = option(8, "layer of the hidden states that links are made of, 1..n; 0 = embeddings", low=0, high=1000)
    similarity: str = option("dot", "similarity of two hidden states", choices=("dot", "cosine"))
    position_prior: float = option(
        0.0, "taken off the similarity for each whole length that two pieces are apart in their sentences", low=0.0, high=100.0
    )
    scaling: str = option("reference", "how similarities become a plan", choices=SCALINGS)
    temperature: float = option(
        0.05,
        "divides the similarity in entropic and softmax scaling: small ones sharpen",
        flag="sinkhorn_temperature",
        low=1e-4,
        high=1e4,
    )
    rounds: int = option(2, "rounds of normalisation in reference and entropic scaling", flag="sinkhorn_rounds", low=1, high=1000)
    clamp: float | None = option(1e-6, "smallest similarity in reference scaling", flag="")
    extraction: str = option("argmax", "how links are read from the plan", choices=EXTRACTIONS)
    symmetrization: str = option(
        "intersection",
        "how the links of both directions are joined, for argmax and cutoff",
        choices=("intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "forward", "backward"),
    )
    cutoff: float = option(
        1e-3,
        "least share of a row and column in cutoff extraction, and of both in mutual extraction, {low:g}..{high:g}",
        low=0.0,
        high=1.0,
    )
    low_cutoff: float = option(
        1.0,
        "least share in mutual extraction beside a link: the next or the last piece of one side, the same of the other; 1 = as"
        " everywhere",
        low=0.0,
        high=1.0,
    )
    filter_rounds: int = option(2, "rounds of iterative filtering", low=1, high=1000)
    alpha: float = option(
        0.9, "factor of half-linked cells in iterative filtering, {low:g}..{high:g}", flag="filter_alpha", low=0.0, high=1.0
    )
    also: str = option("", "a second method, to combine its links with the first's", choices=METHODS, metavar="METHOD")
    combine: str = option("intersection", "how the links of --also are joined with the others", choices=("intersection", "union"))
    marks: str = option(
        "skip",
        "pieces that are the mark of a word's beginning (▁) alone: never linked, or linked as others, as published",
        choices=("skip", "link"),
    )
    threshold: float = option(
        0.0, "least probability of a link, {low:g}..{high:g}: fewer and better links; {low:g} keeps all", low=0.0, high=1.0
    )
    evidence_weight: float = option(
        0.06,
        "with --evidence: added to the similarity of two words for each direction in which it links them, {low:g}..{high:g}",
        low=0.0,
        high=10.0,
    )
    window: int = option(
        64,
        "pieces of the longest side always aligned whole; longer pairs go in windows, unless words moved far in up to 250 pieces"
        " ({default} in a converted model)",
        low=4,
        high=1_000_000,
        trains=False,
    )

    def __post_init__(self):
        for name, declared in OPTIONS.items():
            declared.check(getattr(self, name))
        number = isinstance(self.clamp, (int, float)) and not isinstance(self.clamp, bool)
        if self.clamp is not None and not (number and 0 < self.clamp < math.inf):
            raise InputError(f"clamp is {self.clamp!r}: allowed is a number above 0, or null for no clamp")
        if self.scaling == "none" and self.extraction in ("cutoff", "mutual"):
            raise InputError(
                f"extraction {self.extraction} needs shares of a row or column: with scaling none take argmax or filter"
            )

    @classmethod
    def named(cls, method: str, **changes: Any) -> AlignerConfig:
        """Return a method of `METHODS`, with changes."""
        return cls().replace(method=method, **changes)

    def replace(self, **changes: Any) -> AlignerConfig:
        """Return a copy with some fields changed; `method` sets those of a method of `METHODS` first."""
        method = changes.pop("method", None)
        if method is not None and method not in METHODS:
            raise InputError(f"no method {method!r}: allowed are {', '.join(METHODS)}")
        if unknown := set(changes) - {field.name for field in dataclasses.fields(self)}:
            raise InputError(f"no field {min(unknown)!r}: allowed are {', '.join(f.name for f in dataclasses.fields(self))}")
        return dataclasses.replace(self, **{**(METHODS[method] if method else {}), **changes})

    def second(self) -> AlignerConfig | None:
        """Return the configuration of the method that `also` names, `None` without one."""
        return self.replace(method=self.also, also="") if self.also else None

    def needs_pointer(self) -> bool:
        """Return whether this method or the second one uses the pointer head."""
        return "pointer" in (self.scaling, self.also)

    def reads_pointer_alone(self) -> bool:
        """Return whether no hidden states are compared, so that `align_layer` has no effect."""
        return self.scaling == "pointer" and self.also in ("", "pointer")

    def similarity_layer(self, last: int) -> int:
        """Return the layer whose hidden states are compared; if none are, the last layer, which is computed anyway."""
        return last if self.reads_pointer_alone() else self.align_layer

    def encoding_at(self, layer: int) -> str:
        """Return how a layer reads a pair; `separate` for the layers of `late` encoding that read each side alone."""
        return "separate" if self.encoding == "late" and layer <= self.late_layer else self.encoding

    def wanted_layers(self, last: int) -> set[int]:
        """Return the layers whose hidden states are read, of an encoder with `last` layers."""
        return {self.similarity_layer(last)} | ({last} if self.needs_pointer() else set())

    def check_layer(self, layers: int) -> None:
        """Refuse an `align_layer` that an encoder of `layers` layers does not have.

        Raises:
            InputError: names the layer and the allowed ones.
        """
        if self.align_layer > layers:
            raise InputError(f"--align-layer {self.align_layer}: this encoder has layers 1..{layers} (0 = embeddings)")
        if self.encoding == "late" and self.late_layer > layers:
            raise InputError(f"--late-layer {self.late_layer}: this encoder has layers 1..{layers}")

    def signature_items(self, evidence: str | None = None) -> dict[str, Any]:
        """Return the fields that can change an output, without those that other fields make unused.

        Args:
            evidence: what names the evidence that has a part in the links; `None` without any.
        """
        items = dataclasses.asdict(self)
        if self.clamp is None:
            items["clamp"] = "none"
        unused = {
            "late_layer": self.encoding != "late",
            "similarity": self.scaling == "pointer",
            "position_prior": self.scaling == "pointer" or not self.position_prior,  # as it was before there was one
            "low_cutoff": self.extraction != "mutual" or self.low_cutoff >= self.cutoff,
            "align_layer": self.scaling == "pointer" and not self.also,
            "marks": self.marks == "link",  # as it was before there was a choice
            "also": not self.also,
            "combine": not self.also,
            "evidence_weight": evidence is None or self.reads_pointer_alone(),
        }
        for steps, name in ((SCALINGS, self.scaling), (EXTRACTIONS, self.extraction)):
            options = {option for step in steps.values() for option in step.options}
            unused |= {option: unused.get(option, False) or option not in steps[name].options for option in options}
        kept = {key: value for key, value in items.items() if not unused.get(key)}
        return kept | {"evidence": evidence} if "evidence_weight" in kept else kept

    def refuse_unused(self, changes: Mapping[str, Any], method: str = "--method", evidence: bool = False) -> None:
        """Refuse flags that have no effect in this configuration, such as `--cutoff` with a method without a cutoff.

        Args:
            changes: what was given to `replace`.
            method: name of the flag that selects a method.
            evidence: whether there is evidence.

        Raises:
            InputError: names every such flag, and why it has no effect.
        """
        if evidence and self.reads_pointer_alone():
            raise InputError(
                f"--evidence: changes nothing where the pointer alone makes links; leave it out, or give another {method}"
            )
        if not evidence and "evidence_weight" in changes:
            raise InputError(
                f"{OPTIONS['evidence_weight'].spelled} {changes['evidence_weight']}: changes nothing without --evidence"
            )
        used = {"method", "marks", "evidence_weight", *self.signature_items()}  # left out where they are as published
        used |= {"position_prior"} if self.scaling != "pointer" else set()
        used |= {"low_cutoff"} if self.extraction == "mutual" else set()
        if unused := [name for name in changes if name not in used]:
            flags = ", ".join(f"{OPTIONS[name].spelled} {changes[name]}" for name in unused)
            how = f"scaling {self.scaling} and extraction {self.extraction}" + ("" if self.also else " without --also")
            how += f" in {self.encoding} encoding" if "late_layer" in unused else ""
            raise InputError(f"{flags}: changes nothing with {how}; leave it out, or give another {method}")


OPTIONS = options(AlignerConfig)  # by field, in order of the fields; source of flags, `--help` and checks
CHOICES = {name: declared.choices for name, declared in OPTIONS.items() if declared.choices}


def given(flags: Any, method: str = "method") -> dict[str, Any]:
    """Return what a parsed command line changes in a configuration, as `AlignerConfig.replace` takes it.

    Args:
        flags: with an attribute for each flag, `None` where it was not given; some flags may be missing.
        method: name of the flag that selects a method.

    >>> import types
    >>> given(types.SimpleNamespace(method="softmax", sinkhorn_temperature=0.1, cutoff=None))
    {'method': 'softmax', 'temperature': 0.1}
    """
    names = {"method": method, **{name: declared.flag for name, declared in OPTIONS.items() if declared.flag}}
    return {name: value for name, flag in names.items() if (value := getattr(flags, flag, None)) is not None}
