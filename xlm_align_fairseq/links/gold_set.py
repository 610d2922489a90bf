"""Read gold sets: sentence pairs with word alignments made by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import Gold, load_gold, null_warning
from xlm_align_fairseq.links.pharaoh import check_range
from xlm_align_fairseq.text.lines import ending, read_lines
from xlm_align_fairseq.text.tokenize import split_words


@dataclasses.dataclass(frozen=True)
class GoldSet:
    """Sentences (one string each, words between single spaces), the gold of each pair, and what is to be said of the file."""

    name: str
    source: list[str]
    target: list[str]
    gold: list[Gold]
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(cls, source_file: str, target_file: str, gold_file: str, *, one_based: bool | None = None) -> GoldSet:
        """Read a gold set from its three files.

        The name is made of the endings of the two text files: `test.de`, `test.en` → `de-en`.

        Args:
            source_file, target_file: sentences, one a line.
            gold_file: rows or Pharaoh lines, see `links.gold.load_gold`.
            one_based: whether a Pharaoh gold file counts words from 1.

        Raises:
            InputError: different numbers of sentences, or links out of range.
        """
        source, target = read_lines(source_file), read_lines(target_file)
        if len(source) != len(target):
            raise InputError(f"{source_file} has {len(source)} lines, {target_file} has {len(target)}: they must be parallel")
        read = load_gold(gold_file, one_based=one_based, n_lines=len(source), counted_in=source_file)
        gold = list(read.sentences)
        for number, (src, tgt, links) in enumerate(zip(source, target, gold, strict=True), 1):
            check_range(links.possible, len(split_words(src)), len(split_words(tgt)), f"{gold_file}, pair {number}")
        name = "-".join(ending(file) or Path(file).name for file in (source_file, target_file))
        return cls(name, source, target, gold, tuple(null_warning(gold_file, read.null_rows)))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the sentence pairs."""
        return list(zip(self.source, self.target, strict=True))


def read_gold_set(spec: str) -> GoldSet:
    """Read a gold set from `SOURCE_FILE,TARGET_FILE,GOLD_FILE`; see `GoldSet.read`."""
    files = spec.split(",")
    if len(files) != 3:
        raise InputError(f"gold set {spec!r}: allowed is SOURCE_FILE,TARGET_FILE,GOLD_FILE, three files and two commas")
    return GoldSet.read(*files)


def read_gold_sets(specs: Iterable[str]) -> list[GoldSet]:
    """Read gold sets; repeated names are numbered from the second on."""
    sets: list[GoldSet] = []
    seen: Counter[str] = Counter()
    for spec in specs:
        gold_set = read_gold_set(spec)
        seen[gold_set.name] += 1
        number = seen[gold_set.name]
        sets.append(dataclasses.replace(gold_set, name=f"{gold_set.name}_{number}") if number > 1 else gold_set)
    return sets
