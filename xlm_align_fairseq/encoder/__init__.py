"""Pieces in, hidden states out: vocabulary, sequences, the network and its heads. It does not depend on alignment."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
