"""XLM-Align as a fairseq plugin: denoising word alignment for cross-lingual encoders, and a word aligner for bitext.

`from xlm_align_fairseq import Aligner` is the word aligner; it needs no fairseq. Importing this package is cheap.
When fairseq is imported, before or after, the task `denoising_word_alignment`, the criterion `pointer_alignment` and the model
`xlm_align` are registered with it; `--user-dir` needs nothing more.
"""

from typing import Any

import wrapt

from xlm_align_fairseq.version import __version__

__all__ = ["Aligner", "Alignment", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the aligner once it is asked for: torch takes a second."""
    if name == "Aligner":
        from xlm_align_fairseq.aligner.aligner import Aligner

        return Aligner
    if name == "Alignment":
        from xlm_align_fairseq.aligner.result import Alignment

        return Alignment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@wrapt.when_imported("fairseq")
def _register(_):
    from xlm_align_fairseq import plugin  # noqa: F401  (importing registers)
