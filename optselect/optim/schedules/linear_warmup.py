"""Linear warm-up: a straight rise before any other schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, UNIT, hyper, linear, wrapped
from optselect.optim.schedule import Schedule, Tensor, float32, fraction
from optselect.optim.schedules.constant import Constant
from optselect.util.lazy import ops


class LinearWarmup(Schedule):
    """A straight rise to the first rate of `schedule` over `warmup`; the rest of training is `schedule`'s.

    The first step has `start` of that rate, zero by default, as in Keras's cosine decay. The inner schedule
    begins when the rise ends, so that its fractions are fractions of the rest.

    >>> from optselect.optim.schedules.polynomial_decay import PolynomialDecay
    >>> schedule = LinearWarmup(warmup=0.5, schedule=PolynomialDecay())
    >>> [round(float(r), 6) for r in schedule.rates(1.0, 8)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
    """

    name = "linear_warmup"
    paper = "Goyal et al. 2017, arXiv:1706.02677"

    warmup: float = hyper(
        default=0.1, domain=UNIT, search=linear(0.0, 0.2, from_trials=10), doc="Fraction of training that rises."
    )
    start: float = hyper(default=0.0, domain=FRACTION, doc="The rate of the first step, over the inner's first rate.")
    schedule: Schedule = wrapped(Constant)

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        warmup = min(round(self.warmup * total_steps), total_steps - 1)
        rise = {"warmup_steps": warmup} if warmup else {}
        return {"schedule": self.schedule.timed(learning_rate, total_steps - warmup), **rise, "start": self.start}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor, *, schedule: Callable[[Tensor], Tensor], warmup_steps: int = 0, start: float = 0.0
    ) -> Tensor:
        """The rate at `step`.

        Parameters
        ----------
        schedule : LearningRateSchedule or callable or float
            Learning rate after the rise: a schedule or a number.
        warmup_steps : int, default 0
            Steps over which the rate rises linearly.
        start : float, default 0.0
            Learning rate of the first step, as a fraction of the first rate of `schedule`.
        """
        if not warmup_steps:
            return schedule(step)
        top = schedule(ops.zeros_like(step))
        risen = start + (1 - start) * (float32(step) / float32(warmup_steps))
        return ops.where(step < warmup_steps, top * risen, schedule(ops.maximum(step - warmup_steps, 0)))

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        warmup = arguments.get("warmup_steps", 0)
        rate, inner = Schedule.from_keras(arguments["schedule"], total_steps - warmup)
        return rate, cls(warmup=fraction(warmup, total_steps), start=arguments["start"], schedule=inner)
