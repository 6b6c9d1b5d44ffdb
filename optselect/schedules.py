"""Learning-rate schedules as pure functions of the step, their lengths given as fractions of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.hyper import Declared
from optselect.lazy import ops

__all__ = ["SCHEDULES", "Constant", "Schedule"]

Tensor = Any


class Schedule(Declared):
    """How the learning rate moves over training.

    Fields are fractions of all steps, so one schedule serves every length of training; `arguments` turns them
    into the arguments of the Keras class for a length, and `rate` computes with those.
    """

    twin: ClassVar[str] = ""  # the Keras class that it equals; "" where Keras takes a plain number

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        """The arguments of the Keras twin. `total_steps`: all steps of the training."""
        raise NotImplementedError

    @staticmethod
    def rate(step: Tensor, **arguments: Any) -> Tensor:
        """The rate at `step` (integer, any shape, counts from 0) as float32; `arguments` as the twin takes them."""
        raise NotImplementedError

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        """The inverse of `arguments`: the learning rate and the schedule."""
        raise NotImplementedError

    def rates(self, learning_rate: float, total_steps: int, *, start: int = 0, stop: int | None = None) -> Tensor:
        """The rates of the steps `start` to `stop` of a training of `total_steps`: float32, shape (stop - start,)."""
        steps = ops.arange(start, total_steps if stop is None else stop, dtype="int64")
        return type(self).rate(steps, **self.arguments(learning_rate, total_steps))


class Constant(Schedule):
    """The same rate at every step.

    >>> [float(r) for r in Constant().rates(0.5, 3)]
    [0.5, 0.5, 0.5]
    """

    name = "constant"

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return {"learning_rate": learning_rate}

    @staticmethod
    def rate(step: Tensor, *, learning_rate: float) -> Tensor:  # type: ignore[override]
        return ops.full(ops.shape(step), learning_rate, dtype="float32")

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return arguments["learning_rate"], cls()


SCHEDULES: dict[str, type[Schedule]] = Schedule.members()
