"""How forgiving a learning rate is: the width of its basin, where it breaks, what a miss costs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.util.json_types import NULL
from optselect.verdict.statistics import losses

__all__ = ["FACTORS", "Basin", "basin"]

FACTORS = (0.1, 1 / 3, 1.0, 3.0, 10.0)  # of the recommended learning rate, at which it is trained again


@dataclasses.dataclass(frozen=True, kw_only=True)
class Basin:
    """The objective around a learning rate.

    decades: of learning rate over which the objective stays within the tolerance of that at factor 1; `open_below`
    and `open_above` say that it may go on beyond what was tried. largest_stable: the largest factor at which
    training did not break down, below the first at which it did. off_by_3: how much worse the objective is if the
    rate is three times too large or too small, whichever costs more; infinite where that breaks down, NaN where
    it was not tried, never negative.
    """

    decades: float
    open_below: bool
    open_above: bool
    largest_stable: float
    off_by_3: float = dataclasses.field(metadata={NULL: math.inf})


def basin(factors: ArrayLike, values: ArrayLike, *, tolerance: float, objective: Objective) -> Basin:
    """The basin from objectives at several factors of one learning rate.

    Between two points the objective is taken for a straight line over the logarithm of the factor; next to a
    point that broke down the basin ends at the last one that did not. (Sensitivity to the learning rate is
    drawn so by Wortsman et al. 2024, arXiv:2309.14322.)

    factors, values: of the same length; several values of one factor, from several seeds, are averaged, and one
    NaN among them is a break-down. Factor 1 must be there and have trained. tolerance: in the unit of the
    values, say the ROPE. Raises `InvalidValue`.

    >>> values = [0.5, 0.3, 0.2, 0.2, float("nan")]
    >>> found = basin([0.1, 1 / 3, 1, 3, 10], values, tolerance=0.05, objective=Objective("val_loss"))
    >>> round(found.decades, 3)         # half way from 1 to 1/3, and up to 3: (½ + 1) · 0.477
    0.716
    >>> found.largest_stable, round(found.off_by_3, 3), found.open_below, found.open_above
    (3.0, 0.1, False, False)
    """
    given, loss = np.asarray(factors, float), losses(values, objective)
    if given.shape != loss.shape:
        raise InvalidValue(f"basin: `values` must be one a factor, {given.shape}, got {loss.shape}.")
    tried, which = np.unique(given.round(9), return_inverse=True)
    mean = np.array([loss[which == i].mean() for i in range(len(tried))])
    [centre] = np.flatnonzero(tried == 1.0) if (tried == 1.0).any() else [-1]
    if centre < 0 or not np.isfinite(mean[centre]):
        raise InvalidValue("basin: `factors` must hold 1.0, with a finite value: that of the learning rate itself.")
    place, excess = np.log10(tried), mean - mean[centre]
    below, open_below = _reach(place[centre::-1], excess[centre::-1], tolerance)
    above, open_above = _reach(place[centre:], excess[centre:], tolerance)
    broken = np.flatnonzero(~np.isfinite(mean[centre:]))
    last = centre + broken[0] - 1 if len(broken) else len(tried) - 1
    return Basin(
        decades=below + above,
        open_below=open_below,
        open_above=open_above,
        largest_stable=float(tried[last]),
        off_by_3=_worst([_between(place, excess, math.log10(factor)) for factor in (1 / 3, 3.0)]),
    )


def _reach(place: np.ndarray, excess: np.ndarray, tolerance: float) -> tuple[float, bool]:
    """How far from the first point, at 0, the objective stays within the tolerance, and whether the end is open."""
    outside = np.flatnonzero(excess > tolerance)
    if not len(outside):
        return float(abs(place[-1])), True
    last = outside[0] - 1
    near, far = excess[last], excess[last + 1]
    share = (tolerance - near) / (far - near) if np.isfinite(far) else 0.0
    return float(abs(place[last] + share * (place[last + 1] - place[last]))), False


def _between(place: np.ndarray, excess: np.ndarray, at: float) -> float:
    """The objective at a place, on the straight line between its neighbours; NaN outside."""
    right = int(np.searchsorted(place, at - 1e-6))
    if right < len(place) and abs(place[right] - at) < 1e-6:
        return float(excess[right])
    if right in (0, len(place)):
        return math.nan
    around = slice(right - 1, right + 1)
    return float(np.interp(at, place[around], excess[around])) if np.isfinite(excess[around]).all() else math.inf


def _worst(costs: list[float]) -> float:
    """The largest and at least 0; unknown if one is, unless the other is infinite already."""
    return math.inf if math.inf in costs else float(np.max([0.0, *costs]))
