"""Optimizers across many data sets: robust means with intervals, profiles, the probability of improvement.

All after Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice", arXiv:2108.13264, and its
library rliable. Scores have the shape (runs, data sets), more is better, and must be comparable between data sets
(0 the default, 1 the best, say). NaN is a training that broke down: worse than any number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optselect.errors import InvalidValue

__all__ = ["Interval", "interquartile_mean", "performance_profile", "probability_of_improvement", "stratified"]

Table = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A statistic and where it lies in most resamples."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: ArrayLike) -> float:
    """The mean of the middle half of all scores together, runs and data sets: robust as a median, precise as a mean.

    A quarter of the scores, rounded down, is cut at either end. scores: any shape.

    >>> interquartile_mean([[0.0, 5.0], [6.0, 1000.0]])
    5.5
    """
    flat = np.sort(_table(scores), axis=None)
    cut = flat.size // 4
    return float(flat[cut : flat.size - cut].mean())


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Table:
    """The share of runs whose score exceeds each threshold, all data sets together (Dolan & Moré 2002).

    thresholds: shape (k,). Returns shape (k,), never rising where the thresholds rise.

    >>> performance_profile([[0.2, 0.9], [0.5, 0.9]], [0.0, 0.5, 0.8]).tolist()
    [1.0, 0.5, 0.5]
    """
    table = _table(scores)
    return np.array([(table > threshold).mean() for threshold in np.atleast_1d(np.asarray(thresholds, float))])


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How likely a run of ours beats one of theirs on a data set picked at random; ties count half.

    It is the Mann-Whitney statistic of each data set over the number of pairs, averaged over the data sets.
    Shapes (runs, data sets); the runs may differ in number.

    >>> probability_of_improvement([[1.0, 5.0], [3.0, 5.0]], [[2.0, 5.0]])      # ½ and, all tied, ½
    0.5
    """
    first, second = _table(ours), _table(theirs)
    if first.shape[1] != second.shape[1]:
        raise InvalidValue(f"`theirs` must have {first.shape[1]} data sets as ours have, got {second.shape[1]}.")
    pairs = first[:, None, :], second[None, :, :]
    return float(np.mean((pairs[0] > pairs[1]) + 0.5 * (pairs[0] == pairs[1])))


def stratified(
    statistic: Callable[..., float], *scores: ArrayLike, draws: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """A statistic of one or more tables of scores, with its stratified bootstrap interval.

    Every draw takes, within each data set apart, as many runs as there are, with replacement; the interval holds
    the middle `level` of the statistics (percentile method). The data sets stay: it speaks of new runs on these,
    not of new data sets.

    >>> stratified(interquartile_mean, [[1.0, 2.0], [1.0, 2.0]])            # runs that are equal leave no doubt
    Interval(value=1.5, low=1.5, high=1.5)
    """
    tables = [_table(table) for table in scores]
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        picks = (rng.integers(len(table), size=table.shape) for table in tables)
        found[draw] = statistic(*(np.take_along_axis(t, pick, axis=0) for t, pick in zip(tables, picks, strict=True)))
    # An order statistic, not a mean of two: one of them may be minus infinity.
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return Interval(statistic(*tables), float(low), float(high))


def _table(scores: ArrayLike) -> Table:
    table = np.asarray(scores, float)
    if table.ndim != 2 or not table.size:
        raise InvalidValue(f"`scores` must have the shape (runs, data sets), got {table.shape}.")
    return np.where(np.isnan(table), -np.inf, table)
