"""The allocator setting of training on the CPU; in its own process, since it cannot be undone."""

import platform
import subprocess
import sys

import pytest

RELEASE = """
import torch
from xlm_align_fairseq.system.memory import keep_freed_memory, release_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

keep_freed_memory()
torch.ones(128 << 20)  # 512 MiB, freed at once
kept = resident()
release_freed_memory()
print(kept - resident())
"""
PROGRAM = """
import resource, sys
import torch
from xlm_align_fairseq.system.memory import keep_freed_memory

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    for _ in range(10):
        torch.zeros(16 << 20).add_(1)  # 64 MiB
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_are_used_again():
    faults = {
        mode: int(subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True).stdout)
        for mode in ("give back", "keep")
    }
    assert faults["keep"] < 100
    assert faults["give back"] > 100  # otherwise the setting has no effect; huge pages leave 32 of each 64 MiB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_what_is_kept_can_be_given_back():
    done = subprocess.run([sys.executable, "-c", RELEASE], capture_output=True, text=True, check=True)
    assert 400 < int(done.stdout) < 600  # MiB
