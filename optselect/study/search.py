"""The search: an arm an optimizer, one shared budget, an equal share for each."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Collection, Iterable, Sequence

from optselect.errors import NoResult
from optselect.records import StageName, TrialRecord
from optselect.seeds import derive
from optselect.spaces import Space
from optselect.study.arm import Arm, Direction
from optselect.study.stage import Planned
from optselect.trainer.jobs import Run

__all__ = ["Budget", "Search", "search_seed", "why_nothing"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to search: `trials` over all arms, `seconds` of the whole study, or both; the first to end ends it.

    reserve: how many trainings must still fit in the seconds after the search.
    """

    trials: int | None = None
    seconds: float | None = None
    reserve: int = 0


class Search:
    """The stage that looks for good configurations.

    records: the trials of the study that are there. rows: of the training part. workers: how many train at once.
    closed: the search is over, whatever the budget says: a later stage has begun.
    """

    name: StageName = "search"

    def __init__(
        self,
        space: Space,
        records: Iterable[TrialRecord],
        *,
        seed: int,
        rows: int,
        epochs: int,
        direction: Direction,
        budget: Budget,
        workers: int,
        closed: bool = False,
    ) -> None:
        self.budget, self.direction = budget, direction
        self._seed, self._epochs, self._workers, self._closed = seed, epochs, workers, closed
        self._started = time.monotonic()
        self.records = sorted((r for r in records if r.stage == "search"), key=lambda r: r.number)
        share = (budget.trials or 25 * len(space.optimizers)) // len(space.optimizers)
        self.arms = {
            name: Arm(name, space, seed=seed, share=share, rows=rows, direction=direction) for name in space.optimizers
        }
        for name, arm in self.arms.items():
            arm.restore(r for r in self.records if r.arm == name)

    def total(self) -> int | None:
        return self.budget.trials

    def done(self) -> int:
        return len(self.records)

    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self._closed or (self.budget.trials is not None and self.done() >= self.budget.trials)

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        """The next proposal: of the arm that was asked least, one trial an arm at a time where that is possible.

        With one trial an arm at a time, what an arm proposes depends on its own records alone, whatever the
        number of workers.
        """
        if self.finished():
            return None
        open_arms = [name for name in self.arms if self._quota(name) > self.arms[name].asked]
        busy = {planned.arm for planned in running}
        free = [name for name in open_arms if name not in busy] or (open_arms if idle > 0 else [])
        if not free:
            return None
        name = min(free, key=lambda n: self.arms[n].asked)
        arm = self.arms[name]
        if arm.asked > 0 and self._out_of_time():
            return None
        proposal = arm.ask()
        return Planned(
            stage="search",
            arm=name,
            configuration=proposal.configuration,
            seed=search_seed(self._seed),
            epochs=self._epochs,
            attributes=proposal.attributes,
        )

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        return None

    def learn(self, record: TrialRecord) -> None:
        self.records.append(record)
        self.arms[record.arm].learn(record)

    def _quota(self, name: str) -> float:
        if self.budget.trials is None:
            return math.inf
        share, rest = divmod(self.budget.trials, len(self.arms))
        return share + (list(self.arms).index(name) < rest)

    def _out_of_time(self) -> bool:
        """Whether what is left of the time is needed for what follows the search."""
        if self.budget.seconds is None:
            return False
        each = statistics.median(r.seconds for r in self.records) if self.records else 0.0
        needed = each * self.budget.reserve / self._workers + each
        return time.monotonic() - self._started + needed >= self.budget.seconds


def search_seed(seed: int) -> int:
    """The one seed with which all trials of a study's search are trained."""
    return derive(seed, "search")


def why_nothing(trials: Sequence[TrialRecord], objective: str) -> NoResult:
    """What to raise where no trial of the search gave a value."""

    def count(outcome: str) -> int:
        return sum(r.outcome == outcome for r in trials)

    rates: Iterable[float] = (r.configuration.rule.base.values()["learning_rate"] for r in trials)
    return NoResult(
        f"No trial gave a finite {objective} ({len(trials)} tried: {count('diverged')} diverged, "
        f"{count('failed')} failed). The lowest learning rate tried was {min(rates, default=math.nan):.3g}; "
        "check the data for huge values, or search lower rates with a space of your own (`--space`)."
    )
