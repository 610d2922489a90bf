"""The examples in docstrings run, and every public function of `alignment/` has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import xlm_align_fairseq
from xlm_align_fairseq import alignment

MODULES = [module.name for module in pkgutil.walk_packages(xlm_align_fairseq.__path__, "xlm_align_fairseq.")]
PURE = [module.name for module in pkgutil.iter_modules(alignment.__path__, "xlm_align_fairseq.alignment.")]
WITHOUT = {"fingerprint"}  # needs a whole encoder


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", PURE)
def test_every_function_of_alignment_has_an_example(name):
    module = importlib.import_module(name)
    functions = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == name]
    public = [f for f in functions if not f.__name__.startswith("_") and f.__name__ not in WITHOUT]
    assert [f.__name__ for f in public if ">>>" not in inspect.getdoc(f)] == []
