"""Who is told how a study goes: the terminal's board, or nobody."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from optselect.record.entries import TrialRecord
from optselect.task import TaskDescription

__all__ = ["Listener", "Outlook", "Silent"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known of how long a study will take.

    after: how many trainings follow the search at most. left: seconds left of its time, infinite without a limit.
    """

    after: int = 0
    left: Callable[[], float] = lambda: math.inf


class Listener(Protocol):
    """Told what happens, in the caller's thread; what it does must be quick."""

    def say(self, text: str) -> None:
        """A line for the user."""

    def ready(self, description: TaskDescription, outlook: Outlook) -> None:
        """The workers have the task; what they say of it, and how long it will take."""

    def stage(self, name: str, done: int, total: int | None) -> None:
        """A stage begins with `done` of `total` trials there already; None where time is the budget."""

    def restored(self, records: Sequence[TrialRecord]) -> None:
        """The study goes on; these trials are there already."""

    def trial(self, record: TrialRecord) -> None:
        """A trial has ended."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        pass

    def ready(self, description: TaskDescription, outlook: Outlook) -> None:
        pass

    def stage(self, name: str, done: int, total: int | None) -> None:
        pass

    def restored(self, records: Sequence[TrialRecord]) -> None:
        pass

    def trial(self, record: TrialRecord) -> None:
        pass
