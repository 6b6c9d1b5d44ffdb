"""The statistics of a verdict against worlds whose truth is known, and against other implementations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.verdict import estimate
from optselect.verdict.across import interquartile_mean, performance_profile, probability_of_improvement, stratified
from optselect.verdict.statistics import correlated_t_test, gains, odds, optimism, overlap, rope

LOSS = Objective("val_loss")
ACCURACY = Objective("val_accuracy", maximize=True)

Array = np.ndarray
NAN = math.nan
tables = st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=2, max_size=6).map(np.array)


# -- intervals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 5, 30])
@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_intervals_cover(seeds: int, rho: float) -> None:
    """Of 95 % intervals 93 to 97 % hold the truth, for few and many seeds, also where redrawn splits correlate them."""
    rng = np.random.default_rng(seeds)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, seeds))
    values = 3.0 + 2.0 * (math.sqrt(rho) * shared + math.sqrt(1 - rho) * own)
    held = [e.low <= 3.0 <= e.high for e in (estimate(row, rho=rho) for row in values)]
    assert 0.93 <= np.mean(held) <= 0.97


def test_intervals_that_ignore_the_overlap_do_not_cover() -> None:
    """Values from redrawn splits, taken for independent ones, give intervals that are far too narrow."""
    rng = np.random.default_rng(0)
    values = math.sqrt(0.3) * rng.normal(size=(2000, 1)) + math.sqrt(0.7) * rng.normal(size=(2000, 10))
    assert np.mean([e.low <= 0.0 <= e.high for e in map(estimate, values)]) < 0.8


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9), st.floats(-10, 10))
def test_a_level_is_a_level(values: list[float], shift: float) -> None:
    """A higher level gives a wider interval; shifting the values shifts it."""
    wide, narrow = estimate(values, level=0.99), estimate(values, level=0.9)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    moved = estimate([v + shift for v in values], level=0.9)
    assert moved.low == pytest.approx(narrow.low + shift, abs=1e-6)


def test_the_overlap_is_the_test_share() -> None:
    """Ten-fold splits correlate by a tenth, and a split in halves by a half."""
    assert overlap(90, 10) == 0.1
    assert overlap(1, 1) == 0.5


def test_no_values_are_no_estimate() -> None:
    """Nothing has no mean, and a correlation of one no interval."""
    with pytest.raises(InvalidValue, match="at least one"):
        estimate([])
    with pytest.raises(InvalidValue, match="rho"):
        estimate([1.0, 2.0], rho=1.0)


# -- differences --------------------------------------------------------------------------------------------------


@given(tables)
def test_gains_point_to_the_better(table: Array) -> None:
    """A gain under one direction is a loss under the other, and what two seeds share cancels."""
    ours, theirs, shared = table.T
    assert np.array_equal(gains(ours, theirs, LOSS), -gains(ours, theirs, ACCURACY))
    assert gains(ours + shared, theirs + shared, ACCURACY) == pytest.approx(ours - theirs, abs=1e-9)


def test_unpaired_scores_are_refused() -> None:
    """Differences need as many scores on either side."""
    with pytest.raises(InvalidValue, match="paired"):
        gains([1.0, 2.0], [1.0], LOSS)


@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_optimism_is_positive_before_confirmation_and_zero_after(objective: Objective) -> None:
    """The best of forty single runs flatters itself; the mean of the seeds that confirmed it does not."""
    rng, sign = np.random.default_rng(0), objective.sign
    before, after = [], []
    for _ in range(400):
        truth = sign * rng.normal(0.0, 0.5, 40)
        screened = truth + rng.normal(size=40)
        best = int(np.argmin(sign * screened))
        confirmed, again = truth[best] + rng.normal(size=(2, 10))
        before.append(optimism(screened[best], confirmed, objective).mean)
        after.append(optimism(confirmed.mean(), again, objective).mean)
    assert np.mean(before) > 1.5
    fresh = estimate(after, level=0.999)
    assert fresh.low < 0 < fresh.high


# -- the correlated t-test ----------------------------------------------------------------------------------------

OURS = [0.921, 0.909, 0.925, 0.912, 0.913, 0.919, 0.931, 0.905, 0.922, 0.920]
THEIRS = [0.912, 0.905, 0.921, 0.899, 0.917, 0.908, 0.915, 0.903, 0.911, 0.919]


@pytest.mark.parametrize(
    ("folds", "width", "worse", "equivalent", "better"),
    [
        (10, 0.005, 0.0013973834715159735, 0.2829622436806116, 0.7156403728478724),
        (10, 0.010, 0.0001279661856779868, 0.8596430285344469, 0.14022900527987514),
        (5, 0.005, 0.005758031061972729, 0.3226583681075087, 0.6715836008305186),
        (2, 0.010, 0.015707627360327273, 0.6707857793917916, 0.3135065932478811),
    ],
)
def test_correlated_t_test_equals_baycomp(
    folds: int, width: float, worse: float, equivalent: float, better: float
) -> None:
    """The three probabilities are those of the authors' library: `CorrelatedTTest.probs` of baycomp 1.0.3."""
    found = correlated_t_test(gains(OURS, THEIRS, ACCURACY), rope=width, rho=1 / folds)
    assert (found.worse, found.equivalent, found.better) == pytest.approx((worse, equivalent, better), rel=1e-9)


@given(tables)
def test_without_rope_and_overlap_it_is_the_paired_t_test(table: Array) -> None:
    """P(worse) is then the p-value of scipy's one-sided paired t-test."""
    ours, theirs = table[:, 0].round(3), table[:, 1].round(3)
    found = correlated_t_test(ours - theirs, rope=0.0)
    if np.std(ours - theirs) > 1e-9:
        assert found.worse == pytest.approx(stats.ttest_rel(ours, theirs, alternative="greater").pvalue, abs=1e-9)


def test_posterior_is_calibrated() -> None:
    """Where it says that a mean is above the ROPE with probability p, that is so in p of the cases."""
    rng = np.random.default_rng(1)
    truth = rng.normal(0.0, 3.0, 6000)  # wide beside the noise, as the flat prior has it
    said = np.array([correlated_t_test(mu + rng.normal(size=6), rope=0.5).better for mu in truth])
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)):
        inside = (said > low) & (said <= high)
        assert (truth[inside] > 0.5).mean() == pytest.approx(said[inside].mean(), abs=0.06)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.02, 0.02, 0.02], (1.0, 0.0, 0.0)),
        ([0.1, 0.1, 0.1], (1.0, 0.0, 0.0)),  # whose mean is not 0.1 in floating point
        ([-0.02, -0.02], (0.0, 0.0, 1.0)),
        ([0.0, 0.0, 0.0], (0.0, 1.0, 0.0)),
        ([0.01, 0.01], (0.0, 1.0, 0.0)),
    ],
)
def test_differences_without_spread_are_certain(differences: list[float], expected: tuple[float, ...]) -> None:
    """Equal differences put all probability where they lie; on the edge of the ROPE that is inside."""
    found = correlated_t_test(differences, rope=0.01)
    assert (found.better, found.equivalent, found.worse) == expected


@pytest.mark.parametrize("differences", [[], [0.5], [0.5, NAN]])
def test_what_is_unknown_is_undecided(differences: list[float]) -> None:
    """One seed, or a training that broke down, gives no probability and the word "undecided"."""
    found = correlated_t_test(differences, rope=0.01)
    assert math.isnan(found.better)
    assert found.word == "undecided"


@pytest.mark.parametrize(("mean", "word"), [(5.0, "clearly best"), (0.0, "equivalent"), (1.0, "undecided")])
def test_words_follow_from_probabilities(mean: float, word: str) -> None:
    """Far above the ROPE, at its middle and on its edge the three words are said; far below, that it is worse."""
    spread = np.linspace(-1, 1, 11)
    assert correlated_t_test(mean + spread, rope=1.0).word == word
    mirrored = correlated_t_test(-mean - spread, rope=1.0).word
    assert mirrored == ("clearly worse" if word == "clearly best" else word)


# -- the ROPE -----------------------------------------------------------------------------------------------------


def test_rope_is_the_largest_of_its_parts() -> None:
    """The noise of the mean where that is large, else half a point of a share or a per cent of a loss; or as told."""
    assert rope([0.5, 0.9], share=True) == pytest.approx(0.2)
    assert rope([0.9, 0.9001], share=True) == 0.005
    assert rope([-50.0, -50.0], share=False) == 0.5
    assert rope([0.5, 0.9], share=True, width=0.0) == 0.0
    assert rope([0.5, NAN], share=True) == 0.005
    with pytest.raises(InvalidValue, match="NaN"):
        rope([NAN], share=True)
    with pytest.raises(InvalidValue, match="width"):
        rope([0.5, 0.9], share=True, width=-0.1)


# -- the odds of being best ---------------------------------------------------------------------------------------


def _worlds(count: int, seeds: int) -> list[tuple[Array, Array]]:
    """True means of four candidates, and what paired seeds show of them; less is better."""
    rng = np.random.default_rng(2)
    truths = rng.normal(size=(count, 4))
    shown = truths[:, None, :] + rng.normal(size=(count, seeds, 4)) + 5 * rng.normal(size=(count, seeds, 1))
    return list(zip(truths, shown, strict=True))


@pytest.mark.parametrize("seeds", [5, 10])
def test_odds_are_calibrated(seeds: int) -> None:
    """Of candidates that are said to be best with probability p, p are best; the regret is as large as it is said."""
    said, true, promised, paid = [], [], [], []
    for truth, scores in _worlds(1200, seeds):
        found = odds(scores, LOSS, draws=500)
        said += list(found.best)
        true += list(truth == truth.min())
        favourite = int(np.argmin(found.regret))
        promised.append(found.regret[favourite])
        paid.append(truth[favourite] - truth.min())
    probability, is_best = np.array(said), np.array(true)
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)):
        inside = (probability > low) & (probability <= high)
        assert is_best[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.06)
    assert np.mean(promised) == pytest.approx(np.mean(paid), rel=0.15)


def test_two_seeds_count_one_or_the_other() -> None:
    """Each of two candidates that shared two seeds is best half the time, at the expense of half the difference."""
    found = odds([[0.0, 1.0], [1.0, 0.0]], LOSS)
    assert found.best == pytest.approx([0.5, 0.5], abs=0.05)
    assert found.regret == pytest.approx([0.5, 0.5], abs=0.05)


def test_one_seed_of_ten_makes_nobody_certain() -> None:
    """Who is ahead under one seed and equal under nine is likely, not certainly, the best: as its t statistic says."""
    found = odds([[1.0, 0.0]] + 9 * [[0.0, 0.0]], ACCURACY)
    assert found.best[0] == pytest.approx(stats.t(9).cdf(1.0), abs=0.03)


@given(tables)
def test_odds_are_probabilities_and_know_directions(table: Array) -> None:
    """P(best) sums to one; turning all signs and the direction changes nothing; nor does what a seed adds to all."""
    found = odds(table, LOSS, draws=200)
    assert found.best.sum() == pytest.approx(1.0)
    assert (found.regret >= 0).all()
    turned = odds(-table, ACCURACY, draws=200)
    assert turned.best == pytest.approx(found.best)
    assert turned.regret == pytest.approx(found.regret)


def test_what_a_seed_does_to_all_cancels() -> None:
    """A hard seed makes nobody less likely the best: rows are compared within themselves."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 3))
    shifted = table + 100 * rng.normal(size=(6, 1))
    assert odds(shifted, LOSS).best == pytest.approx(odds(table, LOSS).best, abs=1e-3)


def test_who_broke_down_is_never_best() -> None:
    """One NaN is enough for a probability of zero and an infinite regret; the others share the rest."""
    found = odds([[0.1, 0.5, 0.6], [NAN, 0.5, 0.6]], LOSS)
    assert found.best.tolist() == [0.0, 1.0, 0.0]
    assert found.regret.tolist() == [math.inf, 0.0, pytest.approx(0.1)]
    nobody = odds([[NAN], [NAN]], LOSS)
    assert (nobody.best.tolist(), nobody.regret.tolist()) == ([0.0], [math.inf])


def test_one_seed_gives_no_odds() -> None:
    """A single row cannot be resampled, and says so."""
    assert np.isnan(odds([[0.1, 0.2]], LOSS).best).all()
    with pytest.raises(InvalidValue, match="shape"):
        odds([0.1, 0.2], LOSS)


def test_odds_repeat() -> None:
    """The same seed gives the same odds, another one others."""
    table = np.random.default_rng(0).normal(size=(5, 3))
    assert np.array_equal(odds(table, LOSS).best, odds(table, LOSS).best)
    assert not np.array_equal(odds(table, LOSS).best, odds(table, LOSS, seed=1).best)


# -- across data sets ---------------------------------------------------------------------------------------------

RUNS = np.array(
    [
        [1.01, 1.51, 1.57, 1.15],
        [0.91, 0.94, 1.37, 1.28],
        [1.22, 0.55, 1.67, 1.27],
        [1.20, 1.06, 1.09, 1.44],
        [1.25, 1.04, 1.15, 1.51],
    ]
)
OTHERS = np.array(
    [[1.01, 0.55, 1.22, 1.00], [0.32, 0.76, 1.09, 0.84], [0.45, 1.01, 1.37, 1.13], [0.68, 1.12, 1.32, 1.11]]
)


def test_aggregates_equal_rliable() -> None:
    """Interquartile mean, probability of improvement and profile are those of the authors' library, rliable 1.2.0."""
    assert interquartile_mean(RUNS) == pytest.approx(1.204, abs=1e-12)
    assert interquartile_mean(OTHERS) == pytest.approx(0.9925, abs=1e-12)
    assert probability_of_improvement(RUNS, OTHERS) == pytest.approx(0.8, abs=1e-12)
    assert performance_profile(RUNS, [0.5, 1.0, 1.5]) == pytest.approx([1.0, 0.85, 0.2], abs=1e-12)


def test_stratified_intervals_equal_those_of_rliable() -> None:
    """Their ends are within Monte Carlo error of `get_interval_estimates` (50,000 and 5,000 draws there)."""
    alone = stratified(interquartile_mean, RUNS, draws=4000)
    assert (alone.value, alone.low, alone.high) == pytest.approx((1.204, 1.122, 1.323), abs=0.01)
    both = stratified(probability_of_improvement, RUNS, OTHERS, draws=4000)
    assert (both.value, both.low, both.high) == pytest.approx((0.8, 0.6625, 0.93125), abs=0.015)


def test_strata_stay_apart() -> None:
    """Runs are drawn within a data set: where each data set is constant, nothing varies, however far they lie apart."""
    table = np.tile([0.0, 10.0, 20.0], (4, 1))
    found = stratified(lambda scores: float(scores.mean()), table, draws=50)
    assert (found.low, found.high) == (10.0, 10.0)


@given(tables)
def test_laws_of_the_aggregates(table: Array) -> None:
    """Two optimizers beat each other with probabilities that sum to one; means lie inside; profiles never rise."""
    other = table[::-1] + 0.5
    assert probability_of_improvement(table, other) + probability_of_improvement(other, table) == pytest.approx(1.0)
    assert table.min() - 1e-9 <= interquartile_mean(table) <= table.max() + 1e-9
    assert (np.diff(performance_profile(table, np.linspace(-1e3, 1e3, 9))) <= 0).all()


def test_runs_that_broke_down_are_worst() -> None:
    """A quarter of them leaves the interquartile mean finite, its interval may be infinite; they lose all duels."""
    table = np.array([[NAN, 1.0], [1.0, 1.0]])
    found = stratified(interquartile_mean, table, draws=200)
    assert (found.value, found.low, found.high) == (1.0, -math.inf, 1.0)
    assert probability_of_improvement([[NAN]], [[-1e9]]) == 0.0


@pytest.mark.parametrize(
    "call", [lambda: interquartile_mean([1.0]), lambda: probability_of_improvement([[1.0]], [[1.0, 2.0]])]
)
def test_tables_that_do_not_fit_are_refused(call: Callable[[], float]) -> None:
    """A list is no table, and two tables must have the same data sets."""
    with pytest.raises(InvalidValue, match="data sets"):
        call()
