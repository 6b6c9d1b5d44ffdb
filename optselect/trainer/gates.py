"""What makes a study pointless, found before its first trial: models that cannot be tuned or judged."""

from __future__ import annotations

from typing import Any

import keras

from optselect.errors import InvalidModel
from optselect.tasks.task import Task
from optselect.trainer.jobs import Run

__all__ = ["check_answers", "headline"]


def check_answers(task: Task, model: Any, run: Run) -> None:
    """Raise InvalidModel where a model that trains and judges itself never answers what a study goes by.

    run: one training by `model.fit`.
    """
    objective = task.spec.objective.rpartition(":")[2]
    name = type(model).__name__
    if objective not in run.metrics:
        known = ", ".join(f"`{key}`" for key in sorted(run.metrics) if key.startswith("val_")) or "nothing"
        raise InvalidModel(
            f"{name}: the objective `{objective}` is never answered: its validation gives {known}. Return "
            f"`{objective.removeprefix('val_')}` from `test_step`, or choose another `objective`."
        )
    if run.metrics[objective] == 0.0 and _trains_itself(model) and not _judges_itself(model):
        raise InvalidModel(
            f"{name}: `{objective}` is 0 whatever the training does: the model has its own `train_step` and no "
            "`test_step`, so nothing could be compared. Add a `test_step(self, data)` that updates the same metrics "
            "and returns them, or override `compute_loss` instead of `train_step`."
        )


def headline(task: Task, run: Run | None) -> str:
    """The figure to show: that of the task, or the objective where validation never gives it."""
    if run is None or f"val_{task.headline}" in run.metrics:
        return task.headline
    return task.spec.objective.rpartition(":")[2].removeprefix("val_")


def _trains_itself(model: Any) -> bool:
    return _has_own(model, "train_step")


def _judges_itself(model: Any) -> bool:
    return _has_own(model, "test_step") or _has_own(model, "evaluate")


def _has_own(model: Any, name: str) -> bool:
    """Whether a method is not Keras's, whichever of its classes that is."""
    owner = next((cls for cls in type(model).__mro__ if name in vars(cls)), keras.Model)
    return not owner.__module__.startswith("keras.")
