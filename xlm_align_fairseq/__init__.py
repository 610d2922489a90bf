"""XLM-Align as a fairseq plugin: denoising word alignment for cross-lingual encoders, and a word aligner for bitext.

Importing this package is cheap. When fairseq is imported, before or after, the task `denoising_word_alignment`, the criterion
`pointer_alignment` and the model `xlm_align` are registered with it; `--user-dir` needs nothing more.
"""

import wrapt

from xlm_align_fairseq.version import __version__

__all__ = ["__version__"]


@wrapt.when_imported("fairseq")
def _register(_):
    from xlm_align_fairseq import fairseq_patches

    fairseq_patches.apply()
    from xlm_align_fairseq import criterion, model, task  # noqa: F401  (importing registers)
