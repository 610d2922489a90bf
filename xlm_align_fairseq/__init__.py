"""XLM-Align as a fairseq plugin: denoising word alignment for cross-lingual encoders, and a word aligner for bitext.

`from xlm_align_fairseq import Aligner` is the word aligner; it needs no fairseq. Importing this package is cheap.
When fairseq is imported, before or after, the task `denoising_word_alignment`, the criterion `pointer_alignment` and the model
`xlm_align` are registered with it; `--user-dir` needs nothing more.
"""

import lazy_loader
import wrapt

from xlm_align_fairseq.version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


@wrapt.when_imported("fairseq")
def _register(_):
    from xlm_align_fairseq import plugin  # noqa: F401  (importing registers)
