"""A gold set: sentence pairs and the word alignments somebody made for them by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

from xlm_align_fairseq.alignment.links import Gold, check_range, read_gold, read_lines
from xlm_align_fairseq.errors import InputError


@dataclasses.dataclass(frozen=True)
class GoldSet:
    """Sentences (one string each, words between single spaces) and the gold of each pair."""

    name: str
    source: list[str]
    target: list[str]
    gold: list[Gold]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the sentence pairs."""
        return list(zip(self.source, self.target, strict=True))


def read_gold_set(spec: str) -> GoldSet:
    """Read a gold set from `SOURCE_FILE,TARGET_FILE,GOLD_FILE`.

    The name is made of the endings of the two text files: `test.de,test.en,gold` → `de-en`.

    Raises:
        InputError: not three files, different numbers of sentences, or links out of range.
    """
    files = spec.split(",")
    if len(files) != 3:
        raise InputError(f"gold set {spec!r}: allowed is SOURCE_FILE,TARGET_FILE,GOLD_FILE, three files and two commas")
    source, target = read_lines(files[0]), read_lines(files[1])
    if len(source) != len(target):
        raise InputError(f"{files[0]} has {len(source)} lines, {files[1]} has {len(target)}: they must be parallel")
    gold = read_gold(files[2], n_lines=len(source))
    if len(gold) != len(source):
        raise InputError(f"{files[2]} has alignments for {len(gold)} pairs, {files[0]} has {len(source)} lines")
    for number, (src, tgt, links) in enumerate(zip(source, target, gold, strict=True), 1):
        check_range(links.possible, len(src.split(" ")), len(tgt.split(" ")), f"{files[2]}, pair {number}")
    name = "-".join(Path(file).suffix.lstrip(".") or Path(file).name for file in files[:2])
    return GoldSet(name, source, target, gold)


def read_gold_sets(specs: str) -> list[GoldSet]:
    """Read gold sets separated by `;`; a name that comes twice is numbered from the second on."""
    sets: list[GoldSet] = []
    seen: Counter[str] = Counter()
    for spec in filter(None, specs.split(";")):
        gold_set = read_gold_set(spec)
        seen[gold_set.name] += 1
        number = seen[gold_set.name]
        sets.append(dataclasses.replace(gold_set, name=f"{gold_set.name}_{number}") if number > 1 else gold_set)
    return sets
