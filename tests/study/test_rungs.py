"""Rungs on real trainings: a promoted trial is the unpaused training of its length, whatever its schedule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from optselect.optim.configuration import Configuration
from optselect.optim.rules.adam import Adam
from optselect.optim.schedules import SCHEDULES
from optselect.record import StudyLog
from optselect.record.entries import TrialRecord
from optselect.sinks.mlflow import NullTracker
from optselect.study.listener import Silent
from optselect.study.rungs import Rungs, endures, lengths
from optselect.study.runner import Study
from optselect.study.stage import Planned
from optselect.trainer.messages import Job, Run
from optselect.workers.local import LocalExecutor

EPOCHS, ROWS = 4, 96


class Promoting:
    """A stage of one trial that is promoted at every rung."""

    name: Any = "search"

    def __init__(self, configuration: Configuration, rungs: Rungs) -> None:
        self.rungs = rungs
        self.parts: list[Planned] = []
        self._waiting = [
            Planned(stage="search", arm="adam", job=Job(configuration=configuration, seed=3, epochs=EPOCHS), number=0)
        ]

    def total(self) -> int | None:
        return 1

    def done(self) -> int:
        return 1 - len(self._waiting)

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        return self._noted(self.rungs.first(self._waiting.pop(), self.rungs.lengths)) if self._waiting else None

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        return self._noted(self.rungs.after(planned, self.rungs.lengths)) if planned.job.epochs < EPOCHS else None

    def learn(self, record: TrialRecord) -> None:
        self.rungs.tidy(record.number)

    def _noted(self, planned: Planned) -> Planned:
        self.parts.append(planned)
        return planned


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_promoted_trial_is_the_unpaused_training(executor: LocalExecutor, tmp_path: Path, schedule: str) -> None:
    """Curves and metrics to the bit; who does not depend on the length goes on from its file, others begin anew."""
    configuration = Configuration(rule=Adam(learning_rate=0.01), schedule=SCHEDULES[schedule](), batch_size=16)
    rungs = Rungs(EPOCHS, rows=ROWS, objective="val_loss", folder=tmp_path / "paused")
    stage = Promoting(configuration, rungs)
    with StudyLog.open(tmp_path / "ledger.jsonl") as log:
        study = Study(log, objective="val_loss")
        study.drive(stage, executor, NullTracker(), Silent())
    [record] = study.records
    whole = executor.run(Job(configuration=configuration, seed=3, epochs=EPOCHS))
    assert record.outcome == "complete"
    assert (record.curves, record.metrics, record.epochs) == (whole.curves, whole.metrics, EPOCHS)
    assert [part.job.epochs for part in stage.parts] == [*lengths(EPOCHS), EPOCHS]
    continued = [part.job.start is not None for part in stage.parts]
    assert continued == [False, *[rungs.endures(configuration)] * 2]
    assert not list((tmp_path / "paused").glob("*"))


def test_whether_a_schedule_endures_is_read_off_its_rates(iris: Any) -> None:
    """It does exactly where the rates of the short training are those with which the long one begins."""
    import numpy as np

    for kind in SCHEDULES.values():
        configuration = Configuration(rule=Adam(learning_rate=0.01), schedule=kind())
        short, long = (np.asarray(kind().rates(0.01, steps)) for steps in (20, 80))
        assert endures(configuration, 10, 2, 8) == np.array_equal(short, long[:20]), kind.name


def test_a_damaged_pause_is_trained_from_its_start(executor: LocalExecutor, tmp_path: Path) -> None:
    """Whatever broke the file of a paused training, the trial ends as if it had not been paused."""

    class Breaking(Promoting):
        def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
            if planned.job.keep is not None:
                planned.job.keep.write_bytes(b"no state")
            return super().goes_on(planned, runs)

    rungs = Rungs(EPOCHS, rows=ROWS, objective="val_loss", folder=tmp_path / "paused")
    with StudyLog.open(tmp_path / "ledger.jsonl") as log:
        study = Study(log, objective="val_loss")
        study.drive(Breaking(Configuration(rule=Adam()), rungs), executor, NullTracker(), Silent())
    [record] = study.records
    whole = executor.run(Job(configuration=Configuration(rule=Adam()), seed=3, epochs=EPOCHS))
    assert record.outcome == "complete"
    assert (record.curves, record.epochs) == (whole.curves, EPOCHS)
