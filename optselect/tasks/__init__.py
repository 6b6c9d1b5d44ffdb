"""What is to be trained: data readers, splits, default models, user models.

Reading and checking (`read`, `make_spec`) load no TensorFlow; `Task`, in a worker process, does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optselect.tasks.data import Data
from optselect.tasks.dates import Order
from optselect.tasks.numerals import Decimal
from optselect.tasks.readers import read
from optselect.tasks.reading import Labels, MissingTarget
from optselect.tasks.schema import Schema, raw_inputs
from optselect.tasks.spec import Precision, TaskSpec, make_spec
from optselect.tasks.split import Split, split
from optselect.tasks.weights import ClassWeight

if TYPE_CHECKING:
    from optselect.tasks.task import Task

__all__ = [
    "ClassWeight",
    "Data",
    "Decimal",
    "Labels",
    "MissingTarget",
    "Order",
    "Precision",
    "Schema",
    "Split",
    "Task",
    "TaskSpec",
    "make_spec",
    "raw_inputs",
    "read",
    "split",
]


def __getattr__(name: str) -> Any:
    if name == "Task":  # loads TensorFlow, so only when asked for
        from optselect.tasks.task import Task

        return Task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
