"""A mean over seeds with its interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from optselect.errors import InvalidValue

__all__ = ["Estimate", "estimate", "widening"]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its interval, standard deviation and standard error.

    For a single seed all but the mean is NaN.
    """

    mean: float
    low: float
    high: float
    seeds: int
    sd: float = math.nan
    se: float = math.nan

    def __str__(self) -> str:
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


def estimate(values: Iterable[float], *, level: float = 0.95, rho: float = 0.0) -> Estimate:
    """Mean and interval by Student's t: mean ± t(n - 1) s √(1/n + ρ/(1 - ρ)).

    With ρ = 0 this is the interval of n independent values (Student 1908). It then speaks of the seeds
    (initialisation and order of the rows) on these very splits, not of new data. Where every seed redraws the
    split the values overlap and are correlated: pass `overlap(n_train, n_test)` (Nadeau & Bengio 2003).

    values: of one configuration, or paired differences (`gains`). level: in (0, 1). rho: in [0, 1). A NaN
    among the values makes everything but `seeds` NaN. Raises `InvalidValue` where there is no value.

    >>> print(estimate([1.0, 2.0, 3.0]))
    2 (-0.4841 to 4.484)
    >>> print(estimate([1.0, 2.0, 3.0], rho=0.2))       # √(1/3 + 1/4) for √(1/3): 1.32 times as wide
    2 (-1.286 to 5.286)
    """
    from scipy.special import stdtrit  # `scipy.stats` has it too, and is slow to import

    x = np.asarray(list(values), float)
    if not len(x):
        raise InvalidValue("estimate: `values` must hold at least one number, got none.")
    if len(x) < 2:
        return Estimate(float(x[0]), math.nan, math.nan, 1)
    mean, sd = float(x.mean()), float(x.std(ddof=1))
    se = sd * widening(len(x), rho)
    half = float(stdtrit(len(x) - 1, (1 + level) / 2)) * se
    return Estimate(mean, mean - half, mean + half, len(x), sd, se)


def widening(seeds: int, rho: Any) -> float:
    """The standard error of a mean of `seeds` values of correlation ρ, over their standard deviation."""
    if not 0 <= rho < 1:
        raise InvalidValue(f"`rho` must lie in [0, 1), got {rho!r}.")
    return math.sqrt(1 / seeds + rho / (1 - rho))
