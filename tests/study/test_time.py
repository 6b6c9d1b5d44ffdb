"""A limit of time: what fits, what shrinks where it is short, and that what was decided stands."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.optim.configuration import BASELINE
from optselect.options import Settings
from optselect.record import StudyLog, read
from optselect.record.entries import TrialRecord
from optselect.session import time_budget
from optselect.session.closing import Closing, fresh_seeds
from optselect.session.study_context import StudyContext
from optselect.sinks.mlflow import NullTracker
from optselect.spaces import default_space
from optselect.study.budget import Budget, Clock, gap
from optselect.study.listener import Silent
from optselect.study.runner import Study
from optselect.task import TaskDescription
from optselect.verdict.race import PRESETS
from tests.helpers.studying import Formulas, headless, notes

PRESET = st.sampled_from(list(PRESETS.values()))


def trials(count: int, seconds: float, *, apart: float | None = None) -> list[TrialRecord]:
    """Trials of a search, one after the other, at different learning rates."""
    return [
        TrialRecord(
            number=k, stage="search", arm="adam", seed=0, outcome="complete", value=0.1 * k, metrics={}, curves={},
            configuration=dataclasses.replace(BASELINE, rule=BASELINE.rule.replaced(learning_rate=0.001 * (k + 1))),
            epochs=8, started=k * (apart or seconds), seconds=seconds, attributes={"slot": k},
        )
        for k in range(count)
    ]  # fmt: skip


def clock(left: float, reserve: int = 0, *, workers: int = 1, setup: float = 0.0) -> Clock:
    """One with so many of 1,000 seconds left."""
    budget = Budget(seconds=1000.0, reserve=reserve)
    return Clock(budget, workers=workers, since=time.monotonic() - (1000.0 - left), setup=setup)


def test_the_search_leaves_time_for_what_follows() -> None:
    """Fewer trials fit with a reserve, a slow start or nothing left; twice as many with twice the workers; at most
    half of the time is kept for the race."""
    done = trials(10, 1.0)
    plain = clock(500).fitting(done)
    assert 480 < plain < 500
    assert clock(500, 100).fitting(done) == pytest.approx(plain - 125, abs=1)
    assert clock(500, setup=40).fitting(done) == pytest.approx(plain - 20, abs=1)
    assert clock(800, 10_000).fitting(done) == pytest.approx(clock(800).fitting(done) - 497, abs=2)
    assert clock(5).fitting(done) == clock(-5).trainings(done, done) == 0.0
    two = trials(10, 1.0, apart=0.5)
    assert clock(500, workers=2).fitting(two) == pytest.approx(2 * plain, abs=2)
    assert math.isinf(Clock(Budget(trials=3), workers=1, since=0.0).fitting(done))


def test_waiting_between_trials_counts() -> None:
    """Where a worker waits between short trainings, trials are as far apart as they are; one long pause is none."""
    waiting = trials(10, 0.01, apart=0.2)
    assert gap(waiting, workers=2) == pytest.approx(0.4)
    later = [dataclasses.replace(r, started=r.started + 1e5) for r in waiting[5:]]
    assert gap([*waiting[:5], *later], workers=2) == pytest.approx(0.4)
    assert gap(waiting[:1], workers=2) == 0.0


@given(PRESET, st.floats(0, 500))
def test_care_is_what_fits(care: Any, trainings: float) -> None:
    """Never more than fits unless it is the least there is, never more than asked, and all of it where it fits."""
    found = time_budget.within(care, trainings)
    assert time_budget.cost(found) <= trainings or found.candidates == 2
    assert time_budget.cost(found) <= time_budget.cost(care)
    assert (found == care) == (time_budget.cost(care) <= trainings)
    assert bool(time_budget.told(care, found)) == (found != care)


@given(PRESET, st.floats(0, 500), st.integers(1, 3))
def test_confirmations_and_other_rates_are_as_many_as_fit(care: Any, trainings: float, runners: int) -> None:
    """Two confirmations at least; none where none was asked for; other learning rates down to none."""
    confirmed = time_budget.fewer_confirmations(care, trainings, runners).confirmations
    assert 2 <= confirmed <= care.confirmations
    assert confirmed == 2 or confirmed * runners <= trainings
    assert (
        time_budget.fewer_confirmations(dataclasses.replace(care, confirmations=0), trainings, runners).confirmations
        == 0
    )
    around = time_budget.fewer_seeds_around(care, trainings).around
    assert 4 * around <= trainings
    assert around <= care.around


def closing(log: StudyLog, left: float, said: list[str]) -> Closing:
    """What follows a search with so many seconds left."""
    listener = Silent()
    listener.say = said.append  # type: ignore[method-assign]
    context = StudyContext(
        task=TaskDescription(), settings=Settings(time_limit=1000.0), space=default_space(), epochs=8, rows=1000,
        rho=0.0, log=log, listener=listener, budget=Budget(seconds=1000.0), clock=clock(left),
    )  # fmt: skip
    return Closing(context=context, workers=lambda: SimpleNamespace())  # type: ignore[arg-type,return-value]


def test_a_decision_that_time_made_stands(tmp_path: Path) -> None:
    """With no time left two race and two confirmations follow; a later call with all the time keeps to that."""
    said: list[str] = []
    with headless(tmp_path) as log:
        study = Study(log, objective="val_loss")
        for record in trials(20, 1.0):
            log.append(record)
        hurried = closing(log, 5.0, said)
        for _ in range(2):
            race = next(hurried.stages(study, begin=True))
        assert len(said) == 1
        assert "2 candidates, not 8; 2 confirmations, not 10; no seed" in said[0]
        study.drive(race, Formulas(), NullTracker(), Silent())  # type: ignore[arg-type]
        assert len({r.configuration for r in study.of_stage("race")}) == 2
        assert {r.seed for r in study.records if r.stage == "race"} <= set(fresh_seeds(Settings()))
        later = closing(log, 900.0, said)
        assert later.contest(study) == hurried.contest(study)
        stages = later.stages(study, begin=True)
        assert next(stages).finished()
        assert next(stages).total() == 4
        assert len(said) == 1
    assert [entry["stage"] for entry in notes(tmp_path, "care")] == ["race", "confirm"]


@pytest.mark.parametrize("left", [math.inf, 900.0])
def test_with_time_enough_nothing_shrinks(tmp_path: Path, left: float) -> None:
    """As much as was asked for, without a word; without a limit nothing is noted either."""
    said: list[str] = []
    with headless(tmp_path) as log:
        study = Study(log, objective="val_loss")
        for record in trials(20, 1.0):
            log.append(record)
        ample = closing(log, min(left, 900.0), said)
        if math.isinf(left):
            unhurried = dataclasses.replace(ample.context, clock=Clock(Budget(trials=20), workers=1, since=0.0))
            ample = dataclasses.replace(ample, context=unhurried)
        next(ample.stages(study, begin=True))
        assert len(ample.contest(study).candidates) == 8
    assert not said
    assert len(notes(tmp_path, "care")) == (0 if math.isinf(left) else 1)


@pytest.mark.slow
def test_a_study_with_too_little_time_ends_with_a_verdict(tmp_path: Path) -> None:
    """Five seconds are over before the first trial: there is a verdict of the least care, and again the same."""
    command = [sys.executable, "-m", "optselect", "tune", "sklearn:iris", "--time", "5s", "--optimizers", "adam,sgd"]
    printed = []
    for _ in range(2):
        done = subprocess.run(
            [*command, "--mlflow", "none", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(json.loads(done.stdout)["configuration"])
    assert printed[0] == printed[1]
    entries = read(tmp_path / "optselect-studies/iris/ledger.jsonl")
    assert [e["stage"] for e in entries if e["kind"] == "care"] == ["race", "confirm", "basin"]
    assert sum(e["kind"] == "trial" for e in entries) < 20
