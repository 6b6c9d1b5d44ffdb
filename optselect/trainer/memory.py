"""How much memory a device has free, and how much of it something takes at most: measured, not guessed."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tensorflow.python.client import device_lib

from optselect.util.machine import available_memory

__all__ = ["free", "gpu_of", "taken"]

_PROCESS = Path("/proc/self")


def gpu_of(device: str | None) -> str:
    """The GPU that a program placed on `device` uses, "GPU:0"; "" if it uses none. None leaves that to TensorFlow.

    >>> gpu_of("/CPU:0")
    ''
    """
    if device is None:
        return "GPU:0" if tf.config.list_logical_devices("GPU") else ""
    spec = tf.DeviceSpec.from_string(device)
    return f"GPU:{spec.device_index or 0}" if spec.device_type == "GPU" else ""


def free(device: str | None) -> int:
    """Bytes that a program on `device` can still get."""
    gpu = gpu_of(device)
    if not gpu:
        return available_memory()
    limits = {found.name: found.memory_limit for found in device_lib.list_local_devices()}
    return int(limits[f"/device:{gpu}"] - tf.config.experimental.get_memory_info(gpu)["current"])


def taken(device: str | None, run: Callable[[], object]) -> int:
    """Bytes by which memory rises at most while `run` runs; 0 where the system does not tell.

    On the CPU it is the memory of the whole process; what that had free already is given back before.
    """
    gpu = gpu_of(device)
    if gpu:
        tf.config.experimental.reset_memory_stats(gpu)
        before = tf.config.experimental.get_memory_info(gpu)["current"]
        run()
        return int(tf.config.experimental.get_memory_info(gpu)["peak"] - before)
    try:
        (_PROCESS / "clear_refs").write_text("5")  # the peak begins anew
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not Linux, or another C library
        return 0
    before = _status("VmRSS")
    run()
    return max(0, _status("VmHWM") - before)


def _status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", (_PROCESS / "status").read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
