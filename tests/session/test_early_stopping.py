"""A real study with early stopping, from the options to the saved model, and what cannot be asked for."""

from __future__ import annotations

import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from optselect.api import Result
from optselect.errors import InvalidValue, OptselectError, StudyConflict, UnknownName
from optselect.options import Settings
from optselect.record import StudyLog
from optselect.task import EarlyStopping
from tests.helpers.asking import tuned

STUDY: dict[str, Any] = {
    "trials": 4, "optimizers": ["adam", "sgd"], "epochs": 12, "care": "quick", "confirm": 3, "workers": 1,
    "mlflow": None, "storage": None, "patience": 1, "range_test": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Of iris, where Adam at a high rate stops soon."""
    return tuned(None, "sklearn:iris", out=tmp_path_factory.mktemp("studies"), **STUDY)


def test_every_stage_stops_early(result: Result) -> None:
    """The value of a training is that of the epoch which it kept; some stop before the last."""
    assert {r.stage for r in result.records} == {"search", "race", "confirm", "basin"}
    for record in result.records:
        curve = record.curves["val_loss"]
        assert record.value == pytest.approx(min(curve), rel=1e-5)
        assert record.epochs == len(curve)
        assert record.best_epoch == curve.index(min(curve)) + 1
    assert any(record.stopped for record in result.records)


def test_the_model_to_keep_trains_for_the_median_of_the_kept_epochs(result: Result) -> None:
    """It has no rows left to stop on; the ledger and the verdict say for how long it trained."""
    log = StudyLog.read(result.directory / "ledger.jsonl")
    best = [r.best_epoch for r in result.records if r.stage == "confirm" and r.configuration == result.best]
    refit = log.final("refit")
    assert refit is not None
    assert refit.epochs == result.verdict.refit_epochs == statistics.median_low(best)
    check = log.final("check")
    assert check is not None
    assert check.epochs is None


def test_the_answer_has_epochs_and_callback(result: Result) -> None:
    """In `recommendation.json`, and in the code to paste."""
    verdict = json.loads((result.directory / "recommendation.json").read_text())["verdict"]
    assert [used["arm"] for used in verdict["epochs"]] == ["adam", "sgd"]
    assert all(standing["epochs"]["trainings"] >= 3 for standing in verdict["ranking"])
    assert "EarlyStopping(monitor='val_loss', patience=1, restore_best_weights=True)" in result.snippet
    assert "validation_data=(x_val, y_val)" in result.snippet


def test_another_patience_is_another_question(result: Result) -> None:
    """The study is not gone on with; what changed is named."""
    with pytest.raises(StudyConflict, match="early stopping"):
        tuned(None, "sklearn:iris", out=result.directory.parent, **{**STUDY, "patience": 2})
    again = tuned(None, "sklearn:iris", out=result.directory.parent, **STUDY)
    assert again.verdict.to_dict() == result.verdict.to_dict()


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"patience": 3, "early_stopping": EarlyStopping(patience=3)}, InvalidValue, "`patience` and"),
        ({"patience": -1}, InvalidValue, "-1"),
        ({"early_stopping": True}, InvalidValue, "True"),
        ({"early_stopping": {"patience": 3, "min_delte": 0.1}}, UnknownName, "min_delta"),
        ({"early_stopping": {"patience": 3, "mode": "mix"}}, UnknownName, "min"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], error: type[OptselectError], named: str) -> None:
    """Before anything is read."""
    with pytest.raises(error, match=named):
        Settings(data="a.csv", **asked)


@pytest.mark.parametrize(
    ("asked", "epochs", "stopping"),
    [
        ({}, 20, None),
        ({"epochs": 7}, 7, None),
        ({"patience": 4}, 100, EarlyStopping(patience=4)),
        ({"patience": 4, "epochs": 9}, 9, EarlyStopping(patience=4)),
        ({"early_stopping": {"patience": 4, "baseline": 0.5}}, 100, EarlyStopping(patience=4, baseline=0.5)),
    ],
)
def test_epochs_and_patience_decide_together(
    asked: dict[str, Any], epochs: int, stopping: EarlyStopping | None, tmp_path: Path
) -> None:
    """Epochs alone are a fixed number; with early stopping they are the most. A record says the same again."""
    settings = Settings(data="sklearn:iris", **asked)
    assert (settings.epochs, settings.stopping) == (epochs, stopping)
    assert Settings.from_record(json.loads(json.dumps(settings.to_record()))) == settings
    spec = settings.spec()
    assert (spec.epochs, spec.stopping) == (epochs, stopping)
    assert ("early stopping" in spec.fingerprint()) == (stopping is not None)
    assert dataclasses.replace(settings, epochs=None).epochs == Settings(data="", **{**asked, "epochs": None}).epochs
