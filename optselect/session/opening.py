"""What comes first in a study: range tests, then the search over what they left of the space."""

from __future__ import annotations

import dataclasses
import math

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.options import Settings
from optselect.record import StudyLog
from optselect.spaces import Space
from optselect.study import ranging
from optselect.study.budget import Budget, Clock
from optselect.study.listener import Listener
from optselect.study.runner import Study
from optselect.study.search import Course, StudySearch, search_seed
from optselect.task import TaskDescription
from optselect.workers.executor import Executor

__all__ = ["Opening"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opening:
    """The search of a study, made from what is in its log.

    epochs: of a trial. rows: of the training part. description: of the task. clock: of the budget.
    """

    settings: Settings
    space: Space
    epochs: int
    rows: int
    baseline: Configuration
    objective: Objective
    description: TaskDescription
    log: StudyLog
    listener: Listener
    budget: Budget
    clock: Clock

    def search(self, study: Study) -> StudySearch:
        """The search as far as it has come; over where a later stage has begun."""
        settings = self.settings
        return StudySearch(
            self.space,
            study.records,
            Course(
                seed=settings.seed,
                rows=self.rows,
                epochs=self.epochs,
                objective=self.objective,
                folder=self.log.path.parent / "paused" if self.description.pausable else None,
            ),
            options=settings.search,
            budget=self.budget,
            clock=self.clock,
            log=self.log,
            closed=bool(self.log.care) or any(record.stage != "search" for record in study.records),
            say=self.listener.say,
        )

    def prepared(self, search: StudySearch, study: Study, executor: Executor) -> StudySearch:
        """The search in the space that range tests narrow, after running those that are wanted and not there."""
        share = (self.settings.trials or math.inf) / len(self.space.optimizers)
        if search.finished() or not self.settings.search.range_test or share < ranging.WORTHWHILE:
            return search
        whole = self.epochs * self.baseline.steps_per_epoch(self.rows)
        seed = search_seed(self.settings.seed)
        wanted = ranging.probes(self.space, seed=seed, batch_size=self.baseline.batch_size, whole=whole)
        ranging.sound(wanted, self.log, executor, whole=whole, tell=self.listener.say)
        return self.search(study)
