"""From finished trials to the candidates of a race: values smoothed over the learning rate, and who is let in."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optselect.model.objective import Objective
from optselect.verdict.statistics import losses

__all__ = ["candidates", "noise", "smoothed"]

NEAR = 3.0  # two learning rates within this factor are neighbours


def smoothed(
    values: ArrayLike, rates: ArrayLike, groups: Sequence[Hashable], objective: Objective
) -> NDArray[np.float64]:
    """Half the value of a trial, half the mean of its neighbours in learning rate.

    A lucky seed has unlucky neighbours, and so has a rate at the edge of divergence. A neighbour that diverged, or
    is worse than the median of all trials, counts as that median: it speaks against the rate without drowning
    all others. A trial without neighbours keeps its value, one that diverged stays NaN. (Half and half is a
    kernel of two weights, Nadaraya 1964.)

    values: final objectives of one seed, shape (trials,), NaN where the trial diverged. rates: learning rates,
    positive. groups: a neighbour has the same; pass rule and schedule. Neighbours are within a factor of 3.

    >>> loss, rates = Objective("loss"), [0.1, 0.2, 0.4, 10.0]
    >>> smoothed([1.0, 3.0, 5.0, 1.0], rates, ["adam"] * 4, loss).tolist()    # the median is 2
    [1.5, 2.25, 3.5, 1.0]
    """
    loss, position = losses(values, objective), np.log(np.asarray(rates, float))
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    kind = np.array([names[name] for name in groups])
    finite = np.isfinite(loss)
    if not finite.any():
        return np.full(loss.shape, np.nan)
    near = np.abs(position[:, None] - position) <= np.log(NEAR) * (1 + 1e-9)
    near &= (kind[:, None] == kind) & ~np.eye(len(loss), dtype=bool)
    count = near.sum(axis=1)
    around = near @ np.minimum(loss, np.median(loss[finite])) / np.maximum(count, 1)
    mixed = np.where(count > 0, (loss + around) / 2, loss)
    return np.where(finite, objective.sign * mixed, np.nan)


def noise(
    values: ArrayLike, rates: ArrayLike, groups: Sequence[Hashable], objective: Objective, *, pairs: int = 5
) -> float:
    """How much two seeds differ, as far as trials of one seed can tell: a standard deviation, rather too large.

    Trials that follow each other in learning rate differ by noise and by what else they differ in, so half the
    spread of their differences bounds the noise from above (Rice 1984, Annals of Statistics 12; the median of
    the absolute differences in place of their mean square). Only pairs within a factor of 3 count, none of them
    diverged nor worse than the median of all. Infinity where there are fewer than `pairs`.

    Arguments as in `smoothed`.

    >>> rates, loss = [1, 2, 3, 4, 5, 6, 7], Objective("loss")
    >>> round(noise([1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 9.0], rates, ["adam"] * 7, loss), 4)   # 0.1 · 1.483 / √2
    0.1048
    >>> noise([1.0, 1.1], [1, 2], ["adam"] * 2, loss)
    inf
    """
    loss, rate = losses(values, objective), np.asarray(rates, float)
    finite = loss[np.isfinite(loss)]
    middle = float(np.median(finite)) if len(finite) else np.inf
    found = []
    for group in dict.fromkeys(groups):
        own = [i for i in np.argsort(rate, kind="stable") if groups[i] == group]
        for left, right in itertools.pairwise(own):
            near = rate[right] <= rate[left] * NEAR
            if near and np.isfinite(loss[[left, right]]).all() and max(loss[left], loss[right]) <= middle:
                found.append(abs(loss[right] - loss[left]))
    return 1.4826 * float(np.median(found)) / float(np.sqrt(2)) if len(found) >= pairs else float("inf")


def candidates(
    values: ArrayLike,
    arms: Sequence[Hashable],
    *,
    baseline: int,
    noise_sd: float,
    objective: Objective,
    size: int = 8,
) -> tuple[int, ...]:
    """Who is re-run on fresh seeds: indices of at most `size` trials, the most promising first.

    First the best of each arm that lies within three standard deviations of the noise from the best of all, so
    that no arm is lost to one unlucky seed; then whoever comes next; always the baseline, in the last place if
    need be. A trial that diverged is no candidate, unless it is the baseline.

    values: of the trials, smoothed, shape (trials,). arms: their names. baseline: the index of Keras's default
    Adam. noise_sd: standard deviation of the objective over seeds; infinity lets in the best of every arm.

    >>> values, loss = [0.1, 0.2, 0.3, 0.4, 0.9], Objective("loss")
    >>> candidates(values, ["a", "a", "b", "c", "d"], baseline=4, noise_sd=0.1, objective=loss, size=4)
    (0, 2, 3, 4)
    """
    loss = losses(values, objective)
    order = [int(i) for i in np.argsort(loss, kind="stable") if np.isfinite(loss[i])]
    champions = {arms[i]: i for i in reversed(order)}.values()
    limit = loss[order[0]] + 3 * noise_sd if order else np.inf
    promising = [i for i in order if i in champions and loss[i] <= limit]
    chosen = list(dict.fromkeys([*promising, *order]))[:size]
    if baseline not in chosen:
        chosen = [*chosen[: size - 1], baseline]
    return tuple(sorted(chosen, key=lambda i: (loss[i], i)))
