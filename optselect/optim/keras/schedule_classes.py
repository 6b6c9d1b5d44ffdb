"""Keras classes of the schedules that Keras lacks, made from their declarations, and a callback for weight decay."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from optselect.errors import InvalidValue
from optselect.optim.schedules import SCHEDULES, Schedule
from optselect.util.lazy import ops

__all__ = ["CLASSES", "DerivedSchedule", "WeightDecaySchedule", "schedule_document", "schedule_signature"]

Tensor = Any
_FACE = "optselect.optimizers.schedules"  # where users, and saved models, find the classes


class DerivedSchedule(LearningRateSchedule):  # type: ignore[misc]
    """The base of the classes: computes `kind.rate` with the arguments of the instance."""

    kind: type[Schedule]

    def __init__(self, **arguments: Any) -> None:
        bound = self.__signature__.bind(**arguments)
        bound.apply_defaults()
        inner = bound.arguments.get("schedule")
        if isinstance(inner, Mapping):
            bound.arguments["schedule"] = keras.saving.deserialize_keras_object(inner)
        self._arguments = dict(bound.arguments)

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.convert_to_tensor(step)
        given = {name: _function(v) if name == "schedule" else v for name, v in self._arguments.items()}
        return self.kind.rate(step, **given)

    def get_config(self) -> dict[str, Any]:
        """The arguments; a wrapped schedule serialised."""
        inner = self._arguments.get("schedule")
        if isinstance(inner, LearningRateSchedule):
            return {**self._arguments, "schedule": keras.saving.serialize_keras_object(inner)}
        return dict(self._arguments)


def _function(schedule: Any) -> Callable[[Tensor], Tensor]:
    """A schedule or a plain rate as a function of the step, whatever the step's shape."""
    if not callable(schedule):
        return lambda step: ops.full(ops.shape(step), schedule, dtype="float32")
    return lambda step: ops.cast(schedule(step), "float32")


def schedule_signature(kind: type[Schedule]) -> inspect.Signature:
    """How the class of a schedule is called: the arguments of `kind.rate` without the step."""
    signature = inspect.signature(kind.rate)
    arguments = [p for name, p in signature.parameters.items() if name != "step"]
    return signature.replace(parameters=arguments, return_annotation=inspect.Signature.empty)


def schedule_document(kind: type[Schedule]) -> str:
    """The docstring of the class of a schedule: what it does, and the arguments as `kind.rate` describes them."""
    about = inspect.cleandoc(kind.__doc__ or "").partition(">>>")[0].rstrip()
    arguments = inspect.cleandoc(kind.rate.__doc__ or "").partition("\n\n")[2]
    example = (
        "Examples\n--------\n>>> import keras\n>>> import optselect.optimizers.schedules\n"
        f">>> optimizer = keras.optimizers.SGD({kind().timed(0.1, 1000).code()})\n"
    )
    return f"{about}\n\n{arguments}\n\nNotes\n-----\nSource: {kind.paper}.\n\n{example}"


def _made(kind: type[Schedule]) -> type[DerivedSchedule]:
    body = {
        "__doc__": schedule_document(kind),
        "__module__": _FACE,
        "__signature__": schedule_signature(kind),
        "kind": kind,
    }
    made: type[DerivedSchedule] = type(kind.__name__, (DerivedSchedule,), body)
    keras.saving.register_keras_serializable(package="optselect")(made)
    return made


CLASSES = {kind.__name__: _made(kind) for kind in SCHEDULES.values() if not (kind.twin or kind.plain)}


class WeightDecaySchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Set the weight decay of the model's Keras optimizer before every batch, for `model.fit(callbacks=[...])`.

    Keras compiles `optimizer.weight_decay` into the training step as a constant; during `fit` this callback replaces
    it by a variable, and restores the number when `fit` ends. With `steps_per_execution=k` the decay changes every k
    batches.

    Parameters
    ----------
    schedule : callable
        Weight decay as a function of the step, an integer that counts updates from 0; for example any learning-rate
        schedule.

    Raises
    ------
    InvalidValue
        When `fit` starts, if the optimizer has no weight decay.

    Notes
    -----
    Keras multiplies the decay by the learning rate, so a schedule of the learning rate changes the effective decay
    too. For an effective decay of λ(step), pass λ(step) divided by the learning rate.

    Examples
    --------
    >>> import keras
    >>> from optselect.optimizers.schedules import WSD, WeightDecaySchedule
    >>> decay = WeightDecaySchedule(WSD(peak_learning_rate=0.1, warmup_steps=10, stable_steps=90))
    >>> [round(float(decay.schedule(step)), 6) for step in (0, 5, 10)]
    [0.0, 0.05, 0.1]
    """

    def __init__(self, schedule: Callable[[Any], Any]) -> None:
        super().__init__()
        self.schedule = schedule
        self._number: float | None = None

    @property
    def _optimizer(self) -> Any:
        optimizer = self.model.optimizer
        return getattr(optimizer, "inner_optimizer", optimizer)  # mixed precision wraps it

    def on_train_begin(self, logs: Any = None) -> None:
        self._number = self._optimizer.weight_decay
        if self._number is None:
            who = type(self._optimizer).__name__
            raise InvalidValue(f"WeightDecaySchedule: `{who}` has no weight decay; give it one, for example 0.0.")
        self._optimizer.weight_decay = keras.Variable(self._number, trainable=False, name="weight_decay")
        self.model.make_train_function(force=True)  # a step compiled earlier knows the number only

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._optimizer.weight_decay.assign(self.schedule(self._optimizer.iterations))

    def on_train_end(self, logs: Any = None) -> None:
        self._optimizer.weight_decay = self._number
        self.model.make_train_function(force=True)
