"""What all stages of a study have in common."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.options import Settings
from optselect.record import StudyLog
from optselect.spaces import Space
from optselect.study.budget import Budget, Clock
from optselect.study.listener import Listener
from optselect.task import EarlyStopping, TaskDescription

__all__ = ["StudyContext"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyContext:
    """The task, the settings and where the study is recorded; the same from its first trial to its answer.

    epochs: of a trial, with `stopping` at most. rows: of the training part. rho, folds: as in `Contest`. clock: of the
    budget.
    """

    task: TaskDescription
    settings: Settings
    space: Space
    epochs: int
    rows: int
    rho: float
    log: StudyLog
    listener: Listener
    budget: Budget
    clock: Clock
    folds: int = 0
    stopping: EarlyStopping | None = None

    @property
    def objective(self) -> Objective:
        """What the study improves."""
        return self.task.objective

    @property
    def baseline(self) -> Configuration:
        """Keras's default Adam, with a batch that the training part has rows for."""
        return dataclasses.replace(BASELINE, batch_size=min(BASELINE.batch_size, self.rows))

    @property
    def folder(self) -> Path:
        """The folder of the study's files."""
        return self.log.path.parent

    def steps(self, configuration: Configuration) -> int:
        """Steps of a whole training."""
        return self.epochs * configuration.steps_per_epoch(self.rows)
