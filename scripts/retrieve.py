#!/usr/bin/env python3
"""Run the command of `xlm-align` that this file is named after, from a checkout: `python scripts/align.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xlm_align_fairseq.cli.main import main

if __name__ == "__main__":  # workers import this file again
    sys.exit(main([Path(__file__).stem.replace("_", "-"), *sys.argv[1:]]))
