"""How long a study may take: by trials, by time, or by both; and what still fits."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from optselect.record.entries import TrialRecord

__all__ = ["Budget", "Clock", "gap"]

_LATEST = 50  # trials by which the next ones are judged
_FINISH = 3.0  # seconds to write what was found
_TRACED = 0.5  # of the start, what two trainings with `model.fit` take to be traced: both are the machine's speed
_PLAIN = 1.5  # times as long as a trial `model.fit` trains, at the outside
_MARGIN = 1.25  # of what follows the search: who races may train longer than most
_MOST = 0.5  # of the time in which trials are trained, for what follows the search


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to search: `trials` over all arms, `seconds` of the whole study, or both; the first to end ends it.

    reserve: how many trainings follow the search, if there is time for them.
    """

    trials: int | None = None
    seconds: float | None = None
    reserve: int = 0


class Clock:
    """What is left of a budget's seconds.

    workers: how many trainings run at once. since: when the study would have begun if it had never been interrupted,
    on the clock of `time.monotonic`. setup: seconds that starting the workers took.
    """

    def __init__(self, budget: Budget, *, workers: int, since: float, setup: float = 0.0) -> None:
        self._budget, self._workers, self._since = budget, workers, since
        self.setup = setup

    def left(self) -> float:
        """Seconds, none of them below 0; infinite without a limit."""
        return math.inf if self._budget.seconds is None else max(0.0, self._budget.seconds - self._spent())

    def fitting(
        self, records: Sequence[TrialRecord], typical: Callable[[Sequence[float]], float] = statistics.fmean
    ) -> float:
        """How many more trials fit before what follows the search, which gets half of the time if it needs it.

        records: trials so far, whose pace is gone by. typical: of their seconds.
        """
        if self._budget.seconds is None:
            return math.inf
        each = max(typical([r.seconds for r in _latest(records)] or [0.0]), gap(records, workers=self._workers))
        room = max(0.0, self._budget.seconds - self.setup - self._ending(each))
        after = min(_MARGIN * self._budget.reserve * each / self._workers, _MOST * room)
        return self._trainings(self.left() - self._ending(each) - after, each)

    def trainings(self, records: Sequence[TrialRecord], alike: Sequence[TrialRecord]) -> float:
        """How many trainings fit before the last two, which are `model.fit`'s.

        records: trials so far. alike: those of them that took as long as what is to be trained.
        """
        each = max(statistics.median([r.seconds for r in alike] or [0.0]), gap(records, workers=self._workers))
        return self._trainings(self.left() - self._ending(each), each)

    def _spent(self) -> float:
        return time.monotonic() - self._since

    def _ending(self, each: float) -> float:
        """Seconds of what comes last: the check in plain Keras, the model to keep, the files."""
        return _FINISH + _TRACED * self.setup + 2 * _PLAIN * each

    def _trainings(self, seconds: float, each: float) -> float:
        if seconds <= 0:
            return 0.0
        return seconds * self._workers / each if each else math.inf


def gap(records: Iterable[TrialRecord], *, workers: int) -> float:
    """Seconds from one training to the next of one of several workers, as is usual among the latest.

    Where trainings are short that is more than they take: they wait for proposals and for the disk.
    """
    ends = [r.started + r.seconds for r in _latest(records)]
    gaps = [after - before for before, after in itertools.pairwise(ends)]
    return workers * statistics.median(gaps) if gaps else 0.0


def _latest(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    return sorted(records, key=lambda r: r.started + r.seconds)[-_LATEST:]
