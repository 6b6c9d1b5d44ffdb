"""optselect's own search as a study runs it, on whatever executor answers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from optselect.options import Settings
from optselect.record import StudyLog
from optselect.record.entries import TrialRecord
from optselect.session.opening import prepared, search_of
from optselect.session.study_context import StudyContext
from optselect.sinks.mlflow import NullTracker
from optselect.spaces import Space
from optselect.study.budget import Budget, Clock
from optselect.study.listener import Silent
from optselect.study.runner import Study
from optselect.study.search_options import SearchOptions
from optselect.task import TaskDescription
from optselect.workers.executor import Executor

__all__ = ["searched"]

_MEMORY = Path("/dev/shm")  # a ledger that nobody reads needs no disk


def searched(
    executor: Executor, space: Space, *, epochs: int, rows: int, trials: int, seed: int, **options: Any
) -> list[TrialRecord]:
    """The trials of a search, range tests before them. epochs: of a trial. options: of `SearchOptions`."""
    home = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=home) as folder, StudyLog.open(Path(folder) / "ledger.jsonl") as log:
        study = Study(log, objective="val_loss")
        budget = Budget(trials=trials)
        context = StudyContext(
            task=TaskDescription(way="graph", workers=1),
            settings=Settings(trials=trials, seed=seed, search=SearchOptions(**options)),
            space=space,
            epochs=epochs,
            rows=rows,
            rho=0.0,
            log=log,
            listener=Silent(),
            budget=budget,
            clock=Clock(budget, workers=1, since=time.monotonic()),
        )
        search = prepared(context, search_of(context, study), study, executor)
        study.drive(search, executor, NullTracker(), Silent())
        return study.of_stage("search")
