"""What tests of the mirror share: trials by hand, fresh MLflow databases, a real MLflow server."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mirror import server as mlflow_server
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.record.entries import Outcome, StudyRecord, TrialRecord
from optselect.sinks.mlflow import Ending

STUDY = StudyRecord(
    name="iris",
    fingerprint={"data": "1f2e3d", "objective": "val_loss"},
    description={"rows": 150, "learning rates": [1, 2], "model": "mlp"},
)
ENDING = Ending(summary={"note": "Take **it**.", "winner": "it", "p_best": 0.9, "gap": math.nan}, artifacts={})
WEEK = 60.0  # seconds: longer than anything here takes


def record(number: int, outcome: Outcome = "complete", **changed: Any) -> TrialRecord:
    """A trial of three epochs; rules, schedules and clippings in turn."""
    rule, schedule, clipping = (list(family.values())[number % len(family)] for family in (RULES, SCHEDULES, CLIPPINGS))
    broken = math.inf if outcome == "diverged" else 0.25
    values: dict[str, Any] = {
        "number": number,
        "stage": "search",
        "arm": rule.name,
        "configuration": Configuration(rule=rule(), schedule=schedule(), clipping=clipping(), batch_size=64),
        "seed": 7,
        "outcome": outcome,
        "value": 1 / (number + 1) if outcome == "complete" else None,
        "metrics": {"val_loss": 0.25, "test_accuracy": 0.875},
        "curves": {"loss": [1.0, broken, broken], "val_loss": [1.5, 0.5, 0.25]},
        "epochs": 3,
        "started": 1767225600.5,
        "seconds": 1.5,
        "message": "" if outcome == "complete" else "the loss is inf",
    }
    return TrialRecord(**(values | changed))


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """A database that MLflow has made, which takes it seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(template, tmp_path) -> str:
    """A fresh MLflow database."""
    return f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"


def client(uri: str) -> Any:
    """MLflow's own client, to read back with."""
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri)


@pytest.fixture(scope="session")
def server(template, tmp_path_factory) -> Iterator[str]:
    """A real MLflow server."""
    database = tmp_path_factory.mktemp("server") / "mlflow.db"
    shutil.copy(template, database)
    with mlflow_server(database) as address:
        yield address
