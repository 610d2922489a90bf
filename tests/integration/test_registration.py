"""Fairseq finds our classes by every way of loading the plugin; identity is checked, since name clashes are silent."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from world import ENVIRONMENT, ROOT, USER_DIR, run

import xlm_align_fairseq

INSTALLED = "site-packages" in str(Path(xlm_align_fairseq.__file__).resolve())
PROBE = """
import json, sys
{before}
from argparse import Namespace
from fairseq import criterions, models, tasks, utils
utils.import_user_module(Namespace(user_dir={user_dir!r}))
from xlm_align_fairseq.plugin.pretraining import criterion
from xlm_align_fairseq.plugin import model
from xlm_align_fairseq.plugin.pretraining import task
print(json.dumps([
    tasks.TASK_REGISTRY.get("denoising_word_alignment") is task.DenoisingWordAlignmentTask,
    criterions.CRITERION_REGISTRY.get("pointer_alignment") is criterion.PointerAlignmentCriterion,
    models.MODEL_REGISTRY.get("xlm_align") is model.XlmAlignModel,
    sorted(name for name, cls in models.ARCH_MODEL_REGISTRY.items() if cls is model.XlmAlignModel),
]))
"""
PRETRAINING = ("task", "criterion", "dataset", "config", "iterator")
ARCHITECTURES = ["xlm_align", "xlm_align_base", "xlm_align_large", "xlm_align_mini", "xlm_align_small", "xlm_align_tiny"]


def check(user_dir, cwd, before=""):
    done = run([sys.executable, "-c", PROBE.format(user_dir=str(user_dir), before=before)], cwd=cwd)
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, True, ARCHITECTURES]


@pytest.mark.skipif(INSTALLED, reason="the checkout's directory is another module than the installed one")
@pytest.mark.parametrize("user_dir", ["xlm_align_fairseq", "./xlm_align_fairseq/", USER_DIR])
def test_by_path_and_by_name_from_the_root(user_dir):
    check(user_dir, ROOT)


@pytest.mark.parametrize(
    "before", ["import xlm_align_fairseq", "import fairseq, xlm_align_fairseq", "import xlm_align_fairseq.aligner.aligner"]
)
def test_by_path_when_already_imported(before, tmp_path):
    check(Path(xlm_align_fairseq.__file__).parent, tmp_path, before)


@pytest.mark.skipif(not INSTALLED, reason="by name from anywhere needs a non-editable install")
def test_by_name_from_anywhere(tmp_path):
    check("xlm_align_fairseq", tmp_path)


def test_user_dir_command(tmp_path):
    done = run([sys.executable, "-m", "xlm_align_fairseq.cli.main", "user-dir"], cwd=tmp_path)
    check(done.stdout.strip(), tmp_path)


@pytest.mark.parametrize(
    "module",
    [
        "plugin",
        "plugin.model",
        "plugin.pretraining.criterion",
        "plugin.pretraining.task",
        "plugin.pretraining.dataset",
        "plugin.pretraining.mono",
    ],
)
def test_each_registered_module_can_be_imported_first(module, tmp_path):
    run([sys.executable, "-c", f"import xlm_align_fairseq.{module}"], cwd=tmp_path)


def test_the_door_alone_imports_neither_torch_nor_fairseq(tmp_path):
    code = "import sys, xlm_align_fairseq; assert not {'torch', 'fairseq', 'numpy'} & set(sys.modules)"
    run([sys.executable, "-c", code], cwd=tmp_path)


def test_the_environment_of_these_tests():
    assert ENVIRONMENT["OMP_NUM_THREADS"] == "1"
    assert importlib.util.find_spec("fairseq")


OTHER_TASK = """
import sys
import fairseq.models.distributed_fairseq_model as models
import torch
from fairseq import options
from fairseq.distributed import utils
from fairseq.file_io import PathManager


def patched():
    gathered = vars(utils.all_gather_list).get("_buffer")
    functions = utils.call_main, utils._infer_torch_distributed_launch_init, models.DistributedDataParallel, PathManager.copy
    return functions, gathered is None, sorted(map(str, torch.serialization.get_safe_globals()))


before = patched()
import xlm_align_fairseq
from xlm_align_fairseq import Aligner
parser = options.get_training_parser()
{flags}
options.parse_args_and_arch(parser, flags)
print(patched() == before)
"""


@pytest.mark.parametrize(("task", "untouched"), [("masked_lm", "True"), ("denoising_word_alignment", "False")])
def test_a_program_that_trains_another_task_is_left_as_it_is(task, untouched, tmp_path):
    arch, criterion = {"masked_lm": ("roberta", "masked_lm")}.get(task, ("xlm_align", "pointer_alignment"))
    flags = f"flags = ['data', '--task', {task!r}, '--arch', {arch!r}, '--criterion', {criterion!r}]"
    done = run([sys.executable, "-c", OTHER_TASK.format(flags=flags)], cwd=tmp_path)
    assert done.stdout.split()[-1] == untouched
