"""`xlm-align user-dir`: where the plugin is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    return argparse.ArgumentParser(
        prog="xlm-align user-dir",
        description='Print the directory of the plugin: fairseq-train --user-dir "$(xlm-align user-dir)" …',
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the path of the package."""
    parser().parse_args(argv)
    print(Path(__file__).resolve().parents[1])
    return 0
