"""Inverse square root: a warm-up, then a rate that falls as one over the root of the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import POSITIVE, UNIT, hyper, linear, log
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, steps
from optselect.util.lazy import ops


class InverseSqrt(Schedule):
    """A straight rise over `warmup`, then the rate times √(τ / (τ + time since)), τ being `timescale`.

    With `timescale` equal to `warmup` this is the schedule of the transformer, √(warm-up / step). It knows no
    end of training: whoever trains on goes on along the same curve.

    >>> [round(float(r), 6) for r in InverseSqrt(warmup=0.25, timescale=0.25).rates(1.0, 8)]
    [0.0, 0.5, 1.0, 0.816497, 0.707107, 0.632456, 0.57735, 0.534522]
    """

    name = "inverse_sqrt"
    paper = "Vaswani et al. 2017, arXiv:1706.03762"

    warmup: float = hyper(
        default=0.05, domain=UNIT, search=linear(0.0, 0.1, from_trials=10), doc="Fraction of training that rises."
    )
    timescale: float = hyper(
        default=0.05,
        domain=POSITIVE,
        search=log(0.01, 1.0, from_trials=25),
        doc="Fraction of training in which the rate first falls by √2.",
    )

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        warmup = min(round(self.warmup * total_steps), total_steps - 1)
        rise = {"warmup_steps": warmup} if warmup else {}
        return {"peak_learning_rate": learning_rate, "timescale_steps": steps(self.timescale, total_steps), **rise}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, peak_learning_rate: float, timescale_steps: int, warmup_steps: int = 0
    ) -> Tensor:
        """The rate at `step`.

        Parameters
        ----------
        peak_learning_rate : float
            Highest learning rate.
        timescale_steps : int
            Steps after the rise in which the rate falls by a factor √2.
        warmup_steps : int, default 0
            Steps over which the rate rises linearly from 0.
        """
        s, scale, warmup = float32(step), float32(timescale_steps), float32(warmup_steps)
        risen = ops.minimum(s / warmup, 1.0) if warmup_steps else ops.ones_like(s)
        return float32(peak_learning_rate) * risen * ops.sqrt(scale / (scale + ops.maximum(s - warmup, 0.0)))

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return arguments["peak_learning_rate"], cls(
            warmup=fraction(arguments.get("warmup_steps", 0), total_steps),
            timescale=fraction(arguments["timescale_steps"], total_steps),
        )
