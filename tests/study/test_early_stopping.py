"""Trials that stop early, on formulas: they are finished where they stop, with the value of the epoch they keep."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules.adam import Adam
from optselect.optim.schedules import SCHEDULES
from optselect.record.entries import TrialRecord
from optselect.study.kept_epoch import kept_epoch
from optselect.study.pruners import PRUNERS
from optselect.study.search import Course
from optselect.task import EarlyStopping
from optselect.trainer.messages import Job, Run
from tests.helpers.studying import Formulas, Killed, notes, run, space, trials

STOPPING = EarlyStopping(patience=2)
EPOCHS = 16
LOSS = Objective("val_loss")


class Overfitting(Formulas):
    """Trainings that are best after some epochs, the fewer the higher the rate, and stop two epochs later."""

    def value(self, configuration: Configuration, epochs: int, total: int) -> float:
        best = max(1, min(EPOCHS, round(0.02 / configuration.learning_rate)))
        return super().value(configuration, 1, total) + 0.01 * abs(epochs - best)

    def _train(self, job: Job) -> Run:
        run = super()._train(dataclasses.replace(job, start=None))
        before = int(job.start.read_text()) if job.start else 0
        curve = run.curves["val_loss"]
        best = curve.index(min(curve)) + 1
        ends = min(len(curve), best + STOPPING.patience) if run.finite else len(curve)
        return dataclasses.replace(
            run,
            curves={"val_loss": curve[before:ends]},
            metrics={"val_loss": min(curve)} if run.finite else run.metrics,
            epochs=ends,
            best_epoch=best,
            stopped=run.finite and best + STOPPING.patience <= len(curve),
        )


def jobs(executor: Formulas) -> list[Job]:
    return [job for job in executor.asked if isinstance(job, Job)]


@pytest.mark.parametrize("pausable", [True, False])
def test_what_stopped_early_is_finished(tmp_path: Path, pausable: bool) -> None:
    """It is complete with its best value, and no job asks for more of it; what a rung ends has none."""
    executor = Overfitting()
    options: dict[str, Any] = {"stopping": STOPPING, "pausable": pausable, "pruner": "halving", "epochs": EPOCHS}
    run(tmp_path, executor, space("adam", "sgd"), trials=60, **options)
    found = trials(tmp_path)
    assert {t["outcome"] for t in found} >= {"complete", "pruned"}
    for trial in found:
        curve = trial["curves"]["val_loss"]
        if trial["outcome"] == "complete":
            assert trial["value"] == trial["metrics"]["val_loss"] == min(curve)
            assert trial["stopped"] == (trial["epochs"] < EPOCHS)
        if trial["outcome"] != "diverged":
            assert trial["best_epoch"] == curve.index(min(curve)) + 1
            assert len(curve) == trial["epochs"]
    early = [t for t in found if t["outcome"] == "complete" and t["epochs"] < EPOCHS // 4]
    assert early
    for trial in early:
        if SCHEDULES["constant"].name == trial["configuration"]["schedule"]["name"]:
            [job] = [j for j in jobs(executor) if j.configuration.to_dict() == trial["configuration"]]
            assert (job.total_epochs or job.epochs) == EPOCHS


@pytest.mark.parametrize("pruner", sorted(PRUNERS))
def test_a_search_with_early_stopping_goes_on_after_a_kill(tmp_path: Path, pruner: str) -> None:
    """Killed between rungs, it comes to the trials of the uninterrupted one."""
    options: dict[str, Any] = {"trials": 30, "pruner": pruner, "stopping": STOPPING, "epochs": EPOCHS}
    run(tmp_path / "whole", Overfitting(), space("adam", "sgd"), **options)
    for dies in (5, 17):
        with pytest.raises(Killed):
            run(tmp_path / "killed", Overfitting(dies=dies), space("adam", "sgd"), **options)
    run(tmp_path / "killed", Overfitting(), space("adam", "sgd"), **options)
    assert trials(tmp_path / "killed") == trials(tmp_path / "whole")
    assert all(rung["epochs"] < EPOCHS and not rung["run"]["stopped"] for rung in notes(tmp_path / "killed", "rung")
               if "cosine" not in str(rung["configuration"]))  # fmt: skip


def _record(curve: list[float], **more: Any) -> TrialRecord:
    stopped = len(curve) < EPOCHS
    found: dict[str, Any] = {
        "number": 0, "stage": "search", "arm": "adam", "configuration": BASELINE, "seed": 0, "outcome": "complete",
        "value": min(curve), "metrics": {"val_loss": min(curve)}, "curves": {"val_loss": curve},
        "epochs": len(curve), "started": 0.0, "seconds": 1.0, "best_epoch": curve.index(min(curve)) + 1,
        "stopped": stopped,
    }  # fmt: skip
    return TrialRecord(**{**found, **more})


def _rungs() -> Any:
    return Course(seed=0, rows=64, epochs=EPOCHS, objective=LOSS, folder=None, stopping=STOPPING).rungs()


def test_the_value_at_a_rung_is_the_best_until_there() -> None:
    """Also at rungs after the stop, where there is nothing on the curve."""
    rungs = _rungs()
    assert rungs.lengths == (4, 8)
    assert rungs.values(_record([0.9, 0.5, 0.6, 0.7])) == {4: 0.5, 8: 0.5}
    assert rungs.values(_record([0.9, 0.8, 0.7, 0.75, 0.6, 0.65, 0.7])) == {4: 0.7, 8: 0.6}
    whole = [1 / k for k in range(1, EPOCHS + 1)]
    assert rungs.values(_record(whole)) == {4: 1 / 4, 8: 1 / 8}


def test_what_a_rung_ended_after_a_stop_is_reported_at_the_rung() -> None:
    """A short cosine may stop before its rung, where it is then compared with the others of its length."""
    cosine = Configuration(rule=Adam(), schedule=SCHEDULES["cosine_decay"]())
    ended = _record([0.9, 0.5, 0.6], configuration=cosine, outcome="pruned", value=None)
    assert _rungs().values(ended) == {4: 0.5}


def test_what_early_stopping_says_is_recorded_only_where_there_was_any() -> None:
    """Ledgers of other studies stay as they are."""
    record = _record([0.9, 0.5, 0.6])
    assert TrialRecord.from_dict(record.to_dict()) == record
    without = dataclasses.replace(record, best_epoch=0, stopped=False)
    assert not {"best_epoch", "stopped"} & {*without.to_dict()}
    assert TrialRecord.from_dict(without.to_dict()) == without


@pytest.mark.parametrize(
    ("stopping", "objective", "expected"),
    [
        (EarlyStopping(patience=9), LOSS, 4),
        (EarlyStopping(patience=9, min_delta=-0.3), LOSS, 2),  # Keras takes its absolute value
        (EarlyStopping(patience=9, mode="max"), LOSS, 1),
        (EarlyStopping(patience=9, start_from_epoch=4), LOSS, 6),
        (EarlyStopping(patience=9, start_from_epoch=7), LOSS, 6),
        (EarlyStopping(patience=9, restore_best_weights=False), LOSS, 6),
        (EarlyStopping(patience=9, monitor="val_odd"), Objective("val_odd", maximize=True), 3),
        (EarlyStopping(patience=9, monitor="val_accuracy"), LOSS, 5),
    ],
)
def test_the_kept_epoch_is_that_of_keras(stopping: EarlyStopping, objective: Objective, expected: int) -> None:
    """Off the curves, as the callback has it on a model whose one weight is the epoch."""
    curves = {
        "val_loss": [0.9, 0.5, 0.4, 0.3, 0.7, 0.35],
        "val_odd": [0.1, 0.2, 0.9, 0.3, 0.4, 0.8],
        "val_accuracy": [0.1, 0.2, 0.3, 0.3, 0.5, 0.4],
    }
    assert kept_epoch(stopping, objective, curves) == expected
