"""Patch fairseq to run on today's torch, once a command line or a configuration names a task of this package.

Programs that train other tasks of fairseq are not patched, whether they import the aligner or not. Each patch names the bug that
it fixes; all bugs were observed with ve-fairseq 0.12.3 on torch 2.13.
"""

import argparse
import collections
import os
import sys
import typing

import torch

from xlm_align_fairseq.errors import InputError, one_line
from xlm_align_fairseq.plugin import checkpoints


def apply():
    """Apply every patch; repeating it changes nothing."""
    allow_checkpoints()
    checkpoints.apply()
    refuse_silent_launches()
    let_data_be_a_file()
    if not torch.cuda.is_available():
        allow_cpu_distributed()


def allow_checkpoints():
    """Let torch's safe loading open what fairseq writes: option namespaces, meters of 2019, and multi-rank broadcasts."""
    from fairseq.distributed.utils import _TensorPlaceholder
    from fairseq.logging.meters import AverageMeter, StopwatchMeter, TimeMeter
    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode

    plain = [argparse.Namespace, DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode, typing.Any]
    plain += [dict, list, int, collections.defaultdict, _TensorPlaceholder]
    meters = [(meter, f"fairseq.meters.{meter.__name__}") for meter in (AverageMeter, StopwatchMeter, TimeMeter)]
    torch.serialization.add_safe_globals([*plain, *meters])


def refuse_silent_launches():
    """Refuse launches in which fairseq trains nothing, or one model for each process, and says so nowhere.

    What the user can mend, here and later, is one line and exit code 2, as of our own commands.
    """
    from fairseq.distributed import utils

    if hasattr(utils.call_main, "checked"):
        return
    call_main = utils.call_main

    def checked(cfg, main, **kwargs):
        try:
            check_launch(cfg.distributed_training, torch.cuda.device_count() if not cfg.common.cpu else 0)
            return call_main(cfg, main, **kwargs)
        except InputError as error:
            print(f"{os.path.basename(sys.argv[0])}: error: {one_line(str(error))}", file=sys.stderr)
            sys.exit(2)

    vars(checked)["checked"] = True
    utils.call_main = checked


def check_launch(flags, devices):
    """Check the flags of distributed training against the processes that were started.

    Args:
        flags: fairseq's configuration group `distributed_training`.
        devices: GPUs of this machine that may be used.

    Raises:
        InputError: the launch would train nothing, or separate models.
    """
    ranks, size = int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1, flags.distributed_world_size
    if ranks > 1 and size == 1 and flags.distributed_init_method is None:
        raise InputError(
            f"{ranks} processes were started, --distributed-world-size is 1: each would train a model of its own and overwrite"
            f" the others'; give --distributed-world-size {ranks}"
        )
    if size > 1 and ranks == 1 and not flags.distributed_no_spawn and devices == 0:
        raise InputError(
            f"--distributed-world-size {size}: fairseq starts a process for each GPU and there is none, so nothing would be"
            f" trained; start {size} with: torchrun --nproc-per-node {size} --no-python fairseq-train … (with the same flags)"
        )


def let_data_be_a_file():
    """Let the data of a task be a file: fairseq lists it as a directory, for sets of validation that no flag names."""
    from fairseq.data import data_utils

    original = data_utils._find_extra_valid_paths
    if hasattr(original, "takes_files"):
        return

    def find(dataset_path):
        return set() if os.path.isfile(dataset_path) else original(dataset_path)

    vars(find)["takes_files"] = True
    data_utils._find_extra_valid_paths = find


def allow_cpu_distributed():
    """Let torchrun start CPU ranks, DistributedDataParallel run without devices, and lists be gathered over gloo."""
    import fairseq.models.distributed_fairseq_model as models
    from fairseq.distributed import utils
    from torch.nn.parallel import DistributedDataParallel

    def from_environment(cfg):
        cfg.distributed_init_method = "env://"
        cfg.distributed_world_size = int(os.environ["WORLD_SIZE"])
        cfg.distributed_rank = int(os.environ["RANK"])
        cfg.distributed_backend = "gloo"
        cfg.device_id = 0
        cfg.distributed_no_spawn = True

    def without_devices(module, device_ids=None, output_device=None, **options):
        return DistributedDataParallel(module, **options)

    utils._infer_torch_distributed_launch_init = from_environment
    models.DistributedDataParallel = without_devices
    size = 1 << 16
    utils.all_gather_list._buffer = torch.zeros(size * 4, dtype=torch.uint8)
    utils.all_gather_list._cpu_buffer = torch.zeros(size, dtype=torch.uint8)
