"""Which optimizer, with which settings, for this data set and this Keras model, and how sure are we?"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` finds, for type checkers and editors
    from optselect import api as api
    from optselect import data as data
    from optselect import demo as demo
    from optselect import errors as errors
    from optselect import optim as optim
    from optselect import optimizers as optimizers
    from optselect import task as task
    from optselect import testing as testing
    from optselect.api.describe import describe_data
    from optselect.api.lr_range import lr_range
    from optselect.api.result import Result
    from optselect.api.tune import tune
    from optselect.data import DataOptions, SplitOptions
    from optselect.errors import OptselectError
    from optselect.optim.configuration import Configuration
    from optselect.options import Evaluation, RunOptions, Tracking
    from optselect.study.search_options import SearchOptions
    from optselect.task import EarlyStopping

__all__ = [
    "Configuration",
    "DataOptions",
    "EarlyStopping",
    "Evaluation",
    "OptselectError",
    "Result",
    "RunOptions",
    "SearchOptions",
    "SplitOptions",
    "Tracking",
    "describe_data",
    "lr_range",
    "tune",
]
__version__ = "0.2.0"

_HOMES = {
    "Configuration": "optim.configuration",
    "DataOptions": "data",
    "EarlyStopping": "task",
    "Evaluation": "options",
    "OptselectError": "errors",
    "Result": "api",
    "RunOptions": "options",
    "SearchOptions": "study.search_options",
    "SplitOptions": "data",
    "Tracking": "options",
    "describe_data": "api",
    "lr_range": "api",
    "tune": "api",
}
# Attributes too, without an import of their own.
_MODULES = ("api", "data", "demo", "errors", "optim", "optimizers", "task", "testing")


def __getattr__(name: str) -> Any:  # loads neither TensorFlow nor MLflow, and nothing before it is asked for
    if name in _HOMES:
        return getattr(importlib.import_module(f"optselect.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"optselect.{name}")
    raise AttributeError(f"module 'optselect' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


_keras_config = getattr(sys.modules.get("keras"), "config", None)
if _keras_config is not None and _keras_config.backend() == "tensorflow":
    importlib.import_module("optselect.optimizers")  # Keras then takes their names, and loads models that hold them
