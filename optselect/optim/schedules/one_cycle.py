"""One cycle: half a cosine up, half a cosine down to almost nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, Domain, hyper, linear
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, steps
from optselect.util.lazy import ops


class OneCycle(Schedule):
    """From `start` of the rate up to it over `rise`, then down to `end` of it, both on half cosines.

    With the peak at a whole step and the end just after the last, as optax has it; PyTorch puts both one step
    earlier. The defaults are theirs: 1/25 at the start, 1/250000 at the end.

    >>> [round(float(r), 6) for r in OneCycle(rise=0.5, start=0.2, end=0.0).rates(1.0, 4)]
    [0.2, 0.6, 1.0, 0.5]
    """

    name = "one_cycle"
    paper = "Smith & Topin 2018, arXiv:1708.07120"

    rise: float = hyper(
        default=0.3,
        domain=Domain(low=0.0, high=1.0),
        search=linear(0.1, 0.5, from_trials=10),
        doc="Fraction of training that rises.",
    )
    start: float = hyper(default=0.04, domain=FRACTION, doc="The first rate over the highest.")
    end: float = hyper(default=4e-6, domain=FRACTION, doc="The last rate over the highest.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        rise = min(steps(self.rise, total_steps), max(1, total_steps - 1))
        return {
            "peak_learning_rate": learning_rate,
            "rise_steps": rise,
            "fall_steps": max(1, total_steps - rise),
            "start": self.start,
            "end": self.end,
        }

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, peak_learning_rate: float, rise_steps: int, fall_steps: int, start: float, end: float
    ) -> Tensor:
        """The rate at `step`.

        Parameters
        ----------
        peak_learning_rate : float
            Highest learning rate.
        rise_steps : int
            Steps from the first rate to the highest.
        fall_steps : int
            Steps from the highest rate to the last.
        start : float
            First rate, as a fraction of the highest.
        end : float
            Last rate, as a fraction of the highest.
        """
        s, up, down = float32(step), float32(rise_steps), float32(fall_steps)
        rising = ops.minimum(s / up, 1.0)
        falling = ops.clip((s - up) / down, 0.0, 1.0)
        low = ops.where(s < up, float32(start), float32(end))
        away = ops.where(s < up, 1.0 - rising, falling)  # from the peak: 0 there, 1 at either end
        return float32(peak_learning_rate) * (1.0 - (1.0 - low) * (0.5 * (1.0 - ops.cos(math.pi * away))))

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        # A training of one step is all rise, which the open end of the domain cannot hold.
        rise = fraction(arguments["rise_steps"], total_steps) if total_steps > 1 else 0.5
        return arguments["peak_learning_rate"], cls(rise=rise, start=arguments["start"], end=arguments["end"])
