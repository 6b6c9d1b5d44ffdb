"""How long a search may take: by trials, by time, or by both."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence

from optselect.records import TrialRecord

__all__ = ["Budget", "Clock"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to search: `trials` over all arms, `seconds` of the whole study, or both; the first to end ends it.

    reserve: how many trainings must still fit in the seconds after the search.
    """

    trials: int | None = None
    seconds: float | None = None
    reserve: int = 0


class Clock:
    """What is left of a budget's seconds.

    workers: how many trainings run at once. since: when the study would have begun if it had never been interrupted,
    on the clock of `time.monotonic`.
    """

    def __init__(self, budget: Budget, *, workers: int, since: float) -> None:
        self._budget, self._workers, self._since = budget, workers, since

    def fitting(self, records: Sequence[TrialRecord]) -> float:
        """How many more trials of usual length fit before what follows the search; infinite without a limit.

        records: trials so far, for the usual length.
        """
        if self._budget.seconds is None:
            return math.inf
        each = statistics.median(r.seconds for r in records) if records else 0.0
        left = self._budget.seconds - (time.monotonic() - self._since)
        trainings = left * self._workers / each if each else math.inf if left > 0 else 0.0
        return max(0.0, trainings - self._budget.reserve)
