"""Screening, race, choice and basin: worlds with a known best, and the rules of the road."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.errors import InvalidValue, NoResult, UnknownName
from optselect.model.objective import Objective
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.verdict.choosing import Simplicity, recommend, simplicity
from optselect.verdict.lr_sensitivity import FACTORS, basin
from optselect.verdict.race import PRESETS, RacePlan, Runs, plan, progress
from optselect.verdict.screening import candidates, noise, smoothed

LOSS = Objective("val_loss")
ACCURACY = Objective("val_accuracy", maximize=True)

Array = np.ndarray
NAN = math.nan


# -- screening ----------------------------------------------------------------------------------------------------


def test_smoothing_picks_better_among_noisy_trials() -> None:
    """On a bowl over the logarithm of the rate the smoothed winner truly is the better one, on average."""
    rng = np.random.default_rng(0)
    lucky, steady = [], []
    for _ in range(300):
        rates = 10 ** rng.uniform(-4, 0, 25)
        truth = (np.log10(rates) + 2) ** 2
        seen = truth + rng.normal(0.0, 0.3, 25)
        lucky.append(truth[np.argmin(seen)])
        steady.append(truth[np.argmin(smoothed(seen, rates, ["adam"] * 25, LOSS))])
    assert np.mean(steady) < 0.8 * np.mean(lucky)


def test_the_edge_of_divergence_is_shunned() -> None:
    """Of two equal trials the one beside a diverged one comes second; who is far from it does not know of it."""
    values, rates = [0.1, 0.2, 0.1, NAN, 0.3, 0.4, 0.5], [1e-3, 2e-3, 1e-1, 2e-1, 1e-6, 1e-7, 1e-8]
    found = smoothed(values, rates, ["adam"] * 7, LOSS)
    assert found[[0, 2, 4]] == pytest.approx([0.15, 0.175, 0.3])  # the median is 0.25
    assert math.isnan(found[3])


def test_an_absurd_neighbour_does_not_drown_the_rest() -> None:
    """A loss of a million next door counts as the median, no more."""
    rates = [1.0, 2.0, 10.0, 20.0]
    mild = smoothed([0.1, 0.5, 0.3, 0.3], rates, ["sgd"] * 4, LOSS)
    wild = smoothed([0.1, 1e6, 0.3, 0.3], rates, ["sgd"] * 4, LOSS)
    assert wild[0] == pytest.approx(mild[0], abs=0.1)


def test_noise_is_bounded_by_the_good_half() -> None:
    """Neighbours that jump about at bad rates say nothing of the noise; neighbours far apart in rate are none."""
    calm, wild = [0.1, 0.11] * 4, [5.0, 9.0] * 3
    rates = [*np.geomspace(0.01, 0.05, 8), *np.geomspace(0.1, 0.5, 6)]
    assert noise([*calm, *wild], rates, ["sgd"] * 14, LOSS) == pytest.approx(0.01 * 1.4826 / math.sqrt(2))
    assert noise(calm, 10.0 ** np.arange(8), ["sgd"] * 8, LOSS) == math.inf
    assert noise([NAN] * 3, [1.0, 2.0, 3.0], ["sgd"] * 3, LOSS) == math.inf


def test_neighbours_are_of_one_group() -> None:
    """Another rule or schedule at the same rate says nothing; a factor of three is near, a little more is not."""
    assert smoothed([1.0, 3.0], [0.1, 0.1], [("adam", "constant"), ("adam", "cosine")], LOSS).tolist() == [1.0, 3.0]
    assert smoothed([1.0, 3.0], [0.1, 0.3], ["a", "a"], LOSS).tolist() == [1.5, 2.0]
    assert smoothed([1.0, 3.0], [0.1, 0.31], ["a", "a"], LOSS).tolist() == [1.0, 3.0]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(1e-6, 1e2), st.sampled_from("ab")), min_size=1, max_size=9))
def test_smoothing_knows_directions(trials: list[tuple[float, float, str]]) -> None:
    """Turning all signs and the direction turns the signs of the answer; only a diverged trial has none."""
    values, rates, groups = (list(column) for column in zip(*trials, strict=True))
    down = smoothed(values, rates, groups, LOSS)
    assert smoothed([-v for v in values], rates, groups, ACCURACY) == pytest.approx(-down)
    assert np.isfinite(down).all()


def test_when_everything_diverged_nothing_is_left() -> None:
    """No finite value, no smoothed one."""
    assert np.isnan(smoothed([NAN, NAN], [0.1, 0.2], ["a", "a"], LOSS)).all()


trials = st.lists(
    st.tuples(st.one_of(st.just(NAN), st.floats(0, 1)), st.sampled_from("abcdef")), min_size=1, max_size=30
)


@given(trials, st.integers(1, 9), st.floats(0, 1), st.data())
def test_candidates_are_few_good_and_hold_the_baseline(
    trials: list[tuple[float, str]], size: int, noise: float, data: st.DataObject
) -> None:
    """At most `size`, none twice, none diverged, in order, the default always, the best too where there is room."""
    values, arms = (list(column) for column in zip(*trials, strict=True))
    baseline = data.draw(st.integers(0, len(trials) - 1))
    found = candidates(values, arms, baseline=baseline, noise_sd=noise, objective=LOSS, size=size)
    assert len(found) == len(set(found)) <= size
    assert baseline in found
    whole = [values[i] for i in found if i != baseline]
    assert whole == sorted(v for v in whole if not math.isnan(v))
    if size > 1 and not all(map(math.isnan, values)):
        assert min(v for v in values if not math.isnan(v)) in [values[i] for i in found]


def test_an_arm_within_the_noise_is_let_in() -> None:
    """The best of an arm near the top goes before the second best of another; far from the top it does not."""
    values, arms = [0.90, 0.89, 0.88, 0.80, 0.10], ["a", "a", "a", "b", "c"]
    near = candidates(values, arms, baseline=4, noise_sd=0.034, size=3, objective=ACCURACY)
    assert near == (0, 3, 4)
    assert candidates(values, arms, baseline=4, noise_sd=0.032, size=3, objective=ACCURACY) == (0, 1, 4)
    assert candidates(values, arms, baseline=0, noise_sd=math.inf, size=3, objective=ACCURACY) == (0, 3, 4)


def test_eight_are_let_in() -> None:
    """As many as the standard race has room for."""
    assert (
        len(candidates(np.arange(20.0), ["a"] * 20, baseline=0, noise_sd=0.1, objective=LOSS))
        == PRESETS["standard"].candidates
    )


# -- the race -----------------------------------------------------------------------------------------------------


def _run(
    drawn: RacePlan, world: Array, baseline: int, *, stop_after: int | None = None
) -> tuple[dict[Any, float], Any]:
    """The race over a world of (candidates, seeds); `stop_after` runs, then asked again with what is there."""
    runs: dict[tuple[int, int], float] = {}
    while True:
        state = progress(drawn, runs, baseline=baseline, objective=LOSS)
        if state.stage == "done":
            return runs, state
        for candidate, seed in state.missing[:stop_after]:
            assert (candidate, seed) not in runs
            runs[candidate, seed] = float(world[candidate, seed])


def test_the_standard_race_is_the_one_that_was_designed() -> None:
    """Eight candidates under two seeds, four under three more, two under six, then ten fresh ones."""
    drawn = plan("standard")
    assert [(r.candidates, len(r.seeds)) for r in drawn.rounds] == [(8, 2), (4, 3), (2, 6)]
    assert len(drawn.confirmation) == 10


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("confirmations", [0, 5])
def test_no_seed_is_used_twice_and_the_cost_is_a_bound(preset: str, size: int, confirmations: int) -> None:
    """The seeds of all rounds and of the confirmation are different; no race costs more than was said, some as much."""
    drawn = plan(preset, candidates=size, confirmations=confirmations)
    seeds = [seed for part in (*(r.seeds for r in drawn.rounds), drawn.confirmation) for seed in part]
    assert seeds == list(range(len(seeds)))
    world = np.tile(np.arange(size, dtype=float)[:, None], (1, len(seeds) + 1))
    costs = [len(_run(drawn, world, baseline)[0]) for baseline in range(size)]
    assert max(costs) == drawn.cost


def test_more_care_costs_more() -> None:
    """Each preset costs more than the one before."""
    costs = [plan(preset).cost for preset in ("quick", "standard", "careful")]
    assert costs == sorted(set(costs))


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 7))
def test_a_race_that_was_killed_goes_on(seed: int, stop_after: int, baseline: int) -> None:
    """However often it is stopped and asked again, the same runs are made once each, with the same end."""
    rng = np.random.default_rng(seed)
    world = rng.normal(size=(8, 30))
    world[rng.random(world.shape) < 0.05] = NAN
    drawn = plan("standard")
    runs, end = _run(drawn, world, baseline)
    again, same = _run(drawn, world, baseline, stop_after=stop_after)
    assert again.keys() == runs.keys()
    assert same == end


def test_the_default_runs_in_every_round() -> None:
    """The worst of all, if it is the default, has a value under every seed; the other losers have not."""
    world = np.tile(np.arange(8.0)[:, None], (1, 30))
    runs, end = _run(plan("standard"), world, baseline=7)
    assert end.standing == (0, 1)
    assert {seed for candidate, seed in runs if candidate == 7} == set(range(21))
    assert {seed for candidate, seed in runs if candidate == 6} == {0, 1}


def test_all_of_a_round_run_under_the_same_seeds() -> None:
    """What is due for one candidate of a round is due for all of it."""
    state = progress(plan("standard"), {}, baseline=0, objective=LOSS)
    assert set(state.missing) == {(candidate, seed) for candidate in range(8) for seed in range(2)}
    assert [seed for _, seed in state.missing] == sorted(seed for _, seed in state.missing)


def test_who_broke_down_comes_last() -> None:
    """One break-down under a seed outweighs the best values under the others."""
    world = np.tile(np.arange(4.0)[:, None], (1, 30))
    world[0, 1] = NAN
    _, end = _run(plan("quick"), world, baseline=3)
    assert end.standing == (1, 2)


def test_earlier_seeds_still_count() -> None:
    """The order at the end is by all seeds so far, not by those of the last round alone."""
    drawn = plan("quick", candidates=3, confirmations=0)
    first, last = drawn.rounds[0].seeds, drawn.rounds[1].seeds
    world = np.zeros((3, last.stop))
    world[1, first], world[1, last] = -100.0, 1.0  # far ahead in the first round, behind in the second
    world[2] = 50.0
    _, end = _run(drawn, world, baseline=2)
    assert end.standing == (1, 0)


def test_a_race_finds_a_better_one_than_the_luckiest_trial() -> None:
    """The winner of the race loses less than half of what the luckiest single run loses."""
    rng, drawn = np.random.default_rng(0), plan("standard", confirmations=0)
    lucky, raced = [], []
    for _ in range(300):
        truth = rng.normal(0.0, 0.5, 8)
        world = truth[:, None] + rng.normal(size=(8, 12)) + 3 * rng.normal(size=12)  # hard seeds, shared by all
        _, end = _run(drawn, world, baseline=0)
        lucky.append(truth[np.argmin(world[:, -1])] - truth.min())
        raced.append(truth[end.standing[0]] - truth.min())
    assert np.mean(raced) < 0.5 * np.mean(lucky)


def test_directions() -> None:
    """Where more is better the largest go on."""
    drawn = plan("quick", candidates=3, confirmations=0)
    runs: Runs = {(candidate, seed): float(candidate) for candidate in range(3) for seed in range(9)}
    assert progress(drawn, runs, baseline=0, objective=ACCURACY).standing == (2, 1)


def test_a_plan_of_nonsense_is_refused() -> None:
    """An unknown preset gets the names; no candidates and fewer than no confirmations get the rule."""
    with pytest.raises(UnknownName, match="standard"):
        plan("standart")
    with pytest.raises(InvalidValue, match="candidates"):
        plan(candidates=0)
    with pytest.raises(InvalidValue, match="confirmations"):
        plan(confirmations=-1)


# -- what is recommended ------------------------------------------------------------------------------------------

PLAIN = Simplicity(0, 0, False, 0, 0, 0.0)
RICH = Simplicity(5, 1, True, 2, 3, 0.0)
SEEDS = np.random.default_rng(3).normal(size=(10, 1))


def test_the_simplest_within_one_error_is_recommended() -> None:
    """A rich configuration that leads by less than the error of the difference gives way; a clear leader does not."""
    noise = np.linspace(-1, 1, 10)[:, None]
    close = np.hstack([SEEDS, SEEDS - 0.1 + noise, SEEDS + 9])
    found = recommend(close, [PLAIN, RICH, PLAIN], baseline=2, objective=LOSS)
    assert (found.recommended, found.best, found.tied) == (0, 1, (0, 1))
    clear = np.hstack([SEEDS, SEEDS - 1 + noise, SEEDS + 9])
    assert recommend(clear, [PLAIN, RICH, PLAIN], baseline=2, objective=LOSS).recommended == 1


def test_the_error_is_that_of_the_difference() -> None:
    """Seeds that move both alike widen nothing: a small lead on every seed is a lead."""
    table = np.hstack([100 * SEEDS, 100 * SEEDS - 0.1, 100 * SEEDS + 9])
    assert recommend(table, [PLAIN, RICH, PLAIN], baseline=2, objective=LOSS).tied == (1,)


def test_further_seeds_end_a_tie() -> None:
    """Who is tied with the best in the race, and behind it by more than the error over all seeds, is no more tied; who
    is ahead there is not made the best by that."""
    noise = np.linspace(-1, 1, 10)[:, None]
    race = np.hstack([SEEDS, SEEDS - 0.1 + noise, SEEDS + 9])
    behind, ahead = (np.hstack([SEEDS + lag, SEEDS, SEEDS + 9]) for lag in (3, -3))
    order = [PLAIN, RICH, PLAIN]
    assert recommend(race, order, baseline=2, objective=LOSS, further=behind).tied == (1,)
    found = recommend(race, [RICH, PLAIN, PLAIN], baseline=2, objective=LOSS, further=ahead)
    assert (found.best, found.recommended) == (1, 1)


@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_the_guard_falls_back_to_the_default(objective: Objective) -> None:
    """Where the simplest of the tied is more likely worse than the default, the default is recommended."""
    sign = objective.sign
    default = SEEDS
    rival = SEEDS - 0.1 + np.array([[1.0, -1.0] * 5]).T
    simple = SEEDS + 0.05 + np.array([[-1.0, 1.0] * 5]).T
    found = recommend(sign * np.hstack([default, rival, simple]), [RICH, RICH, PLAIN], baseline=0, objective=objective)
    assert (found.best, found.recommended, found.guarded) == (1, 0, True)


def test_the_guard_lets_a_better_one_pass() -> None:
    """Better than the default on every seed, or the default broke down: no guard."""
    better = recommend(np.hstack([SEEDS + 1, SEEDS]), [PLAIN, RICH], baseline=0, objective=LOSS)
    assert (better.recommended, better.guarded) == (1, False)
    broken = np.hstack([SEEDS, SEEDS])
    broken[3, 0] = NAN
    assert recommend(broken, [PLAIN, RICH], baseline=0, objective=LOSS) == dataclasses.replace(
        better, recommended=1, best=1, tied=(1,)
    )


def test_the_guard_asks_for_one_half() -> None:
    """A lead over the default that is a little more likely than not is enough, with two seeds as with many."""
    for seeds in (2, 10):
        ahead = 0.05 + np.resize([1.0, -1.0], (seeds, 1))
        assert recommend(np.hstack([ahead, 0 * ahead]), [RICH, PLAIN], baseline=0, objective=LOSS).recommended == 1
        assert recommend(np.hstack([-ahead, 0 * ahead]), [RICH, PLAIN], baseline=0, objective=LOSS).guarded


def test_twins_are_tied() -> None:
    """Of two candidates that are equal on every seed the simpler is recommended, whoever comes first."""
    table = np.hstack([SEEDS, SEEDS, SEEDS + 9])
    assert recommend(table, [RICH, PLAIN, RICH], baseline=2, objective=LOSS).recommended == 1
    assert recommend(table, [PLAIN, RICH, RICH], baseline=2, objective=LOSS).recommended == 0


def test_one_seed_decides_by_its_value() -> None:
    """A single row has no error: the best alone is tied, and must beat the default to be taken."""
    found = recommend([[0.2, 0.1]], [PLAIN, RICH], baseline=0, objective=LOSS)
    assert (found.recommended, found.tied) == (1, (1,))
    assert recommend([[0.1, 0.1]], [RICH, PLAIN], baseline=0, objective=LOSS).recommended == 0


def test_all_broken_is_no_result() -> None:
    """Where every candidate broke down there is nothing to recommend; a table that does not fit is refused."""
    with pytest.raises(NoResult):
        recommend([[NAN], [1.0]], [PLAIN], baseline=0, objective=LOSS)
    with pytest.raises(InvalidValue, match="columns"):
        recommend([[1.0, 2.0]], [PLAIN], baseline=0, objective=LOSS)


def test_simplicity_orders_as_it_says() -> None:
    """Settings before schedules before clipping before the rule's fame before cost before the basin."""
    worse = dataclasses.asdict(RICH)
    fields = [field.name for field in dataclasses.fields(Simplicity)]
    assert fields == ["settings", "schedule", "clipped", "exotic", "cost", "narrow"]
    for position, name in enumerate(fields):
        spoiled = {later: worse[later] for later in fields[position + 1 :]}
        assert dataclasses.replace(PLAIN, **spoiled) < dataclasses.replace(PLAIN, **{name: 9})


def test_the_default_is_the_simplest_of_all() -> None:
    """No rule, schedule or clipping at its defaults is simpler than Keras's default Adam."""
    least = simplicity(BASELINE)
    for kind in RULES.values():
        assert simplicity(Configuration(rule=kind())) >= least
    for schedule in SCHEDULES.values():
        found = simplicity(dataclasses.replace(BASELINE, schedule=schedule()))
        constant = [part.plain and not part.watcher for part in schedule().parts]
        assert found.schedule == (0 if constant[0] else 1 if schedule.common else 2)
        assert found.settings == constant.count(False)
    for clip in CLIPPINGS.values():
        found = simplicity(dataclasses.replace(BASELINE, clipping=clip()))
        assert found.clipped == (found.settings == 1) == bool(clip.hypers())


def test_fame_is_a_fact() -> None:
    """A rule of Keras's that everyone tries comes before one that Keras lacks or few try, and before itself wrapped."""
    famous = [kind for kind in RULES.values() if kind.twin and kind.common]
    assert {simplicity(Configuration(rule=kind())).exotic for kind in famous} == {0}
    for kind in set(RULES.values()) - set(famous):
        assert simplicity(Configuration(rule=kind())).exotic > 0
    for kind in RULES.values():
        if kind.wraps():
            outer: Any = kind
            inside = famous[0]()
            assert (
                simplicity(Configuration(rule=outer(rule=inside))).exotic
                > simplicity(Configuration(rule=inside)).exotic
            )


def test_cost_and_width_break_ties() -> None:
    """A step of twice the time is less simple, one of a tenth more is not; a wider basin is simpler."""
    assert simplicity(BASELINE, step_seconds=2e-3).cost == simplicity(BASELINE, step_seconds=1e-3).cost + 2
    assert simplicity(BASELINE, step_seconds=1.05e-3) == simplicity(BASELINE, step_seconds=1e-3)
    assert simplicity(BASELINE, basin_decades=2.0) < simplicity(BASELINE, basin_decades=1.0)


# -- the basin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_a_bowl_is_as_wide_as_it_is(objective: Objective) -> None:
    """On a parabola over decades the width and the cost of a miss are those of the parabola."""
    factors = np.logspace(-1.5, 1.5, 301)
    values = np.log10(factors) ** 2 * objective.sign
    found = basin(factors, values, tolerance=0.25, objective=objective)
    assert found.decades == pytest.approx(1.0, abs=0.01)
    assert found.off_by_3 == pytest.approx(math.log10(3) ** 2, abs=1e-3)
    assert (found.open_below, found.open_above) == (False, False)


def test_the_basin_ends_where_training_breaks() -> None:
    """A break-down bounds it at the last factor that trained; what comes after a break-down does not count."""
    found = basin(FACTORS, [0.1, 0.1, 0.1, NAN, 0.1], tolerance=0.05, objective=LOSS)
    assert found.decades == pytest.approx(1.0)
    assert (found.open_below, found.open_above) == (True, False)
    assert (found.largest_stable, found.off_by_3) == (1.0, math.inf)


def test_the_line_is_crossed_where_it_is() -> None:
    """Beyond the first neighbour too, and on either side apart, the basin ends between two points."""
    found = basin(FACTORS, [9.0, 9.0, 0.0, 0.02, 0.1], tolerance=0.06, objective=LOSS)
    above = math.log10(3) + (1 - math.log10(3)) / 2
    assert found.decades == pytest.approx(above + 0.06 / 9 * math.log10(3))
    assert (found.open_below, found.open_above) == (False, False)


def test_the_usual_factors_are_even_and_hold_three() -> None:
    """What is tried below is tried above, and being off by three is among it."""
    assert np.multiply(FACTORS, FACTORS[::-1]) == pytest.approx(1.0)
    assert FACTORS[3] == 3.0


def test_a_break_down_below_does_not_bound_the_stable_rates() -> None:
    """The largest stable rate is looked for upwards; a cliff below makes the basin narrow, not the rate unstable."""
    found = basin(FACTORS, [NAN, NAN, 0.1, 0.1, 0.1], tolerance=0.05, objective=LOSS)
    assert (found.largest_stable, found.decades, found.open_above) == (10.0, 1.0, True)


def test_seeds_of_one_factor_are_averaged() -> None:
    """Two seeds a factor give the basin of their means, and one that broke down breaks its factor."""
    twice = basin([1 / 3, 1 / 3, 1, 1, 3, 3], [1.0, 3.0, 0.0, 0.0, 1.0, 1.0], tolerance=1.0, objective=LOSS)
    assert twice.decades == pytest.approx(1.5 * math.log10(3))
    assert twice.off_by_3 == pytest.approx(2.0)
    assert twice.open_above  # on the edge of the tolerance is inside
    assert basin([1, 3, 3], [0.0, 0.0, NAN], tolerance=1.0, objective=LOSS).largest_stable == 1.0


def test_a_gain_off_the_rate_is_no_cost() -> None:
    """Where three times the rate is better, being off by three costs nothing; what was not tried is unknown."""
    assert basin(FACTORS, [5.0, 0.0, 0.0, -1.0, 5.0], tolerance=0.1, objective=LOSS).off_by_3 == 0.0
    assert math.isnan(basin([0.5, 1.0, 10.0], [1.0, 0.0, 1.0], tolerance=0.1, objective=LOSS).off_by_3)
    assert basin([0.5, 1.0, 10.0], [1.0, 0.0, NAN], tolerance=0.1, objective=LOSS).off_by_3 == math.inf
    assert basin([0.1, 0.5, 1.0, 3.0], [NAN, 1.0, 0.0, 0.0], tolerance=0.1, objective=LOSS).off_by_3 == math.inf


def test_a_basin_needs_its_middle() -> None:
    """Without a value at the rate itself there is no basin."""
    with pytest.raises(InvalidValue, match="must hold"):
        basin([0.1, 10.0], [1.0, 1.0], tolerance=0.1, objective=LOSS)
    with pytest.raises(InvalidValue, match="finite"):
        basin([0.1, 1.0], [1.0, NAN], tolerance=0.1, objective=LOSS)
    with pytest.raises(InvalidValue, match="one a factor"):
        basin([0.1, 1.0], [1.0], tolerance=0.1, objective=LOSS)
