"""One short training by `model.fit` before a study: whether it reports what a study compares, and how long it takes."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import keras
import numpy as np

from optselect.errors import InvalidModel, UnknownName
from optselect.model.own_methods import is_own, lacks_test_step
from optselect.optim.keras.of_model import optimizers_of
from optselect.task.prepared import Task
from optselect.util.suggestion import suggestion

__all__ = ["Pace", "ProbeWatch", "check_reported", "check_watched", "notes_of"]

_NAMED = 4  # weights that are named
_APPLY = "`self.optimizer.apply(gradients, self.trainable_variables)`"


class Pace(NamedTuple):
    """How long a training takes, in seconds. setup: until its first step is done. epoch: with its validation."""

    setup: float
    epoch: float

    def training(self, epochs: int) -> float:
        """Of one training.

        >>> Pace(setup=2.0, epoch=0.5).training(4)
        4.0
        """
        return self.setup + epochs * self.epoch


class ProbeWatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Sees the first epoch of a training.

    evaluate: gives the figures of a model on the validation rows. names: what the epoch reported. before: the
    validation loss at the start. unmoved: paths of weights that are as they were. steps: how often each optimizer that
    the model holds was applied, by attribute. batches: how many there were. loss_asked: whether training called
    `compute_loss`.
    """

    def __init__(self, evaluate: Callable[[Any], dict[str, float]]) -> None:
        super().__init__()
        self._evaluate = evaluate
        self.names: list[str] = []
        self.before = math.nan
        self.unmoved: list[str] = []
        self.steps: dict[str, int] = {}
        self.batches, self.loss_asked = 0, False
        self._first: list[np.ndarray] = []
        self._stepped = self._ended = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self.before = self._evaluate(self.model).get("loss", math.nan)
        self._first = [v.value.numpy() for v in self.model.trainable_variables]
        plain = self.model.compute_loss

        @functools.wraps(plain)
        def noted(*args: Any, **kwargs: Any) -> Any:
            self.loss_asked = True
            return plain(*args, **kwargs)

        self.model.compute_loss = noted

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        self._stepped = self._stepped or time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        self.model.__dict__.pop("compute_loss", None)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._ended = time.perf_counter()
        self.names = list(logs or {})
        variables = self.model.trainable_variables
        pairs = zip(variables, self._first, strict=True)
        self.unmoved = [v.path for v, first in pairs if np.array_equal(v.value.numpy(), first)]
        self.steps = {name: int(held.iterations) for name, held in optimizers_of(self.model).items()}

    def pace(self, seconds: float) -> Pace:
        """How long trainings take. seconds: what this one took, of one epoch."""
        epoch = (self._ended - self._stepped) * self.batches / max(1, self.batches - 1)
        return Pace(setup=max(0.0, seconds - epoch), epoch=epoch)


def check_reported(task: Task, model: Any, names: Collection[str]) -> None:
    """Raise InvalidModel or UnknownName where a training reports no figure that the study compares or watches."""
    of_training = [name for name in names if not name.startswith("val_")]
    of_validation = [name.removeprefix("val_") for name in names if name.startswith("val_")]
    if "loss" not in names:
        raise InvalidModel(
            f"{task.who}: its train_step returns {_listed(of_training)} and no `loss`: return one number that training "
            'makes smaller as `loss` too, as in `return {"loss": loss, ...}`.'
        )
    if "val_loss" not in names:
        whose = "its test_step" if is_own(model, "test_step") else "Keras's test_step, as it has none of its own,"
        raise InvalidModel(
            f"{task.who}: {whose} returns {_listed(of_validation)} and no `loss`, so that there is no `val_loss` to "
            "compare: give it a test_step that returns its `loss`."
        )
    asked = [task.spec.objective, *([task.spec.stopping.monitor] if task.spec.stopping else [])]
    for name in (text.rpartition(":")[2] for text in asked):
        if name not in names and f"val_{name}" not in names:
            raise UnknownName(f"{task.who}: `model.fit` reports no `{name}`. {suggestion(name, list(names))}")


def check_watched(task: Task, model: Any, watch: ProbeWatch, val_loss: float) -> None:
    """Raise InvalidModel where the training was none by the optimizer, or is not compared by what it trains."""
    if not any(watch.steps.values()):
        held = ", ".join(f"`self.{name}`" for name in watch.steps)
        moved = len(watch.unmoved) < len(model.trainable_variables)
        what = "trains with another one" if moved else "changes no weight"
        raise InvalidModel(
            f"{task.who}: its train_step never applies the optimizer that a trial gives it ({held}) and {what}, so "
            f"that nothing would be compared: {_APPLY}."
        )
    if len(watch.unmoved) == len(model.trainable_variables):
        raise InvalidModel(
            f"{task.who}: none of its {len(watch.unmoved)} arrays of weights changed in {watch.batches} steps: its "
            f"train_step applies gradients that are 0, or to other variables. {_APPLY}."
        )
    if val_loss == 0.0 and lacks_test_step(model):
        raise InvalidModel(
            f"{task.who}: `val_loss` is 0 whatever the training does: the model has its own train_step and no "
            "test_step, and Keras's test_step knows nothing of its loss. Give it a test_step that returns its `loss`."
        )
    if lacks_test_step(model) and not watch.loss_asked and not task.compiled_with_loss:
        raise InvalidModel(
            f"{task.who}: its train_step has a loss of its own, of which Keras's test_step knows nothing, and the "
            "model is compiled with none: `val_loss` would be the loss of another question. Give it a test_step that "
            "returns its `loss`."
        )
    if val_loss == watch.before:
        raise InvalidModel(
            f"{task.who}: `val_loss` is {val_loss:.6g} before and after an epoch in which the weights changed: it does "
            "not depend on them. Return a `loss` from its test_step that does."
        )


def notes_of(task: Task, model: Any, watch: ProbeWatch) -> list[str]:
    """What a user should know of a training that can be compared."""
    found = []
    if lacks_test_step(model) and not watch.loss_asked:
        found.append(
            "Warning: `val_loss` is the loss that the model is compiled with; its train_step trains something else. If "
            "that is not meant, give it a test_step that returns its `loss`."
        )
    if watch.unmoved:
        found.append(f"Warning: {_listed(watch.unmoved)} did not change in {watch.batches} steps: no gradient comes.")
    uneven = {name: count for name, count in watch.steps.items() if count not in (0, watch.batches)}
    if uneven:
        each = ", ".join(f"`{name}` {count}" for name, count in uneven.items())
        found.append(
            f"In {watch.batches} batches its train_step applied {each} times: a learning rate schedule counts these."
        )
    return found


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in list(names)[:_NAMED])
    return (shown or "nothing") + f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
