"""The commands of ``xlm-align``, one a file, each with ``parser()`` and ``main(argv=None)``."""
