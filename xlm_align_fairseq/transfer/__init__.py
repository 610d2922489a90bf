"""Transfer between languages: the files of XTREME's tasks and of their kinds, and the scores of what was predicted for them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
