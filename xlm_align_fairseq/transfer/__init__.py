"""Transfer between languages: fine-tuned models in use, and the files of their tasks. It needs no fairseq."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
