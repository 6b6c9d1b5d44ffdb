"""The workers of a study: started when something is to be trained, and not before."""

from __future__ import annotations

import math
import time

from optselect.optim.configuration import BASELINE
from optselect.optim.rules import parse
from optselect.options import Settings
from optselect.record import StudyLog
from optselect.record.entries import StudyRecord
from optselect.session.closing import fresh_seeds, trainings
from optselect.spaces import Space
from optselect.study.conflict import check_architecture
from optselect.study.listener import Listener
from optselect.study.search import search_seed
from optselect.task import TaskDescription, TaskSpec
from optselect.trainer.messages import Plan, decided
from optselect.workers.local import LocalExecutor
from optselect.workers.pool import POOL

__all__ = ["StudyWorkers"]

_STOPPED = 1 / 3  # of the most epochs: what trainings with early stopping take on average


class StudyWorkers:
    """Workers for the task of a study. setup: seconds that starting them took, 0 before."""

    def __init__(
        self, record: StudyRecord, spec: TaskSpec, space: Space, log: StudyLog, settings: Settings, listener: Listener
    ) -> None:
        self._record, self._spec, self._space, self._log = record, spec, space, log
        self._settings, self._listener = settings, listener
        self._executor: LocalExecutor | None = None
        self.setup = 0.0

    def ready(self) -> LocalExecutor:
        """Start them unless they run. Raises `StudyConflict` where the model is not the one of the log."""
        if self._executor is None:
            self.start()
        assert self._executor is not None
        return self._executor

    def start(self) -> TaskDescription:
        """Start them; what they say of the task. Raises `StudyConflict` as `ready` does."""
        self._listener.stage("start", 0, None)
        known, before = self._log.task, time.monotonic()
        self._executor = LocalExecutor(
            self._spec,
            [parse(name) for name in self._space.optimizers],
            [search_seed(self._settings.seed), *fresh_seeds(self._settings, self._spec.partition.folds)],
            log=self._log.path.parent / "worker.log",
            plan=self._plan(known),
            workers=self._settings.run.workers,
            device=self._settings.run.device,
            threads=known.threads if known else None,
            pool=POOL,
        )
        task = self._executor.start()
        check_architecture(self._record, self._log, task)
        self.setup = time.monotonic() - before
        return task

    def close(self) -> None:
        """Give them up."""
        if self._executor is not None:
            self._executor.close()

    def _plan(self, known: TaskDescription | None) -> Plan:
        """What they will have to do; the way of running the steps, once decided, holds for the whole study."""
        count = (self._settings.trials or math.inf) + trainings(self._settings) + 2
        epochs = self._spec.epochs if self._spec.stopping is None else math.ceil(_STOPPED * self._spec.epochs)
        return Plan(
            steps=count * epochs * BASELINE.steps_per_epoch(len(self._spec.split.train)),
            seconds=self._settings.time_limit or math.inf,
            sizes=len({*self._space.batch_size.choices, BASELINE.batch_size}),
            way=decided(known) if known else None,
            compare=not known,
        )
