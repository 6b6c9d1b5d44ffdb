"""The schedules that Keras has not, as Keras classes: for `model.compile`, saved and loaded with the model.

One class a schedule, made from its declaration, under its name: `OneCycle`, `WSD`, `LinearWarmup` ... The
arguments are counts of steps, as Keras has them. And a callback that moves the weight decay.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from optselect.errors import InvalidValue
from optselect.optim.schedules import SCHEDULES, Schedule
from optselect.util.lazy import ops

Tensor = Any


class _Made(LearningRateSchedule):  # type: ignore[misc]
    """What the classes share: they compute `kind.rate` with the arguments that they were given."""

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


def _made(kind: type[Schedule]) -> type[LearningRateSchedule]:
    signature = inspect.signature(kind.rate)
    arguments = [p for name, p in signature.parameters.items() if name != "step"]
    body = {
        "__doc__": (inspect.getdoc(kind) or "").split(">>>")[0].rstrip(),
        "__module__": __name__,
        "__signature__": signature.replace(parameters=arguments, return_annotation=inspect.Signature.empty),
        "kind": kind,
    }
    made: type[LearningRateSchedule] = type(kind.__name__, (_Made,), body)
    keras.saving.register_keras_serializable(package="optselect")(made)
    return made


_CLASSES = {kind.__name__: _made(kind) for kind in SCHEDULES.values() if not (kind.twin or kind.plain)}
globals().update(_CLASSES)


class WeightDecaySchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the weight decay of the model's Keras optimizer before every batch, for `model.fit(callbacks=[...])`.

    Keras freezes `optimizer.weight_decay` into the compiled step, so during `fit` a variable stands in its place;
    the number comes back when `fit` ends. Keras multiplies the decay by the learning rate, which the schedule of
    the learning rate therefore moves too: to decay by λ(step) alone, give λ(step) over the learning rate.

    schedule: a function of the step (a count of updates, from 0), such as any learning-rate schedule.
    With `steps_per_execution=k` the decay moves every k batches. The optimizer must have a weight decay to move.

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


__all__ = sorted([*_CLASSES, "WeightDecaySchedule"])


def __getattr__(name: str) -> Any:  # the classes are made above: this tells type checkers that they may be there
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
