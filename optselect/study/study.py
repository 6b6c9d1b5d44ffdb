"""The study: stages one after the other, every finished trial in the ledger, so that a killed study goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from optselect.errors import InvalidModel, StudyConflict
from optselect.executors import LocalExecutor
from optselect.ledger import Ledger
from optselect.records import Outcome, StageName, StudyRecord, TrialRecord
from optselect.study.listener import Listener
from optselect.study.stage import Planned, Stage
from optselect.tracking import Tracker
from optselect.trainer.jobs import Run

__all__ = ["Study", "check_conflict"]

_HOPELESS = 5  # so many first trials without one result: the fault is the model's or the machine's


class Study:
    """All trials of one task, over a ledger.

    restored: the trials that are in the ledger. objective: a metric, as in "val_loss".
    """

    def __init__(self, ledger: Ledger, *, restored: Sequence[TrialRecord], objective: str) -> None:
        self.ledger, self.objective = ledger, objective
        self.records = list(restored)
        self._next_number = 1 + max((r.number for r in self.records), default=-1)
        self._running: dict[int, Planned] = {}
        self._runs: dict[int, list[Run]] = {}  # of the rungs of trials under way

    def of_stage(self, stage: StageName) -> list[TrialRecord]:
        """The finished trials of a stage, by number."""
        return sorted((r for r in self.records if r.stage == stage), key=lambda r: r.number)

    def drive(self, stage: Stage, executor: LocalExecutor, tracker: Tracker, listener: Listener) -> None:
        """Keep the executor fed from the stage, one trial ahead of its workers, until nothing is left."""
        listener.stage(stage.name, stage.done(), stage.total())
        while True:
            while len(self._running) <= executor.capacity:
                planned = stage.next(executor.capacity - len(self._running), self._running.values())
                if planned is None:
                    break
                self._submit(self._next_number, planned, executor)
                self._next_number += 1
            if not self._running:
                return
            for number, run in executor.results(timeout=1.0):
                self._take(number, run, stage, executor, tracker, listener)

    def _submit(self, number: int, planned: Planned, executor: LocalExecutor) -> None:
        self._running[number] = planned
        executor.submit(number, planned.job())

    def _take(
        self, number: int, run: Run, stage: Stage, executor: LocalExecutor, tracker: Tracker, listener: Listener
    ) -> None:
        planned = self._running.pop(number)
        runs = [*self._runs.pop(number, []), run]
        further = None if run.error or not run.finite else stage.goes_on(planned, runs)
        if further is not None:
            self._runs[number] = runs
            self._submit(number, further, executor)
            return
        record = self._record(number, planned, runs)
        self.ledger.append("trial", record.to_dict())
        self.records.append(record)
        stage.learn(record)
        self._give_up_if_hopeless()
        tracker.trial(record)
        listener.trial(record)

    def _record(self, number: int, planned: Planned, runs: Sequence[Run]) -> TrialRecord:
        run = runs[-1]
        value = run.metrics.get(self.objective)
        good = run.finite and value is not None and math.isfinite(value)
        outcome: Outcome = "failed" if run.error else "complete" if good else "diverged"
        seconds = sum(r.seconds for r in runs)
        return TrialRecord(
            number=number,
            stage=planned.stage,
            arm=planned.arm,
            configuration=planned.configuration,
            seed=planned.seed,
            outcome=outcome,
            value=value if good else None,
            metrics=run.metrics,
            curves=run.curves,
            epochs=run.epochs,
            started=time.time() - seconds,
            seconds=seconds,
            message=run.error,
            attributes=planned.attributes,
            step_seconds=run.step_seconds,
            memory=run.memory,
        )

    def _give_up_if_hopeless(self) -> None:
        first = self.of_stage("search")
        if len(first) == _HOPELESS and all(r.outcome == "failed" for r in first):
            raise InvalidModel(f"The first {_HOPELESS} trials failed, the last with: {first[-1].message}")


def check_conflict(record: StudyRecord, ledger: Ledger) -> None:
    """Raise `StudyConflict`, naming what changed, if the ledger belongs to another question."""
    stored = next((e for e in ledger.entries if e["kind"] == "study"), None)
    before = stored["fingerprint"] if stored else record.fingerprint
    changed = [
        f"  {key}: {before.get(key, '(not there)')} -> {record.fingerprint.get(key, '(not there)')}"
        for key in sorted({*before, *record.fingerprint})
        if before.get(key) != record.fingerprint.get(key)
    ]
    if changed:
        lines = "\n".join(changed)
        raise StudyConflict(
            f"Study {record.name!r} was started with something else:\n{lines}\n"
            f"Give the new question a name of its own (`--study NAME`), or remove {ledger.path.parent}."
        )
