"""Cosine decay: a linear warm-up, then half a cosine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, POSITIVE, UNIT, hyper, linear
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, solve, steps, tidy
from optselect.util.lazy import ops


class CosineDecay(Schedule):
    """A straight rise to the rate over `warmup`, then half a cosine down to `alpha` of it.

    Keras's `decay_steps` leaves the warm-up out; here it is a fraction of what the warm-up leaves.

    >>> [round(float(r), 6) for r in CosineDecay(warmup=0.5).rates(1.0, 8)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 0.853553, 0.5, 0.146447]
    """

    name = "cosine_decay"
    common = True
    twin = "keras.optimizers.schedules.CosineDecay"

    warmup: float = hyper(
        default=0.0, domain=UNIT, search=linear(0.0, 0.1, from_trials=10), doc="Fraction of training that rises."
    )
    start: float = hyper(default=0.0, domain=FRACTION, doc="The rate of the first warm-up step, over the full rate.")
    decay_steps: float = hyper(default=1.0, domain=POSITIVE, doc="Fraction of the rest over which it falls.")
    alpha: float = hyper(
        default=0.0, domain=FRACTION, search=linear(0.0, 0.1, from_trials=50), doc="The last rate over the full rate."
    )

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        warmup = min(round(self.warmup * total_steps), total_steps - 1)
        fall = {"decay_steps": steps(self.decay_steps, total_steps - warmup), "alpha": self.alpha}
        if not warmup:
            return {"initial_learning_rate": learning_rate, **fall}
        rise = {"warmup_target": learning_rate, "warmup_steps": warmup}
        return {"initial_learning_rate": tidy(learning_rate * self.start), **fall, **rise}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor,
        *,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> Tensor:
        start, length = float32(initial_learning_rate), float32(decay_steps)
        rising = warmup_target is not None and warmup_steps > 0
        top = start if warmup_target is None else float32(warmup_target)
        warmup = float32(warmup_steps if rising else 0)
        s = ops.minimum(float32(step), length + warmup)
        fall = top * ((1 - alpha) * (0.5 * (1.0 + ops.cos(math.pi * ((s - warmup) / length)))) + alpha)
        return ops.where(s < warmup, (top - start) * (s / warmup) + start, fall) if rising else fall

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        start, target = arguments["initial_learning_rate"], arguments.get("warmup_target")
        warmup = arguments.get("warmup_steps", 0) if target is not None else 0
        rate = start if target is None else target
        rest = max(1, total_steps - warmup)
        return rate, cls(
            warmup=fraction(warmup, total_steps),
            start=solve(lambda x: tidy(rate * x), start, start / rate) if warmup else 0.0,
            decay_steps=fraction(arguments["decay_steps"], rest),
            alpha=arguments["alpha"],
        )
