"""Why an optimizer lost, at which end of a range it stood, what it cost: from records whose truth is known."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import optuna
import pytest

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.record.entries import TrialRecord
from optselect.study.importance import FEWEST, importance
from optselect.verdict.costs import costs, time_to
from optselect.verdict.diagnosis import FEW, Edge, Loss, edges, why_lost
from tests.helpers.played import record

LOSS = Objective("val_loss")
ACCURACY = Objective("val_accuracy", maximize=True)

WINNER = "adam"


def trial(number: int, rate: float, loss: float, rule: str = "sgd", **changes: Any) -> TrialRecord:
    configuration = Configuration(rule=RULES[rule](learning_rate=rate))
    distribution = {"name": "FloatDistribution", "attributes": {"low": 1e-4, "high": 1.0, "log": True, "step": None}}
    choice = {"name": "CategoricalDistribution", "attributes": {"choices": ["constant", "cosine_decay"]}}
    drawn = {
        "params": {"learning_rate": rate, "schedule": "constant"},
        "distributions": {"learning_rate": json.dumps(distribution), "schedule": json.dumps(choice)},
    }
    made = record(number, "search", configuration, 0, loss, 0.5)
    return dataclasses.replace(made, **{"attributes": drawn, **changes})


def lost(*trials: TrialRecord, **how: Any) -> Loss:
    """What stood against the one that is not the winner, whose best is 0.1."""
    winners = [trial(100 + i, 0.001, 0.1, WINNER, step_seconds=0.001) for i in range(FEW)]
    [found] = why_lost([*winners, *trials], WINNER, objective=LOSS, **how)
    return found


MIDDLE = [trial(i, 0.01, 0.3) for i in range(FEW)]
NAN = math.nan


@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        (MIDDLE, "its best val_loss was 0.2 behind"),
        ([*MIDDLE, trial(9, 0.3, NAN)], "diverged in 1 of 6 trials, at all learning rates from 0.300"),
        ([*MIDDLE, trial(9, 0.005, NAN)], "diverged in 1 of 6 trials, at learning rates from 0.005"),
        ([*MIDDLE, trial(9, 0.95, 0.2)], "best with learning_rate 0.950 at the upper end of 0.0001 to 1: widen it"),
        ([*MIDDLE, trial(9, 1.1e-4, 0.2)], "at the lower end of 0.0001 to 1: widen it"),
        (MIDDLE[:2], "only 2 of its trials have a value: too few to say much"),
        (MIDDLE[:1], "only 1 of its trials has a value"),
        ([*MIDDLE, trial(9, 0.01, 0.1)], "had the best val_loss of the search"),
        ([*MIDDLE, trial(9, 1e-3, 0.4, curves={"loss": [0.7, 0.6999]})], "learnt nothing in 1 of 6 trials"),
        ([*MIDDLE, trial(9, 0.01, 0.2, curves={"clipped": [1.0, 0.9]})], "clipped in 95% of the steps"),
        ([dataclasses.replace(t, step_seconds=0.002) for t in MIDDLE], "a step takes 2.0 times as long"),
        (
            [*MIDDLE, trial(9, 0.01, 0.4, outcome="pruned", value=None, message="behind at 5 epochs.")],
            "1 of 6 trials ended early: behind at 5 epochs",
        ),
        (
            [*MIDDLE, trial(9, 0.01, 0.4, outcome="failed", value=None, message="no memory\nat all")],
            "failed in 1 of 6 trials: no memory",
        ),
    ],
)
def test_what_stood_against_it_is_said(trials: list[TrialRecord], reason: str) -> None:
    """Each reason is given where it holds."""
    assert reason in "; ".join(lost(*trials).reasons)


def test_nothing_is_said_that_does_not_hold() -> None:
    """Five good trials in the middle of the range: they were behind, and that is all."""
    assert lost(*MIDDLE) == Loss(arm="sgd", behind=pytest.approx(0.2), reasons=("its best val_loss was 0.2 behind",))


def test_why_the_search_gave_one_up_comes_first() -> None:
    """The reason of the elimination is told before all that follows from it."""
    assert lost(*MIDDLE, eliminated={"sgd": "given up after 8 trials"}).reasons[0] == "given up after 8 trials"


def test_without_a_value_there_is_nothing_to_be_behind_by() -> None:
    """All of its trials diverged: that is told, and no distance."""
    found = lost(trial(0, 0.3, NAN), trial(1, 0.5, NAN))
    assert math.isnan(found.behind)
    assert found.reasons[0] == "diverged in 2 of 2 trials, at all learning rates from 0.300"


def test_a_larger_objective_is_behind_the_other_way() -> None:
    """Where larger is better 0.1 lies 0.2 behind 0.3."""
    trials = [trial(0, 0.01, 0.1), trial(1, 0.01, 0.3, WINNER)]
    [found] = why_lost(trials, WINNER, objective=ACCURACY)
    assert found.behind == pytest.approx(0.2)


def test_an_edge_needs_trials_and_a_range() -> None:
    """With few trials the best lies anywhere; a choice has no end, nor has a default that nobody drew."""
    assert edges([trial(i, 0.99, 0.1) for i in range(FEW - 1)], "sgd", objective=LOSS) == ()
    found = edges([trial(i, 0.99, 0.1) for i in range(FEW)], "sgd", objective=LOSS)
    assert found == (Edge(name="learning_rate", side="upper", value=0.99, low=1e-4, high=1.0),)
    assert edges([trial(i, 0.99, 0.1, attributes={}) for i in range(FEW)], "sgd", objective=LOSS) == ()


def test_the_cost_is_that_of_a_step_and_of_the_slots() -> None:
    """The median step that was measured; the most memory; nothing where the trainer does not tell."""
    trials = [trial(i, 0.01, 0.3, step_seconds=s, memory=m) for i, (s, m) in enumerate([(0.0, 5), (2.0, 7), (4.0, 6)])]
    [cost] = costs(trials)
    assert (cost.arm, cost.step_seconds, cost.memory) == ("sgd", 3.0, 7)
    assert costs([trial(0, 0.01, 0.3, step_seconds=0.0)])[0].step_seconds == 0.0


def test_time_to_the_loss_of_the_default() -> None:
    """Two of three seeds are there after one of two epochs, the third never: half of the seconds."""
    reference = [record(i, "confirm", BASELINE, i, 0.3, 0.5) for i in range(3)]
    curves = [[0.3, 0.1], [0.2, 0.1], [0.9, 0.4]]
    runs = [
        dataclasses.replace(record(i, "confirm", BASELINE, i, c[-1], 0.5), curves={"val_loss": c}, seconds=4.0)
        for i, c in enumerate(curves)
    ]
    assert time_to(runs, reference, objective=LOSS) == 2.0
    assert time_to(runs[2:], reference, objective=LOSS) == math.inf
    assert time_to(runs, [], objective=LOSS) == math.inf


def test_importance_finds_what_matters_and_is_silent_on_little_evidence() -> None:
    """Of two hyperparameters the one that decides; with fewer than its floor of trials nothing is said."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(t: optuna.Trial) -> float:
        t.suggest_float("idle", 0, 1)
        return (t.suggest_float("decides", 0, 1) - 0.3) ** 2

    study.optimize(objective, n_trials=FEWEST - 1)
    assert importance(study) == {}
    study.optimize(objective, n_trials=20)
    found = importance(study)
    assert next(iter(found)) == "decides"
    assert found["decides"] > 0.8
