"""A learning-rate schedule: a pure function of the step, its lengths given as fractions of training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from optselect.hyper import Declared
from optselect.lazy import ops

__all__ = [
    "Schedule",
    "decay_arguments",
    "decay_recover",
    "float32",
    "fraction",
    "solve",
    "steps",
    "tidy",
]

Tensor = Any


class Schedule(Declared):
    """How the learning rate moves over training.

    Fields are fractions of all steps, so one schedule serves every length of training; `arguments` turns them
    into the arguments of the Keras class for a length, and `rate` computes with those.
    """

    common: ClassVar[bool] = False
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

    def rates(self, learning_rate: float, total_steps: int) -> Tensor:
        """The rates of all steps of a training: float32, shape (total_steps,)."""
        return type(self).rate(ops.arange(total_steps, dtype="int64"), **self.arguments(learning_rate, total_steps))


def float32(value: Any) -> Tensor:
    """`value` as Keras computes a rate: float32."""
    return ops.cast(value, "float32")


def steps(share: float, total_steps: int) -> int:
    """That share of all steps, at least one.

    >>> steps(0.25, 10), steps(0.001, 10)
    (2, 1)
    """
    return max(1, round(share * total_steps))


def fraction(count: float, total_steps: int) -> float:
    """The inverse of `steps`, to twelve digits if they come back to the same whole number.

    >>> fraction(3, 10)
    0.3
    """
    near = float(f"{count / total_steps:.12g}")
    return near if round(near * total_steps) == count else count / total_steps


def tidy(value: float) -> float:
    """`value` without the noise of one multiplication; a number that is not short stays as it is.

    >>> 0.1 * 0.1, tidy(0.1 * 0.1), tidy(1 / 3)
    (0.010000000000000002, 0.01, 0.3333333333333333)
    """
    near = float(f"{value:.12g}")
    return near if abs(near - value) <= 4 * math.ulp(value) else value


def solve(make: Callable[[float], Any], derived: Any, guess: float) -> float:
    """The number beside `guess` of which `make` gives `derived` exactly, the shortest if there are several.

    >>> solve(lambda x: tidy(0.3 * x), 0.06, 0.06 / 0.3)
    0.2
    """
    around = [guess + k * math.ulp(guess) for k in range(-8, 9)]
    return next((x for x in [float(f"{guess:.12g}"), guess, *around] if make(x) == derived), guess)


def decay_arguments(schedule: Schedule, learning_rate: float, total_steps: int) -> dict[str, Any]:
    """`Schedule.arguments` of one whose only length is its field `decay_steps`."""
    values = schedule.values()
    length = steps(values.pop("decay_steps"), total_steps)
    return {"initial_learning_rate": learning_rate, "decay_steps": length, **values}


def decay_recover(cls: type[Schedule], arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
    """`Schedule.recover` of one whose only length is its field `decay_steps`."""
    own = {name: value for name, value in arguments.items() if name != "initial_learning_rate"}
    own["decay_steps"] = fraction(own["decay_steps"], total_steps)
    return arguments["initial_learning_rate"], cls(**own)
