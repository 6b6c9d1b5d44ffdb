"""A task: a data set and a model, how the model is judged, and what is to be beaten.

Making and checking a task (`make_spec`) loads no TensorFlow; `Task`, in a worker process, does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optselect.task.description import TaskDescription
from optselect.task.early_stopping import EarlyStopping
from optselect.task.spec import Precision, TaskSpec, make_spec

if TYPE_CHECKING:
    from optselect.task.prepared import Task

__all__ = ["EarlyStopping", "Precision", "Task", "TaskDescription", "TaskSpec", "make_spec"]


def __getattr__(name: str) -> Any:
    if name == "Task":  # loads TensorFlow, so only when asked for
        from optselect.task.prepared import Task

        return Task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
