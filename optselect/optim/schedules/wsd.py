"""Warm-up, stable, decay: a trapezoid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, POSITIVE, UNIT, choice, hyper, linear
from optselect.optim.schedule import Schedule, Tensor, float32, fraction
from optselect.util.lazy import ops


class WSD(Schedule):
    """A straight rise over `warmup`, a plateau, and over the last `decay` of training a fall to `end` of the rate.

    With x the share of the fall that is done, the rate is 1 - (1 - end) x^power of the full one: power 1 is the
    straight line, 0.5 the "1 - sqrt" that the paper found best.

    >>> [round(float(r), 6) for r in WSD(warmup=0.25, decay=0.5).rates(1.0, 8)]
    [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    name = "wsd"
    paper = "Hägele et al. 2024, arXiv:2405.18392"

    warmup: float = hyper(
        default=0.0, domain=UNIT, search=linear(0.0, 0.1, from_trials=10), doc="Fraction of training that rises."
    )
    decay: float = hyper(
        default=0.2, domain=FRACTION, search=linear(0.1, 0.5, from_trials=10), doc="Fraction of training that falls."
    )
    end: float = hyper(default=0.0, domain=FRACTION, doc="The last rate over the full rate.")
    power: float = hyper(
        default=1.0, domain=POSITIVE, search=choice(0.5, 1.0, from_trials=50), doc="Shape of the fall; 1 is straight."
    )

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        rise = min(round(self.warmup * total_steps), total_steps - 1)
        fall = min(round(self.decay * total_steps), total_steps - rise)
        lengths = {"warmup_steps": rise, "stable_steps": total_steps - rise - fall, "decay_steps": fall}
        given = {name: length for name, length in lengths.items() if length}
        return {"peak_learning_rate": learning_rate, **given, "end": self.end, "power": self.power}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor,
        *,
        peak_learning_rate: float,
        warmup_steps: int = 0,
        stable_steps: int = 0,
        decay_steps: int = 0,
        end: float = 0.0,
        power: float = 1.0,
    ) -> Tensor:
        """The rate at `step`.

        Parameters
        ----------
        peak_learning_rate : float
            Highest learning rate.
        warmup_steps : int, default 0
            Steps over which the rate rises linearly from 0.
        stable_steps : int, default 0
            Steps at the highest rate.
        decay_steps : int, default 0
            Steps over which the rate falls.
        end : float, default 0.0
            Last rate, as a fraction of the highest.
        power : float, default 1.0
            Exponent of the fall: 1 is linear.
        """
        s = float32(step)
        risen = ops.minimum(s / float32(warmup_steps), 1.0) if warmup_steps else ops.ones_like(s)
        fallen = ops.clip((s - float32(warmup_steps + stable_steps)) / float32(max(1, decay_steps)), 0.0, 1.0)
        left = 1 - (1 - end) * ops.power(fallen, float32(power)) if decay_steps else ops.ones_like(s)
        return float32(peak_learning_rate) * risen * left

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return arguments["peak_learning_rate"], cls(
            warmup=fraction(arguments.get("warmup_steps", 0), total_steps),
            decay=fraction(arguments.get("decay_steps", 0), total_steps),
            end=arguments["end"],
            power=arguments["power"],
        )
