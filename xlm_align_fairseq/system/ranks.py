"""Communication between the ranks of a distributed run; with one process every function is the identity."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist


def rank_and_size() -> tuple[int, int]:
    """Return the rank of this process and the number of ranks."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


def _device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def gather_arrays(array: np.ndarray) -> list[np.ndarray]:
    """Return the array of every rank, by rank; they may differ in their first dimension only."""
    _, size = rank_and_size()
    if size == 1:
        return [array]
    device = _device()
    mine = torch.from_numpy(np.ascontiguousarray(array)).to(device)
    lengths = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(size)]
    dist.all_gather(lengths, torch.tensor([len(array)], device=device))
    counts = [int(length) for length in lengths]
    padded = mine.new_zeros((max(counts), *mine.shape[1:]))
    padded[: len(mine)] = mine
    everyone = [torch.empty_like(padded) for _ in range(size)]
    dist.all_gather(everyone, padded)
    return [part[:count].cpu().numpy() for part, count in zip(everyone, counts, strict=True)]


def all_agree(flag: bool) -> bool:
    """Return whether the flag is True on every rank; all ranks must call it, so it is also a barrier."""
    if rank_and_size()[1] == 1:
        return flag
    votes = torch.tensor([int(flag)], device=_device())
    dist.all_reduce(votes, dist.ReduceOp.MIN)
    return bool(votes.item())
