"""Polynomial decay: the learning rate falls as a power of the time that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, hyper, linear, log
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, solve, steps, tidy
from optselect.util.lazy import ops


class PolynomialDecay(Schedule):
    """From the rate to `end` of it, as a power of the time that is left. With power 1 a straight line.

    >>> [round(float(r), 6) for r in PolynomialDecay().rates(1.0, 4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    name = "polynomial_decay"
    twin = "keras.optimizers.schedules.PolynomialDecay"

    end: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-4, 1e-1, from_trials=50), doc="The last rate over the first."
    )
    power: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.5, 2.0, from_trials=25), doc="1 is linear, 2 falls faster at first."
    )
    cycle: bool = hyper(default=False, domain=BOOLEAN, doc="Rise again and decay over ever longer stretches.")
    decay_steps: float = hyper(
        default=1.0, domain=POSITIVE, search=linear(0.5, 1.0, from_trials=25), doc="Fraction of training that it takes."
    )

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return {
            "initial_learning_rate": learning_rate,
            "decay_steps": steps(self.decay_steps, total_steps),
            "end_learning_rate": tidy(learning_rate * self.end),
            "power": self.power,
            "cycle": self.cycle,
        }

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor,
        *,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
    ) -> Tensor:
        s, length, end = float32(step), float32(decay_steps), float32(end_learning_rate)
        if cycle:
            length = length * ops.where(ops.equal(s, 0), 1.0, ops.ceil(s / length))
        else:
            s = ops.minimum(s, length)
        return (float32(initial_learning_rate) - end) * ops.power(1 - s / length, float32(power)) + end

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        rate, end = arguments["initial_learning_rate"], arguments["end_learning_rate"]
        return rate, cls(
            end=solve(lambda x: tidy(rate * x), end, end / rate),
            power=arguments["power"],
            cycle=arguments["cycle"],
            decay_steps=fraction(arguments["decay_steps"], total_steps),
        )
