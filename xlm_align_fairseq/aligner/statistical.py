"""Align raw bitext with a statistical aligner that learns from that bitext alone; its links can be the first labels.

The aligner is the one that sil-thot calls eflomal: IBM model 1, then an HMM, then fertilities, sampled with Dirichlet
priors. It treats words as ids only and aligns its own training text, in both directions.

Reference: Östling & Tiedemann, "Efficient Word Alignment with Markov Chain Monte Carlo", 2016.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from xlm_align_fairseq.aligner.evidence_counts import LinkCounts, as_numbers
from xlm_align_fairseq.aligner.evidence_files import write_evidence
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links import symmetrize
from xlm_align_fairseq.links.pharaoh import Link

if TYPE_CHECKING:
    from thot.alignment import EflomalAlignmentModel

PACKAGE = "sil-thot"
METHODS: dict[str, Callable[[Iterable[Link], Iterable[Link]], list[Link]]] = {
    "intersection": symmetrize.intersection,
    "grow-diag": symmetrize.grow_diag,
    "grow-diag-final-and": symmetrize.grow_diag_final_and,
    "grow-diag-final": symmetrize.grow_diag_final,
    "union": symmetrize.union,
}
METHOD = "grow-diag-final-and"
BLANK_SIDE, TOO_LONG = "blank side", "too long"
_SEEDS = 1 << 32
_BLANK = "0"  # the id of words without a visible character; other ids start at 1


class StatisticalAligner:
    """Learn from a bitext and align it.

    The links are the same for the same text and seed, for any number of threads (`OMP_NUM_THREADS`); builds of sil-thot
    for other platforms may draw other numbers from the same seed.

    Args:
        method: one of `METHODS`, how the links of the two directions become one set.
        seed: of the sampler, 0 to 2**32 - 1; `None` keeps sil-thot's default.
        quiet: show no progress bars, even on a terminal.
        keep: count the links of both directions, for `save`; memory grows with the number of word pairs that are linked.

    Attributes:
        pairs: how many pairs were read.
        dropped: how many of them were left out, by reason: `BLANK_SIDE`, or `TOO_LONG`, a side of more than `max_words`
            words. They have no links.

    Raises:
        InputError: an argument cannot be used, or sil-thot is not installed.
    """

    def __init__(self, method: str = METHOD, seed: int | None = None, quiet: bool = False, keep: bool = False):
        if method not in METHODS:
            raise InputError(f"--symmetrize {method}: allowed are {', '.join(METHODS)}")
        if seed is not None and not 0 <= seed < _SEEDS:
            raise InputError(f"--seed {seed}: allowed are 0 to {_SEEDS - 1}")
        model = _new_model(seed)
        self.method, self.seed, self.max_words = method, model.seed, model.max_sentence_length
        self._silent = True if quiet else None  # None: tqdm looks for a terminal
        self._keep = keep
        self.pairs = 0
        self.dropped = Counter({BLANK_SIDE: 0, TOO_LONG: 0})

    def signature_items(self) -> dict[str, Any]:
        """Return the signature items of the links: all that determines them, except the text."""
        package = f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
        return {"aligner": "eflomal", "package": package, "symmetrize": self.method, "seed": self.seed}

    def save(self, directory: Path | str, tokenizer: str = "none") -> None:
        """Write what was learned, for `Evidence.load`; after all links of `align` were taken, with `keep`.

        Args:
            directory: made if it is missing.
            tokenizer: that made the words, for the manifest.

        Raises:
            InputError: it cannot be written.
        """
        made = {key: value for key, value in self.signature_items().items() if key != "symmetrize"}
        tables = self._counts.tables(*self._vocabularies)
        write_evidence(Path(directory), tables, self.pairs - self.dropped.total(), dict(self.dropped), tokenizer, made)

    def align(self, pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[list[Link]]:
        """Yield the links of each pair, 0-based and sorted, in the order of the pairs.

        All pairs are read before the first links are yielded. Temporary files hold the text as ids of lower-cased
        words; memory holds the vocabularies and the aligner's data of one direction. A word without a visible
        character, such as that between two spaces, keeps its position and has no links.

        Args:
            pairs: the words of source and target.

        Raises:
            InputError: no pair has words on both sides, or the temporary files cannot be written. Exceptions of
                `pairs` are passed on.
        """
        with _reporting(), tempfile.TemporaryDirectory(prefix="xlm-align-bootstrap-") as directory:
            source, target, forward, backward = (Path(directory, name) for name in ("src", "tgt", "forward", "backward"))
            self._write(pairs, source, target)
            if self.pairs == self.dropped.total():
                counts = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
                raise InputError(f"{self.pairs} pairs, none to learn from ({counts}); check the files and the tokeniser")
            self._learn(source, target, forward, desc="source to target")
            self._learn(target, source, backward, desc="target to source")
            yield from self._join(source, target, forward, backward)

    def _write(self, pairs: Iterable[tuple[Sequence[str], Sequence[str]]], *paths: Path) -> None:
        """Write word ids, so that words may contain characters that the aligner uses as markers or separators."""
        self.pairs, self.dropped = 0, Counter({BLANK_SIDE: 0, TOO_LONG: 0})
        vocabularies: tuple[dict[str, str], ...] = tuple({} for _ in paths)
        if self._keep:
            self._vocabularies, self._counts = vocabularies, LinkCounts()
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(path, "w", encoding="ascii", newline="\n")) for path in paths]
            for pair in tqdm(pairs, desc="reading", unit=" pairs", disable=self._silent):
                self.pairs += 1
                sides = [_number(words, ids) for words, ids in zip(pair, vocabularies, strict=True)]
                if reason := self._reason(sides):
                    self.dropped[reason] += 1
                    sides = [[] for _ in sides]  # an empty line, so that line n stays pair n
                for side, file in zip(sides, files, strict=True):
                    file.write(" ".join(side) + "\n")

    def _reason(self, sides: Sequence[Sequence[str]]) -> str | None:
        if any(set(side) <= {_BLANK} for side in sides):
            return BLANK_SIDE
        return TOO_LONG if any(len(side) > self.max_words for side in sides) else None

    def _learn(self, source: Path, target: Path, out: Path, desc: str) -> None:
        """Train one direction; write, for each pair, a line with the source word of each target word, from 1; 0 is none."""
        model = _new_model(self.seed)
        model.emit_training_alignments = True
        model.read_sentence_pairs(str(source), str(target))
        learned_from = model.start_training()
        expected = (self.pairs, self.pairs - self.dropped.total())
        if (model.num_sentence_pairs, learned_from) != expected:  # links would silently be those of other pairs
            raise RuntimeError(f"{PACKAGE} read {model.num_sentence_pairs} pairs and uses {learned_from}, not {expected}")
        for _ in tqdm(range(model.scheduled_iterations), desc=desc, unit=" sweeps", disable=self._silent):
            model.train()
        model.end_training()
        with open(out, "w", encoding="ascii", newline="\n") as file:
            for n in range(self.pairs):
                _, matrix = model.get_training_alignment(n)
                file.write(" ".join(map(str, matrix.to_list())) + "\n")

    def _join(self, *paths: Path) -> Iterator[list[Link]]:
        symmetrized = METHODS[self.method]
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(path, encoding="ascii")) for path in paths]
            rows = zip(*files, strict=True)
            for source, target, to_source, to_target in tqdm(
                rows, total=self.pairs, desc="links", unit=" pairs", disable=self._silent
            ):
                words = (source.split(), target.split())
                if self._keep:
                    self._counts.add(*map(as_numbers, (*words, to_source.split(), to_target.split())))
                of_targets = [(int(i) - 1, j) for j, i in enumerate(to_source.split()) if i != "0"]
                of_sources = [(i, int(j) - 1) for i, j in enumerate(to_target.split()) if j != "0"]
                yield symmetrized(_without_blanks(of_sources, *words), _without_blanks(of_targets, *words))


def _new_model(seed: int | None) -> EflomalAlignmentModel:
    try:
        from thot.alignment import EflomalAlignmentModel
    except ImportError as error:
        raise InputError(
            f"the statistical aligner is in the package {PACKAGE}, which is missing or too old; install it:"
            ' pip install "xlm-align-fairseq[bootstrap]"'
        ) from error
    model = EflomalAlignmentModel()
    if seed is not None:
        model.seed = seed
    return model


def _number(words: Iterable[str], ids: dict[str, str]) -> list[str]:
    """Return the ids of words as text, ignoring case; new words get the next ids."""
    return [ids.setdefault(word.lower(), str(len(ids) + 1)) if word.strip() else _BLANK for word in words]


def _without_blanks(links: Iterable[Link], source: Sequence[str], target: Sequence[str]) -> list[Link]:
    return [(i, j) for i, j in links if source[i] != _BLANK and target[j] != _BLANK]


@contextlib.contextmanager
def _reporting() -> Iterator[None]:
    """Turn errors of temporary files into `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"temporary files cannot be kept ({error}); set TMPDIR to a directory that can be written, with room for twice"
            " the text"
        ) from error
