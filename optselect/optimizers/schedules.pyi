"""The schedule classes. Written by `just generate` from the declarations; do not edit."""

from collections.abc import Callable
from typing import Any

from optselect.optim.keras.schedule_classes import DerivedSchedule
from optselect.optim.keras.schedule_classes import WeightDecaySchedule as WeightDecaySchedule

__all__ = [
    "WSD",
    "InverseSqrt",
    "LinearWarmup",
    "OneCycle",
    "Triangular",
    "WeightDecaySchedule",
]

class InverseSqrt(DerivedSchedule):
    """A straight rise over `warmup`, then the rate times √(τ / (τ + time since)), τ being `timescale`."""

    def __init__(
        self,
        *,
        peak_learning_rate: float,
        timescale_steps: int,
        warmup_steps: int = 0,
    ) -> None: ...

class LinearWarmup(DerivedSchedule):
    """A straight rise to the first rate of `schedule` over `warmup`; the rest of training is `schedule`'s."""

    def __init__(
        self,
        *,
        schedule: float | Callable[..., Any],
        warmup_steps: int = 0,
        start: float = 0.0,
    ) -> None: ...

class OneCycle(DerivedSchedule):
    """From `start` of the rate up to it over `rise`, then down to `end` of it, both on half cosines."""

    def __init__(
        self,
        *,
        peak_learning_rate: float,
        rise_steps: int,
        fall_steps: int,
        start: float,
        end: float,
    ) -> None: ...

class Triangular(DerivedSchedule):
    """From `low` of the rate up to it and back, repeatedly; each peak is `decay` times as high as the last."""

    def __init__(
        self,
        *,
        peak_learning_rate: float,
        half_steps: int,
        low: float,
        decay: float,
    ) -> None: ...

class WSD(DerivedSchedule):
    """A straight rise over `warmup`, a plateau, and over the last `decay` of training a fall to `end` of the rate."""

    def __init__(
        self,
        *,
        peak_learning_rate: float,
        warmup_steps: int = 0,
        stable_steps: int = 0,
        decay_steps: int = 0,
        end: float = 0.0,
        power: float = 1.0,
    ) -> None: ...
