"""A stage of a study: what is trained next, and what is learnt from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from optselect.record.entries import StageName, TrialRecord
from optselect.trainer.messages import Job, Run

__all__ = ["Planned", "Stage"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """A training that a stage asks for: one trial, or one rung of it.

    until: epochs of the whole trial, if this is a rung of it. number: the trial's place in the study, None for the next
    that is free. attributes: what the stage must find in the record to restore itself, JSON types.
    """

    stage: StageName
    arm: str
    job: Job
    until: int | None = None
    number: int | None = None
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def whole(self, run: Run) -> bool:
        """Whether the trial is through with this run: trained to its end, or stopped early on the way there.

        A stop in a shorter training, whose rates are those of a shorter one, says nothing of the whole.
        """
        if self.until is None or run.epochs >= self.until:
            return True
        return run.stopped and (self.job.total_epochs or self.job.epochs) == self.until


class Stage(Protocol):
    """Plans trials one by one. It restores itself from the records when it is made, so it can be gone on with."""

    name: StageName

    def total(self) -> int | None:
        """How many trials in all; None where time is the budget."""
        ...

    def done(self) -> int:
        """How many there are."""
        ...

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        """What to train next; None if there is nothing to do until a trial ends, or ever.

        idle: workers with nothing to do. running: what is under way.
        """
        ...

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        """The next rung of a trial after its `runs`, the latest last; None where the trial ends.

        Every run tells of the whole training so far.
        """
        ...

    def learn(self, record: TrialRecord) -> None:
        """Take in a finished trial."""
        ...
