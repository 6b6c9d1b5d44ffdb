"""Inverse time decay: the learning rate falls as one over the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, hyper, log
from optselect.optim.schedule import Schedule, Tensor, decay_arguments, decay_recover, float32
from optselect.util.lazy import ops


class InverseTimeDecay(Schedule):
    """The rate over 1 + `decay_rate` · time, time counted in `decay_steps`.

    >>> schedule = InverseTimeDecay(decay_steps=0.5, decay_rate=2.0)
    >>> [round(float(r), 6) for r in schedule.rates(1.0, 4)]
    [1.0, 0.5, 0.333333, 0.25]
    """

    name = "inverse_time_decay"
    twin = "keras.optimizers.schedules.InverseTimeDecay"

    decay_steps: float = hyper(default=0.1, domain=POSITIVE, doc="Fraction of training that is one unit of time.")
    decay_rate: float = hyper(
        default=1.0, domain=NON_NEGATIVE, search=log(0.1, 10.0, from_trials=25), doc="How fast it falls."
    )
    staircase: bool = hyper(default=False, domain=BOOLEAN, doc="Fall in jumps.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return decay_arguments(self, learning_rate, total_steps)

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> Tensor:
        p = float32(step) / float32(decay_steps)
        p = ops.floor(p) if staircase else p
        return float32(initial_learning_rate) / (1.0 + float32(decay_rate) * p)

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return decay_recover(cls, arguments, total_steps)
