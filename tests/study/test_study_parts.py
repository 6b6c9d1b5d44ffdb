"""Parts of a search: agenda, elimination, guard, pruners, samplers, grids, curves, trade-offs, what to start with."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from scipy.stats import spearmanr

from optselect.errors import InvalidValue, OptselectError, UnknownName
from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules.adam import Adam
from optselect.optim.rules.sgd import SGD
from optselect.optim.schedules import SCHEDULES
from optselect.record import Ledger
from optselect.record.entries import TrialRecord
from optselect.spaces import default_space
from optselect.study.agenda import Agenda
from optselect.study.curve import curves, expected_best
from optselect.study.elimination import eliminated, noise, optimistic_bound
from optselect.study.findings import tradeoffs
from optselect.study.grid import Grid
from optselect.study.initial_points import first_points
from optselect.study.pruners import FAMILY, PRUNERS, make_pruner
from optselect.study.rung_reliability import CALIBRATION, Guard, rank_correlation
from optselect.study.rungs import Rungs, lengths
from optselect.study.samplers import HISTORY, SAMPLERS, bounded, make_sampler
from optselect.study.search_options import SearchOptions
from optselect.study.warm_start import known_good, left_out
from tests.helpers.studying import Formulas, run, space

VALUES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=4, max_size=12)


def trial(number: int, value: float | None, **changes: Any) -> TrialRecord:
    """A finished trial of Adam."""
    made = TrialRecord(
        number=number,
        stage="search",
        arm="adam",
        configuration=BASELINE,
        seed=0,
        outcome="diverged" if value is None else "complete",
        value=value,
        metrics={},
        curves={},
        epochs=8,
        started=0.0,
        seconds=1.0,
        attributes={"slot": number, "startup": True},
    )
    return dataclasses.replace(made, **changes)


# -- agenda -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_places_are_taken_once_in_their_order(arms: int, steps: list[int]) -> None:
    """Every place that was written is taken once, an arm's slots in order, and numbers are 0, 1, 2 ..."""
    names = [f"arm{k}" for k in range(arms)]
    agenda = Agenda(names)
    taken = []
    for to in itertools.accumulate(steps):
        agenda.extend(names, to)
        while (place := agenda.take(set())) is not None:
            taken.append(place)
            agenda.finish(place)
        assert agenda.over
    assert [agenda.number(place) for place in taken] == list(range(arms * sum(steps)))
    assert len(set(taken)) == len(taken) == agenda.written


# -- elimination ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(VALUES, st.integers(0, 50), st.floats(0, 1))
def test_the_bound_is_optimistic(values: list[float], further: int, noise: float) -> None:
    """It never lies above the best value, and the lower the more an arm may still get and the noisier its values."""
    bound = optimistic_bound(values, trials=len(values), further=further, noise=noise)
    assert bound <= min(values)
    assert optimistic_bound(values, trials=len(values), further=further + 9, noise=noise) <= bound
    assert optimistic_bound(values, trials=len(values), further=further, noise=noise + 1) <= bound


@pytest.mark.parametrize("objective", [Objective("val_loss"), Objective("val_accuracy", maximize=True)])
def test_the_noise_is_that_of_the_better_half(objective: Objective) -> None:
    """Whichever way is better: the trials that are better move by 0.01 in their last epoch, the worse ones by 1."""
    better, worse = (0.9, 0.1) if objective.maximize else (0.1, 0.9)
    moves = [(better, 0.01), (better, 0.01), (worse, 1.0), (worse, 1.0)]
    records = [
        trial(number, value=value, curves={objective.name: [value + move, value]})
        for number, (value, move) in enumerate(moves)
    ]
    assert noise(records, objective) == pytest.approx(0.01)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=1), st.floats(0, 0.3))
def test_elimination_spares_the_leader_and_half_of_the_arms(values: dict[str, list[float]], noise: float) -> None:
    """Whoever has the best value stays, two arms always stay, and at most half of them go at once."""
    gone = eliminated(values, checkpoint=12, further=12, noise=noise, sign=1.0)
    leader = min(values, key=lambda arm: min(values[arm]))
    assert leader not in [one.arm for one in gone]
    assert len(gone) <= len(values) // 2
    assert len(values) - len(gone) >= min(2, len(values))
    for one in gone:
        assert one.best == min(values[one.arm])
        assert one.needed == min(values[leader]) < one.bound


def test_an_arm_without_values_may_still_become_best() -> None:
    """Where all trials diverged so far nothing is known of the arm, so it is not eliminated."""
    values = {"a": [0.1, 0.1, 0.1, 0.1], "b": [], "c": [0.2, 0.3]}
    assert not eliminated(values, checkpoint=4, further=4, noise=0.0, sign=1.0)


def test_reasons_are_in_the_objectives_direction() -> None:
    """Of an accuracy the reason tells accuracies."""
    values = {"a": [-0.9] * 4, "b": [-0.5] * 4, "c": [-0.9] * 4}
    [gone] = eliminated(values, checkpoint=4, further=4, noise=0.0, sign=-1.0)
    assert (gone.arm, gone.best, gone.needed) == ("b", 0.5, 0.9)


# -- guard ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=9))
def test_the_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    """With ties as scipy has them."""
    left, right = zip(*pairs, strict=True)
    if len(set(left)) > 1 and len(set(right)) > 1:
        assert rank_correlation(pairs) == pytest.approx(spearmanr(left, right).statistic, abs=1e-9)
    else:
        assert rank_correlation(pairs) == 0.0


@pytest.mark.parametrize("holds", [True, False])
def test_a_rung_is_trusted_where_its_ranks_held(holds: bool) -> None:
    """Each kind of schedule for itself, from enough trials on; what is found is said once."""
    guard = Guard(Rungs(8, rows=64, objective="val_loss", folder=None))
    cosine = dataclasses.replace(BASELINE, schedule=SCHEDULES["cosine_decay"]())

    def record(number: int) -> TrialRecord:
        end = float(number if holds else number % 2)
        return trial(number, end, curves={"val_loss": [float(number)] * 7 + [end]})

    assert guard.judge(record(k) for k in range(CALIBRATION - 1)) == []
    assert guard.pauses(BASELINE) == []
    assert guard.pauses(cosine) == list(lengths(8))  # short trainings must be learnt of; a constant rate's curve tells
    said = guard.judge(record(k) for k in range(CALIBRATION))
    assert len(said) == len(lengths(8))
    assert all(("no trial ends there" in line) != holds for line in said)
    assert guard.trusts(BASELINE, 2) == holds
    assert not guard.trusts(cosine, 2)
    assert guard.pauses(BASELINE) == (list(lengths(8)) if holds else [])
    assert guard.judge(record(k) for k in range(CALIBRATION)) == []


# -- pruners and samplers ---------------------------------------------------------------------------------------------


def _verdict(pruner: str, others: dict[str, list[float]], value: float) -> bool:
    """Whether a trial of family "x" with this value at rung 2 ends, after `others` by family."""
    study = optuna.create_study(pruner=make_pruner(pruner, shortest=2, epochs=8))
    for family, values in others.items():
        for other in values:
            past = study.ask()
            past.set_user_attr(FAMILY, family)
            past.report(other, 2)
            past.should_prune()
            study.tell(past, other)
    trial = study.ask()
    trial.set_user_attr(FAMILY, "x")
    trial.report(value, 2)
    return trial.should_prune()


@pytest.mark.parametrize("pruner", PRUNERS)
def test_every_pruner_compares_within_a_family(pruner: str) -> None:
    """Better trials with another schedule end nobody; a NaN ends a trial under every pruner."""
    assert not _verdict(pruner, {"y": [0.0] * 9}, 5.0)
    assert _verdict(pruner, {"y": [0.0] * 9}, math.nan)


@pytest.mark.parametrize("pruner", ["halving", "median", "percentile", "successive_halving"])
def test_pruners_that_compare_trials_end_the_worst_and_not_the_best(pruner: str) -> None:
    """Within its family the last of ten ends, and the first goes on."""
    assert _verdict(pruner, {"x": [float(k) for k in range(1, 10)]}, 99.0)
    assert not _verdict(pruner, {"x": [float(k) for k in range(1, 10)]}, 0.0)


def test_a_sampler_of_ones_own(tmp_path: Path) -> None:
    """An instance draws for every arm; what is unknown is told with the known names, also for pruners."""
    options: dict[str, Any] = {"trials": 12, "sampler": optuna.samplers.RandomSampler(seed=1), "elimination": False}
    made = run(tmp_path, Formulas(), space("adam"), **options)
    assert isinstance(made.arms["adam"].study.sampler, optuna.samplers.RandomSampler)
    bad: dict[str, str] = {"sampler": "tpee", "pruner": "medain", "strategy": "arm"}
    for name, value in bad.items():
        with pytest.raises(UnknownName, match=rf"unknown {name} '{value}'. Did you mean"):
            SearchOptions(**{name: value})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GP sampler without PyTorch: which package, and how to get it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "gp" in SAMPLERS
    with pytest.raises(InvalidValue, match="pip install torch"):
        make_sampler("gp")


# -- curves and trade-offs --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(VALUES, st.data())
def test_the_expected_best_is_the_mean_over_all_subsets(values: list[float], data: Any) -> None:
    """As counted one by one."""
    n = data.draw(st.integers(1, len(values)))
    every = [min(subset) for subset in itertools.combinations(values, n)]
    assert expected_best(values, n) == pytest.approx(statistics.mean(every), abs=1e-12)


def test_curves_are_those_of_the_arms(tmp_path: Path) -> None:
    """The running best ends at the arm's best; the expected best of all start-up trials is their best."""
    made = run(tmp_path, Formulas(), space("adam", "sgd"), trials=40, elimination=False)
    found = made.findings()
    for arm, curve in curves(made.records, Objective("val_loss")).items():
        mine = [r for r in made.records if r.arm == arm]
        assert curve.reached[-1] == min(r.value for r in mine if r.value is not None)
        drawn = [r.value for r in mine if r.attributes.get("startup") and r.value is not None]
        assert curve.expected[-1] == pytest.approx(min(drawn))
        assert curve.expected == sorted(curve.expected, reverse=True)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["curves"].keys() == {"adam", "sgd"}
    assert found.range_tests["adam"]["suggested"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=15))
def test_the_front_holds_what_nothing_beats(points: list[tuple[int, int, int]]) -> None:
    """Nobody on it is beaten in all three; everybody off it is, or is equalled."""
    records = [trial(k, float(v), seconds=float(s), memory=m) for k, (v, s, m) in enumerate(points)]
    front = {t.number for t in tradeoffs(records, Objective("val_loss"))}
    for number, point in enumerate(points):
        matched = [
            k
            for k, other in enumerate(points)
            if k != number and all(a <= b for a, b in zip(other, point, strict=True))
        ]
        assert (number in front) or any(k in front for k in matched)
        if number in front:
            assert not any(points[k] != point for k in matched)


# -- what to start with -----------------------------------------------------------------------------------------------


def test_every_form_of_a_start_is_read(tmp_path: Path) -> None:
    """One configuration, several, a file of one, a portfolio with weights, YAML, a study: the best of each arm."""
    first, second = Configuration(rule=Adam(learning_rate=0.01)), Configuration(rule=SGD(learning_rate=0.1))
    one, portfolio, yaml = tmp_path / "one.json", tmp_path / "portfolio.json", tmp_path / "portfolio.yaml"
    one.write_text(first.to_json())
    weighted = [{"configuration": c.to_dict(), "weight": w, "source": "x"} for c, w in ((first, 0.2), (second, 0.7))]
    portfolio.write_text(json.dumps(weighted))
    yaml.write_text("- optimizer: {name: adam, learning_rate: 1e-2}\n- {optimizer: {name: sgd, learning_rate: 0.1}}\n")
    assert known_good(first, studies=tmp_path) == (first,)
    assert known_good([first, second], studies=tmp_path) == (first, second)
    assert known_good(one, studies=tmp_path) == (first,)
    assert known_good(str(portfolio), studies=tmp_path) == (second, first)
    assert known_good(yaml, studies=tmp_path) == (first, second)
    with Ledger.open(tmp_path / "earlier" / "ledger.jsonl") as ledger:  # a record without its head would be damaged
        ledger.append("study", {"name": "earlier", "fingerprint": {}, "description": {}})
        ledger.append("task", {"description": {}})
    made = run(tmp_path / "earlier", Formulas(), space("adam", "sgd"), trials=20)
    best = {
        arm: min((r for r in made.records if r.arm == arm and r.value is not None), key=lambda r: (r.value, r.number))
        for arm in ("adam", "sgd")
    }
    for given_as in ("earlier", str(tmp_path / "earlier")):
        assert set(known_good(given_as, studies=tmp_path)) == {record.configuration for record in best.values()}
    assert left_out((first, second), ["adam"]) == ["sgd"]


def test_a_search_starts_from_the_optimizer_of_a_compiled_model(tmp_path: Path) -> None:
    """As it is where its rate is a number, by its configuration where that is a schedule; tried after the default."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(3e-3, beta_1=0.8, clipnorm=1.0), loss="mse")
    [found] = known_good(model.optimizer, studies=tmp_path)
    assert (found.rule, found.clipping.values()) == (Adam(learning_rate=3e-3, beta_1=0.8), {"clipnorm": 1.0})
    tried = first_points(space("adam", "sgd"), "adam", rows=1000, start=[found])
    assert tried[1] == found
    model.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 100)), loss="mse")
    with pytest.raises(InvalidValue, match="from_optimizer"):
        known_good(model.optimizer, studies=tmp_path)
    timed = Configuration.from_optimizer(model.optimizer, total_steps=200, batch_size=64)
    assert known_good(timed, studies=tmp_path)[0].schedule == SCHEDULES["cosine_decay"](decay_steps=0.5)


BAD_STARTS: dict[str, tuple[str, str]] = {
    "no list": ("3", "a configuration or a list"),
    "no JSON": ("{", "cannot be read"),
    "unknown optimizer": ('[{"optimizer": {"name": "adamn"}}]', "entry 1: .*adamn"),
    "outside the domain": ('[{"optimizer": {"name": "adam", "beta_1": 2}}]', "entry 1: Adam: `beta_1`"),
    "unknown key": ('[{"configuration": {"optimizer": {"name": "adam"}}, "wieght": 1}]', "Did you mean 'weight'"),
    "bad weight": ('[{"configuration": {"optimizer": {"name": "adam"}}, "weight": "much"}]', "`weight` must be"),
    "no optimizer": ('[{"batch_size": 3}]', "with its `optimizer`"),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_a_bad_start_is_told_with_its_place(tmp_path: Path, case: str) -> None:
    """The file, the entry, what is wrong."""
    text, said = BAD_STARTS[case]
    path = tmp_path / "start.json"
    path.write_text(text)
    with pytest.raises(OptselectError, match=said) as caught:
        known_good(path, studies=tmp_path)
    assert "start.json" in str(caught.value)


@pytest.mark.parametrize("given_as", [lambda: "nosuch", lambda: [3]])
def test_a_start_that_is_nothing_is_told(tmp_path: Path, given_as: Callable[[], Any]) -> None:
    """Neither file nor study, or no configuration."""
    with pytest.raises(OptselectError, match="`start`"):
        known_good(given_as(), studies=tmp_path)


# -- grid -------------------------------------------------------------------------------------------------------------


def _rates(trial: optuna.Trial) -> Configuration:
    """Two learning rules' worth of points: one with a rate, one with a rate and a batch size."""
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    size = trial.suggest_categorical("size", [16, 32]) if trial.suggest_categorical("sized", [False, True]) else 64
    return Configuration(rule=Adam(learning_rate=rate), batch_size=size)


@pytest.mark.parametrize(("share", "levels"), [(1, 3), (11, 3), (12, 4), (30, 10)])
def test_a_grid_has_as_many_points_as_are_wanted(share: int, levels: int) -> None:
    """Ranges have the most values with which the points are no more than wanted; every point is there once."""
    grid = Grid(_rates, share=share, seed=0)
    assert (grid.levels, grid.size) == (levels, 3 * levels)
    points = [dict(grid.params(k)) for k in range(3 * levels)]
    assert len({json.dumps(p, sort_keys=True) for p in points}) == 3 * levels
    assert sorted({p["rate"] for p in points})[:: levels - 1] == pytest.approx([1e-4, 1e-1])
    assert points == [dict(Grid(_rates, share=share, seed=0).params(k)) for k in range(3 * levels)]
    assert points != [dict(Grid(_rates, share=share, seed=1).params(k)) for k in range(3 * levels)]


def test_a_grid_passes_over_what_was_tried() -> None:
    """The points that an arm is given are none of its grid."""
    given_before = Configuration(rule=Adam(learning_rate=1e-4), batch_size=16)
    grid = Grid(_rates, share=1, seed=0, besides=[given_before])
    assert grid.size == 8
    points = [dict(grid.params(k)) for k in range(8)]
    assert {"rate": 1e-4, "sized": True, "size": 16} not in points


def test_of_a_large_grid_other_points_are_drawn_each_time() -> None:
    """A grid that is too large to be listed has no end; its points are the same in every process."""
    default = default_space()
    grids = [Grid(lambda t: default.suggest(t, "adam", share=100, rows=1000), share=100, seed=3) for _ in range(2)]
    assert math.isinf(grids[0].size)
    assert [grids[0].params(k) for k in range(50)] == [grids[1].params(k) for k in [*range(49), 49]]
    assert len({json.dumps(dict(grids[0].params(k))) for k in range(50)}) == 50


# -- a bounded history ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_tpe_sees_the_best_the_newest_and_some_of_the_others(direction: str) -> None:
    """At most so many trials, the best in the study's direction among them, divergence in proportion; all stay."""
    study = optuna.create_study(direction=direction)
    for k in range(1000):
        state = TrialState.PRUNED if k % 5 == 0 else TrialState.COMPLETE
        value = float(k * 7919 % 1000) if k % 5 else None
        study.add_trial(optuna.trial.create_trial(state=state, value=value))
    seen = bounded(study).get_trials()
    assert len(seen) == HISTORY
    assert len(study.trials) == 1000
    assert [t.number for t in seen] == sorted(t.number for t in seen)
    assert study.best_trial.number in {t.number for t in seen}
    assert {t.number for t in seen} >= set(range(900, 1000))
    assert 0.1 < sum(t.state == TrialState.PRUNED for t in seen) / HISTORY < 0.3
    few = optuna.create_study()
    few.add_trials(study.trials[:HISTORY])
    assert bounded(few) is few
