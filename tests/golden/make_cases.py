"""Make tests/golden/cases: outputs that no floating-point number of an encoder decides, so that they are the same everywhere.

    python tests/golden/make_cases.py CHECKOUT

CHECKOUT is the code that makes them. `cases.json` lists the commands; `tests/integration/test_golden_outputs.py` runs them again.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "quickstart" / "data"
HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"
ENVIRONMENT = {"COLUMNS": "100", "NO_COLOR": "1", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
# What the environment decides and no change of this code: the versions of this package and of those that make pieces and words.
VERSIONS = (
    (rb"(?<=\|version:)[0-9][0-9.a-z+]*", b"VERSION"),
    (rb'(?<="version":")[0-9][0-9.a-z+]*(?=")', b"VERSION"),
    (rb"(?<=xlm-align show )[0-9][0-9.a-z+]*", b"VERSION"),
    (rb"(?<=sentencepiece_version:)[^|\"]+", b"VERSION"),
    (rb"(?<=sacrebleu-)[0-9][0-9.a-z+]*", b"VERSION"),
)

DE, FR = (["--src", f"data/{pair}/test.{pair[:2]}", "--tgt", f"data/{pair}/test.en"] for pair in ("de-en", "fr-en"))
GOLD = ["score", "--gold", "data/de-en/gold"]
LABELS = ["project", "--labels", "inputs/labels", "--tgt", "inputs/head.en", "--quiet"]
MARKUP = ["project", "--markup", "inputs/markup", "--tgt", "inputs/head.en", "--quiet"]
LINKS = ["--alignments", "inputs/head.links"]
BINARIZE = ["binarize", "--model", "model", "--out", "out"]
COMMANDS = {
    "score": [*GOLD, "inputs/de-en.links"],
    "score-json": [*GOLD, "inputs/de-en.links", "--json"],
    "score-paired": [*GOLD, "inputs/de-en.links", "inputs/de-en.diagonal", "--json", "--per-sentence", "out/per-sentence.tsv"],
    "score-paired-plain": [*GOLD, "inputs/de-en.links", "inputs/de-en.diagonal", "--samples", "500", "--seed", "7", *DE],
    "score-curve": [*GOLD, "inputs/de-en.probabilities", "--curve"],
    "lexicon": ["lexicon", *DE, "--alignments", "inputs/de-en.links", "--lowercase", "--min-count", "2", "--quiet"],
    "lexicon-probabilities": [
        "lexicon",
        *DE,
        "--alignments",
        "inputs/de-en.probabilities",
        "--min-probability",
        "0.9",
        "--quiet",
    ],
    "lexicon-tsv": ["lexicon", "--tsv", "inputs/head.tsv", *LINKS, "--quiet", "--out", "out/lexicon.tsv"],
    "project-labels": [*LABELS, *LINKS],
    "project-labels-gap": [*LABELS, *LINKS, "--max-gap", "0", "--column", "3"],
    "project-labels-plain": ["project", "--labels", "inputs/labels", "--plain-source"],
    "project-markup": [*MARKUP, *LINKS],
    "project-markup-empty": [*MARKUP, "--alignments", "inputs/head.few", "--keep-empty", "--max-gap", "3"],
    "project-markup-plain": ["project", "--markup", "inputs/markup", "--plain-source"],
    "show-html": [
        *["show", *DE, "--alignments", "inputs/de-en.probabilities", "--alignments", "inputs/de-en.diagonal"],
        *["--gold", "data/de-en/gold", "--names", "gold,diagonal", "--only", "1,2,30", "--html", "out/page.html"],
    ],
    "show-terminal": ["show", *DE, "--alignments", "inputs/de-en.links", "--gold", "data/de-en/gold", "--only", "1,7,12"],
    "show-sorted": ["show", *DE, "--alignments", "inputs/de-en.probabilities", "--sort", "score", "--max-score", "0.7"],
    "binarize": [*BINARIZE, "--lang-pair", "de-en", *DE],
    "binarize-tsv": [*BINARIZE, "--lang-pair", "ro-en", "--tsv", "data/ro-en/train.tsv", "--workers", "2", "--max-ratio", "1.3"],
    "binarize-words": [*BINARIZE, "--lang-pair", "fr-en", "--split", "valid", *FR, "--pieces", "words", "--tokenizer", "13a"],
    "binarize-links": [
        *[*BINARIZE, "--lang-pair", "de-en", *DE, "--pieces", "words", "--alignments", "inputs/de-en.links"],
        *["--max-pieces", "60"],
    ],
    "binarize-mono": [*BINARIZE, "--mono", "data/fr-en/test.fr"],
}


def main():
    """Write inputs, list and outputs anew."""
    checkout = Path(sys.argv[1]).resolve()
    shutil.rmtree(CASES, ignore_errors=True)
    (CASES / "inputs").mkdir(parents=True)
    write_inputs(CASES / "inputs")
    for name, arguments in COMMANDS.items():
        with tempfile.TemporaryDirectory() as directory:
            work = Path(directory)
            for link, target in (("data", DATA), ("inputs", CASES / "inputs"), ("model", HERE / "before_the_move" / "model")):
                (work / link).symlink_to(target)
            (work / "out").mkdir()
            done = subprocess.run(
                [sys.executable, "-m", "xlm_align_fairseq.cli.main", *arguments],
                cwd=work,
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(checkout)},
                capture_output=True,
            )
            if done.returncode:
                sys.exit(f"{name}: {done.stderr.decode()}")
            (CASES / name).mkdir()
            for ending, text in (("stdout", done.stdout), ("stderr", done.stderr)):
                (CASES / name / ending).write_bytes(normalise(text))
            for path in sorted((work / "out").iterdir()):
                kept, text = keep(path)
                (CASES / name / kept).write_bytes(text)
    about = {"environment": ENVIRONMENT, "versions": [[a.decode(), b.decode()] for a, b in VERSIONS], "commands": COMMANDS}
    (CASES / "cases.json").write_text(json.dumps(about, indent=1) + "\n")


def normalise(text):
    """Replace versions."""
    for pattern, name in VERSIONS:
        text = re.sub(pattern, name, text)
    return text


def keep(path):
    """Return name and content of what is kept of an output: of binary files and of the dictionary the SHA-256."""
    if path.suffix in (".bin", ".idx") or path.name == "dict.txt":
        return f"{path.name}.sha256", f"{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
    return path.name, normalise(path.read_bytes())


def write_inputs(to):
    """Write what the commands read beside the shipped text: links made of the gold ones, labels and markup of its first lines."""
    source, target, gold = ((DATA / "de-en" / name).read_text("utf-8").splitlines() for name in ("test.de", "test.en", "gold"))

    def write(name, lines):
        (to / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")

    links = [re.findall(r"(\d+)[-p](\d+)", line) for line in gold]
    write("de-en.links", [" ".join(f"{i}-{j}" for i, j in line) for line in links])
    write(
        "de-en.probabilities",
        [" ".join(f"{i}-{j}:0.{(7 * int(i) + n) % 50 + 50}" for i, j in line) for n, line in enumerate(links)],
    )
    sizes = [(len(s.split(" ")), len(t.split(" "))) for s, t in zip(source, target, strict=True)]
    write("de-en.diagonal", [" ".join(f"{i}-{min(i, t - 1)}" for i in range(s)) for s, t in sizes])
    write("head.en", target[:20])
    write("head.tsv", [f"{s}\t{t}\tmore" for s, t in zip(source[:20], target[:20], strict=True)])
    write("head.links", [" ".join(f"{i}-{j}" for i, j in line) for line in links[:20]])
    write("head.few", [" ".join(f"{i}-{j}" for i, j in line if int(i) % 3) for line in links[:20]])
    write("labels", [row for n, line in enumerate(source[:20]) for row in labelled(line, n)])
    write("markup", [marked(line, n) for n, line in enumerate(source[:20])])


def labelled(line, number):
    """Label the capitalised words as spans of one or two words; every fifth sentence begins with an I- that continues nothing."""
    rows, before = [], "O"
    for k, word in enumerate(line.split(" ")):
        kind = "LOC" if len(word) % 2 else "PER"
        label = f"{'I' if before.endswith(kind) else 'B'}-{kind}" if k and word[0].isupper() else "O"
        label = "I-ORG" if k == 0 and number % 5 == 0 else label
        rows.append(f"{word}\tx\t{label}")
        before = label
    return [*rows, ""]


def marked(line, number):
    """Mark two words and the second of them alone, and put a break at the end; every seventh line is not well formed."""
    words = line.split(" ")
    at = number % (len(words) - 2)
    words[at] = f'<b id="{number}">{words[at]}'
    words[at + 1] = f"<i>{words[at + 1]}</i></b>" if number % 7 else f"<i>{words[at + 1]}</b></i>"
    return " ".join(words) + "<br/>"


if __name__ == "__main__":
    main()
