"""What fairseq needs to run on today's torch: applied once, when the plugin registers.

Each patch names the fault that it answers; all of them were observed with ve-fairseq 0.12.3 on torch 2.13.
"""

import argparse
import collections
import os
import typing

import torch


def apply():
    """Apply every patch; repeating it changes nothing."""
    allow_checkpoints()
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


def allow_cpu_distributed():
    """Let torchrun start CPU ranks, DistributedDataParallel run without devices, and lists be gathered over gloo."""
    import fairseq.models.distributed_fairseq_model as models
    from fairseq.distributed import utils
    from torch.nn.parallel import DistributedDataParallel

    def from_environment(cfg):
        cfg.distributed_init_method = "env://"
        cfg.distributed_world_size = int(os.environ["WORLD_SIZE"])
        cfg.distributed_rank = int(os.environ["RANK"])
        cfg.device_id = 0
        cfg.distributed_no_spawn = True

    def without_devices(module, device_ids=None, output_device=None, **options):
        return DistributedDataParallel(module, **options)

    utils._infer_torch_distributed_launch_init = from_environment
    models.DistributedDataParallel = without_devices
    size = 1 << 16
    utils.all_gather_list._buffer = torch.zeros(size * 4, dtype=torch.uint8)
    utils.all_gather_list._cpu_buffer = torch.zeros(size, dtype=torch.uint8)
