"""Modules that load when first used, so that declarations can be read without TensorFlow."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["LazyModule", "ops", "tf"]


class LazyModule:
    """Stands for a module until an attribute is asked of it.

    >>> LazyModule("math").sqrt(4.0)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"


ops: Any = LazyModule("keras.ops")
tf: Any = LazyModule("tensorflow")
