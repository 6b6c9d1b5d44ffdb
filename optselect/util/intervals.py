"""A mean over seeds with its interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from optselect.errors import InvalidValue

__all__ = ["Estimate", "estimate", "inside", "limits", "widening"]

# The last words of Keras's names, behind an output's name if there are several.
_SHARES = ("accuracy", "acc", "auc", "precision", "recall", "f1", "f1_score", "fbeta_score", "io_u", "iou",
           "one_hot_io_u", "sensitivity_at_specificity", "specificity_at_sensitivity")  # fmt: skip
_NEVER_NEGATIVE = ("rmse", "mse", "mae", "mape", "msle", "mean_squared_error", "mean_absolute_error",
                   "root_mean_squared_error", "mean_absolute_percentage_error", "mean_squared_logarithmic_error",
                   "crossentropy", "log_loss", "hinge", "huber", "huber_loss", "log_cosh", "logcosh", "dice", "tversky",
                   "circle")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its confidence interval.

    Parameters
    ----------
    mean : float
        Mean over the seeds.
    low, high : float
        Ends of the 95 % interval; NaN for a single seed.
    seeds : int
        Number of seeds.
    sd : float, default NaN
        Standard deviation over the seeds.
    se : float, default NaN
        Standard error of the mean.
    """

    mean: float
    low: float
    high: float
    seeds: int
    sd: float = math.nan
    se: float = math.nan

    def __str__(self) -> str:
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


def limits(name: str) -> tuple[float, float]:
    """Between which numbers a metric or a loss lies whatever is predicted; infinite where its name does not tell.

    name: as Keras has it, in front of it the name of an output if there are several.

    >>> limits("val_accuracy"), limits("price_rmse"), limits("r2_score")
    ((0.0, 1.0), (0.0, inf), (-inf, inf))
    """
    plain = name.lower().removeprefix("val_").removeprefix("test_")

    def ends(words: Iterable[str]) -> bool:
        return any(plain == word or plain.endswith(f"_{word}") for word in words)

    if ends(_SHARES):
        return 0.0, 1.0
    return (0.0, math.inf) if ends(_NEVER_NEGATIVE) else (-math.inf, math.inf)


def inside(low: float, high: float, within: tuple[float, float]) -> tuple[float, float]:
    """The part of an interval that lies within bounds.

    What cannot be is left out and nothing else: where the true mean lies within the bounds, as any mean of such values
    does, the interval holds it as often as before.

    >>> inside(-3.6, 9.9, (0.0, math.inf))
    (0.0, 9.9)
    """
    return max(low, within[0]), min(high, within[1])


def estimate(
    values: Iterable[float],
    *,
    level: float = 0.95,
    rho: float = 0.0,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Mean and interval by Student's t: mean ± t(n - 1) s √(1/n + ρ/(1 - ρ)).

    With ρ = 0 this is the interval of n independent values (Student 1908). It then speaks of the seeds
    (initialisation and order of the rows) on these very splits, not of new data. Where every seed redraws the
    split the values overlap and are correlated: pass `overlap(n_train, n_test)` (Nadeau & Bengio 2003).

    values: of one configuration, or paired differences (`gains`). level: in (0, 1). rho: in [0, 1). within: what the
    values can be (`limits`); the interval ends there. A value outside shows that they can be more, and it does not.
    A NaN among the values makes everything but `seeds` NaN. Raises `InvalidValue` where there is no value.

    >>> print(estimate([1.0, 2.0, 3.0]))
    2 (-0.4841 to 4.484)
    >>> print(estimate([1.0, 2.0, 3.0], rho=0.2))       # √(1/3 + 1/4) for √(1/3): 1.32 times as wide
    2 (-1.286 to 5.286)
    >>> print(estimate([1.0, 2.0, 3.0], within=(0.0, math.inf)))
    2 (0 to 4.484)
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
    low, high = mean - half, mean + half
    if ((x >= within[0]) & (x <= within[1])).all():
        low, high = inside(low, high, within)
    return Estimate(mean, low, high, len(x), sd, se)


def widening(seeds: int, rho: Any) -> float:
    """The standard error of a mean of `seeds` values of correlation ρ, over their standard deviation."""
    if not 0 <= rho < 1:
        raise InvalidValue(f"`rho` must lie in [0, 1), got {rho!r}.")
    return math.sqrt(1 / seeds + rho / (1 - rho))
