"""On what a study ran: versions and the machine, to be written down with it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform

import psutil

from optselect.util.machine import cores, gigabytes, gpus

__all__ = ["environment"]

_PACKAGES = ("optselect", "tensorflow", "keras", "optuna", "numpy")


def environment() -> dict[str, str]:
    """Versions by package, Python's, and the machine in words; loads none of the packages.

    >>> sorted(environment())
    ['keras', 'machine', 'numpy', 'optselect', 'optuna', 'python', 'tensorflow']
    """
    versions = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # from sources, or under another name
            versions[name] = importlib.metadata.version(name)
    system = f"{platform.system()} {platform.machine()}"
    graphics = f", {len(found)} GPUs" if (found := gpus()) else ""
    memory = gigabytes(psutil.virtual_memory().total)
    return {
        "python": platform.python_version(),
        **versions,
        "machine": f"{system}, {cores()} cores, {memory}{graphics}",
    }
