"""What is public: the names in `__all__` of these modules, and what a result holds.

Everything else may change without notice.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

__all__ = ["HELD", "MODULES", "public"]

MODULES = (
    "optselect",
    "optselect.api",
    "optselect.data",
    "optselect.demo",
    "optselect.errors",
    "optselect.optim",
    "optselect.optimizers",
    "optselect.optimizers.schedules",
    "optselect.sklearn",
    "optselect.spaces",
    "optselect.task",
    "optselect.testing",
)
HELD = ("optselect.verdict.Estimate", "optselect.verdict.Standing", "optselect.verdict.Verdict")


def public() -> Iterator[tuple[str, Any]]:
    """Every public name with its module, and the thing itself."""
    for name in MODULES:
        module = importlib.import_module(name)
        for exported in module.__all__:
            yield f"{name}.{exported}", getattr(module, exported)
    for name in HELD:
        module_name, _, held = name.rpartition(".")
        yield name, getattr(importlib.import_module(module_name), held)
