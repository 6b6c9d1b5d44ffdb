"""Exponential decay: the learning rate falls by a factor, time after time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import BOOLEAN, POSITIVE, hyper, linear
from optselect.optim.schedule import Schedule, Tensor, decay_arguments, decay_recover, float32
from optselect.util.lazy import ops


class ExponentialDecay(Schedule):
    """The rate times `decay_rate` every `decay_steps`.

    >>> schedule = ExponentialDecay(decay_steps=0.5, decay_rate=0.25)
    >>> [round(float(r), 6) for r in schedule.rates(1.0, 4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    name = "exponential_decay"
    twin = "keras.optimizers.schedules.ExponentialDecay"

    decay_steps: float = hyper(default=0.1, domain=POSITIVE, doc="Fraction of training from one factor to the next.")
    decay_rate: float = hyper(default=0.6, domain=POSITIVE, search=linear(0.4, 0.95, from_trials=25), doc="The factor.")
    staircase: bool = hyper(default=False, domain=BOOLEAN, doc="Fall in jumps.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return decay_arguments(self, learning_rate, total_steps)

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> Tensor:
        p = float32(step) / float32(decay_steps)
        p = ops.floor(p) if staircase else p
        return float32(initial_learning_rate) * ops.power(float32(decay_rate), p)

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return decay_recover(cls, arguments, total_steps)
