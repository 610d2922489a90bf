"""Transfer between languages: fine-tuned models in use, the files of XTREME's tasks and their scores. It needs no fairseq."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
