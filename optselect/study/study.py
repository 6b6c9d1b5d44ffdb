"""The study: which trial comes next, what becomes of its result, and how a killed study goes on."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from optselect.configuration import BASELINE, Configuration
from optselect.errors import InvalidModel, NoResult, StudyConflict
from optselect.executors import LocalExecutor
from optselect.ledger import Ledger
from optselect.records import StudyRecord, TrialRecord
from optselect.seeds import derive
from optselect.spaces import Space
from optselect.study.arm import Arm, Direction
from optselect.study.listener import Listener
from optselect.tracking import Tracker
from optselect.trainer.jobs import Job, Run

__all__ = ["Budget", "Study", "check_conflict", "confirmation_seeds", "search_seed"]

_HOPELESS = 5  # so many first trials without one result: the fault is the model's or the machine's


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to search: `trials` over all arms, `seconds` of the whole study, or both; the first to end ends it."""

    trials: int | None = None
    seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Planned:
    stage: Literal["search", "confirm"]
    arm: str
    configuration: Configuration
    seed: int
    attributes: Any = dataclasses.field(default_factory=dict)


class Study:
    """All arms of one task, over a ledger.

    restored: the trials that are in the ledger. rows: of the training part. objective: a metric, as in "val_loss".
    confirmations: fresh seeds a finalist.
    """

    def __init__(
        self,
        space: Space,
        ledger: Ledger,
        *,
        restored: Sequence[TrialRecord],
        seed: int,
        rows: int,
        epochs: int,
        objective: str,
        direction: Direction,
        budget: Budget,
        confirmations: int,
    ) -> None:
        self.ledger = ledger
        self.objective, self.direction, self.budget = objective, direction, budget
        self._seed, self._epochs, self._rows = seed, epochs, rows
        self._confirmations = confirmations
        self._started = time.monotonic()
        self.records = list(restored)
        self._next_number = 1 + max((r.number for r in self.records), default=-1)
        share = (budget.trials or 25 * len(space.optimizers)) // len(space.optimizers)
        self.arms = {
            name: Arm(name, space, seed=seed, share=share, rows=rows, direction=direction) for name in space.optimizers
        }
        for name, arm in self.arms.items():
            arm.restore(r for r in self.records if r.stage == "search" and r.arm == name)
        self._running: dict[int, _Planned] = {}

    # -- what is there ----------------------------------------------------------------------------------------

    def of_stage(self, stage: str) -> list[TrialRecord]:
        """The finished trials of a stage, by number."""
        return sorted((r for r in self.records if r.stage == stage), key=lambda r: r.number)

    def better(self, a: float, b: float) -> bool:
        """Whether objective `a` beats `b`."""
        return a < b if self.direction == "minimize" else a > b

    def finalists(self) -> list[tuple[str, Configuration]]:
        """The best configuration of each arm, best arm first, then Keras's default Adam if it is none of them."""
        best: dict[str, TrialRecord] = {}
        for record in self.of_stage("search"):
            if record.value is not None and (
                record.arm not in best or self.better(record.value, best[record.arm].value or 0.0)
            ):
                best[record.arm] = record
        if not best:
            raise NoResult(_why_nothing(self.of_stage("search"), self.objective))
        sign = 1 if self.direction == "minimize" else -1
        ranked = sorted(best.values(), key=lambda r: (sign * (r.value or 0.0), r.arm))
        found = [(r.arm, r.configuration) for r in ranked]
        baseline = self.baseline
        return found if any(c == baseline for _, c in found) else [*found, (baseline.rule.key, baseline)]

    @property
    def baseline(self) -> Configuration:
        """Keras's default Adam on this task."""
        return dataclasses.replace(BASELINE, batch_size=min(BASELINE.batch_size, self._rows))

    # -- what is done -----------------------------------------------------------------------------------------

    def searched(self) -> bool:
        """Whether the search has used its budget. A budget of time is used up once a confirmation has begun."""
        if self.budget.trials is not None and len(self.of_stage("search")) >= self.budget.trials:
            return True
        return self.budget.seconds is not None and bool(self.of_stage("confirm"))

    def search(self, executor: LocalExecutor, tracker: Tracker, listener: Listener) -> None:
        """Run trials until the budget is used."""
        done = len(self.of_stage("search"))
        listener.stage("search", done, self.budget.trials)
        if not self.searched():
            self._drive(self._next_search, executor, tracker, listener)

    def confirm(self, executor: LocalExecutor, tracker: Tracker, listener: Listener) -> None:
        """Re-run every finalist on the same fresh seeds, used nowhere before."""
        todo = self._unconfirmed()
        total = len(self.finalists()) * self._confirmations
        listener.stage("confirm", total - len(todo), total)
        waiting = iter(todo)
        self._drive(lambda _: next(waiting, None), executor, tracker, listener)

    def confirmed(self) -> bool:
        """Whether every finalist has all its confirmations."""
        return not self._unconfirmed()

    def _unconfirmed(self) -> list[_Planned]:
        done = {(r.configuration, r.seed) for r in self.of_stage("confirm")}
        return [
            _Planned(stage="confirm", arm=arm, configuration=configuration, seed=seed)
            for seed in confirmation_seeds(self._seed, self._confirmations)
            for arm, configuration in self.finalists()
            if (configuration, seed) not in done
        ]

    def _next_search(self, idle: int) -> _Planned | None:
        """The next proposal: of the arm that was asked least, one trial an arm at a time where that is possible.

        With one trial an arm at a time, what an arm proposes depends on its own records alone, whatever the
        number of workers.
        """
        open_arms = [name for name in self.arms if self._quota(name) > self.arms[name].asked]
        busy = {planned.arm for planned in self._running.values()}
        free = [name for name in open_arms if name not in busy] or (open_arms if idle > 0 else [])
        if not free:
            return None
        name = min(free, key=lambda n: self.arms[n].asked)
        arm = self.arms[name]
        if arm.asked > 0 and self._out_of_time():
            return None
        proposal = arm.ask(self._next_number)
        return _Planned(
            stage="search",
            arm=name,
            configuration=proposal.configuration,
            seed=search_seed(self._seed),
            attributes=proposal.attributes,
        )

    def _quota(self, name: str) -> float:
        if self.budget.trials is None:
            return math.inf
        share, rest = divmod(self.budget.trials, len(self.arms))
        return share + (list(self.arms).index(name) < rest)

    def _out_of_time(self) -> bool:
        """Whether what is left of the time is needed for the confirmations."""
        if self.budget.seconds is None:
            return False
        trials = self.of_stage("search")
        each = statistics.median(r.seconds for r in trials) if trials else 0.0
        needed = each * self._confirmations * (len(self.arms) + 1) / self._capacity + each
        return time.monotonic() - self._started + needed >= self.budget.seconds

    def _drive(
        self,
        plan: Callable[[int], _Planned | None],
        executor: LocalExecutor,
        tracker: Tracker,
        listener: Listener,
    ) -> None:
        """Keep the executor fed from `plan`, one trial ahead of its workers, until nothing is left."""
        self._capacity = executor.capacity
        while True:
            while len(self._running) <= executor.capacity:
                planned = plan(executor.capacity - len(self._running))
                if planned is None:
                    break
                self._running[self._next_number] = planned
                executor.submit(self._next_number, self._job(planned))
                self._next_number += 1
            if not self._running:
                return
            for number, run in executor.results(timeout=1.0):
                self._take(number, self._running.pop(number), run, tracker, listener)

    def _job(self, planned: _Planned) -> Job:
        confirm = planned.stage == "confirm"
        return Job(configuration=planned.configuration, seed=planned.seed, epochs=self._epochs, test=confirm)

    def _take(self, number: int, planned: _Planned, run: Run, tracker: Tracker, listener: Listener) -> None:
        value = run.metrics.get(self.objective)
        good = run.finite and value is not None and math.isfinite(value)
        record = TrialRecord(
            number=number,
            stage=planned.stage,
            arm=planned.arm,
            configuration=planned.configuration,
            seed=planned.seed,
            outcome="failed" if run.error else "complete" if good else "diverged",
            value=value if good else None,
            metrics=run.metrics,
            curves=run.curves,
            epochs=run.epochs,
            started=time.time() - run.seconds,
            seconds=run.seconds,
            message=run.error,
            attributes=planned.attributes,
        )
        self.ledger.append("trial", record.to_dict())
        self.records.append(record)
        if record.stage == "search":
            self.arms[record.arm].learn(record)
            self._give_up_if_hopeless()
        tracker.trial(record)
        listener.trial(record)

    def _give_up_if_hopeless(self) -> None:
        trials = self.of_stage("search")
        if len(trials) == _HOPELESS and all(r.outcome == "failed" for r in trials):
            raise InvalidModel(f"The first {_HOPELESS} trials failed, the last with: {trials[-1].message}")


def search_seed(seed: int) -> int:
    """The one seed with which all trials of a study's search are trained."""
    return derive(seed, "search")


def confirmation_seeds(seed: int, count: int) -> list[int]:
    """The fresh seeds of a study's finalists, the same for all of them."""
    return [derive(seed, "confirm", k) for k in range(count)]


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


def _why_nothing(trials: Sequence[TrialRecord], objective: str) -> str:
    def count(outcome: str) -> int:
        return sum(r.outcome == outcome for r in trials)

    rates: Iterable[float] = (r.configuration.rule.base.values()["learning_rate"] for r in trials)
    return (
        f"No trial gave a finite {objective} ({len(trials)} tried: {count('diverged')} diverged, "
        f"{count('failed')} failed). The lowest learning rate tried was {min(rates, default=math.nan):.3g}; "
        "check the data for huge values, or search lower rates with a space of your own (`--space`)."
    )
