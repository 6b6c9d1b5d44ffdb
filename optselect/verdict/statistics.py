"""What numbers over seeds say: intervals, comparisons, and the odds of being best. Pure functions of arrays.

A value that is NaN stands for a training that broke down; nothing finite is worse.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.util.intervals import Estimate, estimate, inside, widening

__all__ = [
    "Odds",
    "PairedComparison",
    "Word",
    "correlated_t_test",
    "gains",
    "losses",
    "odds",
    "optimism",
    "overlap",
    "prediction",
    "rope",
]

Word = Literal["clearly best", "equivalent", "undecided", "clearly worse"]
SURE = 0.95  # the probability from which on a word is said


def prediction(
    known: Estimate,
    runs: int,
    *,
    level: float = 0.95,
    rho: float = 0.0,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Where the mean of so many new runs should lie: mean ± t(n - 1) s √(1/n + 1/k), or wider where splits are redrawn.

    The new mean has noise of its own, so this is wider than the interval of the mean (Hahn 1969, JASA 64). With
    ρ > 0 each of the two means varies by s √(1/n + ρ/(1 - ρ)) as in `estimate`. within: as there. Two NaN where
    `known` has one seed.

    >>> low, high = prediction(estimate([1.0, 2.0, 3.0]), 3)        # 4.303 · √(2/3) on either side
    >>> round(low, 3), round(high, 3)
    (-1.513, 5.513)
    """
    from scipy import stats

    if runs < 1:
        raise InvalidValue(f"prediction: `runs` must be at least 1, got {runs}.")
    if known.seeds < 2:
        return math.nan, math.nan
    wide = math.hypot(widening(known.seeds, rho), widening(runs, rho))
    half = float(stats.t.ppf((1 + level) / 2, known.seeds - 1)) * known.sd * wide
    low, high = known.mean - half, known.mean + half
    return inside(low, high, within) if within[0] <= known.mean <= within[1] else (low, high)


def overlap(n_train: int, n_test: int) -> float:
    """ρ, the correlation of two values from redrawn splits of the same rows: n_test / (n_train + n_test).

    It is the estimate of Nadeau & Bengio 2003, Machine Learning 52. Where all seeds share one split it is 0.

    >>> overlap(900, 100)
    0.1
    """
    return n_test / (n_train + n_test)


def losses(scores: ArrayLike, objective: Objective) -> NDArray[np.float64]:
    """The scores so that less is better and what broke down is infinitely bad; any shape.

    >>> losses([0.9, float("nan")], Objective("accuracy", maximize=True)).tolist()
    [-0.9, inf]
    """
    table = np.asarray(scores, float)
    return np.where(np.isnan(table), np.inf, objective.sign * table)


def gains(scores: ArrayLike, reference: ArrayLike, objective: Objective) -> NDArray[np.float64]:
    """Differences seed by seed, positive where `scores` are better than `reference`.

    scores, reference: of the same shape, entry i of both under seed i. NaN where one of them broke down.
    The tunability of a task is `estimate(gains(best, default))` (Probst et al. 2019, JMLR 20:53), both on fresh
    seeds. Raises `InvalidValue` where the shapes differ.

    >>> print(estimate(gains([0.91, 0.93, 0.92], [0.90, 0.91, 0.89], Objective("accuracy", maximize=True))))
    0.02 (-0.004841 to 0.04484)
    """
    ours, theirs = np.asarray(scores, float), np.asarray(reference, float)
    if ours.shape != theirs.shape:
        raise InvalidValue(f"gains: `reference` must be paired with the scores {ours.shape}, got {theirs.shape}.")
    difference: NDArray[np.float64] = ours - theirs if objective.maximize else theirs - ours
    return difference


def optimism(screened: float, confirmed: Iterable[float], objective: Objective) -> Estimate:
    """By how much the value that a configuration was chosen for flattered it: positive where fresh seeds are worse.

    The best of many noisy values lies on the lucky side of its own mean (Cawley & Talbot 2010, JMLR 11). screened:
    the value of the trial, of one seed. confirmed: values under fresh seeds.

    >>> print(optimism(0.98, [0.95, 0.96, 0.97], Objective("accuracy", maximize=True)))
    0.02 (-0.004841 to 0.04484)
    """
    fresh = np.asarray(list(confirmed), float)
    return estimate(gains(np.full(fresh.shape, screened), fresh, objective))


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """The posterior probabilities that a difference is above, within and below ± the ROPE; NaN if nothing is known."""

    better: float
    equivalent: float
    worse: float

    @property
    def word(self) -> Word:
        """What may be said: a word from a probability of 0.95, else "undecided".

        >>> PairedComparison(0.97, 0.02, 0.01).word, PairedComparison(0.6, 0.3, 0.1).word
        ('clearly best', 'undecided')
        """
        if self.better > SURE:
            return "clearly best"
        if self.worse > SURE:
            return "clearly worse"
        return "equivalent" if self.equivalent > SURE else "undecided"


def correlated_t_test(differences: ArrayLike, *, rope: float, rho: float = 0.0) -> PairedComparison:
    """The Bayesian correlated t-test: how probable is it that the mean difference exceeds the ROPE?

    The posterior of the mean is Student's t with n - 1 degrees of freedom around the mean of the differences, of
    scale s √(1/n + ρ/(1 - ρ)) (Corani & Benavoli 2015, Machine Learning 100; Benavoli et al. 2017, JMLR 18:77).
    With ρ = 0 and `rope` 0, `worse` is the p-value of the one-sided paired t-test.

    differences: shape (seeds,), positive is better. rope: half-width, in the unit of the differences. rho:
    `overlap(n_train, n_test)` where every seed redraws the split, else 0. Differences without any spread put all
    probability in one place. A single seed, or a NaN among the differences, tells nothing: three NaN.

    >>> test = correlated_t_test([1.0, 2.0, 3.0], rope=0.0)     # t = 2 / (1 / √3) = 3.46 with 2 degrees of freedom
    >>> round(test.better, 4), round(test.worse, 4)
    (0.9629, 0.0371)
    >>> correlated_t_test([0.0, 0.0], rope=0.01)
    PairedComparison(better=0.0, equivalent=1.0, worse=0.0)
    """
    from scipy import stats

    x = np.asarray(differences, float)
    if len(x) < 2 or np.isnan(x).any():
        return PairedComparison(math.nan, math.nan, math.nan)
    mean, sd = float(x.mean()), float(x.std(ddof=1))
    if sd <= 1e-12 * float(np.abs(x).max()):  # equal but for rounding
        return PairedComparison(float(mean > rope), float(abs(mean) <= rope), float(mean < -rope))
    where = {"df": len(x) - 1, "loc": mean, "scale": sd * widening(len(x), rho)}
    better, worse = float(stats.t.sf(rope, **where)), float(stats.t.cdf(-rope, **where))
    return PairedComparison(better, max(0.0, 1 - better - worse), worse)


def rope(scores: ArrayLike, *, share: bool, width: float | None = None) -> float:
    """Half the width of the region of practical equivalence: a difference within it is none (Kruschke 2018).

    It is the largest of one standard error over the seeds and what nobody would change an optimizer for: half a
    point where the score is a share such as accuracy, else one per cent of the mean.

    scores: of the best configuration, shape (seeds,); NaN are left out. width: the user's own, taken as it is.
    Raises `InvalidValue` where no score is there or `width` is negative.

    >>> rope([0.90, 0.90, 0.90], share=True), rope([2.0, 2.0], share=False), rope([2.0, 2.0], share=False, width=0.3)
    (0.005, 0.02, 0.3)
    >>> round(rope([1.0, 2.0, 3.0], share=False), 4)         # 1 / √3
    0.5774
    """
    if width is not None:
        if not width >= 0:
            raise InvalidValue(f"rope: `width` must be a number from 0, got {width!r}.")
        return width
    x = np.asarray(scores, float)
    whole = x[~np.isnan(x)]
    if not len(whole):
        raise InvalidValue("rope: `scores` must hold a number that is not NaN, got none.")
    se = float(whole.std(ddof=1)) / math.sqrt(len(whole)) if len(whole) > 1 else 0.0
    return max(se, 0.005 if share else 0.01 * abs(float(whole.mean())))


@dataclasses.dataclass(frozen=True)
class Odds:
    """How likely each candidate is the best, and what choosing it costs on average; both of shape (candidates,).

    regret: expected distance from the best, in the unit of the scores, never negative.
    """

    best: NDArray[np.float64]
    regret: NDArray[np.float64]


def odds(scores: ArrayLike, objective: Objective, *, draws: int = 4000, seed: int = 0) -> Odds:
    """P(best) from the multivariate t of the means, and expected regret by a Bayesian bootstrap of the seeds.

    The means of the candidates are drawn around those that were seen, with n - 1 degrees of freedom and the seeds'
    covariance over n: what a normal sample says of them (Geisser & Cornfield 1963, JRSS B 25), so that P(best) agrees
    with the intervals. A bootstrap would be certain of a lead that one seed of ten gave while nine were equal, as
    happens with metrics that count rows.

    For the regret every draw weighs the n seeds by Dirichlet(a, ..., a) and compares the weighted means (Rubin 1981,
    Annals of Statistics 9, who has a = 1). With a = 1 - 2/n their variance is that of a mean, s²/n; with a = 1 it is
    only (n - 1) / (n + 1) of that, so that with few seeds the regret is too small. In both a seed keeps its whole row:
    what all candidates share under a seed cancels.

    scores: shape (seeds, candidates), row i under seed i. NaN is a training that broke down: that candidate is
    never best and its regret is infinite. Candidates that tie share the draw. With fewer than two seeds
    everything is NaN. Raises `InvalidValue` unless the scores are a table.

    >>> table = [[0.9, 0.8], [0.9, 0.8], [0.9, 0.8], [0.8, 0.9]]
    >>> accuracy = Objective("accuracy", maximize=True)
    >>> odds(table, accuracy).best.round(1).tolist()      # a t of 3 degrees lies below 1 with 0.80
    [0.8, 0.2]
    >>> odds([[0.1, 0.0]] + 9 * [[0.0, 0.0]], accuracy).best.round(1).tolist()    # of 9 degrees: 0.83
    [0.8, 0.2]
    >>> odds([[1.0, 1.0], [2.0, 2.0]], Objective("loss")).best.tolist()
    [0.5, 0.5]
    """
    table = losses(scores, objective)
    if table.ndim != 2 or not table.shape[1]:
        raise InvalidValue(f"odds: `scores` must have the shape (seeds, candidates), got {table.shape}.")
    seeds, candidates = table.shape
    whole = np.isfinite(table).all(axis=0)
    if seeds < 2:
        return Odds(np.full(candidates, math.nan), np.full(candidates, math.nan))
    best, regret = np.zeros(candidates), np.full(candidates, np.inf)
    if whole.any():
        found, rng = table[:, whole], np.random.default_rng(seed)
        concentration = max(1 - 2 / seeds, 1e-3)  # two seeds: all weight on one of them, as in the limit of 0
        weights = rng.dirichlet(np.full(seeds, concentration), size=draws)
        regret[whole] = _behind(weights @ found).mean(axis=0)
        ties = _behind(_drawn_means(found, draws, rng)) <= 1e-12 * np.abs(found).max()  # equal but for rounding
        best[whole] = (ties / ties.sum(axis=1, keepdims=True)).mean(axis=0)
    return Odds(best, regret)


def _drawn_means(table: NDArray[np.float64], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Means that the columns of `table` may have, shape (draws, columns), by their multivariate t."""
    seeds = len(table)
    mean = table.mean(axis=0)
    spread = rng.standard_normal((draws, seeds)) @ (table - mean) / math.sqrt(seeds)  # covariance (n - 1) S / n
    drawn: NDArray[np.float64] = mean + spread / np.sqrt(rng.chisquare(seeds - 1, size=(draws, 1)))
    return drawn


def _behind(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each lies behind the best of its row."""
    behind: NDArray[np.float64] = means - means.min(axis=1, keepdims=True)
    return behind
