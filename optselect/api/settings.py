"""How a study is to be run: what `tune` was asked for, checked."""

from __future__ import annotations

import dataclasses

from optselect.errors import InvalidValue

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """trials, seconds: the budget, as in `Budget`; 60 trials if neither is given. seeds: fresh ones a finalist.

    seed: of the whole study. workers: training processes, None for one a core. mlflow: as in `tune`.

    >>> Settings(seeds=1)
    Traceback (most recent call last):
    optselect.errors.InvalidValue: tune: `seeds` must be at least 2, got 1.
    """

    trials: int | None = None
    seconds: float | None = None
    seeds: int = 5
    seed: int = 0
    workers: int | None = None
    mlflow: str | None = "default"

    def __post_init__(self) -> None:
        for name, shown, least in (
            ("trials", "trials", 1), ("seconds", "time", 1), ("seeds", "seeds", 2), ("workers", "workers", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidValue(f"tune: `{shown}` must be at least {least}, got {value}.")
        if self.trials is None and self.seconds is None:
            object.__setattr__(self, "trials", 60)
