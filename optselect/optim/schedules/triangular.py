"""Triangular: the learning rate swings between two bounds, on straight lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, POSITIVE, Domain, choice, hyper, log
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, steps
from optselect.util.lazy import ops


class Triangular(Schedule):
    """From `low` of the rate up to it and back, repeatedly; each peak is `decay` times as high as the last.

    With `decay` 1 this is the paper's "triangular", with 0.5 its "triangular2".

    >>> [round(float(r), 6) for r in Triangular(period=0.5, low=0.2, decay=0.5).rates(1.0, 8)]
    [0.2, 0.6, 1.0, 0.6, 0.2, 0.4, 0.6, 0.4]
    """

    name = "triangular"
    paper = "Smith 2017, arXiv:1506.01186"

    period: float = hyper(
        default=0.25,
        domain=POSITIVE,
        search=choice(0.125, 0.25, 0.5, from_trials=25),
        doc="Fraction of training from low to low.",
    )
    low: float = hyper(
        default=0.1, domain=FRACTION, search=log(1e-2, 0.5, from_trials=25), doc="The lowest rate over the highest."
    )
    decay: float = hyper(
        default=1.0,
        domain=Domain(low=0.0, high=1.0, high_open=False),
        search=choice(0.5, 1.0, from_trials=50),
        doc="Height over the last peak's.",
    )

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        half = steps(self.period / 2, total_steps)
        return {"peak_learning_rate": learning_rate, "half_steps": half, "low": self.low, "decay": self.decay}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, peak_learning_rate: float, half_steps: int, low: float, decay: float
    ) -> Tensor:
        """The rate at `step`.

        Parameters
        ----------
        peak_learning_rate : float
            Learning rate at the first peak.
        half_steps : int
            Steps from a lowest rate to the next peak.
        low : float
            Lowest rate, as a fraction of the highest.
        decay : float
            Height of a peak, as a fraction of the height of the peak before.
        """
        done = float32(step) / float32(half_steps)
        cycle = ops.floor(done / 2)
        height = (1 - ops.abs(done - 2 * cycle - 1)) * ops.power(float32(decay), cycle)
        return float32(peak_learning_rate) * (1 - (1 - float32(low)) * (1 - height))

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        period = 2 * fraction(arguments["half_steps"], total_steps)
        return arguments["peak_learning_rate"], cls(period=period, low=arguments["low"], decay=arguments["decay"])
