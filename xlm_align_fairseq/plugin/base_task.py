"""What the tasks of this package share: patches, iterators that lose nothing, precision, memory."""

from pathlib import Path

import torch
from fairseq.tasks import FairseqTask

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.plugin import patches
from xlm_align_fairseq.system.device import lower_precision
from xlm_align_fairseq.system.memory import release_freed_memory

RELEASE_EVERY = 50  # updates on the CPU after which freed memory is given back


class BaseTask(FairseqTask):
    """A task with one dictionary; it sets `dictionary` and `autocast_dtype`, and tells `max_positions`."""

    @classmethod
    def add_args(cls, parser):
        """Patch fairseq and declare the flags; fairseq calls this once a command line names the task."""
        patches.apply()
        super().add_args(parser)

    def get_batch_iterator(self, dataset, *args, **kwargs):
        """Make the iterator; without workers, disable the thread that collates ahead: it can abort the process at exit."""
        if kwargs.get("num_workers", 0) == 0:
            kwargs["data_buffer_size"] = 0
        kwargs["max_positions"] = self.max_positions()  # fairseq's is not above --max-tokens, and leaves longer items out
        return super().get_batch_iterator(dataset, *args, **kwargs)

    @property
    def source_dictionary(self):
        return self.dictionary

    @property
    def target_dictionary(self):
        return self.dictionary

    def autocast(self):
        """Return the context in which the model computes."""
        return lower_precision("cpu" if on_cpu(self.cfg) else "cuda", self.autocast_dtype)  # None keeps fairseq's own --amp

    def optimizer_step(self, optimizer, model, update_num):
        super().optimizer_step(optimizer, model, update_num)
        if on_cpu(self.cfg) and (update_num + 1) % RELEASE_EVERY == 0:
            release_freed_memory()


def on_cpu(cfg):
    """Return whether training computes on the CPU."""
    return cfg.cpu or not torch.cuda.is_available()


def restored_file(cfg, must_exist=True):
    """Return the checkpoint that --restore-file names, `None` for fairseq's default.

    Args:
        cfg: of the task.
        must_exist: whether it is needed; a checkpoint of a run stays loadable without the one that the run began with.

    Raises:
        InputError: there is no such file.
    """
    restored = cfg.restore_file if cfg.restore_file != "checkpoint_last.pt" else None
    if restored and must_exist and not Path(restored).is_file():
        raise InputError(f"--restore-file {restored}: no such file; fairseq would start from random weights")
    return restored
