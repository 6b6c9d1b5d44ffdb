"""Piecewise constant decay: two drops of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optselect.errors import InvalidValue
from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, hyper, linear, log
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, solve, steps, tidy
from optselect.util.lazy import ops


class PiecewiseConstantDecay(Schedule):
    """The rate, dropped twice by one factor. Of the two fractions the smaller is the first drop.

    A Keras boundary is the last step of the rate before it: a drop after half of 100 steps is boundary 49.

    >>> schedule = PiecewiseConstantDecay(first=0.5, second=0.75, factor=0.1)
    >>> [round(float(r), 6) for r in schedule.rates(1.0, 4)]
    [1.0, 1.0, 0.1, 0.01]
    """

    name = "piecewise_constant_decay"
    twin = "keras.optimizers.schedules.PiecewiseConstantDecay"

    first: float = hyper(
        default=0.5,
        domain=NON_NEGATIVE,
        search=linear(0.3, 0.6, from_trials=25),
        doc="Fraction before the first drop.",
    )
    second: float = hyper(
        default=0.75,
        domain=NON_NEGATIVE,
        search=linear(0.65, 0.9, from_trials=25),
        doc="Fraction before a drop.",
    )
    factor: float = hyper(default=0.1, domain=POSITIVE, search=log(0.05, 0.5, from_trials=25), doc="The drop.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return {
            "boundaries": [steps(f, total_steps) - 1 for f in sorted((self.first, self.second))],
            "values": self._values(learning_rate, self.factor),
        }

    @staticmethod
    def _values(learning_rate: float, factor: float) -> list[float]:
        return [learning_rate, tidy(learning_rate * factor), tidy(learning_rate * factor * factor)]

    @staticmethod
    def rate(step: Tensor, *, boundaries: list[int], values: list[float]) -> Tensor:  # type: ignore[override]
        result = ops.broadcast_to(float32(values[0]), ops.shape(step))
        for boundary, value in zip(boundaries, values[1:], strict=True):
            result = ops.where(step > boundary, float32(value), result)
        return result

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        boundaries, values = arguments["boundaries"], list(arguments["values"])
        if len(boundaries) == 2 and boundaries == sorted(boundaries):
            factor = solve(lambda x: cls._values(values[0], x), values, values[1] / values[0])
            if math.isclose(values[0] * factor * factor, values[2], rel_tol=1e-9):
                first, second = (fraction(b + 1, total_steps) for b in boundaries)
                return values[0], cls(first=first, second=second, factor=factor)
        got = f"boundaries={boundaries!r}, values={values!r}"
        raise InvalidValue(f"{cls.__name__}: the rate must drop twice by one factor, got {got}.")
