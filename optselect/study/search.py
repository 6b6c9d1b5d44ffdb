"""The search: arms side by side under one budget, rungs for their trials, checkpoints where arms are eliminated."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.errors import NoResult
from optselect.model.objective import Objective
from optselect.record import StudyLog
from optselect.record.entries import StageName, TrialRecord
from optselect.record.notes import Eliminated, ShareRecord
from optselect.spaces import Space
from optselect.study import elimination, ranging
from optselect.study.agenda import Agenda, Place
from optselect.study.arm import Arm
from optselect.study.budget import Budget, Clock
from optselect.study.curve import curves
from optselect.study.findings import Findings, tradeoffs
from optselect.study.initial_points import first_points
from optselect.study.kept_epoch import kept_epoch
from optselect.study.rung_reliability import CALIBRATION, Guard
from optselect.study.rungs import Rungs
from optselect.study.samplers import make_sampler
from optselect.study.search_options import SearchOptions
from optselect.study.stage import Planned
from optselect.task import EarlyStopping
from optselect.trainer.messages import Job, Run
from optselect.util.seeds import derive

__all__ = ["Course", "StudySearch", "search_seed", "why_nothing"]

_JOINT = "joint"  # the one arm of that strategy
_DRAWN = 4  # trials beyond its points that every arm has before the first checkpoint
_NOTHING = object()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """What all trials of a search have in common.

    seed: of the study. rows: of the training part. folder: for the states of
    paused trials; None where a training cannot be paused. stopping: when a
    training stops before its last epoch, None if it does not.
    """

    seed: int
    rows: int
    epochs: int
    objective: Objective
    folder: Path | None
    stopping: EarlyStopping | None = None

    def rungs(self) -> Rungs:
        """Plans the parts of its trials."""
        kept = None if self.stopping is None else functools.partial(kept_epoch, self.stopping, self.objective)
        return Rungs(self.epochs, rows=self.rows, objective=self.objective.name, folder=self.folder, kept=kept)


class StudySearch:
    """The stage that looks for good configurations.

    space: as the user gave it; range tests in the log narrow it. records: the trials of the study that are
    there. clock: of the budget. closed: the search is over, whatever the budget says: a later stage has begun.
    say: told in a line what is decided.
    """

    name: StageName = "search"

    def __init__(
        self,
        space: Space,
        records: Iterable[TrialRecord],
        course: Course,
        *,
        options: SearchOptions,
        budget: Budget,
        clock: Clock,
        log: StudyLog,
        closed: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.course, self.options, self.budget = course, options, budget
        self.eliminated: list[Eliminated] = []
        self._clock, self._log, self._closed = clock, log, closed
        self._say: Callable[[str], None] = lambda line: None  # what is restored is no news
        self._optimizers = list(space.optimizers)
        self.records = sorted((r for r in records if r.stage == "search"), key=lambda r: r.number)
        self._done = {self._place(r): r for r in self.records}
        self.rungs = course.rungs()
        self.arms = {arm.name: arm for arm in self._make_arms(space)}
        self._live = list(self.arms)
        self._agenda = Agenda(self._live, {place: record.number for place, record in self._done.items()})
        self._guard = Guard(self.rungs)
        self._expected = 0  # trials in all, by which checkpoints and the dimensions of the search go
        self.share = 0  # of these an optimizer's, if all get the same
        for place, record in sorted(self._done.items(), key=lambda item: item[0][1]):
            self.arms[place[0]].learn(record, self.rungs.values(record))
            self.rungs.tidy(record.number)
        if closed:
            self._fix_share()
        else:
            self._advance()
        self._say = say

    def total(self) -> int | None:
        return self.budget.trials

    def done(self) -> int:
        return len(self.records)

    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self._closed or (self.budget.trials is not None and self.done() >= self.budget.trials)

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        """The next proposal: of the arm whose turn it is, one trial an arm at a time unless workers outnumber arms.

        With one trial an arm at a time, what an arm proposes depends on its own records alone, whatever the
        number of workers.
        """
        if self.finished() or (self.records and self._clock.fitting(self.records) < 1 + len(running)):
            return None
        busy = {self._arm_of(planned.arm) for planned in running}
        place = self._agenda.take(busy, crowded=idle > 0 and idle + len(running) > len(self._live))
        if place is None:
            return None
        arm, slot = place
        proposal = self.arms[arm].ask(slot)
        planned = Planned(
            stage="search",
            arm=proposal.configuration.rule.key,
            job=Job(
                configuration=proposal.configuration,
                seed=search_seed(self.course.seed),
                epochs=self.course.epochs,
            ),
            number=self._agenda.number(place),
            attributes=proposal.attributes,
        )
        straight = self.arms[arm].given(slot) or not self.options.pausing
        return planned if straight else self.rungs.first(planned, self._guard.pauses(planned.job.configuration))

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        """The part of a trial after a rung, unless the pruner ends it there."""
        value = runs[-1].metrics.get(self.course.objective.name, math.nan)
        if planned.until is None or planned.whole(runs[-1]) or not math.isfinite(value):
            return None
        ends = self.arms[self._arm_of(planned.arm)].report(planned.attributes["slot"], planned.job.epochs, value)
        if ends and self._guard.trusts(planned.job.configuration, planned.job.epochs):
            return None
        reports = {**planned.attributes.get("reports", {}), str(planned.job.epochs): value}
        noted = dataclasses.replace(planned, attributes={**planned.attributes, "reports": reports})
        further = self.rungs.after(noted, self._guard.pauses(planned.job.configuration))
        self.rungs.tidy(planned.number, but=further.job.start)
        return further

    def learn(self, record: TrialRecord) -> None:
        place = self._place(record)
        self.records.append(record)
        self._done[place] = record
        self.arms[place[0]].learn(record, self.rungs.values(record))
        self.rungs.tidy(record.number)
        self._agenda.finish(place)
        self._advance()

    def findings(self) -> Findings:
        """What there is to tell beside the best."""
        return Findings(
            curves=curves(self.records, self.course.objective),
            tradeoffs=tradeoffs(self.records, self.course.objective),
            eliminated=tuple(self.eliminated),
            range_tests=ranging.told(self._log),
        )

    # -- arms -------------------------------------------------------------------------------------------------

    def _make_arms(self, space: Space) -> Iterable[Arm]:
        found = ranging.readings(self._log)
        narrow = ranging.narrowed(space, self._log)
        diverging = ranging.diverging(self._log)
        points = {
            name: first_points(
                space,
                name,
                rows=self.course.rows,
                start=self.options.configurations,
                suggested=found[name].suggested if name in found else (),
                below=diverging.get(name, math.inf),
            )
            for name in self._optimizers
        }
        joint = self.options.strategy == _JOINT
        for name, members in {_JOINT: self._optimizers}.items() if joint else ((n, [n]) for n in self._optimizers):
            yield Arm(
                name,
                members,
                narrow,
                _in_turn([points[member] for member in members]),
                seed=self.course.seed,
                rows=self.course.rows,
                objective=self.course.objective,
                sampler=make_sampler(self.options.sampler),
                pruner=self.options.pruner_of(min(self.rungs.lengths, default=1), self.course.epochs),
                grid=self.options.sampler == "grid",
            )

    def _arm_of(self, optimizer: str) -> str:
        return _JOINT if self.options.strategy == _JOINT else optimizer

    def _place(self, record: TrialRecord) -> Place:
        return self._arm_of(record.arm), record.attributes["slot"]

    # -- checkpoints ------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Decide what is to be decided once all arms are through with their places, and write the agenda further."""
        while self._agenda.over:
            if not self.share and not self._fix_share():
                self._agenda.extend(self._live, 1)
                continue
            self._go_through()
            left = self._left()
            if not self._live:
                self._say(f"Every grid is through: the search ends after {self._agenda.written} trials.")
            if left <= 0 or not self._live:
                return
            if self._agenda.reached >= self._first_checkpoint():
                self._decide(self._agenda.reached)
            if left < len(self._live):
                self._agenda.append(self._live[: int(left)])
                return
            each = left if math.isinf(left) else left // len(self._live)
            self._agenda.extend(
                self._live, int(min(self._next_checkpoint(), self._agenda.reached + each, self._shortest()))
            )

    def _go_through(self) -> None:
        """Arms whose grid is through have no more trials; the others get theirs."""
        for arm in [arm for arm in self._live if self.arms[arm].slots <= self._agenda.reached]:
            self._live.remove(arm)
            self._say(f"{arm}: the grid is through after {self._agenda.reached} trials.")

    def _shortest(self) -> float:
        """Trials of the arm that has the fewest left to try, counted from its first."""
        return min(self.arms[arm].slots for arm in self._live)

    def _left(self) -> float:
        """Trials of the budget that no arm has yet."""
        return math.inf if self.budget.trials is None else self.budget.trials - self._agenda.written

    def _fix_share(self) -> bool:
        """Fix how many trials are expected, once that is known: with a time limit after a first trial of every arm."""
        if self._log.share is None:
            if self.budget.seconds is not None and self._agenda.reached == 0 and not self._closed:
                return False
            fitting = self._agenda.written + self._clock.fitting(self.records, statistics.median)
            self._log.append(ShareRecord(trials=int(min(fitting, self.budget.trials or math.inf))))
        self._expected = self._log.share or 0
        self.share = max(1, self._expected // len(self._optimizers))
        for arm in self.arms.values():
            arm.widen(self.share)
        return True

    def _first_checkpoint(self) -> int:
        each = -(-CALIBRATION // len(self.arms))
        return max(each, self.share // 4, *(arm.points + _DRAWN for arm in self.arms.values()))

    def _next_checkpoint(self) -> float:
        if self.budget.trials is not None and not self.options.elimination and not self.options.pausing:
            return math.inf  # nothing is decided midway
        checkpoint = self._first_checkpoint()
        while checkpoint <= self._agenda.reached:
            checkpoint *= 2
        return checkpoint

    def _decide(self, reached: int) -> None:
        """Which arms go on and which rungs are trusted, on the first `reached` trials of every arm."""
        shared = {place: r for place, r in self._done.items() if place[1] < reached}
        if self.options.pausing:
            for line in self._guard.judge(shared.values()):
                self._say(line)
        if not self.options.elimination or len(self._live) < 2:
            return
        for gone in self._hopeless(shared):
            self.eliminated.append(gone)
            self._live.remove(gone.arm)
            if gone not in self._log.eliminated:
                self._log.append(gone)
                self._say(str(gone))

    def _hopeless(self, shared: Mapping[Place, TrialRecord]) -> list[Eliminated]:
        """Who is eliminated at this checkpoint; what was noted before stands, also if the budget was raised since."""
        noted = self._log.eliminated
        before = [one for one in noted if one.checkpoint == self._agenda.reached and one.arm in self._live]
        expected = self.budget.trials or self._expected
        objective = self.course.objective
        values = {
            arm: [objective.sign * r.value for (a, _), r in shared.items() if a == arm and r.value is not None]
            for arm in self._live
        }
        found = elimination.eliminated(
            values,
            checkpoint=self._agenda.reached,
            further=2 * max(0, expected - self._agenda.written) // len(self._live),
            noise=elimination.noise(list(shared.values()), objective),
            sign=objective.sign,
        )
        return [*before, *(one for one in found if one.arm not in {other.arm for other in before})]


def search_seed(seed: int) -> int:
    """The one seed with which all trials of a study's search are trained."""
    return derive(seed, "search")


def why_nothing(trials: Sequence[TrialRecord], objective: Objective) -> NoResult:
    """What to raise where no trial of the search gave a value."""

    def count(outcome: str) -> int:
        return sum(r.outcome == outcome for r in trials)

    rates: Iterable[float] = (r.configuration.learning_rate for r in trials)
    return NoResult(
        f"No trial gave a finite {objective} ({len(trials)} tried: {count('diverged')} diverged, "
        f"{count('failed')} failed). The lowest learning rate tried was {min(rates, default=math.nan):.3g}; "
        "check the data for huge values, or search lower rates with a space of your own (`space=`)."
    )


def _in_turn(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """The first of each, the second of each, and so on.

    >>> _in_turn([[1, 2, 3], [4]])
    [1, 4, 2, 3]
    """
    rows = itertools.zip_longest(*lists, fillvalue=_NOTHING)
    return [one for row in rows for one in row if one is not _NOTHING]
