"""Which optimizer, with which settings, for this data set and this Keras model, and how sure are we?"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__all__ = ["Configuration", "OptselectError", "Result", "describe_data", "lr_range", "race", "tune"]
__version__ = "0.1.0"

_HOMES = {
    "Configuration": "configuration",
    "OptselectError": "errors",
    "Result": "api",
    "describe_data": "api",
    "lr_range": "api",
    "race": "api",
    "tune": "api",
}
_MODULES = ("api", "errors", "optimizers", "tasks")  # as attributes too, without an import of their own


def __getattr__(name: str) -> Any:  # loads neither TensorFlow nor MLflow, and nothing before it is asked for
    if name in _HOMES:
        return getattr(importlib.import_module(f"optselect.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"optselect.{name}")
    raise AttributeError(f"module 'optselect' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


_keras = sys.modules.get("keras")
if _keras is not None and _keras.config.backend() == "tensorflow":
    importlib.import_module("optselect.optimizers")  # whoever has Keras can then use their names, and load models
