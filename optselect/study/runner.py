"""The study: stages one after the other, every finished trial in the ledger, so that a killed study goes on."""

from __future__ import annotations

import dataclasses
import math
import time

from optselect.errors import InvalidModel
from optselect.record import StudyLog
from optselect.record.entries import Outcome, StageName, TrialRecord
from optselect.record.notes import RungRecord
from optselect.sinks.mlflow import Tracker
from optselect.study.listener import Listener
from optselect.study.oddities import oddities
from optselect.study.stage import Planned, Stage
from optselect.trainer.messages import Run
from optselect.workers.executor import Executor

__all__ = ["Study"]

_LOOKS = (1, 5)  # trainings after which what is odd about them is told
_HOPELESS = 5  # so many first trials without one result: the fault is the model's or the machine's


@dataclasses.dataclass(frozen=True)
class _Parties:
    """Who has a part in a stage."""

    stage: Stage
    executor: Executor
    tracker: Tracker
    listener: Listener


class Study:
    """All trials of one task, over its log.

    objective: a metric, as in "val_loss".
    """

    def __init__(self, log: StudyLog, *, objective: str) -> None:
        self.log, self.objective = log, objective
        self._next_number = 1 + max((r.number for r in self.records), default=-1)
        self._told: list[str] = []  # what was odd
        self._running: dict[int, Planned] = {}
        self._runs: dict[int, list[Run]] = {}  # of the rungs of trials under way
        ended = {r.number for r in self.records}
        self._paused: dict[int | None, list[RungRecord]] = {}  # rungs that an earlier process trained
        for rung in log.rungs:
            if rung.number not in ended:
                self._paused.setdefault(rung.number, []).append(rung)

    @property
    def records(self) -> list[TrialRecord]:
        """The finished trials, in the order in which they ended."""
        return self.log.trials

    def of_stage(self, stage: StageName) -> list[TrialRecord]:
        """The finished trials of a stage, by number."""
        return sorted((r for r in self.records if r.stage == stage), key=lambda r: r.number)

    def drive(self, stage: Stage, executor: Executor, tracker: Tracker, listener: Listener) -> None:
        """Keep the executor fed from the stage, one trial ahead of its workers, until nothing is left."""
        to = _Parties(stage, executor, tracker, listener)
        listener.stage(stage.name, stage.done(), stage.total())
        while True:
            while len(self._running) <= executor.capacity:
                planned = stage.next(executor.capacity - len(self._running), self._running.values())
                if planned is None:
                    break
                self._begin(planned, to)
            if not self._running:
                return
            for number, run in executor.results(timeout=1.0):
                self._take(number, run, to)

    def _begin(self, planned: Planned, to: _Parties) -> None:
        """Start a trial; what an earlier process trained of it is taken as if it came from a worker now."""
        if planned.number is None:
            planned = dataclasses.replace(planned, number=self._next_number)
        number = planned.number
        assert number is not None
        self._next_number = max(self._next_number, number + 1)
        self._running[number] = planned
        while number in self._running:
            run = self._trained(self._running[number])
            if run is None:
                to.executor.submit(number, self._running[number].job)
                return
            self._runs.setdefault(number, []).append(run)
            self._goes_on(number, to)

    def _trained(self, planned: Planned) -> Run | None:
        """What an earlier process found at this rung of this trial."""
        for rung in self._paused.get(planned.number, []):
            if (rung.epochs, rung.configuration) == (planned.job.epochs, planned.job.configuration):
                return rung.run
        return None

    def _take(self, number: int, run: Run, to: _Parties) -> None:
        """Take in what a worker found, and have the trial's next rung trained if there is one."""
        planned, runs = self._running[number], self._runs.setdefault(number, [])
        runs.append(_after(runs[-1], run, planned) if runs else run)
        if not planned.whole(runs[-1]) and run.finite and not run.error:
            self.log.append(_rung(number, planned, runs[-1]))
        self._goes_on(number, to)
        if number in self._running:
            to.executor.submit(number, self._running[number].job)

    def _goes_on(self, number: int, to: _Parties) -> None:
        """Replace a trial that has come to a rung by its next part, or end it."""
        planned, runs = self._running.pop(number), self._runs[number]
        further = None if runs[-1].error or not runs[-1].finite else to.stage.goes_on(planned, runs)
        if further is not None:
            self._running[number] = further
            return
        record = self._record(number, planned, self._runs.pop(number)[-1])
        self.log.append(record)
        to.stage.learn(record)
        self._give_up_if_hopeless()
        self._look(to.listener)
        to.tracker.trial(record)
        to.listener.trial(record)

    def _record(self, number: int, planned: Planned, run: Run) -> TrialRecord:
        value = run.metrics.get(self.objective)
        good = run.finite and value is not None and math.isfinite(value)
        whole = planned.whole(run)
        ended: Outcome = ("complete" if whole else "pruned") if good else "diverged"
        return TrialRecord(
            number=number,
            stage=planned.stage,
            arm=planned.arm,
            configuration=planned.job.configuration,
            seed=planned.job.seed,
            outcome="failed" if run.error else ended,
            value=value if good and whole else None,
            metrics=run.metrics,
            curves=run.curves,
            epochs=run.epochs,
            started=time.time() - run.seconds,
            seconds=run.seconds,
            message=run.error,
            attributes=planned.attributes,
            step_seconds=run.step_seconds,
            memory=run.memory,
            best_epoch=run.best_epoch,
            stopped=run.stopped,
        )

    def _look(self, listener: Listener) -> None:
        """Tell of what is odd about the first trainings, when it shows."""
        if len(self.records) in _LOOKS:
            for oddity in oddities(self.records, self.objective):
                if oddity not in self._told:
                    self._told.append(oddity)
                    listener.say(f"Warning: {oddity}.")

    def _give_up_if_hopeless(self) -> None:
        if len(self.records) != _HOPELESS:  # asked after every trial, so before the records are gone through
            return
        first = self.of_stage("search")
        if len(first) == _HOPELESS and all(r.outcome == "failed" for r in first):
            raise InvalidModel(f"The first {_HOPELESS} trials failed, the last with: {first[-1].message}")


def _after(before: Run, run: Run, planned: Planned) -> Run:
    """A rung's run as one that tells of the whole training: of what it went on from too, if it did not begin anew."""
    seconds = before.seconds + run.seconds
    if planned.job.start is None or len(run.curves.get("loss", ())) == run.epochs:  # its paused state was lost
        return dataclasses.replace(run, seconds=seconds)
    curves = {name: [*before.curves.get(name, []), *values] for name, values in run.curves.items()}
    return dataclasses.replace(run, curves=curves, seconds=seconds)


def _rung(number: int, planned: Planned, run: Run) -> RungRecord:
    """A rung as the ledger keeps it."""
    job = planned.job
    return RungRecord(number=number, arm=planned.arm, epochs=job.epochs, configuration=job.configuration, run=run)
