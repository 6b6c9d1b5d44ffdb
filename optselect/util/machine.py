"""What this machine, or the container around us, has to give: cores, memory, and whether memory ran out."""

from __future__ import annotations

import itertools
import math
import os
import re
from pathlib import Path

import psutil

__all__ = ["available_memory", "cores", "gigabytes", "gpus", "memory_kills", "resident_memory"]

_CGROUP = Path("/sys/fs/cgroup")
# Version 2 of control groups, then version 1: the limit, what is used of it, and the file with more about that.
_MEMORY = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def cores(*, cgroup: Path = _CGROUP) -> int:
    """How many cores this process may use: those it is bound to, fewer where the container has a quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        bound = min(bound, math.ceil(int(quota) / int(period)))
    return max(1, bound)


def available_memory(*, cgroup: Path = _CGROUP) -> int:
    """Bytes that can be had without swapping and without breaking the container's limit."""
    room = int(psutil.virtual_memory().available)
    for limit, used, more in _MEMORY:
        most, now = _read(cgroup / limit), _read(cgroup / used)
        if most.isdigit() and now.isdigit():
            files = re.search(r"^(?:total_)?inactive_file (\d+)$", _read(cgroup / more), re.MULTILINE)
            room = min(room, int(most) - int(now) + (int(files[1]) if files else 0))
    return max(0, room)


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process of ours holds; 0 if it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def gpus(*, folder: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(len(list(folder.glob("*"))))]
    names = [name.strip() for name in given.split(",")]
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # CUDA ignores what comes after


def memory_kills() -> int:
    """How many processes the kernel has killed since it started because memory ran out; 0 where it does not tell."""
    found = re.search(r"^oom_kill (\d+)$", _read(Path("/proc/vmstat")), re.MULTILINE)
    return int(found[1]) if found else 0


def gigabytes(size: float) -> str:
    """Bytes for people.

    >>> gigabytes(1_449_000_000)
    '1.4 GB'
    """
    return f"{size / 1e9:.1f} GB"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
