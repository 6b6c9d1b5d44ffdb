"""A study whose trainings are formulas: an executor that answers at once, and what is asked of studies on it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.record import Ledger, StudyLog, read
from optselect.sinks.mlflow import NullTracker
from optselect.spaces import Space, default_space
from optselect.study import ranging
from optselect.study.budget import Budget, Clock
from optselect.study.listener import Silent
from optselect.study.runner import Study
from optselect.study.search import Course, StudySearch, search_seed
from optselect.study.search_options import SearchOptions
from optselect.trainer.messages import Job, Probe, ProbeRun, Run
from optselect.workers.executor import Executor

ROWS = 320
_COURSE: dict[str, Any] = {"seconds": None, "stopping": None, "pausable": True}  # what a search is told besides


class Killed(BaseException):
    """The process is gone."""


class Formulas(Executor):
    """An executor whose trainings are formulas of the learning rate; ends the process when its jobs are used up.

    order: seeds the order in which jobs end; None for that in which they came. best, floor: by rule, the best
    learning rate and the value there. dies: after so many jobs.
    """

    capacity = 1

    def __init__(self, capacity: int = 1, *, order: int | None = None, dies: int | None = None, **rules: Any) -> None:
        self.capacity, self.rules = capacity, rules
        self.asked: list[Job | Probe] = []
        self._left = dies
        self._random = random.Random(order) if order is not None else None
        self._waiting: list[tuple[int, Job | Probe]] = []

    def submit(self, ticket: int, job: Job | Probe) -> None:
        self._waiting.append((ticket, job))

    def results(self, timeout: float) -> Iterator[tuple[int, Any]]:
        first = self._waiting[: self.capacity]
        ticket, job = self._random.choice(first) if self._random else first[0]
        if self._left == 0:
            raise Killed
        self._left = None if self._left is None else self._left - 1
        self._waiting.remove((ticket, job))
        self.asked.append(job)
        yield ticket, self._train(job) if isinstance(job, Job) else self._probe(job)

    def close(self) -> None:
        """There is nothing to end."""

    def value(self, configuration: Configuration, epochs: int, total: int) -> float:
        """What a training has after some epochs; NaN where it diverges."""
        rate = configuration.learning_rate
        best, floor = self.rules.get(configuration.rule.key, (1e-2, 0.1))
        away = math.log10(rate / best)
        scheduled = 0.0 if configuration.schedule.plain else 0.05 * math.cos(epochs / total)
        return math.nan if away > 1.5 else floor + away**2 + 0.3 / epochs + scheduled

    def _train(self, job: Job) -> Run:
        before = int(job.start.read_text()) if job.start else 0
        if job.keep:
            job.keep.parent.mkdir(exist_ok=True)
            job.keep.write_text(str(job.epochs))
        total = job.total_epochs or job.epochs
        curve = [self.value(job.configuration, epoch, total) for epoch in range(before + 1, job.epochs + 1)]
        finite = math.isfinite(curve[-1])
        metrics = {"val_loss": curve[-1]}
        return Run(curves={"val_loss": curve}, metrics=metrics, epochs=job.epochs, finite=finite, seconds=1.0)

    def _probe(self, probe: Probe) -> ProbeRun:
        def loss(rate: float) -> float:
            return self.value(
                dataclasses.replace(probe.configuration, rule=probe.configuration.rule.replaced(learning_rate=rate)),
                1,
                1,
            )

        losses = [loss(rate) for rate in probe.rates]
        return ProbeRun(rates=probe.rates, start=9.0, losses=losses, val_losses=losses, seconds=1.0)


def space(*arms: str) -> Space:
    """The default space with these arms."""
    return default_space().only(arms or ("adam", "sgd", "rmsprop"))


def search(
    log: StudyLog, study: Study, over: Space, *, trials: int | None, epochs: int = 8, **options: Any
) -> StudySearch:
    """A search as `tune` makes it."""
    seconds, stopping, pausable = (options.pop(name, usual) for name, usual in _COURSE.items())
    budget = Budget(trials=trials, seconds=seconds)
    spent = float(sum(r.seconds for r in study.records))
    return StudySearch(
        over,
        study.records,
        Course(
            seed=0,
            rows=ROWS,
            epochs=epochs,
            objective=Objective("val_loss"),
            folder=log.path.parent / "paused" if pausable else None,
            stopping=stopping,
        ),
        options=SearchOptions(**options),
        budget=budget,
        clock=_Stopwatch(budget, spent) if seconds else Clock(budget, workers=1, since=0.0),
        log=log,
    )


class _Stopwatch(Clock):
    """A clock by which a training takes the second that it says."""

    def __init__(self, budget: Budget, spent: float) -> None:
        super().__init__(budget, workers=1, since=0.0)
        self._spent, self._known = spent, spent

    def fitting(self, records: Any, typical: Any = None) -> float:
        assert self._budget.seconds is not None
        return self._budget.seconds - sum(r.seconds for r in records)


def run(folder: Path, executor: Formulas, over: Space, *, probe: bool = True, **options: Any) -> StudySearch:
    """A study from where its ledger stands to its end, or until the executor kills it."""
    with headless(folder) as log:
        study = Study(log, objective="val_loss")
        if probe:
            whole = options.get("epochs", 8) * BASELINE.steps_per_epoch(ROWS)
            wanted = ranging.probes(over, seed=search_seed(0), batch_size=BASELINE.batch_size, whole=whole)
            ranging.sound(wanted, log, executor, whole=80, tell=lambda line: None)
        made = search(log, study, over, **options)
        study.drive(made, executor, NullTracker(), Silent())
        return made


@contextlib.contextmanager
def headless(folder: Path) -> Iterator[StudyLog]:
    """The log of a study, which need not say what the study asks."""
    with Ledger.open(folder / "ledger.jsonl") as ledger:
        yield StudyLog.over(ledger)


def trials(folder: Path) -> list[dict[str, Any]]:
    """The finished trials by number, without what a clock says."""
    found = [bare(e) for e in read(folder / "ledger.jsonl") if e["kind"] == "trial"]
    return sorted(({k: v for k, v in e.items() if k not in ("started", "seconds")} for e in found), key=_number)


def notes(folder: Path, kind: str) -> list[dict[str, Any]]:
    """What the ledger has of a kind."""
    return [bare(e) for e in read(folder / "ledger.jsonl") if e["kind"] == kind]


def bare(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as it was written."""
    return {k: v for k, v in entry.items() if k not in ("kind", "crc")}


def _number(entry: dict[str, Any]) -> int:
    return int(entry["number"])
