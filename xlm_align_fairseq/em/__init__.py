"""The E-step over a corpus, its labels, and the EM iterations that training goes through."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
