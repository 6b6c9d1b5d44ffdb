"""What is recommended: the simplest configuration within one standard error of the best, or the default."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from optselect.errors import InvalidValue, NoResult
from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.optim.schedule import Schedule
from optselect.util.intervals import estimate
from optselect.verdict.statistics import correlated_t_test, losses

__all__ = ["Choice", "Simplicity", "recommend", "simplicity"]


@dataclasses.dataclass(frozen=True, order=True)
class Simplicity:
    """How much there is to explain, type and get wrong, the most important first; the smaller is the simpler.

    settings: how many differ from the defaults. schedule: 0 a constant rate, 1 one that the default space tries, 2
    another. clipped: whether gradients are. exotic: one for every wrapper, one for a rule that Keras lacks, one
    for a rule that the default space does not try. cost: of a step, in classes of √2. narrow: decades that the
    learning rate's basin lacks (minus its width).
    """

    settings: int
    schedule: int
    clipped: bool
    exotic: int
    cost: int
    narrow: float


def simplicity(configuration: Configuration, *, step_seconds: float = 1.0, basin_decades: float = 0.0) -> Simplicity:
    """The place of a configuration in the order of simplicity.

    step_seconds: of one training step, positive; steps within √2 of each other should fall in one class, for
    timings are noisy. basin_decades: width of the learning rate's basin. What is unknown is left out for all.

    >>> from optselect.optim.rules.adam import Adam
    >>> simplicity(Configuration(rule=Adam()))
    Simplicity(settings=0, schedule=0, clipped=False, exotic=0, cost=0, narrow=-0.0)
    >>> simplicity(Configuration(rule=Adam(learning_rate=0.01, beta_1=0.8), batch_size=64)).settings
    3
    """
    rules, schedules = configuration.rule.parts, configuration.schedule.parts
    clipped = bool(configuration.clipping.hypers())
    members = (*rules, *schedules, configuration.clipping)
    changed = sum(getattr(part, h.name) != h.default for part in members for h in part.hypers())
    chosen = len(rules) - 1 + sum(not _is_constant(part) for part in schedules) + clipped
    usual = next(f.default for f in dataclasses.fields(Configuration) if f.name == "batch_size")
    return Simplicity(
        settings=changed + chosen + (configuration.batch_size != usual),
        schedule=max(0 if _is_constant(part) else 1 if part.common else 2 for part in schedules),
        clipped=clipped,
        exotic=len(rules) - 1 + (not all(part.twin for part in rules)) + (not all(part.common for part in rules)),
        cost=round(2 * math.log2(step_seconds)),
        narrow=-basin_decades,
    )


def _is_constant(schedule: Schedule) -> bool:
    return schedule.plain and not schedule.watcher


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What to take, by position among the candidates.

    recommended: the simplest of `tied`, or the baseline where `guarded`. best: of the best mean. tied: within one
    standard error of the best, itself included. guarded: nothing was more likely better than the baseline than
    not, so the baseline it is.
    """

    recommended: int
    best: int
    tied: tuple[int, ...]
    guarded: bool


def recommend(
    scores: ArrayLike,
    order: Sequence[Any],
    *,
    baseline: int,
    objective: Objective,
    further: ArrayLike | None = None,
) -> Choice:
    """The simplest candidate within one standard error of the best, unless the default beats it.

    The rule is that of Breiman et al. 1984, CART. The standard error is that of the paired difference from the
    best, not of the best itself: what all share under a seed says nothing of who is better. It is not widened for
    splits that overlap: it asks who leads on these rows, and what other rows would say is a matter of the words. If
    then P(better than the baseline) < 0.5, the baseline is recommended.

    scores: shape (seeds, candidates), row i under seed i; NaN is a training that broke down, and such a candidate
    is out. order: of each candidate, from `simplicity`; or whatever sorts, the smallest to be preferred among the
    tied. baseline: the position of Keras's default Adam. further: scores of the same candidates under more seeds.
    They do not choose the best, so that what is reported of it is no choice's luck: they can put a candidate out, end
    a tie with the best, or send back to the default. Raises `NoResult` where every candidate broke down.

    >>> plain, rich = Simplicity(0, 0, False, 0, 0, 0.0), Simplicity(3, 1, True, 2, 0, 0.0)
    >>> recommend([[0.90, 0.91, 0.7], [0.92, 0.93, 0.7], [0.92, 0.91, 0.7]], [plain, rich, plain],
    ...           baseline=2, objective=Objective("accuracy", maximize=True))
    Choice(recommended=0, best=1, tied=(0, 1), guarded=False)
    """
    table = losses(scores, objective)
    if table.ndim != 2 or table.shape[1] != len(order):
        raise InvalidValue(f"recommend: `scores` must have {len(order)} columns, one a candidate, got {table.shape}.")
    every = table if further is None else np.vstack([table, losses(further, objective)])
    table = np.where(np.isfinite(every).all(axis=0), table, np.inf)
    means = table.mean(axis=0)
    whole = np.flatnonzero(np.isfinite(means))
    if not len(whole):
        raise NoResult("No candidate came through its seeds: all diverged. Search lower learning rates.")
    best = int(whole[np.argmin(means[whole])])
    tied = tuple(
        int(i) for i in whole if i == best or all(_within_one_error(t[:, i] - t[:, best]) for t in (table, every))
    )
    simplest = min(tied, key=lambda i: (order[i], means[i], i))
    guarded = simplest != baseline and not _beats(every[:, simplest], every[:, baseline])
    return Choice(recommended=baseline if guarded else simplest, best=best, tied=tied, guarded=guarded)


def _within_one_error(behind: ArrayLike) -> bool:
    lag = estimate(np.asarray(behind))
    return lag.mean <= (0.0 if math.isnan(lag.se) else lag.se)


def _beats(ours: ArrayLike, baseline: ArrayLike) -> bool:
    """Whether it is more likely better than the baseline than not; so it is where the baseline broke down.

    ours, baseline: losses.
    """
    if not np.isfinite(baseline).all():
        return True
    difference = np.asarray(baseline, float) - np.asarray(ours, float)
    if len(difference) < 2:
        return bool(difference[0] > 0)
    return correlated_t_test(difference, rope=0.0).better >= 0.5
