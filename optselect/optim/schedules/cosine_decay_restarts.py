"""Cosine decay with restarts: half cosines in a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import FRACTION, POSITIVE, Domain, choice, hyper, linear
from optselect.optim.schedule import Schedule, Tensor, float32, fraction, steps
from optselect.util.lazy import ops


class CosineDecayRestarts(Schedule):
    """Half cosines one after the other, each `t_mul` times longer than the last and from a rate `m_mul` times it.

    >>> schedule = CosineDecayRestarts(first_decay_steps=0.5, t_mul=1.0)
    >>> [round(float(r), 6) for r in schedule.rates(1.0, 8)]
    [1.0, 0.853553, 0.5, 0.146447, 1.0, 0.853553, 0.5, 0.146447]
    """

    name = "cosine_decay_restarts"
    twin = "keras.optimizers.schedules.CosineDecayRestarts"

    # 0.07, 0.15 and 0.34 make four, three and two cosines of which the last ends just after the training,
    # so that no restart spoils its last steps.
    first_decay_steps: float = hyper(
        default=0.15,
        domain=POSITIVE,
        search=choice(0.07, 0.15, 0.34, from_trials=25),
        doc="Fraction of training of the first cosine.",
    )
    t_mul: float = hyper(default=2.0, domain=Domain(low=1.0, low_open=False), doc="Length over the last length.")
    m_mul: float = hyper(
        default=1.0, domain=POSITIVE, search=linear(0.5, 1.0, from_trials=50), doc="Rate over the last rate."
    )
    alpha: float = hyper(default=0.0, domain=FRACTION, doc="The lowest rate over the first.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        first = steps(self.first_decay_steps, total_steps)
        return {"initial_learning_rate": learning_rate, **self.values(), "first_decay_steps": first}

    @staticmethod
    def rate(  # type: ignore[override]
        step: Tensor,
        *,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
    ) -> Tensor:
        done = float32(step) / float32(first_decay_steps)
        if t_mul == 1.0:
            i = ops.floor(done)
            done = done - i
        else:
            t = float32(t_mul)
            i = ops.floor(ops.log(1.0 - done * (1.0 - t)) / ops.log(t))
            done = (done - (1.0 - ops.power(t, i)) / (1.0 - t)) / ops.power(t, i)
        cosine = 0.5 * ops.power(float32(m_mul), i) * (1.0 + ops.cos(math.pi * done))
        return float32(initial_learning_rate) * ((1 - float32(alpha)) * cosine + float32(alpha))

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        own = {name: arguments[name] for name in ("t_mul", "m_mul", "alpha")}
        first = fraction(arguments["first_decay_steps"], total_steps)
        return arguments["initial_learning_rate"], cls(first_decay_steps=first, **own)
