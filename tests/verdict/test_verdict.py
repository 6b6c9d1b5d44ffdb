"""The verdict: what fresh seeds may and may not change, and words that follow from numbers."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from optselect.errors import NoResult
from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.verdict import estimate, judge
from optselect.verdict.finals import Rerun, fresh_seed, screen
from tests.helpers.played import World, contest, driven, played, record, verdict

LOSS = Objective("val_loss")
ACCURACY = Objective("val_accuracy", maximize=True)

RICH = Configuration(rule=RULES["adamw"](learning_rate=0.0041), schedule=SCHEDULES["cosine_decay"](), batch_size=64)
PLAIN = Configuration(rule=RULES["sgd"](learning_rate=0.1))
NUMBER = {fresh_seed(0, k): k for k in range(100)}


def world(means: dict[Configuration, float], swing: float = 0.01, own: float = 0.0) -> World:
    """Accuracies around their mean: `swing` up and down for all under a seed alike, `own` up and down for each.

    A configuration that is not known is one at another learning rate: the further from a known one, the worse.
    """

    def values(configuration: Configuration, seed: int) -> tuple[float, float]:
        k = NUMBER[seed]
        mean = means.get(configuration)
        if mean is None:
            near = min(
                abs(math.log(configuration.learning_rate / c.learning_rate))
                for c in means
                if c.rule.name == configuration.rule.name
            )
            mean = max(means.values()) - 0.01 * near
        place = list(means).index(configuration) if configuration in means else 0
        up = swing * (-1) ** k + own * (-1) ** ((k // 2 + place) if place else k // 4)
        return round(1 - mean - up, 6), round(mean + up, 6)

    return values


# -- what is read off the search --------------------------------------------------------------------------------------


def searched(values: dict[Configuration, float]) -> list[Any]:
    return [record(i, "search", c, 7, v, 0.5) for i, (c, v) in enumerate(values.items())]


def test_the_default_is_a_candidate_whether_searched_or_not() -> None:
    """Keras's default Adam races with all others, with its value if the search had tried it."""
    without = screen(searched({RICH: 0.1, PLAIN: 0.2}), baseline=BASELINE, objective=LOSS, size=2)
    assert [(c.configuration, c.screened) for c in without] == [(RICH, 0.1), (BASELINE, None)]
    tried = screen(searched({BASELINE: 0.3, PLAIN: 0.2}), baseline=BASELINE, objective=LOSS, size=8)
    assert [(c.configuration, c.screened) for c in tried] == [(PLAIN, 0.2), (BASELINE, 0.3)]


def test_a_larger_objective_can_be_the_better() -> None:
    """Where larger is better the order turns round."""
    found = screen(searched({RICH: 0.1, PLAIN: 0.2}), baseline=BASELINE, objective=ACCURACY, size=3)
    assert [c.configuration for c in found][:2] == [PLAIN, RICH]


def test_fewer_finite_trials_than_candidates_is_no_trouble() -> None:
    """One trial of three came through: it and the default race. None did: nobody races."""
    some = searched({RICH: math.nan, PLAIN: 0.2, BASELINE: math.nan})
    found = screen(some, baseline=BASELINE, objective=LOSS, size=8)
    assert [c.configuration for c in found] == [PLAIN, BASELINE]
    none = searched({RICH: math.nan, PLAIN: math.nan})
    assert not screen(none, baseline=BASELINE, objective=LOSS, size=8)


def test_what_was_ended_early_does_not_race() -> None:
    """A trial that was stopped at a rung has no value that compares with whole ones."""
    whole, early = searched({PLAIN: 0.5, RICH: 0.1})
    early = dataclasses.replace(early, outcome="pruned", value=None)
    found = screen([whole, early], baseline=BASELINE, objective=LOSS, size=8)
    assert [c.configuration for c in found] == [PLAIN, BASELINE]


def test_a_configuration_that_was_tried_twice_races_once() -> None:
    """Both trials have one seed and one value: the runs of one would be taken for the other's."""
    twice = [*searched({PLAIN: 0.2}), record(5, "search", PLAIN, 7, 0.2, 0.5)]
    found = screen(twice, baseline=BASELINE, objective=LOSS, size=8)
    assert [c.configuration for c in found] == [PLAIN, BASELINE]


# -- how the stages go ----------------------------------------------------------------------------------------------

CLEAR = world({RICH: 0.98, PLAIN: 0.95, BASELINE: 0.90}, own=0.002)


@pytest.mark.parametrize("care", ["quick", "standard"])
def test_a_study_killed_at_any_point_goes_on_alike(care: str) -> None:
    """Stopped after every number of trainings, also with two under way: the records are those of the whole run."""
    of = contest([RICH, PLAIN], care=care)
    whole = played(of, CLEAR)
    for stop in range(len(whole)):
        found: list[Any] = []
        for name in ("race", "confirm"):
            left = stop - len(found)
            found = driven(Rerun(name, of, found, epochs=2), found, CLEAR, stop=max(0, left))  # type: ignore[arg-type]
        assert played(of, CLEAR, found) == whole


def test_what_is_confirmed_has_run_nowhere_before() -> None:
    """Race and confirmation share no seed, nor does the search; within each all configurations share theirs."""
    of = contest([RICH, PLAIN])
    records = played(of, CLEAR)
    seeds = {stage: {r.seed for r in records if r.stage == stage} for stage in ("race", "confirm")}
    assert not seeds["race"] & seeds["confirm"]
    confirmed = [r for r in records if r.stage == "confirm"]
    assert len(confirmed) == 3 * len(seeds["confirm"])


def test_more_confirmations_go_on_from_those_that_are_there() -> None:
    """A finished study that is asked for more keeps its runs and adds seeds."""
    few = played(contest([RICH, PLAIN], confirm=5), CLEAR)
    more = played(contest([RICH, PLAIN], confirm=9), CLEAR, few)
    assert more[: len(few)] == few
    assert sum(r.stage == "confirm" for r in more) == 27
    assert verdict(contest([RICH, PLAIN], confirm=9), more).recommended.held_out.seeds == 9


def test_the_bar_is_never_overrun() -> None:
    """No stage trains more than its total, whether the default holds its own or not."""
    for means in ({RICH: 0.98, PLAIN: 0.95, BASELINE: 0.9}, {RICH: 0.8, PLAIN: 0.85, BASELINE: 0.9}):
        of = contest([*means][:2])
        records: list[Any] = []
        for name in ("race", "confirm"):
            stage = Rerun(name, of, records, epochs=2)  # type: ignore[arg-type]
            records = driven(stage, records, world(means))
            total = stage.total()
            assert total is not None
            assert stage.done() <= total
            assert stage.finished()


# -- what decides what ------------------------------------------------------------------------------------------------


def test_test_data_choose_nothing() -> None:
    """With the held-out numbers turned round the same configuration is recommended, and it is said how it fares."""
    of = contest([RICH, PLAIN])
    records = [dataclasses.replace(r, metrics={**r.metrics, "test_accuracy": 1 - r.metrics["val_accuracy"]})
               for r in played(of, CLEAR)]  # fmt: skip
    found = verdict(of, records)
    assert found.recommended.configuration == RICH
    assert found.word == "clearly worse"
    assert "clearly worse on held-out data, though better on validation data" in found.text()


def test_the_confirmation_chooses_nothing() -> None:
    """A finalist that is ahead in the confirmation by more than it was behind in the race stays the second."""
    of = contest([RICH, PLAIN])
    early, late = world({RICH: 0.96, PLAIN: 0.95, BASELINE: 0.9}), world({RICH: 0.92, PLAIN: 0.98, BASELINE: 0.9})
    found = verdict(of, played(of, lambda c, s: (late if NUMBER[s] in of.plan.confirmation else early)(c, s)))
    assert found.recommended.configuration == RICH
    assert f"By accuracy {PLAIN} is the best of these three with probability 1.00; not taking it costs" in found.text()


def test_the_race_reports_nothing() -> None:
    """Better numbers in the race change no number that is reported: they are those of the confirmation."""
    of = contest([RICH, PLAIN])
    records = played(of, CLEAR)
    lucky = [dataclasses.replace(r, metrics=dict.fromkeys(r.metrics, 1.0)) if r.stage == "race" else r for r in records]
    assert [s.held_out for s in verdict(of, lucky).ranking] == [s.held_out for s in verdict(of, records).ranking]


def test_intervals_hold_what_they_should() -> None:
    """In worlds where many candidates are equally good the recommended one's true mean lies in its interval as often
    as stated, whatever luck has chosen it."""
    others = [Configuration(rule=RULES["sgd"](learning_rate=0.1 * (i + 1))) for i in range(3)]
    of = contest(others, care="quick", confirm=10)
    held = 0
    for draw in range(150):
        rng = np.random.default_rng(draw)
        noise: dict[tuple[Configuration, int], float] = {}

        def values(c: Configuration, seed: int, rng: Any = rng, noise: Any = noise) -> tuple[float, float]:
            up = noise.setdefault((c, seed), rng.normal(0.0, 0.02))
            return 0.5 - up, 0.5 + up

        found = verdict(of, played(of, values)).recommended.held_out
        held += found.low <= 0.5 <= found.high
    assert 0.91 <= held / 150 <= 0.985


def test_differences_are_taken_seed_by_seed() -> None:
    """A gain that is the same on every seed has no width, however much the seeds differ among themselves."""
    of = contest([RICH])
    found = verdict(of, played(of, world({RICH: 0.8, BASELINE: 0.7}, swing=0.1)))
    gain = found.recommended.gain
    assert gain is not None
    assert gain.mean == pytest.approx(0.1)
    assert gain.high - gain.low == pytest.approx(0.0, abs=1e-9)
    assert found.tunability == gain
    assert "+10.00 points" in found.text()


def test_who_breaks_down_while_confirmed_is_not_recommended() -> None:
    """One diverged seed of ten puts the winner of the race out, and says so; the other finalist is recommended."""
    of = contest([RICH, PLAIN])

    def values(c: Configuration, seed: int) -> tuple[float, float]:
        return (math.nan, math.nan) if c == RICH and NUMBER[seed] == of.plan.confirmation[3] else CLEAR(c, seed)

    found = verdict(of, played(of, values))
    assert found.recommended.configuration == PLAIN
    [lost] = [s for s in found.ranking if s.configuration == RICH]
    assert (lost.broken, lost.p_best, lost.regret) == (1, 0.0, math.inf)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_default_that_breaks_down_stops_nobody() -> None:
    """There is no difference to tell then, and the paragraph says why."""
    of = contest([RICH, PLAIN])
    found = verdict(of, played(of, lambda c, s: (math.nan, math.nan) if c == BASELINE else CLEAR(c, s)))
    assert found.recommended.configuration == RICH
    assert (
        f"Keras's default Adam broke down under {len(of.plan.confirmation) + of.plan.confirmation.start}"
        in found.text()
    )
    assert found.word == "undecided"


def test_nothing_left_is_an_error() -> None:
    """When everybody diverges under some fresh seed there is no verdict."""
    of = contest([RICH])
    with pytest.raises(NoResult, match="all diverged"):
        verdict(of, played(of, lambda c, s: (math.nan, math.nan)))


@pytest.mark.parametrize(
    ("prefer", "chosen"), [("simplest", PLAIN), ("best", RICH), ("fastest", RICH), ("cheapest", PLAIN)]
)
def test_a_preference_decides_among_the_tied(prefer: Any, chosen: Configuration) -> None:
    """Of two that the race cannot tell apart the simpler, the better, the faster, or the one of less memory."""
    of = contest([RICH, PLAIN])
    records = [
        dataclasses.replace(
            r, seconds=2.0 if r.configuration == PLAIN else 1.0, memory=9 if r.configuration == RICH else 5
        )
        for r in played(of, world({RICH: 0.9501, PLAIN: 0.95, BASELINE: 0.9}, own=0.01))
    ]
    found = verdict(of, records, prefer=prefer)
    assert len(found.tied) == 2
    assert found.recommended.configuration == chosen
    clear = verdict(of, played(of, CLEAR), prefer=prefer)
    assert clear.recommended.configuration == RICH


def test_the_region_of_equivalence_is_the_users() -> None:
    """What does not matter is theirs to say: three points are none with a width of ten, much with a width of one."""
    of = contest([RICH])
    records = played(of, world({RICH: 0.93, BASELINE: 0.90}, own=0.002))
    assert verdict(of, records, width=0.1).word == "equivalent"
    assert verdict(of, records, width=0.01).word == "clearly best"


def test_the_default_is_the_simplest_of_equals() -> None:
    """A rule at its own defaults that does the same as Keras's default Adam is no reason to leave it."""
    twin = Configuration(rule=RULES["adamw"]())
    of = contest([twin])
    records = [
        dataclasses.replace(r, step_seconds=0.001 if r.configuration == twin else 0.009)
        for r in played(of, lambda c, s: (0.1 + s % 7 / 100, 0.9))
    ]
    assert verdict(of, records).is_default


def test_one_seed_has_no_interval() -> None:
    """A single number is not given an interval that it cannot have."""
    assert math.isnan(estimate([1.0]).low)


def test_the_basin_is_that_of_the_recommended() -> None:
    """Its runs at other rates are compared with its own under the same seeds; where itself broke down there is none."""
    of = contest([RICH, PLAIN])
    found = verdict(of, played(of, CLEAR, around=2))
    assert found.runs["basin"] == 8
    assert found.basin is not None
    assert found.basin.off_by_3 == pytest.approx(0.01 * math.log(3), abs=2e-4)
    assert verdict(of, played(of, CLEAR)).basin is None


def test_how_the_others_fared_in_the_race_is_said() -> None:
    """An optimizer that lost the race is named with its distance there; one that broke down with that."""
    of = contest([RICH, PLAIN])
    search = [record(i, "search", c, 7, 0.1, 0.9) for i, c in enumerate([RICH, PLAIN])]
    [sgd] = verdict(of, played(of, world({RICH: 0.98, PLAIN: 0.95, BASELINE: 0.9}), search)).lost
    assert f"in the race 0.03 behind over {of.plan.confirmation.start} seeds" in sgd.reasons
    broken = played(of, lambda c, s: (math.nan, math.nan) if c == PLAIN else CLEAR(c, s), search)
    [sgd] = verdict(of, broken).lost
    assert "it broke down in the race" in sgd.reasons


# -- the paragraph ---------------------------------------------------------------------------------------------------

# Ten confirmations, five up and five down: the standard deviation is √(10/9) of the swing, half the interval t(9) =
# 2.262 of it over √10: 0.754 of the swing.
GOLDEN = {
    "clearly best": (
        {RICH: 0.98, PLAIN: 0.95, BASELINE: 0.90},
        "AdamW (learning_rate 0.0041, cosine_decay, batch 64): accuracy 0.980 on held-out data, 95 % interval 0.972 to "
        "0.988 over 10 fresh seeds of one split. Against Keras's default Adam: +8.00 points (interval +8.00 to +8.00), "
        "clearly better. Against the other finalist, SGD (learning_rate 0.1, batch 32): +3.00 points (interval +3.00 "
        "to +3.00), clearly better. It is the best of these three with probability 1.00.",
    ),
    "equivalent, the simpler is recommended": (
        {RICH: 0.95, PLAIN: 0.95, BASELINE: 0.90},
        "SGD (learning_rate 0.1, batch 32): accuracy 0.950 on held-out data, 95 % interval 0.942 to 0.958 over 10 "
        "fresh seeds of one split. Against Keras's default Adam: +5.00 points (interval +5.00 to +5.00), clearly "
        "better. AdamW (learning_rate 0.0041, cosine_decay, batch 64) was best on validation data, by less than one "
        "standard error; the one above is simpler. Against it: no difference under any seed, equivalent: no more than "
        "0.5 points apart. It is the best of these three with probability 0.50.",
    ),
    "the default kept, for nothing is better": (
        {RICH: 0.90, PLAIN: 0.89, BASELINE: 0.95},
        "Keep Keras's default: Adam (learning_rate 0.001, batch 32): accuracy 0.950 on held-out data, 95 % interval "
        "0.942 to 0.958 over 10 fresh seeds of one split. Nothing that was searched did better on validation data. "
        "Beside it AdamW (learning_rate 0.0041, cosine_decay, batch 64) comes to -5.00 points (interval -5.00 to "
        "-5.00), clearly worse. It is the best of these two with probability 1.00.",
    ),
    "the default alone": (
        {BASELINE: 0.9},
        "Keep Keras's default: Adam (learning_rate 0.001, batch 32): accuracy 0.900 on held-out data, 95 % interval "
        "0.892 to 0.908 over 10 fresh seeds of one split. Nothing else came through the search, so there is nothing to "
        "compare it with.",
    ),
}


@pytest.mark.parametrize("situation", GOLDEN)
def test_the_paragraph(situation: str) -> None:
    """Word for word, from numbers worked by hand."""
    means, text = GOLDEN[situation]
    of = contest([c for c in means if c != BASELINE])
    said = verdict(of, played(of, world(means))).text()
    assert said.startswith(text + " 0 trials, then")


def test_a_metric_that_should_be_small_is_told_in_its_own_direction() -> None:
    """An error that is 30 lower is "-30", without points, and clearly better."""
    of = contest([RICH])
    records = [
        dataclasses.replace(r, metrics={"val_rmse": e, "test_rmse": e})
        for r in played(of, world({RICH: 0.7, BASELINE: 0.4}))
        for e in [100 * (r.value or 0.0)]
    ]
    found = judge(of, records, headline=Objective("rmse"))
    assert "rmse 30 on held-out data" in found.text()
    assert "Against Keras's default Adam: -30 (interval -30 to -30), clearly better." in found.text()


def test_the_paragraph_names_what_can_be_acted_on() -> None:
    """Divergence is told; that an optimizer was merely behind is left to the table."""
    of = contest([RICH, PLAIN])
    search = [
        record(i, "search", c, 7, v, 0.9) for i, (c, v) in enumerate([(RICH, 0.1), (PLAIN, math.nan), (PLAIN, 0.2)])
    ]
    text = verdict(of, played(of, world({RICH: 0.98, PLAIN: 0.95, BASELINE: 0.9}), search)).text()
    assert "sgd: diverged in 1 of 2 trials, at learning rates from 0.100." in text
    assert "val_loss was" not in text


def test_undecided_is_said_with_what_would_matter() -> None:
    """Two points up and two down: these seeds do not tell, and the paragraph says what they do not tell."""
    of = contest([RICH])
    records = played(of, world({RICH: 0.91, BASELINE: 0.90}, own=0.02))
    found = verdict(of, records)
    assert found.word == "undecided"
    assert "undecided: these seeds do not tell whether it is more than" in found.text()


def test_without_confirmation_the_number_is_called_flattering() -> None:
    """There are only validation numbers then, and they have chosen."""
    of = contest([RICH, PLAIN], confirm=0)
    found = verdict(of, played(of, CLEAR))
    assert not found.confirmed
    assert "on validation data" in found.text()
    assert "so the number flatters" in found.text()


def test_constant_predictions_give_an_honest_verdict() -> None:
    """When every training ends alike, the simplest is kept and no difference is claimed."""
    of = contest([RICH, PLAIN])
    found = verdict(of, played(of, lambda c, s: (0.5, 0.9)))
    assert found.is_default
    assert found.word == "equivalent"
    assert "the same under all 10 fresh seeds" in found.text()
    assert "no difference under any seed" in found.text()
    assert found.recommended.p_best == pytest.approx(1 / 3)


def test_a_search_that_flattered_is_named() -> None:
    """The search had seen a loss of 0.1 where fresh seeds give 0.5."""
    of = contest([RICH])
    text = verdict(of, played(of, world({RICH: 0.5, BASELINE: 0.4}))).text()
    assert "The search had seen val_loss 0.100, fresh seeds 0.500: part of it was luck." in text
